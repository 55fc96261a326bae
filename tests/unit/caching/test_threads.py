import asyncio
import threading
from collections.abc import Iterator

from socrates.caching import cached
from tests.unit.caching.support import new_cache

KEYS = 5


def _counter(_result: object, number: int) -> Iterator[tuple[str, int]]:
    yield "counter", number


class Counters:
    """Numbers that only grow: a reader that is given less than was there before it asked has a stale one."""

    def __init__(self) -> None:
        self.cache = new_cache(max_entries=3)
        self.now = [0] * KEYS

    @cached("counters.read", tags=_counter)
    async def read(self, number: int) -> int:
        found = self.now[number]
        await asyncio.sleep(0)
        return found


def test_threads_with_loops_of_their_own_share_a_cache_and_see_nothing_stale() -> None:
    counters = Counters()
    stale: list[tuple[int, int]] = []
    failures: list[BaseException] = []
    calls = 4 * 3 * 400

    async def reader(offset: int) -> None:
        for step in range(400):
            number = (step + offset) % KEYS
            with acknowledged:
                before = written[number]
            found = await counters.read(number)
            if found < before:
                stale.append((found, before))

    async def readers() -> None:
        await asyncio.gather(*(reader(offset) for offset in range(3)))

    def read() -> None:
        try:
            asyncio.run(readers())
        except BaseException as error:  # noqa: BLE001 - told by the assertion below
            failures.append(error)

    def write() -> None:
        step = 0
        while not finished.is_set():
            number = step % KEYS
            with counters.cache.changing([("counter", number)]):
                counters.now[number] += 1
            with acknowledged:
                written[number] = counters.now[number]
            step += 1
            finished.wait(0.0002)

    acknowledged, written, finished = threading.Lock(), [0] * KEYS, threading.Event()
    threads = [threading.Thread(target=read) for _ in range(4)]
    writer = threading.Thread(target=write)
    for thread in (writer, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    finished.set()
    writer.join()

    assert not failures
    assert not stale
    total = counters.cache.total()
    assert total.hits + total.misses == calls
    assert total.loads <= total.misses
    left = total.evicted_for_entries + total.invalidated
    assert total.entries + left <= total.loads - total.overtaken
    assert (total.failures, total.bypasses) == (0, 0)
    assert max(counters.now) > 1
    assert not counters.cache._loads
    assert not counters.cache._invalidated
