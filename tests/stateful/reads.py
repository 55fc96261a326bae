"""Every method that reads, with what it may be given; and the reads that show everything there is."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from hypothesis import strategies as st

from socrates.views import Usage
from tests.stateful.calls import Call, Entry, calls_of, key_of, takes
from tests.stateful.model import State
from tests.stateful.values import (
    FLAG,
    KIND,
    NEEDLE,
    PHASE,
    PROJECT,
    PROVIDER,
    RECORD,
    TEXT,
    TIME,
    USER,
    World,
    maybe,
)

_COUNT = st.sampled_from([1, 2, 3, 50, 0])
_PLACE = st.sampled_from([-1, 0, 1, 2, 2**63 - 1, -(2**63)])
_PAGE = {"limit": _COUNT, "after": st.integers(0, 3).map(Entry)}
_SPAN = {"since": TIME, "until": TIME, "provider": PROVIDER}

READS = calls_of(
    {
        "projects.summary": takes(PROJECT),
        "projects.details": takes(PROJECT),
        "projects.context": takes(PROJECT),
        "projects.for_user": takes(
            USER,
            archived=maybe(FLAG),
            sort=st.sampled_from(["updated_at", "created_at", "name", "owner"]),
            descending=FLAG,
            **_PAGE,
        ),
        "projects.archived": takes(**_PAGE),
        "projects.count_owned": takes(USER, archived=maybe(FLAG)),
        "projects.members": takes(PROJECT, include_inactive=FLAG),
        "projects.is_member": takes(key_of("members", PROJECT, USER)),
        "projects.pending_questions": takes(PROJECT, status=st.sampled_from(["pending", "answered", "skipped"])),
        "projects.phase_scores": takes(PROJECT),
        "projects.category_scores": takes(PROJECT, phase=PHASE),
        "projects.specs": takes(PROJECT, phase=PHASE),
        "projects.maturity_events": takes(PROJECT),
        "projects.analytics": takes(PROJECT),
        "conversations.last": takes(PROJECT, count=_COUNT),
        "conversations.before": takes(PROJECT, _PLACE, count=_COUNT),
        "conversations.after": takes(PROJECT, position=_PLACE, count=_COUNT),
        "conversations.by_phase": takes(PROJECT, PHASE, after=_PLACE, count=_COUNT),
        "conversations.search": takes(PROJECT, NEEDLE, before=_PLACE, count=_COUNT),
        "conversations.count": takes(PROJECT),
        "conversations.count_by_type": takes(PROJECT),
        "conversations.export": takes(PROJECT, batch=_COUNT),
        "conflicts.get": takes(key_of("conflicts", RECORD)),
        "conflicts.pending": takes(PROJECT),
        "conflicts.for_project": takes(PROJECT, **_PAGE),
        "users.get": takes(USER),
        "users.subscription": takes(USER),
        "users.exists": takes(USER),
        "users.archived": takes(**_PAGE),
        "users.export": takes(USER),
        "users.erasure_plan": takes(USER),
        "notes.get": takes(key_of("notes", RECORD)),
        "notes.for_project": takes(PROJECT, note_type=KIND, tag=TEXT, **_PAGE),
        "notes.search": takes(PROJECT, NEEDLE, note_type=KIND, **_PAGE),
        "notes.count": takes(PROJECT),
        "learning.find_effectiveness": takes(key_of("effectiveness", USER, KIND)),
        "learning.effectiveness_of": takes(USER),
        "learning.find_pattern": takes(key_of("patterns", USER, KIND)),
        "learning.patterns_of": takes(USER),
        "knowledge.document": takes(key_of("documents", RECORD)),
        "knowledge.documents_of_project": takes(PROJECT, **_PAGE),
        "knowledge.documents_of_user": takes(USER, **_PAGE),
        "knowledge.suggestion": takes(key_of("suggestions", RECORD)),
        "knowledge.suggestions": takes(
            PROJECT, status=st.sampled_from([None, "pending", "approved", "rejected", "gone"]), **_PAGE
        ),
        "knowledge.suggestion_counts": takes(PROJECT),
        "llm.find_config": takes(key_of("configs", USER, PROVIDER)),
        "llm.configs": takes(USER),
        "llm.find_key": takes(key_of("keys", USER, PROVIDER)),
        "llm.keys": takes(USER),
        "llm.usage": takes(USER, **_SPAN, **_PAGE),
        "llm.usage_totals": takes(USER, **_SPAN),
        "llm.usage_by_day": takes(USER, TIME, TIME),
        "llm.usage_table": takes(user_id=USER, since=TIME, until=TIME),
        "llm.spent": takes(USER, TIME),
        "llm.recent_tokens": takes(USER, _COUNT),
    }
)
"""Every method that reads."""


_ALL = {"limit": 10**6}


_OF_PROJECT = (
    Call("projects.details"),
    Call("conversations.last", named={"count": 10**6}),
    Call("conflicts.for_project"),
    Call("notes.for_project"),
    Call("knowledge.documents_of_project"),
    Call("knowledge.suggestions", named={"status": None}),
)
_OF_PERSON = (
    Call("users.get"),
    Call("projects.for_user", named={"archived": None}),
    Call("learning.effectiveness_of"),
    Call("learning.patterns_of"),
    Call("llm.configs"),
    Call("llm.keys"),
    Call("llm.usage", named=_ALL),
)


def contents(world: World) -> Iterator[Call]:
    """All that there is, each thing once."""
    yield from (replace(read, arguments=(name,)) for name in world.projects for read in _OF_PROJECT)
    yield from (replace(read, arguments=(name,)) for name in world.users for read in _OF_PERSON)
    yield Call("projects.archived", named=_ALL)
    yield Call("users.archived", named=_ALL)


def touched_by(calls: Iterable[Call], world: World, state: State) -> Iterator[Call]:
    """What there is of the projects and people that the calls name, as far as these calls can change it."""
    names = {text for call in calls for text in call.texts()}
    documents = [document.summary for document in state.documents.values()]
    records = [*state.notes.values(), *documents, *state.suggestions.values(), *state.conflicts.values()]
    names |= {record.project_id for record in records if record.id in names}
    faces = {"projects", *(call.face for call in calls)}
    deletes = any("delete" in call.name for call in calls)
    for read in contents(world):
        if (not read.arguments or read.arguments[0] in names) and (deletes or read.face in faces):
            yield read
    if deletes or "login_failures" in faces:
        yield from (Call("users.export", (name,)) for name in world.users if name in names)


def everything(world: World, state: State) -> Iterator[Call]:
    """All that there is, by every read that shows some of it, lists as a whole and page by page."""
    yield from contents(world)
    for project_id in world.projects:
        yield from _project(project_id, ("a", "SS") if world.is_plain else ("a", "SS", "\0"))
        yield from (Call("projects.is_member", (project_id, username)) for username in world.users)
    for username in world.users:
        yield from _person(username)
        yield from _spans(username, [call for call in state.usage.values() if call.user_id == username])
    yield from (Call("conflicts.get", (key,)) for key in state.conflicts)
    yield from (Call("notes.get", (key,)) for key in state.notes)
    yield from (Call("knowledge.document", (key,)) for key in state.documents)
    yield from (Call("knowledge.suggestion", (key,)) for key in state.suggestions)
    yield from (Call("learning.find_effectiveness", key) for key in state.effectiveness)
    yield from (Call("learning.find_pattern", key) for key in state.patterns)
    yield from (Call("llm.find_config", key) for key in state.configs)
    yield from (Call("llm.find_key", key) for key in state.keys)
    yield Call("llm.usage_table")
    yield from _pages("projects.archived", (), len(state.projects))
    yield from _pages("users.archived", (), len(state.users))


def _project(project_id: str, needles: Iterable[str]) -> Iterator[Call]:
    for method in ("summary", "phase_scores", "category_scores", "specs", "maturity_events", "analytics"):
        yield Call(f"projects.{method}", (project_id,))
    yield Call("projects.members", (project_id,), {"include_inactive": True})
    yield Call("projects.context", (project_id,))
    yield Call("projects.pending_questions", (project_id,))
    yield Call("conversations.count", (project_id,))
    yield Call("conversations.count_by_type", (project_id,))
    yield Call("conversations.export", (project_id, 2))
    yield Call("conflicts.pending", (project_id,))
    yield Call("notes.count", (project_id,))
    yield Call("knowledge.suggestion_counts", (project_id,))
    for needle in needles:
        yield Call("conversations.search", (project_id, needle))
        yield Call("notes.search", (project_id, needle))
        yield Call("notes.for_project", (project_id,), {"tag": needle})
    yield from _pages("conflicts.for_project", (project_id,), 3)
    yield from _pages("notes.for_project", (project_id,), 3)
    yield from _pages("knowledge.documents_of_project", (project_id,), 3)
    yield from _pages("knowledge.suggestions", (project_id, None), 3)


def _person(username: str) -> Iterator[Call]:
    yield Call("users.subscription", (username,))
    yield Call("users.exists", (username,))
    yield Call("users.export", (username,))
    yield Call("users.erasure_plan", (username,))
    yield Call("projects.count_owned", (username,))
    yield Call("knowledge.documents_of_user", (username,))
    yield Call("llm.usage_totals", (username,))
    yield Call("llm.usage_table", named={"user_id": username})
    yield Call("llm.recent_tokens", (username, 3))
    yield from _pages("projects.for_user", (username,), 3)
    yield from _pages("llm.usage", (username,), 3)


def _spans(username: str, calls: list[Usage]) -> Iterator[Call]:
    """Spans that end, or begin, at the very moment of a call."""
    moments = sorted({call.timestamp for call in calls if call.timestamp is not None})
    for moment in moments[:3]:
        yield Call("llm.usage", (username,), {"until": moment})
        yield Call("llm.usage_totals", (username,), {"until": moment})
        yield Call("llm.usage_totals", (username,), {"since": moment, "until": moments[-1]})
        yield Call("llm.usage_by_day", (username, moment, moments[-1]))
        yield Call("llm.usage_table", named={"until": moment})
        yield Call("llm.spent", (username, moment))


def _pages(name: str, arguments: tuple[object, ...], number: int) -> Iterator[Call]:
    yield Call(name, arguments, {"limit": 1})
    yield from (Call(name, arguments, {"limit": 1, "after": Entry(place)}) for place in range(number))
