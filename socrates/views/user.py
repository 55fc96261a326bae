"""People."""

from dataclasses import dataclass, field
from datetime import datetime

from socrates.frozen import FrozenDict


@dataclass(frozen=True, slots=True)
class User:
    """One person. The hash is there to be verified, and stays out of `repr`."""

    username: str
    passcode_hash: str = field(repr=False)
    created_at: datetime
    subscription_tier: str
    subscription_status: str
    subscription_start: datetime | None
    subscription_end: datetime | None
    questions_used_this_month: int | None
    usage_reset_date: datetime | None
    is_archived: bool
    archived_at: datetime | None
    extra: FrozenDict


@dataclass(frozen=True, slots=True)
class Subscription:
    """What a person's limits follow from; what is used of them counts elsewhere."""

    username: str
    subscription_tier: str
    subscription_status: str
    subscription_start: datetime | None
    subscription_end: datetime | None


@dataclass(frozen=True, slots=True)
class ArchivedUser:
    """An archived person in a list; `project_count` counts the projects owned."""

    username: str
    archived_at: datetime | None
    project_count: int
