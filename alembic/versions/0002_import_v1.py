"""Import the rows of v1 into the normalized tables.

The source is the tables that 0001 set aside, or the file that `-x v1=PATH` names. Every row is read once, scanned,
loaded, converted, written and compared; what cannot be read stops the import, or goes to `v1_quarantine` whole. The
digest of each row's converted form is kept, so that it can be proven at any later time that nothing was lost.

Down: the new tables are emptied, after a look at those digests: what was written since the import is not thrown away
unless `-x discard=1` says so. v1's own rows were never touched.

Revision ID: 0002
"""

from alembic import context, op

from socrates.v1 import migration

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    if not context.is_offline_mode():  # a script has no rows to import
        migration.current().import_rows(op.get_bind())


def downgrade() -> None:
    if not context.is_offline_mode():
        migration.current().take_back(op.get_bind())
