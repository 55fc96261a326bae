"""What an import of a v1 file leaves, and mostly no call can make: records without times and numbers, old teams.

And failed log-ins, more in a row than a run gets to.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

from sqlalchemy import NullPool, insert
from sqlalchemy.ext.asyncio import create_async_engine

from socrates.drafts import NewConflict
from socrates.frozen import FrozenDict, freeze
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
from tests.stateful.model import Model
from tests.stateful.model.rows import rows_of
from tests.stateful.model.state import Failures
from tests.stateful.values import PROVIDERS, TIMES, World


async def import_into(url: str, model: Model, world: World) -> None:
    """Put two people and two of their projects into an empty database, and into the model."""
    for username in world.users[:2]:
        _add_user(model, username)
    for project_id, note_ids in zip(world.projects[:2], (world.records[:2], world.records[2:]), strict=True):
        _add_project(model, project_id, world.users, note_ids)
    _add_personal(model, world.users[0], world.records)
    _add_failures(model, world.users[:3])
    async with create_async_engine(url, poolclass=NullPool).begin() as connection:
        for target, rows in rows_of(model.state):
            if rows:
                await connection.execute(insert(target), rows)


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
        model.conflicts.add(project_id, [NewConflict("goals", "a", "b", "low", new_author=owner, id=key)])


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


def _add_failures(model: Model, people: Sequence[str]) -> None:
    """Two names that the next failure blocks, for the first time and for as long as it gets; another is blocked."""
    for username, number, wait in zip(people, (4, 14, 10), (0, 0, 32), strict=True):
        until = TIMES[0] + timedelta(seconds=wait)
        model.state.failures[username] = Failures(username, number, TIMES[0], TIMES[0], until)


def _question(key: str, position: int) -> PendingQuestion:
    return PendingQuestion(key, position, "?", "design", "pending", (), (), None, None, None, None, None, FrozenDict())


def _spec(phase: str, position: int) -> Spec:
    return Spec(phase, position, "a", "b", None, None, None, None, FrozenDict())
