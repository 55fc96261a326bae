"""People."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from socrates.models.base import Base, Extra, archive_index


class User(Base):
    """One person. Other tables name users without a foreign key, because v1 did not keep the two in step."""

    __tablename__ = "users"

    username: Mapped[str] = mapped_column(primary_key=True)
    passcode_hash: Mapped[str]
    created_at: Mapped[datetime]
    subscription_tier: Mapped[str] = mapped_column(default="free")
    subscription_status: Mapped[str] = mapped_column(default="active")
    subscription_start: Mapped[datetime | None]
    subscription_end: Mapped[datetime | None]
    questions_used_this_month: Mapped[int | None] = mapped_column(default=0)
    usage_reset_date: Mapped[datetime | None]
    is_archived: Mapped[bool] = mapped_column(default=False)
    archived_at: Mapped[datetime | None]
    extra: Mapped[Extra]


archive_index(User.archived_at, User.username)
