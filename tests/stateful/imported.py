"""What an import of a v1 file leaves, and mostly no call can make: records without times and numbers, old teams."""

from collections.abc import Iterator, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

from sqlalchemy import Table, create_engine, insert

from socrates import models
from socrates.frozen import FrozenDict, freeze
from socrates.repositories.base import table
from socrates.repositories.project_lists import LISTS
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
    Spec,
    StoredKey,
    Usage,
)
from tests.stateful.model import Model, State
from tests.stateful.values import PROVIDERS, TIMES, World

Row = dict[str, Any]


def import_into(path: Path, model: Model, world: World) -> None:
    """Put two people and two of their projects into an empty database, and into the model."""
    for username in world.users[:2]:
        _add_user(model, username)
    for project_id, note_ids in zip(world.projects[:2], (world.records[:2], world.records[2:]), strict=True):
        _add_project(model, project_id, world.users, note_ids)
    _add_personal(model, world.users[0], world.records)
    engine = create_engine(f"sqlite:///{path}")
    with engine.begin() as connection:
        for target, rows in _rows(model.state):
            connection.execute(insert(target), rows)
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
        requirements=("a", "b", "a"),
        tech_stack=("x",),
        constraints=("y", "", "z", "z"),
        members=tuple(team),
        pending_questions=(_question("1", 2), _question("01", 4)),
        phase_scores=(PhaseScore("Design", 1.0), PhaseScore("design", None)),
        specs=tuple(_spec(phase, position) for phase in ("Design", "design") for position in range(2)),
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


def _spec(phase: str, position: int) -> Spec:
    return Spec(phase, position, "a", "b", None, None, None, None, FrozenDict())


def _rows(state: State) -> Iterator[tuple[Table, list[Row]]]:
    """What to insert, parents first."""
    projects = [*state.projects.values()]
    yield table(models.User), [_row(user) for user in state.users.values()]
    yield table(models.Project), [_row(project.summary) | _row(project, models.Project) for project in projects]
    for entity, name in (
        (models.TeamMember, "members"),
        (models.PendingQuestion, "pending_questions"),
        (models.PhaseMaturityScore, "phase_scores"),
        (models.CategorizedSpec, "specs"),
    ):
        yield table(entity), [{"project_id": of.id, **_row(each)} for of in projects for each in getattr(of, name)]
    for name, items in LISTS.items():
        values = [(of.id, *each) for of in projects for each in enumerate(getattr(of, name))]
        yield items, [dict(zip(("project_id", "position", "value"), each, strict=True)) for each in values]
    yield table(models.AnalyticsMetrics), [{"project_id": of.id, **_row(of.analytics)} for of in projects]
    messages = [message for dialogue in state.messages.values() for message in dialogue]
    yield table(models.ConversationMessage), [_row(message) for message in messages]
    notes = state.notes.values()
    yield table(models.ProjectNote), [_row(note, models.ProjectNote) for note in notes]
    tags = [(note.id, *each) for note in notes for each in enumerate(note.tags)]
    yield table(models.ProjectNoteTag), [dict(zip(("note_id", "position", "tag"), tag, strict=True)) for tag in tags]
    documents = state.documents.values()
    yield table(models.KnowledgeDocument), [{**_row(each.summary), "content": each.content} for each in documents]
    for entity, records in (
        (models.KnowledgeSuggestion, state.suggestions),
        (models.LLMProviderConfig, state.configs),
        (models.APIKey, state.keys),
        (models.LLMUsage, state.usage),
        (models.QuestionEffectiveness, state.effectiveness),
        (models.BehaviorPattern, state.patterns),
    ):
        yield table(entity), [_row(record) for record in records.values()]


def _row(view: Any, entity: type[models.Base] | None = None) -> Row:
    """A view's fields as columns; with an entity, those that are columns of it."""
    names = [each.name for each in fields(view)]
    return {name: getattr(view, name) for name in names if entity is None or name in table(entity).c}
