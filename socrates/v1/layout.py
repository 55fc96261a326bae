"""The tables that the import fills: their columns in order, and what kind of value each holds.

Values travel in one *neutral form*, which is what SQLite binds, so that the common case converts nothing:

=========  =====================================================================
TEXT       str
INTEGER    int of 64 bits
FLOAT      float, finite
FLAG       0 or 1
TIME       str, `socrates.v1.times.as_text`
DECIMAL    str of a Decimal
JSON       str, ASCII (escapes keep what neither engine's text could hold)
BYTES      bytes
=========  =====================================================================

Any of them may be None where the column allows it. `socrates.v1.target` turns them into what another engine wants.
"""

from enum import Enum
from typing import NamedTuple


class Kind(Enum):
    """What a column holds, in neutral form."""

    TEXT = "text"
    INTEGER = "integer"
    FLOAT = "float"
    FLAG = "flag"
    TIME = "time"
    DECIMAL = "decimal"
    JSON = "json"
    BYTES = "bytes"


Row = tuple[object, ...]
Rows = dict[str, list[Row]]
"""The rows of one or more source rows, by table."""


class Table(NamedTuple):
    """One table that the import fills. Its first column is the key of the v1 row that its rows come from."""

    name: str
    columns: tuple[tuple[str, Kind], ...]
    order: tuple[int, ...]
    """Indices of the primary key's columns: the order in which rows are written and read back."""

    @property
    def indexes(self) -> tuple[tuple[str, ...], ...]:
        """The columns with text of each index, the primary key's first."""
        key = tuple(self.names[index] for index in self.order)
        return (key, *_INDEXES.get(self.name, ()))

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(name for name, _ in self.columns)


_INDEXES: dict[str, tuple[tuple[str, ...], ...]] = {
    "projects": (("owner",),),
    "team_members": (("username",),),
    "project_notes": (("project_id",),),
    "question_effectiveness": (("user_id", "question_template_id"),),
    "behavior_patterns": (("user_id", "pattern_type"),),
    "knowledge_documents": (("project_id",), ("user_id",)),
    "llm_provider_configs": (("user_id", "provider"),),
    "api_keys": (("user_id", "provider"),),
    "llm_usage": (("user_id",),),
}


def _table(name: str, columns: str, key: int = 1) -> Table:
    """Build a table from ``"name kind, name kind"``, the first `key` columns being its primary key."""
    pairs = (column.split() for column in columns.split(","))
    return Table(name, tuple((column, Kind(kind)) for column, kind in pairs), tuple(range(key)))


def _list_of_text(name: str, owner: str = "project_id", value: str = "value") -> Table:
    return _table(name, f"{owner} text, position integer, {value} text", key=2)


PROJECT_TABLES = (
    _table(
        "projects",
        "id text, name text, owner text, phase text, status text, project_type text, chat_mode text, goals text, "
        "team_structure text, language_preferences text, deployment_target text, code_style text, progress integer, "
        "is_archived flag, archived_at time, created_at time, updated_at time, message_count integer, "
        "version integer, extra json",
    ),
    _table(
        "conversation_messages",
        "project_id text, position integer, type text, content text, timestamp time, phase text, author text, "
        "question_number integer, extra json",
        key=2,
    ),
    _list_of_text("project_requirements"),
    _list_of_text("project_tech_stack"),
    _list_of_text("project_constraints"),
    _table(
        "team_members",
        "project_id text, username text, role text, skills json, joined_at time, is_active flag, position integer, "
        "extra json",
        key=2,
    ),
    _table(
        "pending_questions",
        "project_id text, id text, position integer, question text, phase text, status text, "
        "assigned_to_roles json, assigned_to_users json, created_at time, answered_by text, answer text, "
        "answered_at time, skipped_at time, extra json",
        key=2,
    ),
    _table("phase_maturity_scores", "project_id text, phase text, score float", key=2),
    _table(
        "category_scores",
        "project_id text, phase text, category text, current_score float, target_score float, confidence float, "
        "spec_count integer, extra json",
        key=3,
    ),
    _table(
        "categorized_specs",
        "project_id text, phase text, position integer, category text, content text, confidence float, value float, "
        "source_field text, timestamp time, extra json",
        key=3,
    ),
    _table(
        "maturity_events",
        "project_id text, position integer, timestamp time, phase text, score_before float, score_after float, "
        "delta float, event_type text, details json, extra json",
        key=2,
    ),
    _table(
        "analytics_metrics",
        "project_id text, velocity float, total_qa_sessions integer, avg_confidence float, weak_categories json, "
        "strong_categories json, last_updated time, extra json",
    ),
)

NOTE_TABLES = (
    _table(
        "project_notes",
        "id text, project_id text, title text, content text, note_type text, created_at time, created_by text, "
        "extra json",
    ),
    _list_of_text("project_note_tags", "note_id", "tag"),
)

USERS = _table(
    "users",
    "username text, passcode_hash text, created_at time, subscription_tier text, subscription_status text, "
    "subscription_start time, subscription_end time, questions_used_this_month integer, usage_reset_date time, "
    "is_archived flag, archived_at time, extra json",
)
QUESTION_EFFECTIVENESS = _table(
    "question_effectiveness",
    "id text, user_id text, question_template_id text, role text, times_asked integer, times_answered_well integer, "
    "average_answer_length integer, average_spec_extraction_count decimal, effectiveness_score decimal, "
    "last_asked_at time, created_at time, updated_at time, extra json",
)
BEHAVIOR_PATTERNS = _table(
    "behavior_patterns",
    "id text, user_id text, pattern_type text, pattern_data json, confidence decimal, learned_from_projects json, "
    "learned_at time, updated_at time, extra json",
)
KNOWLEDGE_DOCUMENTS = _table(
    "knowledge_documents",
    "id text, project_id text, user_id text, filename text, file_size integer, content_type text, content text, "
    "embedding bytes, uploaded_at time, extra json",
)
LLM_PROVIDER_CONFIGS = _table(
    "llm_provider_configs",
    "id text, user_id text, provider text, is_default flag, enabled flag, settings json, created_at time, "
    "updated_at time, extra json",
)
API_KEYS = _table(
    "api_keys",
    "id text, user_id text, provider text, encrypted_key text, key_hash text, created_at time, updated_at time, "
    "last_used_at time",
)
LLM_USAGE = _table(
    "llm_usage",
    "id text, user_id text, provider text, model text, timestamp time, input_tokens integer, output_tokens integer, "
    "total_tokens integer, latency_ms float, cost decimal, success flag, error_message text, request_id text, "
    "extra json",
)

TABLES_OF: dict[str, tuple[Table, ...]] = {
    "users": (USERS,),
    "projects": PROJECT_TABLES,
    "project_notes": NOTE_TABLES,
    "question_effectiveness": (QUESTION_EFFECTIVENESS,),
    "behavior_patterns": (BEHAVIOR_PATTERNS,),
    "knowledge_documents": (KNOWLEDGE_DOCUMENTS,),
    "llm_provider_configs": (LLM_PROVIDER_CONFIGS,),
    "api_keys": (API_KEYS,),
    "llm_usage": (LLM_USAGE,),
}
"""v1 table → the tables that one of its rows fills, the parent first. The order is that of the import."""

LATER_TABLES = ("knowledge_suggestions", "project_conflicts")
"""Tables with a key `id` that v1 had nothing for, made by later revisions: what they hold was written since."""
