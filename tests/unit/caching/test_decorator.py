import asyncio
import gc
import weakref
from typing import Any

import pytest

from socrates.caching import bypassed, cached
from socrates.caching.cache import ABSENT
from tests.unit.caching.support import Clock, Library, by_author, new_cache


async def test_objects_with_one_cache_share_it_and_are_not_kept_alive() -> None:
    cache = new_cache()
    first, second = Library(cache), Library(cache)
    first.shelf["Ada"] = ("Notes",)
    assert await first.by("Ada") == ("Notes",)
    gone = weakref.ref(first)
    del first
    gc.collect()
    assert gone() is None
    assert await second.by("Ada") == ("Notes",)


async def test_without_a_cache_the_method_runs_as_it_stands() -> None:
    library = Library()
    library.cache = None
    library.shelf["Ada"] = ["can be changed"]
    assert await library.by("Ada") is await library.by("Ada")
    assert len(library.loads) == 2


async def test_what_the_method_raises_is_raised_after_one_run() -> None:
    library = Library()
    library.shelf["Ada"] = TypeError("unhashable, or so it says")
    with pytest.raises(TypeError, match="or so it says"):
        await library.by("Ada")
    assert len(library.loads) == 1


@pytest.mark.parametrize("argument", [["Ada"], {"Ada"}, object()])
async def test_an_argument_that_no_key_can_hold_is_refused_before_the_method_runs(argument: Any) -> None:
    library = Library()
    with pytest.raises(TypeError):
        await library.by(argument)
    assert not library.loads


async def test_1_and_true_are_two_calls() -> None:
    library = Library()
    for each in (1, True, 1.0, 1, True, 1.0):
        await library.by(each)  # type: ignore[arg-type]
    assert len(library.loads) == 3


async def test_a_coroutine_is_never_kept() -> None:
    class Wrong(Library):
        @cached("wrong", tags=by_author)
        async def wrong(self, author: str) -> Any:
            self.made = asyncio.sleep(0)
            return self.made

    library = Wrong()
    with pytest.raises(TypeError, match="coroutine"):
        await library.wrong("Ada")
    library.made.close()
    assert library.kept.total().entries == 0


async def test_lifetimes_end_within_the_last_tenth() -> None:
    clock = Clock()
    library = Library(new_cache(timer=clock, lifetime=100, max_entries=500))
    for number in range(300):
        await library.by(str(number))
    clock.now += 89.9
    assert library.kept.total().entries == 300
    clock.now += 5
    assert 100 < library.kept.total().entries < 200
    clock.now += 5.1
    total = library.kept.total()
    assert (total.entries, total.expired) == (0, 300)


async def test_bypassed_calls_neither_read_nor_add_even_in_tasks() -> None:
    library = Library()
    await library.by("Ada")
    with bypassed():
        await library.by("Ada")
        await asyncio.create_task(library.by("Bob"))
    await library.by("Ada")
    total = library.kept.total()
    assert (total.hits, total.misses, total.bypasses, total.entries) == (1, 1, 2, 1)
    assert len(library.loads) == 3


async def test_an_is_current_that_raises_is_heard_and_breaks_nothing() -> None:
    def is_current() -> bool:
        if broken:
            raise OSError("no file")
        return True

    broken = True
    library = Library(new_cache(is_current=is_current))
    with pytest.raises(OSError, match="no file"):
        await library.by("Ada")
    broken = False
    await library.by("Ada")
    await library.by("Ada")
    assert (len(library.loads), library.kept.total().hits) == (1, 1)


@pytest.mark.parametrize("wrong", [{"max_bytes": 0}, {"max_entries": 0}, {"lifetime": 0}, {"lifetimes": {"x": -1}}])
def test_a_cache_that_could_keep_nothing_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="a cache needs bounds"):
        new_cache(**wrong)


async def test_tags_are_found_however_the_arguments_are_given() -> None:
    library = Library()
    library.shelf["Ada"] = ("Notes",)
    assert await library.by(author="Ada") == ("Notes",)
    library.shelf["Ada"] = ()
    library.kept.invalidate([("author", "Ada")])
    assert await library.by(author="Ada") == ()


async def test_calls_that_are_not_to_be_kept_go_past_the_cache() -> None:
    class Choosy(Library):
        @cached("choosy", tags=by_author, only=lambda author: author != "Ada")
        async def chosen(self, author: str) -> Any:
            return await self.by(author)

    library = Choosy()
    library.shelf["Ada"] = library.shelf["Bob"] = ("Notes",)
    for author in ("Ada", "Ada", "Bob", "Bob"):
        assert await library.chosen(author) == ("Notes",)
    assert Choosy.chosen.kept(library, "Ada") is ABSENT  # type: ignore[attr-defined]
    assert Choosy.chosen.kept(library, "Bob") == ("Notes",)  # type: ignore[attr-defined]
    assert (library.kept.stats()["choosy"].misses, library.kept.stats()["choosy"].entries) == (1, 1)
