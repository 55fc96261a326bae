"""Keep the conflicts that wait for somebody's decision, and let each project say who asks its questions.

Why a table. v1 asked on the console and waited (defect D40): a conflict between what somebody said and what stands in
the project lived as long as the process. Here it is kept until somebody decides, and afterwards with the decision. The
rows have CHECKs, other than what v1 wrote: no v1 record can break them. `choice` is NULL while a conflict is pending,
and only then. One index serves the conflicts of a project that are pending, the other all of them, both in their order.

Why a column. v1 had one switch for the whole process, between questions that a model makes and the static ones, so that
one user's choice changed everybody's questions (defect D56). Now each project has its own, and it is on by default, as
v1's was. It is added at the end of the table, which changes no row on either engine.

Down: the column and the table are dropped, unless a project has its switch off, or the table holds something, and
`-x discard=1` does not say that it may go. SQLite writes the projects anew for it.

Revision ID: 0009
"""

import sqlalchemy as sa
from alembic import context, op

from socrates.v1 import migration

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

CONFLICTS = "project_conflicts"
PENDING = f"ix_{CONFLICTS}_project_id_status_created_at_id"
OF_PROJECT = f"ix_{CONFLICTS}_project_id_created_at_id"
CHECKS = {
    "field": "field IN ('goals', 'requirements', 'tech_stack', 'constraints')",
    "severity": "severity IN ('low', 'medium', 'high')",
    "status": "status IN ('pending', 'resolved')",
    "choice": "choice IN ('keep', 'replace', 'skip', 'manual')",
    "decision": "(status = 'pending') = (choice IS NULL)",
}

PROJECTS = "projects"
SAYS_SOMETHING = {"dynamic_questions": "NOT dynamic_questions"}
"""The new column, and when a row would lose something with it."""

_TEXT = sa.Text().with_variant(sa.Text(collation="C"), "postgresql")
_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    if not context.is_offline_mode():  # a script for an empty database has nothing to protect
        current, connection = migration.current(), op.get_bind()
        current.prepare_addition(connection, frozenset({CONFLICTS, PENDING, OF_PROJECT}))
        current.prepare_columns(connection, PROJECTS, SAYS_SOMETHING)
    create_schema()


def downgrade() -> None:
    current, connection = migration.current(), op.get_bind()
    current.check_schema(connection)
    current.prepare_removal(connection, (CONFLICTS,))
    current.prepare_column_removal(connection, PROJECTS, SAYS_SOMETHING)
    drop_schema()


def create_schema() -> None:
    """Create the table with its indexes, and add the column."""
    # op.f marks a name as final; env.py's naming convention would otherwise put its prefix on top.
    op.create_table(
        CONFLICTS,
        sa.Column("id", _TEXT, nullable=False),
        sa.Column("project_id", _TEXT, nullable=False),
        sa.Column("field", _TEXT, nullable=False),
        sa.Column("existing", _TEXT, nullable=False),
        sa.Column("new", _TEXT, nullable=False),
        sa.Column("severity", _TEXT, nullable=False),
        sa.Column("explanation", _TEXT, nullable=False),
        sa.Column("suggestions", sa.JSON(), nullable=False),
        sa.Column("existing_author", _TEXT, nullable=True),
        sa.Column("new_author", _TEXT, nullable=True),
        sa.Column("created_at", _TIME, nullable=False),
        sa.Column("status", _TEXT, nullable=False),
        sa.Column("choice", _TEXT, nullable=True),
        sa.Column("value", _TEXT, nullable=True),
        sa.Column("resolved_by", _TEXT, nullable=True),
        sa.Column("resolved_at", _TIME, nullable=True),
        sa.Column("extra", sa.JSON(), server_default=sa.text("'{}'"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f(f"pk_{CONFLICTS}")),
        *(sa.CheckConstraint(rule, name=op.f(f"ck_{CONFLICTS}_{name}")) for name, rule in CHECKS.items()),
        sa.ForeignKeyConstraint(
            ["project_id"], ["projects.id"], name=op.f(f"fk_{CONFLICTS}_project_id_projects"), ondelete="CASCADE"
        ),
    )
    op.create_index(op.f(PENDING), CONFLICTS, ["project_id", "status", "created_at", "id"])
    op.create_index(op.f(OF_PROJECT), CONFLICTS, ["project_id", "created_at", "id"])
    op.add_column(PROJECTS, sa.Column("dynamic_questions", sa.Boolean(), server_default=sa.true(), nullable=False))


def drop_schema() -> None:
    """Drop what `create_schema` makes; the table's indexes go with it."""
    op.drop_column(PROJECTS, "dynamic_questions")
    op.drop_table(CONFLICTS)
