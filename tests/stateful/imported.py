"""What an import of a v1 file leaves, and mostly no call can make: records without times and numbers, old teams."""

from collections.abc import Iterable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from sqlalchemy import create_engine, insert

from socrates import models
from socrates.frozen import FrozenDict, freeze
from socrates.repositories.base import table
from socrates.views import (
    Analytics,
    BehaviorPattern,
    Document,
    DocumentSummary,
    Member,
    Message,
    Note,
    PendingQuestion,
    PhaseScore,
    ProviderConfig,
    QuestionEffectiveness,
    StoredKey,
    Usage,
)
from tests.stateful.model import Model
from tests.stateful.values import PROVIDERS, TIMES, World


def import_into(path: Path, model: Model, world: World) -> None:
    """Put two people and two of their projects into an empty database, and into the model."""
    for username in world.users[:2]:
        _add_user(model, username)
    for project_id, note_ids in zip(world.projects[:2], (world.records[:2], world.records[2:]), strict=True):
        _add_project(model, project_id, world.users, note_ids)
    _add_personal(model, world.users[0], world.records)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for entity, rows in _rows(model):
            connection.execute(insert(table(entity)), rows)
    engine.dispose()


def _add_user(model: Model, username: str) -> None:
    user = model.users.create(username, "hash", created_at=TIMES[0])
    state = {"is_archived": True, "archived_at": None, "questions_used_this_month": None, "subscription_start": None}
    model.state.users[username] = replace(user, **state)


def _add_project(model: Model, project_id: str, people: Sequence[str], record_ids: Sequence[str]) -> None:
    """The second of the people is gone; the others stand at one place, and the list of v1 puts the last first."""
    owner, gone, third, last = people
    model.projects.create("imported", owner, project_id=project_id)
    project = model.projects.details(project_id)
    team = [
        Member(username, "creator", ("x",), None, username != gone, position, FrozenDict())
        for username, position in zip(people, (0, 3, 7, 7), strict=True)
    ]
    team.sort(key=lambda member: (member.position, member.username))
    by_v1 = [gone, "nobody", last, third] if gone == "Ada" else []
    model.state.projects[project_id] = replace(
        project,
        summary=replace(project.summary, is_archived=True, progress=None, message_count=1, version=3),
        extra=freeze({"v1_collaborators": by_v1}),
        members=tuple(team),
        pending_questions=(_question("1", 2), _question("01", 4)),
        phase_scores=(PhaseScore("design", None),),
        analytics=Analytics(None, None, None, (), (), None, FrozenDict()),
    )
    model.state.messages[project_id] = (Message(project_id, 0, "user", "a", None, None, None, None, FrozenDict()),)
    for key in record_ids:
        model.state.notes[key] = Note(key, project_id, "a", "b", "bug", None, owner, ("a", "a"), FrozenDict())
        summary = DocumentSummary(key, project_id, owner, "a", None, None, None, FrozenDict())
        model.state.documents[key] = Document(summary, "a", None)
        model.knowledge.add_suggestion(project_id, "a", "b", suggestion_id=key)


def _add_personal(model: Model, owner: str, record_ids: Sequence[str]) -> None:
    """Two settings, of which one is the default, two keys, and what has been learned and used without a time."""
    state, nothing = model.state, FrozenDict()
    for number, provider in enumerate(PROVIDERS):
        key = (owner, provider)
        state.configs[key] = ProviderConfig(provider, *key, not number, True, nothing, None, None, nothing)
        state.keys[key] = StoredKey(provider, *key, "encrypted", "hash", None, None, None)
    for key in record_ids:
        unknown = (None,) * 6
        state.usage[key] = Usage(key, owner, "claude", "bug", *unknown, False, None, None, nothing)
        state.effectiveness[owner, key] = QuestionEffectiveness(key, owner, key, None, *unknown, None, None, nothing)
        state.patterns[owner, key] = BehaviorPattern(key, owner, key, nothing, None, (), None, None, nothing)


def _question(key: str, position: int) -> PendingQuestion:
    return PendingQuestion(key, position, "?", "design", "pending", (), (), None, None, None, None, None, FrozenDict())


def _rows(model: Model) -> Iterable[tuple[type[models.Base], list[dict[str, Any]]]]:
    state = model.state
    projects = list(state.projects.values())
    yield models.User, [_row(user) for user in state.users.values()]
    yield models.Project, [_row(project.summary) | _row(project, models.Project) for project in projects]
    for entity, name in (
        (models.TeamMember, "members"),
        (models.PendingQuestion, "pending_questions"),
        (models.PhaseMaturityScore, "phase_scores"),
    ):
        yield entity, [_row(each) | {"project_id": of.id} for of in projects for each in getattr(of, name)]
    yield models.AnalyticsMetrics, [_row(project.analytics) | {"project_id": project.id} for project in projects]
    yield models.ConversationMessage, [_row(message) for project in projects for message in state.messages[project.id]]
    notes, documents = state.notes.values(), state.documents.values()
    yield models.ProjectNote, [_row(note, models.ProjectNote) for note in notes]
    yield (
        models.ProjectNoteTag,
        [
            {"note_id": note.id, "position": position, "tag": tag}
            for note in notes
            for position, tag in enumerate(note.tags)
        ],
    )
    yield models.KnowledgeDocument, [_row(each.summary) | {"content": each.content} for each in documents]
    for entity, records in (
        (models.KnowledgeSuggestion, state.suggestions),
        (models.LLMProviderConfig, state.configs),
        (models.APIKey, state.keys),
        (models.LLMUsage, state.usage),
        (models.QuestionEffectiveness, state.effectiveness),
        (models.BehaviorPattern, state.patterns),
    ):
        yield entity, [_row(record) for record in records.values()]


def _row(view: Any, entity: type[models.Base] | None = None) -> dict[str, Any]:
    """A view's fields as columns; with an entity, those that are columns of it."""
    names = [each.name for each in fields(view)]
    return {name: getattr(view, name) for name in names if entity is None or name in table(entity).c}
