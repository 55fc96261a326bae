"""Writes v1 databases as v1 wrote them: `pickle.dumps(asdict(record))` beside a few text columns."""

import pickle
import random
import sqlite3
from collections.abc import Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.support.v1_records import CREATED, LEARNED, project_record, user_record
from tests.support.v1_schema import V1_TABLES


class V1File:
    """A v1 database under construction; leaving the `with` block commits and closes it.

    Each `add_` method takes changes to the record as keywords, `without` (keys the blob lacks), `blob` (the
    bytes to store in place of the pickled record), `columns` (changes to the row's other columns) and
    `protocol`. A change of the usual type shows in the columns too; any other leaves them at the default, so
    a damaged value in the blob does not damage its column.
    """

    def __init__(self, path: Path, tables: int = 9) -> None:
        self.path = path
        self.rows_added = 0
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("BEGIN")
        for statement in list(V1_TABLES.values())[:tables]:
            self.connection.execute(statement)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.connection.execute("COMMIT")
        self.connection.close()

    def add_project(self, **changes: Any) -> None:
        """Add a project; unless said otherwise, the n-th record added with a made-up id is project-n."""
        self.rows_added += 1
        owner = changes.get("owner")
        record = project_record(
            changes.get("project_id", f"project-{self.rows_added}"),
            owner if isinstance(owner, str) else "ada",
        )
        self._add("projects", record, ("project_id", "created_at", "updated_at"), changes)

    def add_user(self, username: str = "ada", **changes: Any) -> None:
        """Add a user."""
        self._add("users", user_record(username), ("username", "passcode_hash", "created_at"), changes)

    def add_note(self, **changes: Any) -> None:
        """Add a note; it belongs to project-1 unless said otherwise."""
        record = self._numbered("note_id", "note") | {
            "project_id": "project-1",
            "title": "Fines",
            "content": "No fines for children.",
            "note_type": "idea",
            "created_at": CREATED,
            "created_by": "bob",
            "tags": ["money", "children"],
        }
        self._add("project_notes", record, ("note_id", "project_id", "created_at"), changes)

    def add_effectiveness(self, **changes: Any) -> None:
        """Add a question's effectiveness."""
        record = self._numbered("id", "effectiveness") | {
            "user_id": "ada",
            "question_template_id": f"What is goal {self.rows_added}",
            "role": "lead",
            "times_asked": 5,
            "times_answered_well": 3,
            "average_answer_length": 120,
            "average_spec_extraction_count": Decimal("1.50"),
            "effectiveness_score": Decimal("0.60"),
            "last_asked_at": LEARNED,
            "created_at": LEARNED,
            "updated_at": LEARNED,
        }
        columns = ("id", "user_id", "question_template_id", "created_at", "updated_at")
        self._add("question_effectiveness", record, columns, changes)

    def add_pattern(self, **changes: Any) -> None:
        """Add a behaviour pattern."""
        record = self._numbered("id", "pattern") | {
            "user_id": "ada",
            "pattern_type": f"pace-{self.rows_added}",
            "pattern_data": {"speed": "slow"},
            "confidence": Decimal("0.75"),
            "learned_from_projects": ["project-1"],
            "learned_at": LEARNED,
            "updated_at": LEARNED,
        }
        columns = ("id", "user_id", "pattern_type", "learned_at", "updated_at")
        self._add("behavior_patterns", record, columns, changes)

    def add_document(self, **changes: Any) -> None:
        """Add a knowledge document; it belongs to project-1 unless said otherwise."""
        record = self._numbered("id", "document") | {
            "project_id": "project-1",
            "user_id": "ada",
            "filename": "rules.md",
            "file_size": 21,
            "content_type": "text/markdown",
            "content": "Books are lent gladly",
            "embedding": None,
            "uploaded_at": LEARNED,
        }
        self._add("knowledge_documents", record, ("id", "project_id", "user_id", "uploaded_at"), changes)

    def add_llm_config(self, **changes: Any) -> None:
        """Add a provider's configuration."""
        record = self._numbered("id", "config") | {
            "provider": f"provider-{self.rows_added}",
            "user_id": "ada",
            "is_default": True,
            "enabled": False,
            "created_at": CREATED,
            "updated_at": LEARNED,
            "settings": {"temperature": 0.7},
        }
        columns = ("id", "user_id", "provider", "created_at", "updated_at")
        self._add("llm_provider_configs", record, columns, changes)

    def add_api_key(self, **columns: Any) -> None:
        """Add an API key, the one record without a blob: the keywords are its columns."""
        row = self._numbered("id", "key") | {
            "user_id": "ada",
            "provider": f"provider-{self.rows_added}",
            "encrypted_key": "c2stZXhhbXBsZS0xMjM=",
            "key_hash": "751ab231f93a6d0d535aaa68c2419ce9fd774131a04a35548c7f4765b4404855",
            "created_at": "2025-03-01T09:00:00.123456",
            "updated_at": "2025-03-03T11:00:00.250000+00:00",
            "last_used_at": None,
        }
        self._insert("api_keys", row | columns)

    def add_usage(self, **changes: Any) -> None:
        """Add one call of a language model."""
        record = self._numbered("id", "usage") | {
            "user_id": "ada",
            "provider": "claude",
            "model": "m-1",
            "timestamp": CREATED,
            "input_tokens": 100,
            "output_tokens": 50,
            "total_tokens": 150,
            "latency_ms": 812.5,
            "cost": 0.0123,
            "success": False,
            "error_message": "late",
            "request_id": "req_1",
        }
        columns = ("id", "user_id", "provider", "model", "timestamp", "cost")
        self._add("llm_usage", record, columns, changes)

    def _numbered(self, key: str, prefix: str) -> dict[str, Any]:
        self.rows_added += 1
        return {key: f"{prefix}-{self.rows_added}"}

    def _add(self, table: str, record: dict[str, Any], columns: Iterable[str], changes: dict[str, Any]) -> None:
        without = changes.pop("without", ())
        blob = changes.pop("blob", None)
        column_changes = changes.pop("columns", {})
        protocol = changes.pop("protocol", 4)
        row = {name: _as_column(record[name], changes.get(name)) for name in columns}
        kept = {key: value for key, value in (record | changes).items() if key not in without}
        data = pickle.dumps(kept, protocol=protocol) if blob is None else blob
        self._insert(table, row | {"data": data} | column_changes)

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        names = ", ".join(row)
        marks = ", ".join("?" * len(row))
        self.connection.execute(f"INSERT INTO {table} ({names}) VALUES ({marks})", list(row.values()))


