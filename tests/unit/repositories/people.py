"""A person of whom every table holds something, and the names that a database holds."""

import json
from typing import Any

from sqlalchemy import insert, select

from socrates.models import Base
from socrates.store import Store
from tests.unit.repositories.rows import THEN, put_project, put_users

Rows = dict[str, list[dict[str, Any]]]

SECRET = "kept from everybody"

_RUN = {"id": 1, "source": "v1.db", "started_at": THEN, "finished_at": THEN, "timezone": "UTC"}
_NOTE = {"source_table": "projects", "source_key": "others", "kind": "converted", "field": "x", "original": [1]}
_WAITS = {"failures": 1, "first_failed_at": THEN, "last_failed_at": THEN, "blocked_until": THEN}
_CONFLICT = {"field": "goals", "existing": "e", "explanation": "x", "new": "n", "severity": "low", "created_at": THEN}
_TIMELESS = {"question": "?", "phase": "design", "status": "pending", "assigned_to_roles": [], "assigned_to_users": []}


def personal_rows(name: str) -> Rows:
    """What all tables but those of users, projects and teams hold on `name`, a member of the project "others"."""
    by_id = {"id": f"1 of {len(name)}", "user_id": name}
    of_project = {"project_id": "others"}
    return {
        "conversation_messages": [{**of_project, "position": 0, "type": "user", "content": "c", "author": name}],
        "pending_questions": [
            {**of_project, **_TIMELESS, "id": "1", "position": 0, "answered_by": name},
            {**of_project, **_TIMELESS, "id": "2", "position": 1, "assigned_to_users": ["bob", name]},
        ],
        "project_notes": [{**of_project, "id": "n", "title": "t", "content": "c", "created_by": name}],
        "knowledge_documents": [{**of_project, **by_id, "filename": "f", "content": "c", "embedding": b"\0\1"}],
        "knowledge_suggestions": [
            {
                **of_project,
                "id": "s",
                "content": "c",
                "category": "c",
                "topic": "t",
                "status": "approved",
                "created_at": THEN,
                "decided_at": THEN,
                "decided_by": name,
            }
        ],
        "project_conflicts": [
            {**of_project, **_CONFLICT, "id": f"{column} of {len(name)}", column: name}
            for column in ("existing_author", "new_author", "resolved_by")
        ],
        "question_effectiveness": [{**by_id, "question_template_id": "t"}],
        "behavior_patterns": [{**by_id, "pattern_type": "t", "pattern_data": {"at": THEN}}],
        "llm_provider_configs": [{**by_id, "provider": "claude", "settings": {"api_key": SECRET, "model": "m"}}],
        "api_keys": [{**by_id, "provider": "claude", "encrypted_key": SECRET, "key_hash": SECRET}],
        "llm_usage": [{**by_id, "provider": "claude", "model": "m", "timestamp": THEN}],
        "login_failures": [{"username": name, **_WAITS}],
    }


def account_rows(name: str, v1: str | None) -> Rows:
    """What an import noted on `name`; `v1` is the file elsewhere that it came from, None where it was upgraded."""
    of_users = {"source_table": "users", "source_key": name}
    told = {"notes": [{"key": name, "field": "extra", "original": name}], "reasons": [], "orphans": []}
    return {
        "v1_import_runs": [{**_RUN, "options": {"v1": v1}, "report": {"tables": {"users": told}}}],
        "v1_import_digests": [{"run_id": 1, **of_users, "digest": SECRET.encode()}],
        "v1_import_deletions": [{"run_id": 1, **of_users, "deleted_at": THEN}],
        "v1_import_notes": [
            {"run_id": 1, "position": 0, **_NOTE, **of_users, "field": "passcode_hash", "original": [SECRET]},
            {"run_id": 1, "position": 1, **_NOTE, "field": f"team_members.{name}.role"},
            {"run_id": 1, "position": 2, **_NOTE, "original": [{"username": name}]},
        ],
    }


def quarantined_rows(name: str) -> Rows:
    """What the quarantine holds of `name`, of which one row was imported later."""
    return {
        "v1_quarantine": [
            {
                "id": 1,
                "source_table": "users",
                "source_key": name,
                "reason": "r",
                "row_columns": {"passcode_hash": SECRET},
                "data": SECRET.encode(),
            },
            {
                "id": 2,
                "source_table": "llm_usage",
                "source_key": "u",
                "reason": "r",
                "row_columns": {"user_id": name},
                "data": b"\x80",
            },
        ],
        "v1_quarantine_releases": [{"quarantine_id": 1, "source_key": name, "released_at": THEN, "correction": None}],
    }


async def put_person(store: Store, name: str) -> None:
    """The person, with a project that has an heir ("kept"), one that has none ("lost"), and a place in bob's."""
    await put_users(store, name, "bob")
    await put_project(store, "kept", name, {"username": "bob"})
    await put_project(store, "lost", name)
    await put_project(store, "others", "bob", {"username": name}, extra={"v1_collaborators": [name, "bob"], "x": name})
    await put_rows(store, personal_rows(name))


async def put_rows(store: Store, rows: Rows) -> None:
    """Rows by table, in an order in which their parents are there."""
    async with store.begin() as unit:
        for to in Base.metadata.sorted_tables:
            for row in rows.get(to.name, ()):
                await unit.users._session.execute(insert(to), row)


async def where_the_name_is(store: Store, name: str) -> set[str]:
    """The columns, as table.column, in whose values the name stands anywhere."""
    quoted = json.dumps(name)
    found = set()
    async with store._engines.reader.connect() as connection:
        for of in Base.metadata.sorted_tables:
            for row in await connection.execute(select(of)):
                values = zip(of.c, row, strict=True)
                found |= {f"{of.name}.{column.name}" for column, value in values if quoted in _written(value, name)}
    return found


def _written(value: Any, name: str) -> str:
    """As JSON; of the note on a member's role, only the name."""
    return json.dumps(name if value == f"team_members.{name}.role" else value, default=str)
