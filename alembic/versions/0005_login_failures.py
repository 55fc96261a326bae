"""Count failed log-ins by name, so that guessing passcodes gets slow.

v1 let anybody guess as fast as they could. `login_failures` holds, for each name under which log-ins failed in a row,
how often, when, and until when nobody may try again. It is a table and not memory of a process, so that neither a
restart nor a second process gives a guesser a new start. It holds names that nobody bears, too: if it did not, an
answer would tell which names exist. So it has no foreign key. The index finds the rows that are old enough to go.

Nothing that is there is touched.

Down: the table is dropped with what it holds, unasked. Its rows are forgotten a day after the last failure anyway, and
v1 counts nothing: a mistyped passcode must not keep anybody from going back.

Revision ID: 0005
"""

import sqlalchemy as sa
from alembic import context, op

from socrates.v1 import migration

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TABLE = "login_failures"
INDEX = "ix_login_failures_last_failed_at"

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_INTEGER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    if not context.is_offline_mode():  # a script for an empty database has nothing to protect
        migration.current().prepare_addition(op.get_bind(), frozenset({TABLE, INDEX}))
    create_schema()


def downgrade() -> None:
    current, connection = migration.current(), op.get_bind()
    current.check_schema(connection)
    current.prepare_removal(connection, ())
    drop_schema()


def create_schema() -> None:
    """Create the table and its index."""
    # op.f marks a name as final; env.py's naming convention would otherwise put its prefix on top.
    op.create_table(
        TABLE,
        sa.Column("username", _TEXT, nullable=False),
        sa.Column("failures", _INTEGER, nullable=False),
        sa.Column("first_failed_at", _TIME, nullable=False),
        sa.Column("last_failed_at", _TIME, nullable=False),
        sa.Column("blocked_until", _TIME, nullable=False),
        sa.PrimaryKeyConstraint("username", name=op.f(f"pk_{TABLE}")),
    )
    op.create_index(op.f(INDEX), TABLE, ["last_failed_at"])


def drop_schema() -> None:
    """Drop the table; its index goes with it."""
    op.drop_table(TABLE)
