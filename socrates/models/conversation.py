"""The dialogue of a project."""

from datetime import datetime

from sqlalchemy.orm import Mapped, mapped_column

from socrates.models.base import WITHOUT_ROWID, Base, Extra, ProjectKey, position_check


class ConversationMessage(Base):
    """One message; `type` says who spoke ("user", "assistant"). Its place is `position`, not the time."""

    __tablename__ = "conversation_messages"
    __table_args__ = (position_check(), WITHOUT_ROWID)

    project_id: Mapped[ProjectKey]
    position: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    content: Mapped[str]
    timestamp: Mapped[datetime | None]
    phase: Mapped[str | None]
    author: Mapped[str | None]
    question_number: Mapped[int | None]
    extra: Mapped[Extra]
