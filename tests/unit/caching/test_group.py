"""Several caches as one: each is told of every change, for as long as it takes, and of nothing else."""

import asyncio

import pytest

from socrates.caching import Cache, CacheGroup
from tests.unit.caching.support import Library, new_cache, settle

ADA, BOB = ("author", "Ada"), ("author", "Bob")


async def filled(*caches: Cache) -> list[Library]:
    libraries = [Library(cache) for cache in caches]
    for library in libraries:
        await library.by("Ada")
        await library.by("Bob")
    return libraries


async def loads_again(library: Library, author: str) -> bool:
    before = len(library.loads)
    await library.by(author)
    return len(library.loads) > before


async def test_a_change_drops_what_it_concerns_in_every_cache() -> None:
    caches = new_cache(), new_cache()
    libraries = await filled(*caches)
    with CacheGroup(*caches).changing({ADA}):
        pass
    for library in libraries:
        assert await loads_again(library, "Ada")
        assert not await loads_again(library, "Bob")


async def test_during_a_change_no_cache_keeps_what_it_concerns() -> None:
    caches = new_cache(), new_cache()
    libraries = await filled(*caches)
    with CacheGroup(*caches).changing({ADA}):
        for library in libraries:
            assert await loads_again(library, "Ada")
            assert await loads_again(library, "Ada")
            assert not await loads_again(library, "Bob")
    for library in libraries:
        assert await loads_again(library, "Ada")
        assert not await loads_again(library, "Ada")


async def test_a_change_that_fails_is_over_in_every_cache() -> None:
    caches = new_cache(), new_cache()
    libraries = await filled(*caches)
    with pytest.raises(OSError, match="disk"), CacheGroup(*caches).changing({ADA}):
        raise OSError("disk")
    for library in libraries:
        assert await loads_again(library, "Ada")
        assert not await loads_again(library, "Ada")


async def test_a_load_that_a_change_overtakes_is_kept_in_none() -> None:
    caches = new_cache(), new_cache()
    libraries = [Library(cache, by_hand=True) for cache in caches]
    loading = [library.by("Ada") for library in libraries]
    for library, load in zip(libraries, loading, strict=True):
        task = asyncio.ensure_future(load)
        await settle()
        with CacheGroup(*caches).changing({ADA}):
            pass
        library.loads[0].set_result(None)
        await task
        assert library.kept.total().overtaken == 1


async def test_tags_that_come_formed_are_given_to_all() -> None:
    caches = [new_cache(tag_as=lambda tag: f"{tag[0]}/{tag[1]}") for _ in range(2)]
    libraries = await filled(*caches)
    CacheGroup(*caches).invalidate_formed(each for each in ["author/Ada"])
    for library in libraries:
        assert await loads_again(library, "Ada")
        assert not await loads_again(library, "Bob")


async def test_clearing_forgets_everything_in_all() -> None:
    caches = new_cache(), new_cache()
    await filled(*caches)
    CacheGroup(*caches).clear()
    assert [cache.total().entries for cache in caches] == [0, 0]
