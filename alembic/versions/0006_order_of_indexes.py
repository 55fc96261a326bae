"""Sort the indexes as the lists are, on PostgreSQL above all, so that a page of a list reads no more than the page.

The lists begin, or end, with the records that have no time. SQLite takes NULL for less than any time, and reads an
index both ways, which serves either. In an index of PostgreSQL's NULL comes behind all times unless the index says
otherwise, and one whose NULLs lie where the list does not have them is no help: to show a page of notes, documents,
calls or archived items, all of the list was sorted.

`knowledge_documents (user_id)` becomes `(user_id, uploaded_at)` on both engines: a user's documents are listed by time.

No row is touched. PostgreSQL lets nobody write to these tables while the revision runs.

Down: the indexes become what they were.

Revision ID: 0006
"""

from collections.abc import Mapping
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic import context, op

from socrates.v1 import migration

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

UNDATED_FIRST, UNDATED_LAST = "NULLS FIRST", "DESC NULLS LAST"


class Index(NamedTuple):
    """One index, and what stands behind its columns on PostgreSQL from this revision on."""

    table: str
    columns: str
    order: Mapping[str, str]
    archived_only: bool = False

    @property
    def name(self) -> str:
        return f"ix_{self.table}_{'_'.join(self.columns.split())}"

    def create(self, order: Mapping[str, str]) -> None:
        condition = {"postgresql_where": sa.text("is_archived"), "sqlite_where": sa.text("is_archived = 1")}
        options: dict[str, Any] = condition if self.archived_only else {}
        # op.f marks a name as final; env.py's naming convention would otherwise put its prefix on top.
        op.create_index(op.f(self.name), self.table, self.columns.split(), postgresql_ops=dict(order), **options)

    def drop(self) -> None:
        # An index that its owner has dropped, or a repair had to, is no reason to stay behind.
        op.drop_index(op.f(self.name), self.table, if_exists=True)


BY_USER = Index("knowledge_documents", "user_id", {})
BY_USER_AND_TIME = Index("knowledge_documents", "user_id uploaded_at", {"uploaded_at": UNDATED_FIRST})

SORTED = (
    Index("project_notes", "project_id created_at", {"created_at": UNDATED_FIRST}),
    Index("knowledge_documents", "project_id uploaded_at", {"uploaded_at": UNDATED_FIRST}),
    Index("llm_usage", "user_id timestamp", {"timestamp": UNDATED_LAST}),
    Index("projects", "archived_at id", {"archived_at": UNDATED_LAST, "id": "DESC"}, archived_only=True),
    Index("users", "archived_at username", {"archived_at": UNDATED_LAST, "username": "DESC"}, archived_only=True),
)
"""What PostgreSQL gets anew under its name. SQLite's are right as they are."""


def upgrade() -> None:
    if not context.is_offline_mode():  # a script for an empty database has nothing to protect
        migration.current().prepare_addition(op.get_bind(), frozenset({BY_USER_AND_TIME.name}))
    create_schema()


def downgrade() -> None:
    current, connection = migration.current(), op.get_bind()
    current.check_schema(connection)
    current.prepare_removal(connection, ())
    drop_schema()


def create_schema() -> None:
    """Make the indexes as they are from now on."""
    BY_USER.drop()
    BY_USER_AND_TIME.create(BY_USER_AND_TIME.order)
    for index in _to_sort():
        index.drop()
        index.create(index.order)


def drop_schema() -> None:
    """Make them as they were."""
    for index in reversed(_to_sort()):
        index.drop()
        index.create({})
    BY_USER_AND_TIME.drop()
    BY_USER.create({})


def _to_sort() -> tuple[Index, ...]:
    return SORTED if op.get_context().dialect.name == "postgresql" else ()
