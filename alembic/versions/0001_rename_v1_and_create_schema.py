"""Set the tables of a v1 file aside and create the schema of version 2.

A v1 file is recognised by the shape of its tables, backed up, and its tables become `<name>_v1_backup`, byte for byte:
they prove the import, and a downgrade gives them their names again. Any other file that is not empty is refused.

Why these tables. v1 kept a project, its team, its questions and its whole conversation in one pickle, so that
a new message rewrote everything and a list of projects read everything. Here each list of a blob is a table
with one row per item, and a write touches what changed. `projects` carries what a list view shows, the count
of messages included, so that a list is one statement. What no column is made for goes to `extra`.

Keys. Ids are v1's own free texts, compared by code point (COLLATE "C" on PostgreSQL, the default on SQLite).
Children carry their parent's id first in the primary key: the key is the index of the foreign key, and a
range scan gives one project's rows in order. On SQLite children with a composite key are WITHOUT ROWID, one
b-tree in place of two. `embedding_cache` is not: rows with large blobs are what such tables do badly.

Foreign keys go to projects, notes and import runs, with ON DELETE CASCADE. None goes to users: v1 let owners,
members and learning records outlive their user, and such rows must come through (rule V8 of the v1 format).

Indexes serve the reads that are known, and none is a prefix of another: a user's projects by owner and by
membership, a project's notes and documents by time, a user's documents, a user's model calls by time, and
the quarantine by source.

Nullability. NULL is allowed where v1 had None, for every number that comes from v1 (NaN, infinity and
integers of over 64 bits become NULL, rule V18), and for times, which some old records lack. The times of
users and projects are NOT NULL: the import quarantines a record without them (rule V17).

Values. Exact decimals are text on SQLite, whose fractions are floats, and NUMERIC on PostgreSQL. JSON is
`json` on PostgreSQL, since `jsonb` reorders keys and refuses some escapes. CHECKs guard only what no v1
record can break.

Revision ID: 0001
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

import sqlalchemy as sa
from alembic import context, op

from socrates.v1 import migration

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    if not context.is_offline_mode():  # a script for an empty database has nothing to recognise
        migration.current().prepare(op.get_bind(), frozenset(_names()))
    create_schema()


def downgrade() -> None:
    migration.current().give_back(op.get_bind(), drop_schema)


def create_schema() -> None:
    """Create all tables and indexes."""
    for table in TABLES:
        _create(table)


def drop_schema() -> None:
    """Drop all tables, children first; their indexes go with them."""
    for table in reversed(TABLES):
        op.drop_table(table.name)


class Table(NamedTuple):
    """One table. A column is `name:kind`, then `?` if NULL is allowed, then `=` and its server default."""

    name: str
    columns: str
    key: str
    parent: str | None = None
    unique: str | None = None
    checks: tuple[tuple[str, str], ...] = ()
    indexes: tuple[str, ...] = ()


KINDS: dict[str, sa.types.TypeEngine[Any]] = {
    "text": sa.Text().with_variant(sa.Text(collation="C"), "postgresql"),
    # Only a column of type INTEGER can be SQLite's own row number, and INTEGER holds 64 bits there.
    "integer": sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
    "float": sa.Double(),
    "decimal": sa.Numeric().with_variant(sa.Text(), "sqlite"),
    "boolean": sa.Boolean(),
    "time": sa.DateTime(timezone=True),
    "json": sa.JSON(),
    "bytes": sa.LargeBinary(),
}

PARENT_COLUMNS = {"projects": "project_id", "project_notes": "note_id", "v1_import_runs": "run_id"}
"""The column by which children name each parent."""

POSITION = (("position", "position >= 0"),)

TABLES = (
    Table(
        "users",
        """
        username:text passcode_hash:text created_at:time
        subscription_tier:text subscription_status:text subscription_start:time? subscription_end:time?
        questions_used_this_month:integer? usage_reset_date:time?
        is_archived:boolean archived_at:time? extra:json='{}'
        """,
        key="username",
    ),
    Table(
        "projects",
        """
        id:text name:text owner:text phase:text status:text project_type:text chat_mode:text goals:text
        team_structure:text language_preferences:text deployment_target:text code_style:text
        progress:integer? is_archived:boolean archived_at:time? created_at:time updated_at:time
        message_count:integer=0 version:integer=1 extra:json='{}'
        """,
        key="id",
        checks=(("message_count", "message_count >= 0"), ("version", "version >= 1")),
        indexes=("owner is_archived updated_at",),
    ),
    *(
        Table(
            name,
            "project_id:text position:integer value:text",
            key="project_id position",
            parent="projects",
            checks=POSITION,
        )
        for name in ("project_requirements", "project_tech_stack", "project_constraints")
    ),
    Table(
        "conversation_messages",
        """
        project_id:text position:integer type:text content:text
        timestamp:time? phase:text? author:text? question_number:integer? extra:json='{}'
        """,
        key="project_id position",
        parent="projects",
        checks=POSITION,
    ),
    Table(
        "team_members",
        """
        project_id:text username:text role:text skills:json joined_at:time?
        is_active:boolean position:integer extra:json='{}'
        """,
        key="project_id username",
        parent="projects",
        checks=POSITION,
        indexes=("username is_active",),
    ),
    Table(
        "pending_questions",
        """
        project_id:text id:text position:integer question:text phase:text status:text
        assigned_to_roles:json assigned_to_users:json created_at:time?
        answered_by:text? answer:text? answered_at:time? skipped_at:time? extra:json='{}'
        """,
        key="project_id id",
        parent="projects",
        checks=POSITION,
    ),
    Table(
        "phase_maturity_scores",
        "project_id:text phase:text score:float?",
        key="project_id phase",
        parent="projects",
    ),
    Table(
        "category_scores",
        """
        project_id:text phase:text category:text current_score:float? target_score:float?
        confidence:float? spec_count:integer? extra:json='{}'
        """,
        key="project_id phase category",
        parent="projects",
    ),
    Table(
        "categorized_specs",
        """
        project_id:text phase:text position:integer category:text content:text
        confidence:float? value:float? source_field:text? timestamp:time? extra:json='{}'
        """,
        key="project_id phase position",
        parent="projects",
        checks=POSITION,
    ),
    Table(
        "maturity_events",
        """
        project_id:text position:integer timestamp:time? phase:text
        score_before:float? score_after:float? delta:float? event_type:text details:json extra:json='{}'
        """,
        key="project_id position",
        parent="projects",
        checks=POSITION,
    ),
    Table(
        "analytics_metrics",
        """
        project_id:text velocity:float? total_qa_sessions:integer? avg_confidence:float?
        weak_categories:json strong_categories:json last_updated:time? extra:json='{}'
        """,
        key="project_id",
        parent="projects",
    ),
    Table(
        "project_notes",
        """
        id:text project_id:text title:text content:text note_type:text
        created_at:time? created_by:text extra:json='{}'
        """,
        key="id",
        parent="projects",
        indexes=("project_id created_at",),
    ),
    Table(
        "project_note_tags",
        "note_id:text position:integer tag:text",
        key="note_id position",
        parent="project_notes",
        checks=POSITION,
    ),
    Table(
        "question_effectiveness",
        """
        id:text user_id:text question_template_id:text role:text?
        times_asked:integer? times_answered_well:integer? average_answer_length:integer?
        average_spec_extraction_count:decimal? effectiveness_score:decimal?
        last_asked_at:time? created_at:time? updated_at:time? extra:json='{}'
        """,
        key="id",
        unique="user_id question_template_id",
    ),
    Table(
        "behavior_patterns",
        """
        id:text user_id:text pattern_type:text pattern_data:json confidence:decimal?
        learned_from_projects:json learned_at:time? updated_at:time? extra:json='{}'
        """,
        key="id",
        unique="user_id pattern_type",
    ),
    Table(
        "knowledge_documents",
        """
        id:text project_id:text user_id:text filename:text file_size:integer? content_type:text?
        content:text embedding:bytes? uploaded_at:time? extra:json='{}'
        """,
        key="id",
        parent="projects",
        indexes=("project_id uploaded_at", "user_id"),
    ),
    Table(
        "embedding_cache",
        "model:text text_hash:text dimensions:integer vector:bytes created_at:time",
        key="model text_hash",
        checks=(("dimensions", "dimensions > 0"), ("vector", "length(vector) = 4 * dimensions")),
    ),
    Table(
        "llm_provider_configs",
        """
        id:text user_id:text provider:text is_default:boolean enabled:boolean settings:json
        created_at:time? updated_at:time? extra:json='{}'
        """,
        key="id",
        unique="user_id provider",
    ),
    Table(
        "api_keys",
        """
        id:text user_id:text provider:text encrypted_key:text key_hash:text
        created_at:time? updated_at:time? last_used_at:time?
        """,
        key="id",
        unique="user_id provider",
    ),
    Table(
        "llm_usage",
        """
        id:text user_id:text provider:text model:text timestamp:time?
        input_tokens:integer? output_tokens:integer? total_tokens:integer? latency_ms:float? cost:decimal?
        success:boolean error_message:text? request_id:text? extra:json='{}'
        """,
        key="id",
        indexes=("user_id timestamp",),
    ),
    Table(
        "v1_quarantine",
        "id:integer source_table:text source_key:text? reason:text row_columns:json data:bytes?",
        key="id",
        indexes=("source_table source_key",),
    ),
    Table(
        "v1_import_runs",
        "id:integer source:text started_at:time finished_at:time? timezone:text options:json report:json",
        key="id",
    ),
    Table(
        "v1_import_digests",
        "run_id:integer source_table:text source_key:text digest:bytes",
        key="run_id source_table source_key",
        parent="v1_import_runs",
    ),
    Table(
        "v1_import_notes",
        """
        run_id:integer position:integer source_table:text source_key:text? kind:text field:text
        original:json
        """,
        key="run_id position",
        parent="v1_import_runs",
        checks=POSITION,
    ),
)
"""Every table, parents before children."""


def _names() -> Iterator[str]:
    """What the schema needs to be free: its tables and their indexes."""
    for table in TABLES:
        yield table.name
        for index in table.indexes:
            yield f"ix_{table.name}_{'_'.join(index.split())}"


def _create(table: Table) -> None:
    columns = [_column(word) for word in table.columns.split()]
    is_composite_child = table.parent is not None and " " in table.key
    op.create_table(table.name, *columns, *_constraints(table), sqlite_with_rowid=not is_composite_child)
    for index in table.indexes:
        names = index.split()
        op.create_index(op.f(f"ix_{table.name}_{'_'.join(names)}"), table.name, names)


def _column(word: str) -> sa.Column[Any]:
    declaration, _, default = word.partition("=")
    name, kind = declaration.split(":")
    return sa.Column(
        name,
        KINDS[kind.removesuffix("?")],
        autoincrement=False,  # every key comes from us: a sequence beside given ids would collide with them
        server_default=sa.text(default) if default else None,
        nullable=kind.endswith("?"),
    )


def _constraints(table: Table) -> list[sa.Constraint]:
    # op.f marks a name as final; env.py's naming convention would otherwise put its prefix on top.
    constraints: list[sa.Constraint] = [sa.PrimaryKeyConstraint(*table.key.split(), name=op.f(f"pk_{table.name}"))]
    for suffix, rule in table.checks:
        constraints.append(sa.CheckConstraint(rule, name=op.f(f"ck_{table.name}_{suffix}")))
    if table.unique:
        names = table.unique.split()
        constraints.append(sa.UniqueConstraint(*names, name=op.f(f"uq_{table.name}_{'_'.join(names)}")))
    if table.parent:
        column = PARENT_COLUMNS[table.parent]
        name = op.f(f"fk_{table.name}_{column}_{table.parent}")
        constraints.append(sa.ForeignKeyConstraint([column], [f"{table.parent}.id"], name=name, ondelete="CASCADE"))
    return constraints
