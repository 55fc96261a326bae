"""What a model holds on a person, and what it would lose with the person."""

import base64
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from operator import itemgetter
from typing import Any

from socrates.frozen import freeze
from socrates.models.types import TaggedJSON
from socrates.personal import Erasure
from socrates.tagged_json import encode
from tests.stateful.model.rows import Row, rows_of
from tests.stateful.model.state import State

_GOES_WITH = ("username", "user_id")
"""Columns of what belongs to a person alone, save in documents."""
_SIGNED = (
    "author",
    "created_by",
    "answered_by",
    "decided_by",
    "existing_author",
    "new_author",
    "resolved_by",
)


def held_on(state: State, username: str) -> dict[str, list[Row]]:
    """The rows of every table that name the person, or hang on a project of the person's; as JSON."""
    owned = {project.id for project in state.projects.values() if project.summary.owner == username}
    found: dict[str, list[Row]] = {}
    for name, row, project_id in _all_rows(state):
        if project_id in owned or username in _named_in(name, row):
            found.setdefault(name, []).append(row)
    return {name: [_as_json(row) for row in rows] for name, rows in found.items()}


def erasure_of(state: State, username: str, doomed: set[str]) -> Erasure:
    """The figures of deleting a person with whom these projects go."""
    deleted, renamed = Counter[str](), Counter[str]()
    for name, row, project_id in _all_rows(state):
        if project_id in doomed or (name != "knowledge_documents" and username in _owners_in(row)):
            deleted[name] += 1
        else:
            renamed.update(f"{name}.{column}" for column, people in _signers_in(name, row) if username in people)
    return Erasure(tuple(sorted(deleted.items())), tuple(sorted(renamed.items())), ())


def _all_rows(state: State) -> Iterator[tuple[str, Row, str | None]]:
    """Every row with the name of its table, by primary key, and the project that it goes with."""
    of_notes = {note.id: note.project_id for note in state.notes.values()}
    for to, rows in rows_of(state):
        tagged = {column.name for column in to.c if isinstance(column.type, TaggedJSON)}
        for row in sorted(rows, key=itemgetter(*(column.name for column in to.primary_key))):
            written = {column.name: row[column.name] for column in to.c}
            written |= {name: encode(written[name]) for name in tagged}
            yield to.name, written, _project_of(to.name, row, of_notes)


def _project_of(name: str, row: Row, of_notes: dict[str, str]) -> str | None:
    if name == "projects":
        return str(row["id"])
    return of_notes[row["note_id"]] if "note_id" in row else row.get("project_id")


def _owners_in(row: Row) -> list[str]:
    return [row[column] for column in _GOES_WITH if column in row]


def _signers_in(name: str, row: Row) -> Iterator[tuple[str, list[str]]]:
    yield from ((column, [row[column]]) for column in _SIGNED if column in row)
    if name == "knowledge_documents":
        yield "user_id", [row["user_id"]]
    if name == "pending_questions":
        yield "assigned_to_users", row["assigned_to_users"]
    if name == "projects":
        listed = row["extra"].get("v1_collaborators", [])
        yield "extra", listed


def _named_in(name: str, row: Row) -> list[str]:
    signers = (person for _column, people in _signers_in(name, row) for person in people)
    return [*_owners_in(row), *signers, *([row["owner"]] if name == "projects" else [])]


def _as_json(row: Row) -> Row:
    return {name: _written(name, value) for name, value in row.items()}


def _written(name: str, value: Any) -> Any:
    if name in ("passcode_hash", "encrypted_key", "key_hash"):
        return "withheld"
    match value:
        case datetime():
            return value.isoformat()
        case Decimal():
            return str(value)
        case bytes():
            return base64.b64encode(value).decode()
        case tuple():
            return list(value)
    return value


def rename(state: State, old: str, new: str) -> None:
    """Put the new name wherever the old one signs what stays."""

    def named(person: str | None) -> Any:
        return new if person == old else person

    state.messages = {
        key: tuple(replace(message, author=named(message.author)) for message in dialogue)
        for key, dialogue in state.messages.items()
    }
    state.notes = {key: replace(note, created_by=named(note.created_by)) for key, note in state.notes.items()}
    state.documents = {
        key: replace(document, summary=replace(document.summary, user_id=named(document.summary.user_id)))
        for key, document in state.documents.items()
    }
    state.suggestions = {
        key: replace(each, decided_by=named(each.decided_by)) for key, each in state.suggestions.items()
    }
    state.conflicts = {
        key: replace(
            each,
            existing_author=named(each.existing_author),
            new_author=named(each.new_author),
            resolved_by=named(each.resolved_by),
        )
        for key, each in state.conflicts.items()
    }
    for project in list(state.projects.values()):
        questions = tuple(
            replace(
                each,
                answered_by=named(each.answered_by),
                assigned_to_users=tuple(map(named, each.assigned_to_users)),
            )
            for each in project.pending_questions
        )
        extra = project.extra
        if "v1_collaborators" in extra:
            extra = freeze({**extra, "v1_collaborators": [named(name) for name in extra["v1_collaborators"]]})
        state.projects[project.id] = replace(project, pending_questions=questions, extra=extra)
