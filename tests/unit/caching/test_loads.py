import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from socrates.caching import cached
from tests.unit.caching.support import Library, new_cache, settle


@pytest.mark.parametrize("value", [(), None, "", 0, False])
async def test_an_empty_result_is_a_result(value: Any) -> None:
    library = Library()
    library.shelf["Ada"] = value
    assert [await library.by("Ada") for _ in range(3)] == [value] * 3
    assert len(library.loads) == 1
    assert library.kept.total().hits == 2


async def test_ten_thousand_misses_of_one_key_load_once() -> None:
    library = Library(by_hand=True)
    library.shelf["Ada"] = ("Notes",)
    calls = [asyncio.create_task(library.by("Ada")) for _ in range(10_000)]
    await settle()
    library.loads[0].set_result(None)
    assert set(await asyncio.gather(*calls)) == {("Notes",)}
    assert len(library.loads) == 1
    total = library.kept.total()
    assert (total.misses, total.loads, total.hits) == (10_000, 1, 0)


async def test_a_cancelled_waiter_cancels_nobody() -> None:
    library = Library(by_hand=True)
    calls = [asyncio.create_task(library.by("Ada")) for _ in range(3)]
    await settle()
    calls[1].cancel()
    await settle()
    library.loads[0].set_result(None)
    assert await asyncio.gather(*calls, return_exceptions=True) == [(), ANY_CANCEL, ()]
    assert len(library.loads) == 1


class _AnyCancel:
    def __eq__(self, other: object) -> bool:
        return isinstance(other, asyncio.CancelledError)

    __hash__ = None  # type: ignore[assignment]


ANY_CANCEL = _AnyCancel()


async def test_where_the_one_that_loads_is_cancelled_one_other_loads_anew() -> None:
    library = Library(by_hand=True)
    calls = [asyncio.create_task(library.by("Ada")) for _ in range(5)]
    await settle()
    calls[0].cancel()
    await settle()
    assert len(library.loads) == 2
    library.loads[1].set_result(None)
    assert await asyncio.gather(*calls, return_exceptions=True) == [ANY_CANCEL, (), (), (), ()]
    total = library.kept.total()
    assert (total.misses, total.loads, total.failures, total.entries) == (5, 2, 1, 1)


async def test_after_a_cancelled_load_others_take_what_a_quick_one_kept() -> None:
    library = Library(by_hand=True)
    calls = [asyncio.create_task(library.by("Ada")) for _ in range(5)]
    await settle()
    library._by_hand = False
    calls[0].cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    assert len(library.loads) == 2


async def test_a_result_that_comes_as_its_waiter_is_cancelled_is_kept() -> None:
    library = Library(by_hand=True)
    first, second = (asyncio.create_task(library.by("Ada")) for _ in range(2))
    await settle()
    library.loads[0].set_result(None)
    second.cancel()
    assert await asyncio.gather(first, second, return_exceptions=True) == [(), ANY_CANCEL]
    assert await library.by("Ada") == ()
    assert len(library.loads) == 1


async def test_an_error_reaches_all_that_wait_and_is_not_kept() -> None:
    library = Library(by_hand=True)
    library.shelf["Ada"] = error = ValueError("burnt")
    calls = [asyncio.create_task(library.by("Ada")) for _ in range(4)]
    await settle()
    library.loads[0].set_result(None)
    assert await asyncio.gather(*calls, return_exceptions=True) == [error] * 4
    library.shelf["Ada"], library._by_hand = ("Notes",), False
    assert await library.by("Ada") == ("Notes",)
    assert library.kept.total().failures == 1


async def test_a_loader_that_cancels_itself_is_not_taken_for_the_others_result() -> None:
    library = Library(by_hand=True)
    calls = [asyncio.create_task(library.by("Ada")) for _ in range(2)]
    await settle()
    library.loads[0].cancel()
    await settle()
    library.loads[1].set_result(None)
    assert await asyncio.gather(*calls, return_exceptions=True) == [ANY_CANCEL, ()]


@pytest.mark.parametrize("value", [["a"], {"a": 1}, ({"a"},)])
async def test_a_result_that_can_be_changed_is_refused_for_all_that_wait(value: Any) -> None:
    library = Library(by_hand=True)
    library.shelf["Ada"] = value
    calls = [asyncio.create_task(library.by("Ada")) for _ in range(3)]
    await settle()
    library.loads[0].set_result(None)
    found = await asyncio.gather(*calls, return_exceptions=True)
    assert [type(each) for each in found] == [TypeError] * 3
    assert (len(library.loads), library.kept.total().entries) == (1, 0)


async def test_a_load_under_way_as_the_cache_is_switched_off_is_not_kept() -> None:
    for back_on in (False, True):
        library = Library(by_hand=True)
        call = asyncio.create_task(library.by("Ada"))
        await settle()
        library.kept.enabled = False
        library.kept.enabled = back_on
        library.loads[0].set_result(None)
        assert await call == ()
        assert (library.kept.total().overtaken, library.kept.total().entries) == (1, 0)


def _no_tags(*_arguments: object) -> Iterator[str]:
    yield from ()


class Tree:
    """Methods that call each other."""

    def __init__(self) -> None:
        self.cache = new_cache()
        self.again = 3

    @cached("tree.down", tags=_no_tags)
    async def down(self, depth: int) -> int:
        return depth and 1 + await self.down(depth - 1)

    @cached("tree.same", tags=_no_tags)
    async def same(self) -> int:
        await asyncio.sleep(0)
        self.again -= 1
        return 1 + await asyncio.create_task(self.same()) if self.again else 1

    @cached("tree.left", tags=_no_tags)
    async def left(self) -> str:
        await asyncio.sleep(0)
        self.again -= 1
        return "l" + await self.right() if self.again > 0 else "l"

    @cached("tree.right", tags=_no_tags)
    async def right(self) -> str:
        await asyncio.sleep(0)
        self.again -= 1
        return "r" + await self.left() if self.again > 0 else "r"


async def test_a_load_may_call_cached_methods() -> None:
    tree = Tree()
    assert await tree.down(20) == 20
    assert tree.cache.total().entries == 21


async def test_a_load_that_calls_itself_does_not_wait_for_itself() -> None:
    async with asyncio.timeout(5):
        assert await Tree().same() == 3


async def test_loads_that_call_each_other_do_not_wait_for_each_other() -> None:
    tree = Tree()
    async with asyncio.timeout(5):
        found = await asyncio.gather(tree.left(), tree.right())
    assert [each[0] for each in found] == ["l", "r"]
