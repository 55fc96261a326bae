"""What is known, documents that users upload, what agents suggest to add, and embeddings that have been computed."""

from datetime import datetime

from sqlalchemy import CheckConstraint, ForeignKey, Index, text
from sqlalchemy.orm import Mapped, mapped_column

from socrates.models.base import Base, Extra, TaggedDict, children, undated_first

IMPORTED = "imported_document"
"""The category of what was read from files and texts (agents.md B.2)."""

IS_IMPORTED = f"category = '{IMPORTED}'"


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

    entries: Mapped[list["KnowledgeEntry"]] = children()


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


class KnowledgeEntry(Base):
    """One thing that is known: by everybody, where `project_id` is None, or in one project.

    `entry_key` is the digest of project and id by which the index knows it. `vector` is what `model` makes of
    `content`: float32, little-endian; `text_hash` is that of the content. `source` names the file of an imported chunk,
    and `document_id` the document where it was uploaded. `is_indexed` is false while the index has an older state.
    """

    __tablename__ = "knowledge_entries"
    __table_args__ = (
        CheckConstraint(
            "(scope = 'global' AND project_id IS NULL) OR (scope = 'project' AND project_id IS NOT NULL)", name="scope"
        ),
        Index(None, "project_id", "created_at", "id"),
        Index(None, "document_id"),
        Index(None, "model"),
    )

    entry_key: Mapped[str] = mapped_column(primary_key=True)
    id: Mapped[str]
    project_id: Mapped[str | None] = mapped_column(ForeignKey("projects.id", ondelete="CASCADE"))
    scope: Mapped[str]
    category: Mapped[str]
    source: Mapped[str | None]
    document_id: Mapped[str | None] = mapped_column(ForeignKey("knowledge_documents.id", ondelete="CASCADE"))
    text_hash: Mapped[str]
    model: Mapped[str]
    is_indexed: Mapped[bool]
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    details: Mapped[TaggedDict]
    content: Mapped[str]
    vector: Mapped[bytes]


Index(
    None,
    KnowledgeEntry.project_id,
    KnowledgeEntry.source,
    KnowledgeEntry.document_id,
    KnowledgeEntry.created_at,
    sqlite_where=text(IS_IMPORTED),
    postgresql_where=text(IS_IMPORTED),
)
Index(
    None,
    KnowledgeEntry.updated_at,
    sqlite_where=text("is_indexed = 0"),
    postgresql_where=text("NOT is_indexed"),
)


class KnowledgeRemoval(Base):
    """The key of an entry that is gone, and that the index has to forget yet."""

    __tablename__ = "knowledge_removals"

    entry_key: Mapped[str] = mapped_column(primary_key=True)
    removed_at: Mapped[datetime]


class CachedEmbedding(Base):
    """The vector that one model gives one text: float32, little-endian, four bytes a dimension."""

    __tablename__ = "embedding_cache"
    __table_args__ = (
        CheckConstraint("dimensions > 0", name="dimensions"),
        CheckConstraint("length(vector) = 4 * dimensions", name="vector"),
        Index(None, "text_hash"),
    )

    model: Mapped[str] = mapped_column(primary_key=True)
    text_hash: Mapped[str] = mapped_column(primary_key=True)
    dimensions: Mapped[int]
    vector: Mapped[bytes]
    created_at: Mapped[datetime]
