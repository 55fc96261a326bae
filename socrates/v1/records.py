"""The conversion of every v1 record but the project: users, notes, learning, documents, configurations, keys, usage.

Each is a `Record`: which values come from the row's key columns, and which fields of the blob follow.
"""

from typing import Any

from socrates.errors import DamagedRecordError
from socrates.v1.fields import (
    REQUIRED,
    Entry,
    Field,
    decimal,
    flag,
    integer,
    number,
    raw,
    secret,
    tagged,
    text,
    text_items,
    text_list,
    time,
    to_time,
)
from socrates.v1.layout import Row, Rows
from socrates.v1.reader import SourceRow
from socrates.v1.reading import Reading


class Record:
    """How a v1 row becomes the leading columns of one of ours: its `keys`, then the fields of its `entry`."""

    def __init__(self, keys: tuple[str, ...], entry: Entry) -> None:
        """`keys`: columns of the v1 row whose values always come from there, even if the blob differs (V5)."""
        self.keys = keys
        self.entry = entry
        self.known = entry.known.union(keys)
        self.from_columns = tuple(field for field in entry.fields if field.column)
        self.settled = tuple(
            (index, field) for index, field in enumerate(entry.fields) if field.column and field.convert is to_time
        )


def read_record(row: SourceRow, record: Record, source: dict[Any, Any], reading: Reading) -> list[Any]:
    """The values of `record`, in order. Raises DamagedRecordError."""
    reading.budget.extend(row.size)
    values: list[Any] = [_key(row, column, source, reading) for column in record.keys]
    found = record.entry.read(_with_columns(row, record.from_columns, source), reading, ())
    for index, field in record.settled:
        found[index] = _settle_time(found[index], row, field, source, reading)
    return values + found


def _with_columns(row: SourceRow, fields: tuple[Field, ...], source: dict[Any, Any]) -> dict[Any, Any]:
    """`source`, with the row's columns where the blob has nothing."""
    missing = {field.key: row.value(field.key) for field in fields if source.get(field.key) is None}
    return {**source, **missing} if missing else source


def _key(row: SourceRow, column: str, source: dict[Any, Any], reading: Reading) -> str:
    value = row.value(column)
    if type(value) is not str:
        raise DamagedRecordError(f"the column {column} holds no text")
    in_blob = source.get(column, value)
    if in_blob is not None and in_blob != value:
        reading.note("key_from_row", column, in_blob)
    return value


def _settle_time(
    found: str | None, row: SourceRow, field: Field, source: dict[Any, Any], reading: Reading
) -> str | None:
    """A time of the blob beside the row's column of the same name: the later one of two (V5), or for `created_at`
    what stands in for one that cannot be read, which counts as missing (V4, V17)."""
    in_blob = source.get(field.key) is not None
    if field.column == "later" or (found is None and in_blob and field.key == "created_at"):
        value = row.value(field.key)
        other = None if value is None or not in_blob else to_time(value, reading, (), f"row.{field.key}")
        found = max(filter(None, (found, other)), default=None)
    if found is None and field.default is REQUIRED:
        raise DamagedRecordError(f"{field.key} can be read neither in the blob nor in the row")
    return found


_CREATED = time("created_at", column="fallback")
_UPDATED = time("updated_at", column="later")

_USER = Record(
    ("username",),
    Entry(
        secret("passcode_hash", "", column="fallback"),
        time("created_at", REQUIRED, column="fallback"),
        text("subscription_tier", "free"),
        text("subscription_status", "active"),
        time("subscription_start"),
        time("subscription_end"),
        integer("questions_used_this_month", 0),
        time("usage_reset_date"),
        flag("is_archived", default=False),
        time("archived_at"),
        also_known=("projects",),
    ),
)
_NOTE = Record(
    ("note_id", "project_id"),
    Entry(
        text("title", ""),
        text("content", ""),
        text("note_type", "general"),
        _CREATED,
        text("created_by", "system"),
        also_known=("tags",),
    ),
)

