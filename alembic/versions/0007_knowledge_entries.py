"""Hold what is known in tables of our own, so that an index of vectors is something that can be made again.

v1 kept its knowledge in Chroma alone: an entry that the index lost was gone. `knowledge_entries` holds every entry
whole, with its vector. `entry_key` is a digest of the project and the id, because an id is chosen by its author and
means another entry in each project; the index knows entries by it. `project_id` is NULL for what everybody knows;
`scope` says the same in words, as v1's metadata does, and is written always. `is_indexed` is false from a change until
the index has it, and `knowledge_removals` has the keys that it has to forget: so a process that dies in between leaves
word of what is to do.

`text_hash` finds the vector of a text among those that `embedding_cache` keeps, which gets an index for it: they go
with the entry. Chunks of an uploaded document bear its id, and go with it. The list of a project's entries, that of its
documents, the models that vectors are of, and the little that waits for the index of vectors, are read by an index
each. What is large stands last in a row: SQLite reads a row from its beginning.

No row that is there is touched.

Down: the tables are dropped, unless they hold something and `-x discard=1` does not say that it may go.

Revision ID: 0007
"""

import sqlalchemy as sa
from alembic import context, op

from socrates.v1 import migration

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

ENTRIES = "knowledge_entries"
REMOVALS = "knowledge_removals"
OF_PROJECT = "ix_knowledge_entries_project_id_created_at_id"
OF_DOCUMENT = "ix_knowledge_entries_document_id"
DOCUMENTS = "ix_knowledge_entries_project_id_source_document_id_created_at"
MODELS = "ix_knowledge_entries_model"
WAITING = "ix_knowledge_entries_updated_at"
KEPT = "ix_embedding_cache_text_hash"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    if not context.is_offline_mode():  # a script for an empty database has nothing to protect
        names = frozenset({ENTRIES, REMOVALS, OF_PROJECT, OF_DOCUMENT, DOCUMENTS, MODELS, WAITING, KEPT})
        migration.current().prepare_addition(op.get_bind(), names)
    create_schema()


def downgrade() -> None:
    current, connection = migration.current(), op.get_bind()
    current.check_schema(connection)
    current.prepare_removal(connection, (ENTRIES,))
    drop_schema()


def create_schema() -> None:
    """Create both tables, their indexes, and that of the vectors which are kept."""
    # op.f marks a name as final; env.py's naming convention would otherwise put its prefix on top.
    op.create_table(
        ENTRIES,
        sa.Column("entry_key", _TEXT, nullable=False),
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("project_id", _TEXT, nullable=True),
        sa.Column("scope", _TEXT, nullable=False),
        sa.Column("category", _TEXT, nullable=False),
        sa.Column("source", _TEXT, nullable=True),
        sa.Column("document_id", _TEXT, nullable=True),
        sa.Column("text_hash", _TEXT, nullable=False),
        sa.Column("model", _TEXT, nullable=False),
        sa.Column("is_indexed", sa.Boolean(), nullable=False),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("updated_at", _TIME, nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("content", _TEXT, nullable=False),
        sa.Column("vector", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("entry_key", name=op.f(f"pk_{ENTRIES}")),
        sa.CheckConstraint(
            "(scope = 'global' AND project_id IS NULL) OR (scope = 'project' AND project_id IS NOT NULL)",
            name=op.f(f"ck_{ENTRIES}_scope"),
        ),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f(f"fk_{ENTRIES}_project_id_projects"), ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(
            ["document_id"],
            ["knowledge_documents.id"],
            name=op.f(f"fk_{ENTRIES}_document_id_knowledge_documents"),
            ondelete="CASCADE",
        ),
    )
    op.create_index(op.f(OF_PROJECT), ENTRIES, ["project_id", "created_at", "id"])
    op.create_index(op.f(OF_DOCUMENT), ENTRIES, ["document_id"])
    imported = sa.text("category = 'imported_document'")
    op.create_index(
        op.f(DOCUMENTS),
        ENTRIES,
        ["project_id", "source", "document_id", "created_at"],
        sqlite_where=imported,
        postgresql_where=imported,
    )
    op.create_index(op.f(MODELS), ENTRIES, ["model"])
    op.create_index(
        op.f(WAITING),
        ENTRIES,
        ["updated_at"],
        sqlite_where=sa.text("is_indexed = 0"),
        postgresql_where=sa.text("NOT is_indexed"),
    )
    op.create_table(
        REMOVALS,
        sa.Column("entry_key", _TEXT, nullable=False),
        sa.Column("removed_at", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("entry_key", name=op.f(f"pk_{REMOVALS}")),
    )
    op.create_index(op.f(KEPT), "embedding_cache", ["text_hash"])


def drop_schema() -> None:
    """Drop what `create_schema` makes; the indexes of both tables go with them."""
    # An index that its owner has dropped, or a repair had to, is no reason to stay behind.
    op.drop_index(op.f(KEPT), "embedding_cache", if_exists=True)
    op.drop_table(REMOVALS)
    op.drop_table(ENTRIES)
