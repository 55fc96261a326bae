"""What the import of a v1 file did, so that it can be checked and explained later."""

from datetime import datetime
from typing import Annotated, Any

from sqlalchemy import JSON, ForeignKey, Index
from sqlalchemy.orm import Mapped, mapped_column

from socrates.models.base import WITHOUT_ROWID, Base, children, position_check

_RunKey = Annotated[int, mapped_column(ForeignKey("v1_import_runs.id", ondelete="CASCADE"), primary_key=True)]


class QuarantineRelease(Base):
    """One row of the quarantine that was imported later, under `source_key`.

    `correction` is what its owner put in place of what could not be read; NULL when the row came in as it was.
    """

    __tablename__ = "v1_quarantine_releases"

    quarantine_id: Mapped[int] = mapped_column(
        ForeignKey("v1_quarantine.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    source_key: Mapped[str]
    released_at: Mapped[datetime]
    correction: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))


class QuarantinedRow(Base):
    """One v1 row that could not be imported, whole: its raw bytes, its other columns and the reason."""

    __tablename__ = "v1_quarantine"
    __table_args__ = (Index(None, "source_table", "source_key"),)

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    source_table: Mapped[str]
    source_key: Mapped[str | None]
    reason: Mapped[str]
    row_columns: Mapped[dict[str, Any]] = mapped_column(JSON)
    data: Mapped[bytes | None]

    release: Mapped[QuarantineRelease | None] = children()


class ImportDigest(Base):
    """The digest of one v1 row's converted form: what a later check compares with."""

    __tablename__ = "v1_import_digests"
    __table_args__ = WITHOUT_ROWID

    run_id: Mapped[_RunKey]
    source_table: Mapped[str] = mapped_column(primary_key=True)
    source_key: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes]


class ImportNote(Base):
    """One adjustment that the import made: where, of which kind, and what stood there before.

    `original` is a JSON list of one item: SQLite would turn a bare number of over 64 bits into a float.
    """

    __tablename__ = "v1_import_notes"
    __table_args__ = (position_check(), WITHOUT_ROWID)

    run_id: Mapped[_RunKey]
    position: Mapped[int] = mapped_column(primary_key=True)
    source_table: Mapped[str]
    source_key: Mapped[str | None]
    kind: Mapped[str]
    field: Mapped[str]
    original: Mapped[Any] = mapped_column(JSON, nullable=False)


class ImportDeletion(Base):
    """One imported record that somebody deleted since. Without this a check takes its row for lost."""

    __tablename__ = "v1_import_deletions"
    __table_args__ = WITHOUT_ROWID

    run_id: Mapped[_RunKey]
    source_table: Mapped[str] = mapped_column(primary_key=True)
    source_key: Mapped[str] = mapped_column(primary_key=True)
    deleted_at: Mapped[datetime]


class BackupChange(Base):
    """One change of ours to v1's own tables: of which `kind`, when, and what it did."""

    __tablename__ = "v1_backup_changes"
    __table_args__ = (position_check(), WITHOUT_ROWID)

    run_id: Mapped[_RunKey]
    position: Mapped[int] = mapped_column(primary_key=True)
    kind: Mapped[str]
    changed_at: Mapped[datetime]
    details: Mapped[dict[str, Any]] = mapped_column(JSON)


class ImportRun(Base):
    """One import; `timezone` is the zone of v1's naive times, `finished_at` is NULL while it runs."""

    __tablename__ = "v1_import_runs"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    source: Mapped[str]
    started_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    timezone: Mapped[str]
    options: Mapped[dict[str, Any]] = mapped_column(JSON)
    report: Mapped[dict[str, Any]] = mapped_column(JSON)

    digests: Mapped[list[ImportDigest]] = children(ImportDigest.source_table, ImportDigest.source_key)
    notes: Mapped[list[ImportNote]] = children(ImportNote.position)
    deletions: Mapped[list[ImportDeletion]] = children(ImportDeletion.source_table, ImportDeletion.source_key)
    backup_changes: Mapped[list[BackupChange]] = children(BackupChange.position)
