"""Asking once for what several want in the same turn of the event loop."""

import asyncio
from collections.abc import Sequence
from contextvars import ContextVar

import pytest

from socrates.knowledge.together import Together


class Library:
    """Finds shelves, and remembers how it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, list[int]]] = []
        self.is_asked = asyncio.Event()
        self.together = Together(self._shelves)

    async def _shelves(self, room: str, numbers: Sequence[int]) -> list[str]:
        self.asked.append((room, list(numbers)))
        self.is_asked.set()
        await asyncio.sleep(0)
        if room == "locked":
            raise PermissionError(room)
        if room == "closing":
            raise asyncio.CancelledError
        return [f"{room} {number}" for number in numbers if number >= 0]


async def test_what_is_wanted_in_one_turn_is_asked_for_once_and_everybody_gets_their_own() -> None:
    library = Library()
    found = await asyncio.gather(*(library.together.find("hall", number) for number in (3, 1, 3)))
    assert found == ["hall 3", "hall 1", "hall 3"]
    assert library.asked == [("hall", [3, 1, 3])]


async def test_what_is_of_another_kind_or_comes_later_is_asked_for_by_itself() -> None:
    library = Library()
    await asyncio.gather(library.together.find("hall", 1), library.together.find("attic", 1))
    await library.together.find("hall", 1)
    assert library.asked == [("hall", [1]), ("attic", [1]), ("hall", [1])]


async def test_an_error_reaches_all_who_asked_together_and_nobody_else() -> None:
    library = Library()
    wanted = (library.together.find(room, 1) for room in ("locked", "hall", "locked"))
    first, second, third = await asyncio.gather(*wanted, return_exceptions=True)
    assert isinstance(first, PermissionError)
    assert second == "hall 1"
    assert isinstance(third, PermissionError)
    assert await library.together.find("hall", 2) == "hall 2"


async def test_too_few_answers_are_an_error_and_leave_nobody_waiting() -> None:
    library = Library()
    async with asyncio.timeout(5):
        found = await asyncio.gather(
            *(library.together.find("hall", number) for number in (1, -1)), return_exceptions=True
        )
    assert found[0] == "hall 1"
    assert isinstance(found[1], ValueError)


async def test_who_is_cancelled_before_or_while_it_is_asked_for_takes_nobody_else_along() -> None:
    library = Library()
    early, late, staying = (asyncio.create_task(library.together.find("hall", number)) for number in (1, 2, 3))
    await asyncio.sleep(0)
    early.cancel()
    await library.is_asked.wait()
    late.cancel()
    assert await staying == "hall 3"
    assert library.asked == [("hall", [2, 3])]
    for going in (early, late):
        with pytest.raises(asyncio.CancelledError):
            await going


async def test_where_the_asking_itself_is_cancelled_nobody_waits_for_ever() -> None:
    library = Library()
    with pytest.raises(asyncio.CancelledError):
        await asyncio.wait_for(library.together.find("closing", 1), timeout=5)


async def test_what_a_caller_has_in_its_context_stays_there() -> None:
    seen: list[str] = []
    own: ContextVar[str] = ContextVar("own", default="nothing")

    async def ask(_: None, wanted: Sequence[int]) -> Sequence[int]:
        seen.append(own.get())
        return wanted

    own.set("mine")
    await Together(ask).find(None, 1)
    assert seen == ["nothing"]


async def test_where_all_are_cancelled_before_nothing_is_asked() -> None:
    library = Library()
    going = asyncio.create_task(library.together.find("hall", 1))
    await asyncio.sleep(0)
    going.cancel()
    for _ in range(5):
        await asyncio.sleep(0)
    assert library.asked == []
