"""Documents that users upload, what agents suggest to add, and the embeddings that have been computed."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from socrates.models.base import Base, Extra, undated_first


class KnowledgeDocument(Base):
    """One document uploaded to a project; `file_size` in bytes, as the uploader stated it."""

    __tablename__ = "knowledge_documents"

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    user_id: Mapped[str]
    filename: Mapped[str]
    file_size: Mapped[int | None]
    content_type: Mapped[str | None]
    content: Mapped[str]
    embedding: Mapped[bytes | None]
    uploaded_at: Mapped[datetime | None]
    extra: Mapped[Extra]


Index(None, KnowledgeDocument.project_id, undated_first(KnowledgeDocument.uploaded_at))
Index(None, KnowledgeDocument.user_id, undated_first(KnowledgeDocument.uploaded_at))


class KnowledgeSuggestion(Base):
    """What an agent suggests that a project's knowledge should hold, and what became of it.

    `topic` is what it is about, `reason` why the agent wants it. `decided_at` and `decided_by` are None while `status`
    is "pending"; it becomes "approved" or "rejected".
    """

    __tablename__ = "knowledge_suggestions"
    __table_args__ = (
        CheckConstraint("status IN ('pending', 'approved', 'rejected')", name="status"),
        Index(None, "project_id", "status", "created_at"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    project_id: Mapped[str] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    content: Mapped[str]
    category: Mapped[str]
    topic: Mapped[str]
    difficulty: Mapped[str] = mapped_column(default="intermediate")
    reason: Mapped[str] = mapped_column(default="insufficient_context")
    agent: Mapped[str] = mapped_column(default="unknown")
    status: Mapped[str] = mapped_column(default="pending")
    created_at: Mapped[datetime]
    decided_at: Mapped[datetime | None]
    decided_by: Mapped[str | None]
    extra: Mapped[Extra]


class CachedEmbedding(Base):
    """The vector that one model gives one text: float32, little-endian, four bytes a dimension."""

    __tablename__ = "embedding_cache"
    __table_args__ = (
        CheckConstraint("dimensions > 0", name="dimensions"),
        CheckConstraint("length(vector) = 4 * dimensions", name="vector"),
    )

    model: Mapped[str] = mapped_column(primary_key=True)
    text_hash: Mapped[str] = mapped_column(primary_key=True)
    dimensions: Mapped[int]
    vector: Mapped[bytes]
    created_at: Mapped[datetime]
