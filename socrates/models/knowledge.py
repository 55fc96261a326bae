"""Documents that users upload, and the embeddings that have been computed."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from socrates.models.base import Base, Extra


class KnowledgeDocument(Base):
    """One document uploaded to a project; `file_size` in bytes, as the uploader stated it."""

    __tablename__ = "knowledge_documents"
    __table_args__ = (Index(None, "project_id", "uploaded_at"), Index(None, "user_id"))

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
