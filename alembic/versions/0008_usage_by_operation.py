"""Know what a call of a model was for, and how much of its input a cache of the provider held.

v1 had no word of either. `operation` names what the call did, and is NULL where nobody knows: for v1's calls. The
tokens that were read from a cache, or written to one, are counted beside `input_tokens`, for they have prices of their
own; v1 never used such a cache, so its calls have 0.

Columns are added at the end of the table, which changes no row on either engine: a row that was there before is read
with the default. No index comes with them. The sums over everybody's calls are asked for by an owner now and then and
read the whole table; an index by time would cost every call a write.

Down: the columns are dropped, unless they hold something and `-x discard=1` does not say that it may go. SQLite writes
the table anew for it.

Revision ID: 0008
"""

import sqlalchemy as sa
from alembic import context, op

from socrates.v1 import migration

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

TABLE = "llm_usage"
SAYS_SOMETHING = {
    "operation": "operation IS NOT NULL",
    "cache_read_tokens": "cache_read_tokens <> 0",
    "cache_write_tokens": "cache_write_tokens <> 0",
}
"""The new columns, and when a row would lose something with them."""

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    if not context.is_offline_mode():  # a script for an empty database has nothing to protect
        migration.current().prepare_columns(op.get_bind(), TABLE, SAYS_SOMETHING)
    create_schema()


def downgrade() -> None:
    current, connection = migration.current(), op.get_bind()
    current.check_schema(connection)
    current.prepare_column_removal(connection, TABLE, SAYS_SOMETHING)
    drop_schema()


def create_schema() -> None:
    """Add the columns."""
    op.add_column(TABLE, sa.Column("operation", _TEXT, nullable=True))
    for name in ("cache_read_tokens", "cache_write_tokens"):
        op.add_column(TABLE, sa.Column(name, _INTEGER, server_default=sa.text("0"), nullable=False))


def drop_schema() -> None:
    """Drop them, the last first."""
    for name in reversed(SAYS_SOMETHING):
        op.drop_column(TABLE, name)
