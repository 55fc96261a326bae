import math
import random

from socrates.caching.entries import Entries, Entry
from tests.unit.caching.support import Clock


def entry(*tags: int, size: int = 1, expires: float = math.inf, value: object = None) -> Entry:
    return Entry(value, frozenset(tags), size, expires)


def kept(entries: Entries) -> set[str]:
    return {key[0] for key, _ in entries.sizes()}


def test_the_least_recently_used_leaves_first_for_entries() -> None:
    entries = Entries(1000, 3, Clock())
    for name in "abc":
        entries.keep((name,), entry())
    entries.find(("a",))
    removed = entries.keep(("d",), entry())
    assert (removed.for_entries, removed.for_bytes, removed.expired) == ([("b",)], [], [])
    assert kept(entries) == {"a", "c", "d"}


def test_as_many_leave_as_the_bytes_take_and_no_more() -> None:
    entries = Entries(100, 1000, Clock())
    for name in "abcd":
        entries.keep((name,), entry(size=25))
    entries.find(("a",))
    removed = entries.keep(("e",), entry(size=50))
    assert (removed.for_bytes, removed.for_entries) == ([("b",), ("c",)], [])
    assert kept(entries) == {"a", "d", "e"}


def test_replacing_an_entry_of_a_full_cache_drives_out_no_other() -> None:
    entries = Entries(100, 2, Clock())
    entries.keep(("a",), entry(1, size=50))
    entries.keep(("b",), entry(1, size=50))
    removed = entries.keep(("a",), entry(2, size=50, value="new"))
    assert (removed.for_bytes, removed.for_entries, removed.expired) == ([], [], [])
    assert kept(entries) == {"a", "b"}
    assert (entries.tagged([1]), entries.tagged([2])) == ({("b",)}, {("a",)})


def test_looking_at_the_sizes_uses_no_entry() -> None:
    entries = Entries(1000, 3, Clock())
    for name in "abc":
        entries.keep((name,), entry())
    entries.find(("a",))
    entries.sizes()
    entries.expire()
    assert entries.keep(("d",), entry()).for_entries == [("b",)]


def test_the_order_of_use_outlives_the_move_to_new_tables() -> None:
    entries = Entries(100, 1000, Clock())
    for number in range(100):
        entries.keep((str(number),), entry())
    for number in range(99, -1, -1):
        entries.find((str(number),))
    removed = entries.keep(("large",), entry(size=60))
    assert removed.for_bytes == [(str(number),) for number in range(99, 39, -1)]
    assert entries.keep(("next",), entry()).for_bytes == [("39",)]


def test_an_expired_entry_is_not_found_and_leaves_when_something_is_kept() -> None:
    clock = Clock()
    entries = Entries(1000, 10, clock)
    entries.keep(("a",), entry(1, expires=clock.now + 5))
    entries.keep(("b",), entry(1))
    clock.now += 4.99
    assert entries.find(("a",)) is not None
    clock.now += 0.01
    assert entries.find(("a",)) is None
    assert entries.keep(("c",), entry()).expired == [("a",)]
    assert entries.tagged([1]) == {("b",)}


def test_what_leaves_after_it_expired_counts_as_expired_whatever_drove_it_out() -> None:
    clock = Clock()
    entries = Entries(10, 2, clock)
    entries.keep(("swept",), entry(expires=clock.now + 1))
    clock.now += 1
    entries.keep(("a",), entry(expires=clock.now + 0.1))
    entries.keep(("b",), entry(expires=clock.now + 0.1))
    clock.now += 0.2  # less than a second after the sweep
    replaced = entries.keep(("b",), entry())
    assert (replaced.expired, replaced.for_entries) == ([("b",)], [])
    pushed = entries.keep(("c",), entry())
    assert (pushed.expired, pushed.for_entries, pushed.for_bytes) == ([("a",)], [], [])


def test_nothing_of_a_dropped_entry_is_left() -> None:
    generator = random.Random(6)
    clock = Clock()
    entries = Entries(3000, 60, clock)
    for step in range(5000):
        key = (str(generator.randrange(100)),)
        match generator.randrange(8):
            case 0:
                entries.drop(entries.tagged([generator.randrange(30)]))
            case 1:
                clock.now += generator.random()
                entries.find(key)
            case 2 if step % 50 == 0:
                entries.clear()
            case _:
                tags = generator.sample(range(30), generator.randrange(4))
                entries.keep(
                    key, entry(*tags, size=generator.randrange(1, 300), expires=clock.now + 5 * generator.random())
                )
        sizes = dict(entries.sizes())
        assert sum(sizes.values()) == entries._kept.currsize <= 3000
        assert len(sizes) <= 60
        index = {(tag, key) for tag, keys in entries._keys_by_tag.items() for key in keys}
        assert index == {(tag, key) for key, each in entries._items() for tag in each.tags}
        assert all(entries._keys_by_tag.values())


def test_what_most_of_the_entries_leave_behind_is_as_it_was() -> None:
    entries = Entries(1000, 20, Clock())
    for number in range(10):
        entries.keep((str(number),), entry(number, 100))
    entries.find(("3",))
    gone = {(str(number),) for number in range(10) if number not in (3, 4, 5)}
    entries.drop(gone)
    assert kept(entries) == {"3", "4", "5"}
    assert (entries.tagged([100]), entries.tagged([3])) == ({("3",), ("4",), ("5",)}, {("3",)})
    assert entries.tagged([0]) == set()
    for number in range(18):
        removed = entries.keep((f"new {number}",), entry())
    assert removed.for_entries == [("4",)]
