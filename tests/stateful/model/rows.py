"""The records of a model as rows of tables."""

from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from sqlalchemy import Table

from socrates import models
from socrates.repositories.base import table
from socrates.repositories.project_lists import LISTS
from tests.stateful.model.state import State

Row = dict[str, Any]


def rows_of(state: State) -> Iterator[tuple[Table, list[Row]]]:
    """What to insert, parents first."""
    projects = [*state.projects.values()]
    yield table(models.User), [_row(user) for user in state.users.values()]
    yield table(models.Project), [_row(project.summary) | _row(project, models.Project) for project in projects]
    for entity, name in (
        (models.TeamMember, "members"),
        (models.PendingQuestion, "pending_questions"),
        (models.PhaseMaturityScore, "phase_scores"),
        (models.CategoryScore, "category_scores"),
        (models.CategorizedSpec, "specs"),
        (models.MaturityEvent, "maturity_events"),
    ):
        yield table(entity), [{"project_id": of.id, **_row(each)} for of in projects for each in getattr(of, name)]
    for name, items in LISTS.items():
        values = [(of.id, *each) for of in projects for each in enumerate(getattr(of, name))]
        yield items, [dict(zip(("project_id", "position", "value"), each, strict=True)) for each in values]
    yield (
        table(models.AnalyticsMetrics),
        [{"project_id": of.id, **_row(of.analytics)} for of in projects if of.analytics],
    )
    messages = [message for dialogue in state.messages.values() for message in dialogue]
    yield table(models.ConversationMessage), [_row(message) for message in messages]
    notes = state.notes.values()
    yield table(models.ProjectNote), [_row(note, models.ProjectNote) for note in notes]
    tags = [(note.id, *each) for note in notes for each in enumerate(note.tags)]
    yield table(models.ProjectNoteTag), [dict(zip(("note_id", "position", "tag"), tag, strict=True)) for tag in tags]
    documents = state.documents.values()
    yield (
        table(models.KnowledgeDocument),
        [{**_row(each.summary), "content": each.content, "embedding": each.embedding} for each in documents],
    )
    for entity, records in (
        (models.KnowledgeSuggestion, state.suggestions),
        (models.ProjectConflict, state.conflicts),
        (models.LLMProviderConfig, state.configs),
        (models.APIKey, state.keys),
        (models.LLMUsage, state.usage),
        (models.QuestionEffectiveness, state.effectiveness),
        (models.BehaviorPattern, state.patterns),
        (models.LoginFailure, state.failures),
    ):
        yield table(entity), [_row(record) for record in records.values()]


def _row(view: Any, entity: type[models.Base] | None = None) -> Row:
    """A view's fields as columns; with an entity, those that are columns of it."""
    names = [each.name for each in fields(view)]
    return {name: getattr(view, name) for name in names if entity is None or name in table(entity).c}