def _as_column(default: Any, change: Any) -> Any:
    value = change if isinstance(change, type(default)) else default
    return value.isoformat() if isinstance(value, datetime) else value


def generated_v1_file(path: Path, projects: int, messages: int, seed: int = 0) -> Path:
    """Write a usual data set: projects of so many messages each, a user per ten projects, some notes."""
    chance = random.Random(seed)
    owners = [f"user{number}" for number in range(projects // 10 + 1)]
    with V1File(path) as v1:
        for owner in owners:
            v1.add_user(owner)
        for number in range(projects):
            v1.add_project(**generated_project(chance, f"project-{number}", chance.choice(owners), messages))
            if number % 3 == 0:
                v1.add_note(project_id=f"project-{number}", content=words(chance, 60, 300))
        for owner in owners:
            v1.add_effectiveness(user_id=owner)
            v1.add_usage(user_id=owner, cost=chance.randrange(10**6) / 10**6)
    return path


def generated_project(chance: random.Random, project_id: str, owner: str, messages: int) -> dict[str, Any]:
    """Return a usual project, as changes for `V1File.add_project`: an owner, two analysts, so many messages."""
    times = [(CREATED + timedelta(minutes=number)).isoformat() for number in range(messages)]
    conversation = [
        {"timestamp": time, "content": words(chance, 60, 300), "phase": "discovery"}
        | ({"type": "user", "author": owner} if place % 2 else {"type": "assistant", "question_number": place})
        for place, time in enumerate(times)
    ]
    members = [owner, "member-1", "member-2"]
    return {
        "project_id": project_id,
        "owner": owner,
        "name": words(chance, 5, 40),
        "requirements": [words(chance, 20, 80) for _ in range(4)],
        "collaborators": members[1:],
        "team_members": [
            {
                "username": name,
                "role": "lead" if name == owner else "analyst",
                "skills": [],
                "joined_at": CREATED,
            }
            for name in members
        ],
        "conversation_history": conversation,
        "categorized_specs": {
            "discovery": [_generated_spec(chance, place) for place in range(5)],
        },
        "maturity_history": [_generated_event(place) for place in range(4)],
    }


def _generated_spec(chance: random.Random, place: int) -> dict[str, Any]:
    return {
        "category": chance.choice(("goals", "scope", "requirements")),
        "content": words(chance, 20, 80),
        "confidence": chance.randrange(100) / 100,
        "value": 1.0,
        "source_field": "goals",
        "timestamp": (CREATED + timedelta(hours=place)).isoformat(),
    }


def _generated_event(place: int) -> dict[str, Any]:
    return {
        "timestamp": (CREATED + timedelta(hours=place)).isoformat(),
        "phase": "discovery",
        "score_before": place * 5.0,
        "score_after": place * 5.0 + 5.0,
        "delta": 5.0,
        "event_type": "response_processed",
        "details": {"specs_added": place},
    }


WORDS = [
    "the",
    "reader",
    "asks",
    "which",
    "book",
    "may",
    "be",
    "lent",
    "and",
    "how",
    "long",
    "before",
    "shelf",
]


def words(chance: random.Random, shortest: int, longest: int) -> str:
    """Return a text of so many characters."""
    text = " ".join(chance.choices(WORDS, k=longest // 4))
    return text[: chance.randint(shortest, longest)]