_SIMPLE: dict[str, Record] = {
    "question_effectiveness": Record(
        ("id", "user_id", "question_template_id"),
        Entry(
            text("role"),
            integer("times_asked", 0),
            integer("times_answered_well", 0),
            integer("average_answer_length", 0),
            decimal("average_spec_extraction_count", "0"),
            decimal("effectiveness_score", "0.5"),
            time("last_asked_at"),
            _CREATED,
            _UPDATED,
        ),
    ),
    "behavior_patterns": Record(
        ("id", "user_id", "pattern_type"),
        Entry(
            tagged("pattern_data"),
            decimal("confidence", "0.5"),
            text_list("learned_from_projects"),
            time("learned_at", column="fallback"),
            _UPDATED,
        ),
    ),
    "knowledge_documents": Record(
        ("id", "project_id", "user_id"),
        Entry(
            text("filename", ""),
            integer("file_size", 0),
            text("content_type"),
            text("content", ""),
            raw("embedding"),
            time("uploaded_at", column="fallback"),
        ),
    ),
    "llm_provider_configs": Record(
        ("id", "user_id", "provider"),
        Entry(
            flag("is_default", default=False),
            flag("enabled", default=True),
            tagged("settings"),
            _CREATED,
            _UPDATED,
        ),
    ),
    "llm_usage": Record(
        ("id", "user_id", "provider"),
        Entry(
            text("model", "", column="fallback"),
            time("timestamp", column="fallback"),
            integer("input_tokens", 0),
            integer("output_tokens", 0),
            integer("total_tokens", 0),
            number("latency_ms", 0.0),
            decimal("cost", "0", column="fallback"),
            flag("success", default=True),
            text("error_message"),
            text("request_id"),
        ),
    ),
}

# A key row has no blob: all of it is columns, and there is no `extra` for a time that cannot be read.
_API_KEY = Record(
    ("id", "user_id", "provider"),
    Entry(
        secret("encrypted_key", ""),
        secret("key_hash", ""),
        time("created_at"),
        time("updated_at"),
        time("last_used_at"),
    ),
)


def convert_simple(row: SourceRow, source: dict[Any, Any], reading: Reading) -> Rows:
    """A row of one of the tables that become one row of the table with the same name."""
    record = _SIMPLE[row.table]
    values = read_record(row, record, source, reading)
    extra = reading.extra_text(source, record.known, (), reading.kept())
    return {row.table: [(*values, extra)]}


def convert_api_key(row: SourceRow, source: dict[Any, Any], reading: Reading) -> Rows:
    """A row of `api_keys`; `source` is the row itself as a dict."""
    values = read_record(row, _API_KEY, source, reading)
    reading.take_unreadable()  # noted already, with the original text
    return {"api_keys": [tuple(values)]}


_SUBSCRIPTION_START = 5  # index among the columns of users


def convert_user(row: SourceRow, source: dict[Any, Any], reading: Reading) -> Rows:
    """A row of `users`. A subscription starts with the account unless v1 says otherwise."""
    values = read_record(row, _USER, source, reading)
    if source.get("subscription_start") is None:
        values[_SUBSCRIPTION_START] = values[2]
    extra = reading.extra_text(source, _USER.known, (), reading.kept(source, "projects"))
    return {"users": [(*values, extra)]}


def convert_note(row: SourceRow, source: dict[Any, Any], reading: Reading) -> Rows:
    """A row of `project_notes`, with its tags."""
    values = read_record(row, _NOTE, source, reading)
    tags = text_items(source.get("tags"), reading, (), "tags")
    extra = reading.extra_text(source, _NOTE.known, (), reading.kept())
    tag_rows: list[Row] = [(values[0], position, tag) for position, tag in enumerate(tags)]
    return {"project_notes": [(*values, extra)], "project_note_tags": tag_rows}
