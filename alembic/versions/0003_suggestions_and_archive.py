"""Keep what agents suggest for the knowledge base, and find archived items without reading everything.

Why a table. v1 kept suggestions in the memory of the process, so that a restart lost what a person still had to decide
on (defect D44). A suggestion belongs to a project and goes with it. `status` has a CHECK, other than the states that v1
wrote: no v1 record can break it. Who decided and when is NULL until somebody has, and afterwards for a decision that a
program made. The index serves the only list there is: a project's suggestions of one status, in their order.

Why partial indexes. v1's `get_archived_items` lists the archived projects, or users, of everybody, by the time of
archiving. Few items are archived, and an index of those alone costs the others nothing. The condition is written on
each engine as SQLAlchemy writes `.where(Project.is_archived)` there: SQLite uses a partial index only for a query that
repeats its condition to the letter, and there that is `is_archived = 1`.

What is not done. No row that is there is touched, so nothing is imported, checked or converted again, and the account
of the import stays what it was. No backup is made when an earlier revision of the same run has made one, or has found
the file empty.

Down: the table is dropped, unless it holds something and `-x discard=1` does not say that it may go.

Revision ID: 0003
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic import context, op

from socrates.v1 import migration

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

TABLE = "knowledge_suggestions"
COLUMNS = """
    id:text project_id:text content:text category:text topic:text difficulty:text reason:text agent:text status:text
    created_at:time decided_at:time? decided_by:text? extra:json='{}'
"""
"""As in 0001: a column is `name:kind`, then `?` if NULL is allowed, then `=` and its server default."""

KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
    "time": sa.DateTime(timezone=True),
    "json": sa.JSON(),
}


class Index(NamedTuple):
    """One index, of all rows or of the archived ones."""

    table: str
    columns: str
    archived_only: bool = False

    @property
    def name(self) -> str:
        return f"ix_{self.table}_{'_'.join(self.columns.split())}"


INDEXES = (
    Index(TABLE, "project_id status created_at"),
    Index("projects", "archived_at id", archived_only=True),
    Index("users", "archived_at username", archived_only=True),
)


def upgrade() -> None:
    if not context.is_offline_mode():  # a script for an empty database has nothing to protect
        migration.current().prepare_addition(op.get_bind(), frozenset(_names()))
    create_schema()


def downgrade() -> None:
    migration.current().prepare_removal(op.get_bind(), (TABLE,))
    drop_schema()


def create_schema() -> None:
    """Create the table and all indexes."""
    # op.f marks a name as final; env.py's naming convention would otherwise put its prefix on top.
    op.create_table(
        TABLE,
        *map(_column, COLUMNS.split()),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{TABLE}")),
        sa.CheckConstraint("status IN ('pending', 'approved', 'rejected')", name=op.f(f"ck_{TABLE}_status")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f(f"fk_{TABLE}_project_id_projects"), ondelete="CASCADE"
        ),
    )
    for index in INDEXES:
        conditions = {"sqlite_where": sa.text("is_archived = 1"), "postgresql_where": sa.text("is_archived")}
        options: dict[str, Any] = conditions if index.archived_only else {}
        op.create_index(op.f(index.name), index.table, index.columns.split(), **options)


def drop_schema() -> None:
    """Drop what `create_schema` makes. The table's own index goes with it."""
    for index in reversed(INDEXES):
        if index.table != TABLE:
            op.drop_index(op.f(index.name), index.table)
    op.drop_table(TABLE)


def _names() -> Iterator[str]:
    """What the schema needs to be free."""
    yield TABLE
    for index in INDEXES:
        yield index.name


def _column(word: str) -> sa.Column[Any]:
    declaration, _, default = word.partition("=")
    name, kind = declaration.split(":")
    return sa.Column(
        name,
        KINDS[kind.removesuffix("?")],
        server_default=sa.text(default) if default else None,
        nullable=kind.endswith("?"),
    )
