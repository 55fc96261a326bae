"""The cached reads as calls, drawn and found in a cache; and units of work that touch what they read."""

import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from hypothesis import strategies as st

import socrates.repositories
from socrates.caching import Cache, Key
from socrates.errors import ConflictError, NotFoundError, QuotaExceededError, SocratesError
from tests.stateful.calls import Call, Outcome, assert_same, made, made_on_model
from tests.stateful.model import Model
from tests.stateful.reads import READS
from tests.stateful.values import PROVIDERS, World
from tests.stateful.writes import WRITES

_SOURCES = Path(socrates.repositories.__file__).parent

# Of what is known the model here has nothing: the machine in tests/unit/knowledge/test_privacy.py asks for it.
_ELSEWHERE = {"index_work.vectors"}
_NAMES = {name for path in _SOURCES.glob("*.py") for name in re.findall(r'@cached\(\s*"(.+?)"', path.read_text())}
CACHED = sorted(_NAMES - _ELSEWHERE)
"""The names of all cached reads, as the repositories declare them: those of faces and methods."""

KINDS = ("bug", "Bug", "straße")
"""The values of `tests.stateful.values.KIND`."""

_NOT_CACHED = {"limit", "after", "note_type", "tag"}
"""What makes a read a page or a choice, which goes past the cache."""

CACHED_READ = (
    st.sampled_from(CACHED)
    .flatmap(lambda name: READS[name])
    .map(lambda call: replace(call, named={name: call.named[name] for name in call.named if name not in _NOT_CACHED}))
)

_FACES = (
    "users.",
    "projects.",
    "conversations.",
    "conflicts.",
    "notes.",
    "learning.",
    "llm.save_config",
    "llm.set_default",
)
WRITE = st.sampled_from([name for name in WRITES if name.startswith(_FACES)]).flatmap(lambda name: WRITES[name])
"""Writes of what cached reads show."""


def founding(world: World) -> list[Call]:
    """Calls that make something to read of everybody and of every project."""
    makes = [Call("users.create", (user, "hash")) for user in world.users]
    for project, owner, member, note in zip(world.projects, world.users, world.users[1:], world.records, strict=False):
        makes += [
            Call("projects.create", ("Library", owner), {"project_id": project}),
            Call("projects.add_member", (project, member), {"role": "lead"}),
            Call("notes.create", (project, "title", "text"), {"note_id": note, "tags": ["a"]}),
        ]
    return makes


def changed_by(calls: list[Call], model: Model, world: World) -> list[Call]:
    """The cached reads that a unit of these calls gives another result."""
    tried = model.copy()
    for call in calls:
        step = tried.copy()
        if made_on_model(call.known_to(tried), step).error is None:
            tried = step
    names = named_in(calls, world)
    return [
        read
        for read in _about(names, world)
        if not _agree(read, made_on_model(read, model), made_on_model(read, tried))
    ]


def assert_one_of(call: Call, outcome: Outcome, versions: list[Model]) -> None:
    """The outcome is that of one of these versions. Where it is none's, tell how it differs from the newest."""
    *older, newest = versions
    if not any(_agree(call, made_on_model(call, version), outcome) for version in older):
        assert_same(call, made_on_model(call, newest), outcome)


def _agree(call: Call, expected: Outcome, actual: Outcome) -> bool:
    try:
        assert_same(call, expected, actual)
    except AssertionError:
        return False
    return True


def named_in(calls: list[Call], world: World) -> list[str]:
    """The ids of the world that are among what the calls are given."""
    texts = {text for call in calls for text in call.texts()}
    return [name for name in dict.fromkeys((*world.projects, *world.users, *world.records)) if name in texts]


def _about(names: list[str], world: World) -> Iterator[Call]:
    """Every cached read of what has one of these ids; which is that of a project and which a person's does not matter.

    What has two parts to its key is read by all that the second may be.
    """
    others = {
        "projects.is_member": world.users,
        "learning.find_effectiveness": KINDS,
        "learning.find_pattern": KINDS,
        "llm.find_config": PROVIDERS,
    }
    for name in CACHED:
        yield from (
            Call(name, (each, other)) if other is not None else Call(name, (each,))
            for each in names
            for other in others.get(name, (None,))
        )


def kept(cache: Cache) -> list[tuple[Call, Any]]:
    """All that a cache would answer with now, each as the call that it is the answer to."""
    keys = [key for key, _size in cache._entries.sizes()]
    cached = [(key, entry) for key in keys if (entry := cache._entries.find(key)) is not None]
    # The first question may drop everything.
    return [(_call(key), entry.value) for key, entry in cached if cache.find(key) is entry.value]


def _call(key: Key) -> Call:
    name, values, _types, *named = key
    arguments = dict(zip(named[0], named[1], strict=True)) if named else {}
    return Call(name, values, arguments)


async def made_in(unit: Any, calls: list[Call]) -> list[Outcome]:
    """Make the calls, up to the first that fails. Raises its error unless nothing was done when it was raised."""
    outcomes = []
    for call in calls:
        outcomes.append(await made(call, unit))
        error = outcomes[-1].error
        if error is not None and not _goes_on_after(error):
            break
    return outcomes


def failed(outcomes: list[Outcome]) -> bool:
    """Whether a unit of these calls can only be rolled back."""
    error = outcomes[-1].error if outcomes else None
    return error is not None and not _goes_on_after(error)


def after(model: Model, calls: list[Call], outcomes: list[Outcome]) -> Model:
    """The model after a unit of these calls, which must have had the outcomes that they have on the model."""
    for call, outcome in zip(calls, outcomes, strict=False):
        tried = model.copy()
        made_id = getattr(outcome.result, "id", None) or getattr(outcome.result, "pseudonym", None)
        assert_same(call, made_on_model(call, tried, made_id), outcome)
        if outcome.error is None:
            model = tried
    return model


def _goes_on_after(error: SocratesError) -> bool:
    return isinstance(error, NotFoundError | ConflictError | QuotaExceededError) and error.__cause__ is None
