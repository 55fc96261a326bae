"""What system_monitor is asked, and what it answers. All of it is about the person who asks (mends D54)."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from socrates.agents.contracts.base import Key, Line, Request, Shown, Success, asker

TokenCount = Annotated[int, Field(ge=0, le=1_000_000_000)]


class TrackTokens(Request):
    """A call that was made elsewhere. Its cost is calculated, never taken from the request (mends D75).

    `total_tokens` is for callers of v1, and must be the sum; `model` is by default the provider's.
    """

    action: Literal["track_tokens"] = "track_tokens"
    current_user: Key = asker("user_id")
    operation: Line = "track_tokens"
    provider: Line = "claude"
    model: Line | None = None
    input_tokens: TokenCount = 0
    output_tokens: TokenCount = 0
    total_tokens: TokenCount | None = None

    @model_validator(mode="after")
    def _adds_up(self) -> Self:
        if self.total_tokens not in (None, self.input_tokens + self.output_tokens):
            raise ValueError("total_tokens is not the sum of input_tokens and output_tokens: leave it out")
        return self


class CheckHealth(Request):
    action: Literal["check_health"] = "check_health"
    current_user: Key = asker("user_id")


class GetStats(Request):
    action: Literal["get_stats"] = "get_stats"
    current_user: Key = asker("user_id")


class CheckLimits(Request):
    action: Literal["check_limits"] = "check_limits"
    current_user: Key = asker("user_id")


class UsageShown(Shown):
    """One call; `cost` is in US dollars, in JSON as text, so that nothing of it is rounded."""

    id: str
    provider: str
    model: str
    timestamp: datetime
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cost: Decimal


class TokensTracked(Success):
    """`total_recent` is what the last ten calls took, and `warning` whether that is much."""

    current_usage: UsageShown
    warning: bool
    total_recent: int


class HealthChecked(Success):
    """`connection` says whether the model answers with the asker's settings and key.

    Where it does not, `code` and `message` say why (mends D81: the fields are the same in both cases).
    """

    connection: bool
    last_check: datetime
    code: str | None
    message: str | None


class Stats(Success):
    """All calls of the asker; `total_cost` in US dollars, in JSON as text.

    `connection_status` is what the asker's last check in this process found; None: there was none.
    """

    total_tokens: int
    total_cost: Decimal
    api_calls: int
    failed_calls: int
    connection_status: bool | None


class LimitsChecked(Success):
    """`recent_usage` are the tokens of the last five calls."""

    warnings: tuple[str, ...]
    recent_usage: int
