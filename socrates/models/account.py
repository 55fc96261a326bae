"""What accounts need beside the person's own row."""

from datetime import datetime

from sqlalchemy import Index
from sqlalchemy.orm import Mapped, mapped_column

from socrates.models.base import Base


class LoginFailure(Base):
    """The failed log-ins in a row under one name, whether or not somebody bears it.

    No attempt is let in before `blocked_until`, which is the time of the last one where there is no wait.
    """

    __tablename__ = "login_failures"
    __table_args__ = (Index(None, "last_failed_at"),)

    username: Mapped[str] = mapped_column(primary_key=True)
    failures: Mapped[int]
    first_failed_at: Mapped[datetime]
    last_failed_at: Mapped[datetime]
    blocked_until: Mapped[datetime]
