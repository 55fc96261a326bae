"""Every order in which a load, a change and a second reader can meet."""

import asyncio
from contextlib import AbstractContextManager
from itertools import permutations

import pytest

from socrates.caching import bypassed
from tests.unit.caching.support import Library, settle

STEPS = ("first begins", "first ends", "enter", "change", "exit", "second begins", "second ends")
BEFORE = (
    ("first begins", "first ends"),
    ("second begins", "second ends"),
    ("enter", "change"),
    ("change", "exit"),
)
ORDERS = [
    order
    for order in permutations(STEPS)
    if all(order.index(earlier) < order.index(later) for earlier, later in BEFORE)
]


class Race:
    """Two readers of one key and one change of it. A load sees the shelf as it is where it begins."""

    def __init__(self, *, announced: bool) -> None:
        self.library = Library(by_hand=True)
        self.library.shelf["Ada"] = "old"
        self._announced = announced
        self._around: AbstractContextManager[None] = self.library.kept.changing([("author", "Ada")])
        self._readers: dict[str, asyncio.Task[str]] = {}
        self.seen_before: dict[str, str] = {}

    async def step(self, what: str) -> None:
        who, _, event = what.partition(" ")
        match event or who:
            case "begins":
                # What a reader learnt on another way before it asked: it must not be given anything older.
                with bypassed():
                    self.seen_before[who] = self.library.shelf["Ada"]
                self._readers[who] = asyncio.create_task(self.library.by("Ada"))
                await settle()
            case "ends":
                async with asyncio.timeout(5):
                    while not self._readers[who].done():
                        self._finish_loads()
                        await settle()
            case "enter" if self._announced:
                self._around.__enter__()
            case "change":
                self.library.shelf["Ada"] = "new"
            case "exit" if self._announced:
                self._around.__exit__(None, None, None)
            case "exit":
                self.library.kept.invalidate([("author", "Ada")])

    def _finish_loads(self) -> None:
        for load in self.library.loads:
            if not load.done():
                load.set_result(None)

    def given_to(self, who: str) -> str:
        return self._readers[who].result()

    async def given_now(self) -> str:
        last = asyncio.create_task(self.library.by("Ada"))
        while not last.done():
            await settle()
            self._finish_loads()
        return last.result()


@pytest.mark.parametrize("announced", [True, False], ids=["changing", "invalidate"])
async def test_no_order_gives_what_was_there_before_an_acknowledged_change(announced: bool) -> None:
    assert len(ORDERS) == 210
    for order in ORDERS:
        race = Race(announced=announced)
        for what in order:
            await race.step(what)
        for who in ("first", "second"):
            if order.index("exit") < order.index(f"{who} begins"):
                assert race.given_to(who) == "new", (who, order)
            if announced and race.seen_before[who] == "new":
                assert race.given_to(who) == "new", (who, order)
        assert await race.given_now() == "new", order
        assert not race.library.kept._invalidated
        assert not race.library.kept._changing
        assert not race.library.kept._loads


async def test_nothing_is_kept_until_the_last_of_overlapping_changes_ends() -> None:
    library = Library()
    one, other = (library.kept.changing([("author", "Ada")]) for _ in range(2))
    for step, entries in ((one.__enter__, 0), (other.__enter__, 0), (lambda: one.__exit__(None, None, None), 0)):
        step()
        await library.by("Ada")
        assert library.kept.total().entries == entries
    other.__exit__(None, None, None)
    await library.by("Ada")
    assert library.kept.total().entries == 1


async def test_a_change_of_one_leaves_others_kept_and_shared() -> None:
    library = Library(by_hand=True)
    with library.kept.changing([("author", "Ada")]):
        calls = [asyncio.create_task(library.by("Bob")) for _ in range(3)]
        await settle()
        library.loads[0].set_result(None)
        await asyncio.gather(*calls)
    await library.by("Bob")
    assert len(library.loads) == 1


async def test_beyond_what_is_remembered_no_load_that_began_before_is_kept() -> None:
    library = Library(by_hand=True)
    call = asyncio.create_task(library.by("Ada"))
    await settle()
    library.kept.invalidate([("author", "Ada")])
    for number in range(10):
        library.kept.invalidate([("author", f"{number}-{each}") for each in range(1500)])
    assert len(library.kept._invalidated) <= 10_000
    library.loads[0].set_result(None)
    await call
    assert (library.kept.total().overtaken, library.kept.total().entries) == (1, 0)
    assert not library.kept._invalidated
