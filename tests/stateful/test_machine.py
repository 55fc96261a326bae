"""The store does what the model does, whatever happens to it."""

import inspect
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy.ext.asyncio import create_async_engine

from socrates import store, sync
from socrates.database.sessions import WriteSession
from socrates.store import UnitOfWork
from socrates.views import Note
from tests.concurrency.checks import LONG
from tests.stateful.databases import in_a_file, on_a_server
from tests.stateful.machine import StoreMachine
from tests.stateful.model import Clock, Model, State
from tests.stateful.model.notes import Notes
from tests.stateful.reads import READS
from tests.stateful.values import WORLDS
from tests.stateful.writes import WRITES
from tests.support.postgres import EmptyDatabases

SEEDS = 40 if LONG else 1
EXAMPLES = 10 if LONG else 6
"""Per seed: Hypothesis makes its first ten afresh, and then mostly variations of those."""


def run(
    kind: Any,
    number: int,
    examples: int = EXAMPLES,
    phases: tuple[Phase, ...] = (Phase.generate, Phase.shrink),
    server: EmptyDatabases | None = None,
) -> None:
    world = WORLDS[number % len(WORLDS)]

    @seed(number)
    def machine() -> StoreMachine:
        if server is None:
            return StoreMachine(kind, world, in_a_file())
        return StoreMachine(kind, world.for_postgres(), on_a_server(server))

    run_state_machine_as_test(
        machine,  # type: ignore[arg-type]
        settings=settings(
            max_examples=examples,
            stateful_step_count=80 if LONG else 40,
            phases=phases,
            database=None,
            deadline=None,
        ),
    )


@pytest.mark.parametrize("number", range(SEEDS))
def test_whatever_is_called_the_store_holds_what_the_model_says(number: int) -> None:
    run(store.Store, number)


@pytest.mark.parametrize("number", range(10 if LONG else 1))
def test_so_does_the_store_without_asyncio(number: int) -> None:
    run(sync.Store, 1000 + number, EXAMPLES // 2)


@pytest.mark.postgres
@pytest.mark.parametrize("number", range(10 if LONG else 1))
def test_so_does_the_store_on_a_server(number: int, empty_databases: EmptyDatabases) -> None:
    run(store.Store, 2000 + number, EXAMPLES if LONG else 3, server=empty_databases)


@pytest.mark.long
def test_a_store_that_does_something_else_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    update = Notes.update

    def update_but_add_tags(self: Notes, note_id: str, **changes: Any) -> Note:
        before = self.get(note_id)
        after = update(self, note_id, **changes)
        self.state.notes[note_id] = replace(after, tags=before.tags + after.tags)
        return after

    monkeypatch.setattr(Notes, "update", update_but_add_tags)

    def look() -> None:
        # What one seed draws changes with every call that is added; so many do not all miss it.
        for number in range(20):
            run(store.Store, number, phases=(Phase.generate,))

    with pytest.raises(AssertionError, match="notes"):
        look()


ELSEWHERE = {"knowledge_entries", "index_work", "embeddings"}
"""Faces of what is known: tests of knowledge call them together with the index that has to follow."""


def test_every_method_of_every_repository_is_called() -> None:
    never_used = create_async_engine("sqlite+aiosqlite:///never.db")
    unit, model = UnitOfWork(WriteSession(never_used)), Model(State(Clock()))
    faces = {face: repository for face, repository in vars(unit).items() if face not in ELSEWHERE and face[0] != "_"}
    methods = {
        f"{face}.{name}"
        for face, repository in faces.items()
        for name, _method in inspect.getmembers(repository, inspect.isroutine)
        if not name.startswith("_")
    }
    assert methods == READS.keys() | WRITES.keys()
    for name in methods:
        face, _, method = name.partition(".")
        ours, theirs = (inspect.signature(getattr(getattr(on, face), method)).parameters for on in (model, unit))
        assert [*ours] == [*theirs], name
