"""What statements tell of whose entries they change, by which the results of searches are dropped."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from socrates.repositories.cached_rows import DEPENDENCIES, KNOWN_BY_SCOPE, KNOWN_IN_PROJECT
from tests.support.knowledge import fresh_knowledge
from tests.support.stores import thrown_away
from tests.unit.knowledge.searches import Opened, embedded, fill


@pytest.fixture
async def library(tmp_path: Path) -> AsyncIterator[Opened]:
    async with fresh_knowledge(tmp_path, "library", "museum") as opened:
        await fill(*opened)
        yield opened


def tags(owner: str | None) -> set[Any]:
    """What a statement tells that is about one owner's entries and nobody else's."""
    of_owner = {*KNOWN_BY_SCOPE("global" if owner is None else "project"), *KNOWN_IN_PROJECT(owner)}
    return of_owner - {KNOWN_BY_SCOPE.any, KNOWN_IN_PROJECT.any}


OF_ALL = {*tags(None)} - {*KNOWN_IN_PROJECT(None)} | {KNOWN_IN_PROJECT.any}
"""Which all searches depend on: that a column is NULL is not taken for a value."""

WRITES: dict[str, tuple[Callable[[Any], Awaitable[object]], set[Any]]] = {
    "many in a project": (lambda unit: put(unit, "library", "5", "6"), tags("library")),
    "many for everybody": (lambda unit: put(unit, None, "5", "6"), tags(None)),
    "many that are there": (lambda unit: put(unit, "library", "1", "2"), tags("library")),
    "many that are there for everybody": (lambda unit: put(unit, None, "1"), OF_ALL),
    "the index's news of two projects": (
        lambda unit: say_indexed(unit, "library", "museum"),
        tags("library") | tags("museum"),
    ),
    "the index's news of everybody's": (lambda unit: say_indexed(unit, None), OF_ALL),
    "a deletion": (lambda unit: unit.knowledge_entries.delete("1", "library"), tags("library")),
    "all deletions": (lambda unit: unit.knowledge_entries.delete_all("library"), tags("library")),
    "a deletion for everybody": (lambda unit: unit.knowledge_entries.delete("1"), OF_ALL),
}


async def put(unit: Any, owner: str | None, *entry_ids: str) -> None:
    await unit.knowledge_entries.put([await embedded("other", each) for each in entry_ids], owner)


async def say_indexed(unit: Any, *owners: str | None) -> None:
    entries = await unit.index_work.entries("", 10)
    await unit.index_work.say_indexed([each for each in entries if each.project_id in owners])


@pytest.mark.parametrize("write", WRITES)
async def test_a_statement_tells_whose_entries_it_changes(library: Opened, write: str) -> None:
    store, _ = library
    make, expected = WRITES[write]
    touched: set[Any] = set()

    def note(*given: Any) -> None:
        touched.update(DEPENDENCIES.touched(given[4].compiled, given[4].compiled_parameters))

    event.listen(store._engines.writer.sync_engine, "before_cursor_execute", note)
    async with thrown_away(store) as unit:
        await make(unit)
    columns = {KNOWN_IN_PROJECT.any, KNOWN_BY_SCOPE.any}
    assert {tag for tag in touched if tag in columns or tag[0] in columns} == expected
