"""Databases of any size in the time that the engine itself needs: rows that one INSERT … SELECT a table computes.

The same statements fill SQLite and PostgreSQL. `ada` has a share of her own, the same whatever others have; each of the
other projects has a row or two of everything that can hang on one. The values say little: what is measured on them is
how work grows with their number, and bench_store.py measures on generated texts.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

from tests.performance.datasets import ADA
from tests.support.postgres import execute

HERS = "ada10000000"
"""The first of ada's projects, on which her rows hang."""

FIRST_MINUTE = 1_735_689_600
"""The Unix time of 2025-01-01 in UTC: row n is n minutes younger."""

AT = {
    "sqlite": f"strftime('%Y-%m-%d %H:%M:%S', {FIRST_MINUTE} + 60 * n, 'unixepoch') || '.000000'",
    "postgres": f"to_timestamp({FIRST_MINUTE} + 60 * n)",
}
"""The time of row n as each engine stores it."""

VECTOR = {"sqlite": "zeroblob(8)", "postgres": "decode('0000000000000000', 'hex')"}
"""A vector of two numbers, as each engine writes bytes."""

Columns = Mapping[str, str]


@dataclass(frozen=True)
class Share:
    """How much there is: projects of other people; ada's projects; ada's rows in every other list, and in HERS.

    Other people have three projects each, ada is a member of one of those for every four of her own. Of ten projects
    and users one is archived, of a hundred records one has no time.
    """

    others: int
    hers: int = 25
    rows: int = 200


