"""What the import must make of a v1 file, converted a second time, straight from the specification.

Knows nothing of `socrates.v1`. Naive times are read as UTC. Covered is what v1 wrote, older files, missing
and None values, unreadable times, non-finite numbers and split teams; damaged records are not.
"""

import json
import pickle
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from tests.support.expected_projects import add_project
from tests.support.expected_values import Record, Row, Tables, tagged, utc_text

KEYS = {
    "users": ("username",),
    "projects": ("id",),
    "conversation_messages": ("project_id", "position"),
    "project_requirements": ("project_id", "position"),
    "project_tech_stack": ("project_id", "position"),
    "project_constraints": ("project_id", "position"),
    "team_members": ("project_id", "username"),
    "pending_questions": ("project_id", "id"),
    "phase_maturity_scores": ("project_id", "phase"),
    "category_scores": ("project_id", "phase", "category"),
    "categorized_specs": ("project_id", "phase", "position"),
    "maturity_events": ("project_id", "position"),
    "analytics_metrics": ("project_id",),
    "project_notes": ("id",),
    "project_note_tags": ("note_id", "position"),
    "question_effectiveness": ("id",),
    "behavior_patterns": ("id",),
    "knowledge_documents": ("id",),
    "llm_provider_configs": ("id",),
    "api_keys": ("id",),
    "llm_usage": ("id",),
    "v1_quarantine": ("source_table", "source_key"),
}
JSON_COLUMNS = {
    "extra",
    "skills",
    "assigned_to_roles",
    "assigned_to_users",
    "details",
    "weak_categories",
    "strong_categories",
    "pattern_data",
    "learned_from_projects",
    "settings",
}
# Rule V5: these come from the row, whatever the blob says.
KEY_COLUMNS = ("id", "note_id", "project_id", "user_id", "provider", "pattern_type", "question_template_id")


