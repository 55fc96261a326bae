"""Keep account of what was done to an import afterwards, so that a later check can tell it from a loss.

`v1_import_deletions`. A check compares the rows that are here with the digests of the import. A row that is missing was
lost, unless somebody deleted it; and only whoever deletes knows that. So every deletion of an imported record writes
its key here, in the same transaction. The rejected alternative, a trigger, would also excuse what a defect or another
program deletes. Records that were never imported leave nothing here.

`v1_quarantine_releases`. A row in quarantine can be imported later, as it is or as its owner corrected it. The row
stays in `v1_quarantine`, whole; here stands under which key it came in, and with which correction, so that a check can
convert it again.

`v1_backup_changes`. v1's own tables prove the import as long as they are as v1 left them. When they are dropped, or
changed by a command of ours, that is said here, and a check or a downgrade names it.

Nothing that is there is touched.

Down: the tables are dropped, unless one holds something and `-x discard=1` does not say that it may go.

Revision ID: 0004
"""

from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic import context, op

from socrates.v1 import migration

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


class Table(NamedTuple):
    """One table. A column is `name:kind`, then `?` if NULL is allowed; its first column refers to `parent`."""

    name: str
    columns: str
    key: str
    parent: str
    checks: tuple[tuple[str, str], ...] = ()


TABLES = (
    Table(
        "v1_import_deletions",
        "run_id:integer source_table:text source_key:text deleted_at:time",
        key="run_id source_table source_key",
        parent="v1_import_runs",
    ),
    Table(
        "v1_quarantine_releases",
        "quarantine_id:integer source_key:text released_at:time correction:json?",
        key="quarantine_id",
        parent="v1_quarantine",
    ),
    Table(
        "v1_backup_changes",
        "run_id:integer position:integer kind:text changed_at:time details:json",
        key="run_id position",
        parent="v1_import_runs",
        checks=(("position", "position >= 0"),),
    ),
)

KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
    "integer": sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
    "time": sa.DateTime(timezone=True),
    "json": sa.JSON(),
}


def upgrade() -> None:
    if not context.is_offline_mode():  # a script for an empty database has nothing to protect
        migration.current().prepare_addition(op.get_bind(), frozenset(table.name for table in TABLES))
    create_schema()


def downgrade() -> None:
    migration.current().prepare_account_removal(op.get_bind(), [table.name for table in TABLES])
    drop_schema()


def create_schema() -> None:
    """Create the tables."""
    for table in TABLES:
        columns = [_column(word) for word in table.columns.split()]
        reference = columns[0].name
        # op.f marks a name as final; env.py's naming convention would otherwise put its prefix on top.
        op.create_table(
            table.name,
            *columns,
            sa.PrimaryKeyConstraint(*table.key.split(), name=op.f(f"pk_{table.name}")),
            *(sa.CheckConstraint(rule, name=op.f(f"ck_{table.name}_{suffix}")) for suffix, rule in table.checks),
            sa.ForeignKeyConstraint(
                [reference],
                [f"{table.parent}.id"],
                name=op.f(f"fk_{table.name}_{reference}_{table.parent}"),
                ondelete="CASCADE",
            ),
            sqlite_with_rowid=" " not in table.key,
        )


def drop_schema() -> None:
    """Drop what `create_schema` makes."""
    for table in reversed(TABLES):
        op.drop_table(table.name)


def _column(word: str) -> sa.Column[Any]:
    name, kind = word.split(":")
    return sa.Column(name, KINDS[kind.removesuffix("?")], nullable=kind.endswith("?"), autoincrement=False)