def fill_file(path: Path, share: Share) -> None:
    """Fill an empty SQLite database that is at head."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA synchronous = OFF")
        connection.execute("BEGIN")
        for statement in _statements("sqlite", share):
            connection.execute(statement)
        connection.execute("COMMIT")


def fill_server(url: str, share: Share) -> None:
    """Fill an empty PostgreSQL database that is at head."""
    execute(url, *_statements("postgres", share), "VACUUM ANALYZE")


def _statements(engine: str, share: Share) -> Iterator[str]:
    for table, count, columns in (*_of_others(share.others), *_of_ada(share)):
        texts = {
            name: expression.replace("{at}", AT[engine]).replace("{vector}", VECTOR[engine])
            for name, expression in columns.items()
        }
        yield (
            f"INSERT INTO {table} ({', '.join(texts)})"
            f" WITH RECURSIVE numbers(n) AS (SELECT 0 UNION ALL SELECT n + 1 FROM numbers WHERE n + 1 < {count})"
            f" SELECT {', '.join(texts.values())} FROM numbers"
        )


Rows = Iterable[tuple[str, int, Columns]]
"""Tables, the number of their rows, and the expressions of the columns of row n."""

_DATED = "CASE WHEN n % 100 <> 93 THEN {at} END"
_ARCHIVED = "n % 10 = 3"
_ARCHIVED_AT = f"CASE WHEN {_ARCHIVED} AND n % 100 <> 93 THEN {{at}} END"


def _of_others(projects: int) -> Rows:
    users = projects // 3 + 1
    user, project = f"'user' || (n % {users})", "'p' || (10000000 + n)"
    twice = {"project_id": "'p' || (10000000 + n / 2)", "position": "n % 2"}
    yield "users", users, _user(user)
    yield "projects", projects, _project(project, user, messages=2)
    yield "team_members", projects, _member(project, user, "lead")
    yield "team_members", projects, _member(project, f"'user' || ((n + 1) % {users})", "analyst") | {"position": "1"}
    yield "conversation_messages", 2 * projects, _message() | twice
    yield from _parts(project, projects)
    yield from _records(project, user, "'r' || n", projects)
    yield from _personal(user, "'r' || n", "'claude'", users)


def _of_ada(share: Share) -> Rows:
    ada, first, project = f"'{ADA}'", f"'{HERS}'", "'ada' || (10000000 + n)"
    helped = min(share.others, share.hers // 4 + 1)
    yield "users", 1, _user(ada)
    yield "projects", share.hers, _project(project, ada, messages=share.rows)
    yield "team_members", share.hers, _member(project, ada, "lead")
    yield "team_members", helped, _member(f"'p' || (10000000 + n * {share.others // helped})", ada, "creator")
    yield "conversation_messages", share.rows, _message() | {"project_id": first, "position": "n"}
    yield from _parts(first, 1)
    yield from _records(first, ada, "'ada' || n", share.rows)
    yield from _personal(ada, "'ada' || n", "'provider' || n", share.rows)


def _user(name: str) -> Columns:
    return {
        "username": name,
        "passcode_hash": "''",
        "created_at": "{at}",
        "subscription_tier": "'free'",
        "subscription_status": "'active'",
        "is_archived": _ARCHIVED,
        "archived_at": _ARCHIVED_AT,
    }


def _project(key: str, owner: str, messages: int) -> Columns:
    texts = "phase status project_type chat_mode goals team_structure language_preferences deployment_target code_style"
    return dict.fromkeys(texts.split(), "'usual'") | {
        "id": key,
        "name": "'Project ' || n",
        "owner": owner,
        "is_archived": _ARCHIVED,
        "archived_at": _ARCHIVED_AT,
        "created_at": "{at}",
        "updated_at": "{at}",
        "message_count": str(messages),
    }


def _member(project: str, username: str, role: str) -> Columns:
    return {
        "project_id": project,
        "username": username,
        "role": f"'{role}'",
        "skills": "'[]'",
        "is_active": "true",
        "position": "0",
    }


def _message() -> Columns:
    return {"type": "'user'", "content": "'It must lend books. ' || n", "timestamp": "{at}", "phase": "'design'"}


def _parts(project: str, projects: int) -> Rows:
    """One row of each part that is read with its project."""
    part = {"project_id": project}
    for table in ("project_requirements", "project_tech_stack", "project_constraints"):
        yield table, projects, part | {"position": "0", "value": "'usual'"}
    yield "phase_maturity_scores", projects, part | {"phase": "'design'", "score": "10"}
    yield "category_scores", projects, part | {"phase": "'design'", "category": "'api'", "current_score": "1"}
    spec = {"phase": "'design'", "position": "0", "category": "'api'", "content": "'It has one.'"}
    yield "categorized_specs", projects, part | spec
    event = {"position": "0", "phase": "'design'", "event_type": "'answer'", "details": "'{}'"}
    yield "maturity_events", projects, part | event
    yield "analytics_metrics", projects, part | {"weak_categories": "'[]'", "strong_categories": "'[]'"}
    question = {"id": "'q'", "position": "0", "question": "'Why?'", "phase": "'design'", "status": "'pending'"}
    lists = {"assigned_to_roles": "'[]'", "assigned_to_users": "'[]'"}
    yield "pending_questions", projects, part | question | lists


def _records(project: str, user: str, key: str, count: int) -> Rows:
    """Notes with a tag, documents, entries of knowledge, suggestions and conflicts of a project; calls of a model."""
    note = {"title": "'Fees'", "content": "'Nobody pays.'", "note_type": "'idea'", "created_by": user}
    record = {"id": key, "project_id": project}
    yield "project_notes", count, record | note | {"created_at": _DATED}
    yield "project_note_tags", count, {"note_id": key, "position": "0", "tag": "'money'"}
    document = {"user_id": user, "filename": "'a.txt'", "content": "'Nobody pays.'", "uploaded_at": _DATED}
    yield "knowledge_documents", count, record | document
    yield "knowledge_entries", count, {**_entry(), "entry_key": key, "id": key, "project_id": project}
    texts = dict.fromkeys(("content", "category", "topic", "difficulty", "reason", "agent"), "'usual'")
    suggestion = {"status": "CASE n % 2 WHEN 0 THEN 'pending' ELSE 'approved' END", "created_at": "{at}"}
    yield "knowledge_suggestions", count, record | texts | suggestion
    said = dict.fromkeys(("existing", "new", "explanation"), "'usual'") | {"field": "'goals'", "severity": "'low'"}
    decided = {
        "status": "CASE n % 2 WHEN 0 THEN 'pending' ELSE 'resolved' END",
        "choice": "CASE n % 2 WHEN 1 THEN 'keep' END",
    }
    yield "project_conflicts", count, record | said | decided | {"suggestions": "'[]'", "created_at": "{at}"}
    call = {"provider": "'claude'", "model": "'usual'", "timestamp": _DATED, "success": "true", "total_tokens": "10"}
    yield "llm_usage", count, {"id": key, "user_id": user} | call | {"cost": "'0.0015'", "latency_ms": "900"}


def _entry() -> Columns:
    """What was read from one of seven files, or not from any; of a hundred one waits for the index."""
    return dict.fromkeys(("content", "text_hash", "model"), "'usual'") | {
        "scope": "'project'",
        "category": "CASE n % 2 WHEN 0 THEN 'imported_document' ELSE 'usual' END",
        "source": "CASE n % 2 WHEN 0 THEN 'file' || n % 7 END",
        "is_indexed": "n % 100 <> 93",
        "created_at": "{at}",
        "updated_at": "{at}",
        "details": "'{}'",
        "vector": "{vector}",
    }


def _personal(user: str, key: str, provider: str, count: int) -> Rows:
    """What was learned about a user, and the providers that the user has set up."""
    record = {"id": key, "user_id": user}
    yield "question_effectiveness", count, record | {"question_template_id": key}
    habit = {"pattern_type": key, "pattern_data": "'{}'", "learned_from_projects": "'[]'"}
    yield "behavior_patterns", count, record | habit
    of_provider = record | {"provider": provider}
    config = {"is_default": "false", "enabled": "true", "settings": "'{}'"}
    yield "llm_provider_configs", count, of_provider | config
    yield "api_keys", count, of_provider | {"encrypted_key": "''", "key_hash": "''"}
