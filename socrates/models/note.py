"""Notes that people write to a project."""

from datetime import datetime

from sqlalchemy import ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from socrates.models.base import WITHOUT_ROWID, Base, Extra, children, position_check, undated_first


class ProjectNoteTag(Base):
    """One tag of a note. The same tag may stand twice (rule V15)."""

    __tablename__ = "project_note_tags"
    __table_args__ = (position_check(), WITHOUT_ROWID)

    note_id: Mapped[str] = mapped_column(ForeignKey("project_notes.id", ondelete="CASCADE"), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True)
    tag: Mapped[str]


class ProjectNote(Base):
    """One note; `note_type` is design, bug, idea, task or general."""

    __tablename__ = "project_notes"

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    title: Mapped[str]
    content: Mapped[str]
    note_type: Mapped[str] = mapped_column(default="general")
    created_at: Mapped[datetime | None]
    created_by: Mapped[str] = mapped_column(default="system")
    extra: Mapped[Extra]

    tags: Mapped[list[ProjectNoteTag]] = children(ProjectNoteTag.position)


Index(None, ProjectNote.project_id, undated_first(ProjectNote.created_at))
