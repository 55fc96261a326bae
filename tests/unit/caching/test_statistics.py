import gc

from socrates.caching import stats
from tests.unit.caching.support import Library, new_cache


async def test_every_cause_is_counted_on_its_own() -> None:
    library = Library(new_cache(max_bytes=60_000, max_entries=8))
    library.shelf["large"] = "x" * 10_000
    await library.by("large")
    for number in range(12):
        library.shelf[str(number)] = "x" * 10
        await library.by(str(number))
    library.kept.invalidate([("author", "11")])
    total = library.kept.total()
    assert (total.too_large, total.evicted_for_entries, total.invalidated, total.entries) == (1, 4, 1, 7)
    library.kept.clear()
    assert (library.kept.total().invalidated, library.kept.total().bytes) == (8, 0)


async def test_the_hit_rate_is_a_number() -> None:
    library = Library()
    assert library.kept.total().hit_rate == 0.0
    for _ in range(4):
        await library.by("Ada")
    assert library.kept.total().hit_rate == 0.75


async def test_the_process_adds_up_the_caches_that_somebody_has() -> None:
    gc.collect()  # or caches of earlier tests might go between the two looks
    libraries = [Library(), Library()]
    before = stats().get("books.by")
    for library in libraries:
        await library.by("Ada")
    assert stats()["books.by"].loads == (before.loads if before else 0) + 2
