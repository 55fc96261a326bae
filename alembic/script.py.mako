"""${message}.

House rules for a revision. This docstring is a decision record: why this change, what was rejected, what it costs on a
large database. A revision stands alone: it imports no model, for the models move on and revisions don't. All revisions of
one upgrade are one transaction, on both engines: no COMMIT, no autocommit block. A revision that moves data compares what
it wrote with what it read, before it ends. `downgrade` gives the former state back or refuses with a MigrationError that
says what to do. Up, down and up again have a test on both engines; the DDL snapshots are made anew.

Revision ID: ${up_revision}
"""

import sqlalchemy as sa
from alembic import op
${imports if imports else ""}

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    ${downgrades if downgrades else "pass"}
