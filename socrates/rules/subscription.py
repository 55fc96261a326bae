"""Tiers of subscription: what each allows, when the month's count starts anew, and what somebody refused is told.

The table is subscription.toml. Each check returns the Refusal, or None for "go on": plain data, so that no message
holds terminal colours (mends D70). A person who does not exist never gets here, because nobody has a subscription of
theirs: `users.subscription` raises UserNotFoundError, the same for each limit (mends D27).
"""

import tomllib
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from importlib import resources
from typing import Any, Literal, get_args

from socrates.errors import InvalidValueError
from socrates.views import Subscription, User

Feature = Literal["team_collaboration", "multi_llm", "advanced_analytics", "code_generation", "maturity_tracking"]

Limit = Literal["max_projects", "max_team_members", "max_questions_per_month"]

RefusalCode = Literal["PROJECT_LIMIT", "TEAM_LIMIT", "QUESTION_LIMIT", "FEATURE_NOT_IN_TIER"]

_ENDED_STATUSES = frozenset({"expired", "cancelled", "canceled"})

_FREE = "free"


@dataclass(frozen=True, slots=True)
class Tier:
    """What one tier allows; a limit of None is none. The specification leaves the currency of `monthly_cost` open."""

    name: str
    display_name: str
    monthly_cost: float
    features: frozenset[Feature]
    max_projects: int | None = None
    max_team_members: int | None = None
    """The owner counts."""
    max_questions_per_month: int | None = None

    def limit(self, limit: Limit) -> int | None:
        """The limit of this name; None: there is none."""
        value: int | None = getattr(self, limit)
        return value

    def has_room(self, limit: Limit, used: int) -> bool:
        """Whether one more is allowed beside `used`."""
        most = self.limit(limit)
        return most is None or used < most


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something is not allowed, for programs (`code` and the fields) and for people (`message`)."""

    code: RefusalCode
    message: str
    tier: str
    """The one whose limits hold."""
    sufficient_tier: str
    """The smallest one that would allow it."""
    used: int | None = None
    limit: int | None = None


@dataclass(frozen=True, slots=True)
class QuestionQuota:
    """What `users.use_question` takes, besides the time at which the quota was made."""

    limit: int | None
    next_reset: datetime


@cache
def tiers() -> tuple[Tier, ...]:
    """Every tier, the smallest first."""
    names = list(_table()["tiers"])
    return tuple(
        Tier(
            name=name,
            features=frozenset(
                feature
                for feature in get_args(Feature)
                if names.index(_table()["features"][feature]["requires"]) <= names.index(name)
            ),
            **entry,
        )
        for name, entry in _table()["tiers"].items()
    )


def tier_named(name: str) -> Tier:
    """The tier of that name, in any case; `free` for a name that no tier has."""
    by_name = {tier.name: tier for tier in tiers()}
    return by_name.get(name.lower(), by_name[_FREE])


def tier_of(subscription: Subscription, now: datetime) -> Tier:
    """The tier whose limits hold for the person (mends D66: v1 looked neither at the status nor at the end).

    It is `free` when the subscription is expired or cancelled, and from its end on. Raises InvalidValueError for a
    `now` without a time zone.
    """
    return tier_named(_FREE if _has_ended(subscription, now) else subscription.subscription_tier)


def project_refusal(subscription: Subscription, owned: int, now: datetime) -> Refusal | None:
    """Whether the person may have one more project than the `owned` that are not archived: a new or a restored one.

    What others own and share with the person does not count (D07), and restoring asks too (D63): the caller sees to
    both.
    """
    return _limit_refusal("PROJECT_LIMIT", subscription, owned, now)


def team_refusal(owners_subscription: Subscription, size: int, now: datetime) -> Refusal | None:
    """Whether a team of `size` people, the owner included, may have one more; the owner's subscription decides.

    A tier for one person never has room for a second, also when v1 left the owner out of the team.
    """
    return _limit_refusal("TEAM_LIMIT", owners_subscription, max(size, 1), now)


def question_refusal(subscription: Subscription, used: int, now: datetime) -> Refusal | None:
    """Whether the person may be asked one more question after the `used` of this month, and what to tell if not.

    It reserves nothing: `users.use_question` with the `question_quota` does, and its QuotaExceededError has `used`.
    """
    return _limit_refusal("QUESTION_LIMIT", subscription, used, now)


def question_quota(subscription: Subscription, now: datetime) -> QuestionQuota:
    """What to count a question by, before a model is asked (the pure part of mending D78).

    `users.use_question` compares and counts in one statement, so that however many ask at once, none exceeds the limit.
    """
    return QuestionQuota(tier_of(subscription, now).max_questions_per_month, next_reset(now))


def next_reset(now: datetime) -> datetime:
    """When the month that `now` is in is over: 00:00 UTC on the first day of the next (mends D74: v1's was local).

    Raises InvalidValueError for a `now` without a time zone.
    """
    today = _aware(now).astimezone(UTC)
    year, month = (today.year + 1, 1) if today.month == 12 else (today.year, today.month + 1)
    return datetime(year, month, 1, tzinfo=UTC)


def questions_used(user: User, now: datetime) -> int:
    """How many questions the person was asked this month: 0 once the reset date has come, as for one without a date."""
    if user.usage_reset_date is None or user.usage_reset_date <= _aware(now):
        return 0
    return user.questions_used_this_month or 0


def feature_refusal(subscription: Subscription, feature: Feature, now: datetime) -> Refusal | None:
    """Whether the person's tier has the feature. For every caller, not for a terminal alone (the rule of D64)."""
    tier = tier_of(subscription, now)
    if feature in tier.features:
        return None
    sufficient = next(other for other in tiers() if feature in other.features)
    message = _sentences(
        f"{_table()['features'][feature]['name']} is not part of the {tier.display_name} tier.",
        _why_free(subscription, now),
        f"The {sufficient.display_name} tier has it.",
    )
    return Refusal("FEATURE_NOT_IN_TIER", message, tier.name, sufficient.name)


_COUNTED: dict[RefusalCode, tuple[Limit, str]] = {
    "PROJECT_LIMIT": ("max_projects", "Projects"),
    "TEAM_LIMIT": ("max_team_members", "People in the team"),
    "QUESTION_LIMIT": ("max_questions_per_month", "Questions this month"),
}
"""What each limit counts, and how a message calls it."""


def _limit_refusal(code: RefusalCode, subscription: Subscription, used: int, now: datetime) -> Refusal | None:
    tier = tier_of(subscription, now)
    limit, counted = _COUNTED[code]
    if tier.has_room(limit, used):
        return None
    sufficient = next(other for other in tiers() if other.has_room(limit, used))
    most, more = tier.limit(limit), sufficient.limit(limit)
    message = _sentences(
        f"{counted}: {used} of the {most} that the {tier.display_name} tier allows.",
        _why_free(subscription, now),
        _way_out(code, tier, now),
        f"The {sufficient.display_name} tier allows {'any number' if more is None else more}.",
    )
    return Refusal(code, message, tier.name, sufficient.name, used, most)


def _way_out(code: RefusalCode, tier: Tier, now: datetime) -> str:
    """What the person can do without another tier; empty for nothing."""
    if code == "QUESTION_LIMIT":
        return f"The count starts anew on {next_reset(now):%Y-%m-%d} at 00:00 UTC."
    if code == "PROJECT_LIMIT":
        return "Archive or delete one to make room."
    return "" if tier.max_team_members == 1 else "Remove somebody to make room."


def _why_free(subscription: Subscription, now: datetime) -> str:
    """That the person's own tier does not hold any more; empty when it does."""
    own = tier_named(subscription.subscription_tier)
    if own.name == _FREE or not _has_ended(subscription, now):
        return ""
    return f"The subscription to the {own.display_name} tier has ended; renew it to have what it allows."


def _has_ended(subscription: Subscription, now: datetime) -> bool:
    end = subscription.subscription_end
    is_past = end is not None and end <= _aware(now)
    return is_past or subscription.subscription_status.strip().lower() in _ENDED_STATUSES


def _aware(now: datetime) -> datetime:
    if now.utcoffset() is None:
        raise InvalidValueError(f"{now!r} has no time zone; give an aware time, such as datetime.now(UTC)")
    return now


def _sentences(*sentences: str) -> str:
    return " ".join(filter(None, sentences))


@cache
def _table() -> dict[str, Any]:
    return tomllib.loads(resources.files("socrates.rules").joinpath("subscription.toml").read_text("utf-8"))