def expected_tables(path: Path) -> Tables:
    """Convert a v1 file: every row of every new table, the quarantine included."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
        source = {name: [dict(row) for row in connection.execute(f"SELECT * FROM {name}")] for name in names}
    tables: Tables = {table: [] for table in KEYS}
    for columns in source["projects"]:
        add_project(tables, Record(pickle.loads(columns["data"]), columns, {"project_id"}))
    for columns in source["users"]:
        add_user(tables, Record(pickle.loads(columns["data"]), columns, {"username"}))
    projects = {project["id"] for project in tables["projects"]}
    for name in ("project_notes", "knowledge_documents"):
        for columns in source.get(name, []):
            if columns["project_id"] in projects:
                OTHERS[name](tables, Record(pickle.loads(columns["data"]), columns, KEY_COLUMNS))
            else:
                key = columns["note_id" if name == "project_notes" else "id"]
                quarantined = {"source_table": name, "source_key": key, "data": columns["data"]}
                tables["v1_quarantine"].append(quarantined)
    for name in ("question_effectiveness", "behavior_patterns", "llm_provider_configs", "llm_usage"):
        for columns in source.get(name, []):
            OTHERS[name](tables, Record(pickle.loads(columns["data"]), columns, KEY_COLUMNS))
    for columns in source.get("api_keys", []):
        times = {key: utc_text(columns[key]) for key in ("created_at", "updated_at", "last_used_at")}
        tables["api_keys"].append(columns | times)
    return tables


def add_user(tables: Tables, user: Record) -> None:
    created_at = user.time("created_at")
    row = {
        "username": user.columns["username"],
        "passcode_hash": user.get("passcode_hash", user.columns["passcode_hash"]),
        "created_at": created_at,
        "subscription_tier": user.get("subscription_tier", "free"),
        "subscription_status": user.get("subscription_status", "active"),
        "subscription_start": user.time("subscription_start"),
        "subscription_end": user.time("subscription_end"),
        "questions_used_this_month": user.number("questions_used_this_month", 0),
        "usage_reset_date": user.time("usage_reset_date"),
        "is_archived": user.get("is_archived", False),
        "archived_at": user.time("archived_at"),
    }
    if user.blob.get("subscription_start") is None:
        row["subscription_start"] = created_at
    if not user.blob.get("projects"):
        user.read.add("projects")
    tables["users"].append(row | {"extra": user.extra()})


def note(tables: Tables, record: Record) -> None:
    key = record.columns["note_id"]
    tags = enumerate(record.texts("tags"))
    tables["project_note_tags"] += [{"note_id": key, "position": place, "tag": tag} for place, tag in tags]
    tables["project_notes"].append(
        {
            "id": key,
            "project_id": record.columns["project_id"],
            "title": record.get("title", ""),
            "content": record.get("content", ""),
            "note_type": record.get("note_type", "general"),
            "created_at": record.time("created_at"),
            "created_by": record.get("created_by", "system"),
            "extra": record.extra(),
        }
    )


def effectiveness(tables: Tables, record: Record) -> None:
    counters = ("times_asked", "times_answered_well", "average_answer_length")
    tables["question_effectiveness"].append(
        {
            **from_columns(record, "id", "user_id", "question_template_id"),
            "role": record.get("role"),
            **{name: record.number(name, 0) for name in counters},
            "average_spec_extraction_count": record.exact("average_spec_extraction_count", "0"),
            "effectiveness_score": record.exact("effectiveness_score", "0.5"),
            "last_asked_at": record.time("last_asked_at"),
            "created_at": record.time("created_at"),
            "updated_at": record.later_time("updated_at"),
            "extra": record.extra(),
        }
    )


def pattern(tables: Tables, record: Record) -> None:
    tables["behavior_patterns"].append(
        {
            **from_columns(record, "id", "user_id", "pattern_type"),
            "pattern_data": tagged(record.get("pattern_data", {})),
            "confidence": record.exact("confidence", "0.5"),
            "learned_from_projects": record.texts("learned_from_projects"),
            "learned_at": record.time("learned_at"),
            "updated_at": record.later_time("updated_at"),
            "extra": record.extra(),
        }
    )


def document(tables: Tables, record: Record) -> None:
    tables["knowledge_documents"].append(
        {
            **from_columns(record, "id", "project_id", "user_id"),
            "filename": record.get("filename", ""),
            "file_size": record.number("file_size", 0),
            "content_type": record.get("content_type"),
            "content": record.get("content", ""),
            "embedding": record.get("embedding"),
            "uploaded_at": record.time("uploaded_at"),
            "extra": record.extra(),
        }
    )


def provider_config(tables: Tables, record: Record) -> None:
    tables["llm_provider_configs"].append(
        {
            **from_columns(record, "id", "user_id", "provider"),
            "is_default": record.get("is_default", False),
            "enabled": record.get("enabled", True),
            "settings": tagged(record.get("settings", {})),
            "created_at": record.time("created_at"),
            "updated_at": record.later_time("updated_at"),
            "extra": record.extra(),
        }
    )


def usage(tables: Tables, record: Record) -> None:
    numbers = ("input_tokens", "output_tokens", "total_tokens", "latency_ms")
    tables["llm_usage"].append(
        {
            **from_columns(record, "id", "user_id", "provider"),
            "model": record.get("model", record.columns["model"]),
            "timestamp": record.time("timestamp"),
            **{name: record.number(name, 0) for name in numbers},
            "cost": record.exact("cost", "0"),
            "success": record.get("success", True),
            "error_message": record.get("error_message"),
            "request_id": record.get("request_id"),
            "extra": record.extra(),
            "operation": None,
            "cache_read_tokens": 0,
            "cache_write_tokens": 0,
        }
    )


OTHERS: dict[str, Callable[[Tables, Record], None]] = {
    "project_notes": note,
    "question_effectiveness": effectiveness,
    "behavior_patterns": pattern,
    "knowledge_documents": document,
    "llm_provider_configs": provider_config,
    "llm_usage": usage,
}


def from_columns(record: Record, *names: str) -> Row:
    return {name: record.columns[name] for name in names}


def actual_tables(path: Path) -> Tables:
    """Read every new table of an upgraded file, the JSON columns parsed."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as connection:
        connection.row_factory = sqlite3.Row
        found = {table: connection.execute(f"SELECT * FROM {table}").fetchall() for table in KEYS}
    return {table: [_parsed(dict(row)) for row in rows] for table, rows in found.items()}


def _parsed(row: Row) -> Row:
    return {name: json.loads(value) if name in JSON_COLUMNS else value for name, value in row.items()}


def differences(expected: Tables, actual: Tables) -> list[str]:
    """List every row and value in which the tables differ; only columns of the specification count."""
    found = []
    for table, key in KEYS.items():
        wanted = {tuple(row[name] for name in key): row for row in expected[table]}
        stored = {tuple(row[name] for name in key): row for row in actual[table]}
        found += [f"{table} {row_key}: missing" for row_key in wanted.keys() - stored.keys()]
        found += [f"{table} {row_key}: not expected" for row_key in stored.keys() - wanted.keys()]
        for row_key in wanted.keys() & stored.keys():
            for name, value in wanted[row_key].items():
                here = stored[row_key].get(name, "no such column")
                if here != value:
                    found.append(f"{table} {row_key} {name}: expected {value!r}, found {here!r}")
        if len(actual[table]) != len(expected[table]):
            found.append(f"{table}: expected {len(expected[table])} rows, found {len(actual[table])}")
    return sorted(found)


def assert_imported(v1_path: Path, upgraded_path: Path) -> None:
    """Compare every value of every row, both ways."""
    found = differences(expected_tables(v1_path), actual_tables(upgraded_path))
    assert not found, "\n".join(found[:40])
