"""Whatever is registered, removed and emitted, in any order: each listener gets exactly what a simple model says."""

import asyncio
import random
from collections import defaultdict

from hypothesis import given, settings
from hypothesis import strategies as st

from socrates.events import Emitter, Event, EventType

TYPES = (EventType.PROJECT_SAVED, EventType.USER_CREATED)
PAYLOADS = ({"project_id": "p1"}, {"username": "ada"})
LISTENERS = range(4)
STEP = st.tuples(
    st.sampled_from(["on", "once", "remove", "clear", "emit", "emit", "emit_async", "emit_async", "pause", "settle"]),
    st.sampled_from(LISTENERS),
    st.sampled_from([0, 1]),
)


class Model:
    """What v1's rules promise: registrations in a list, and an event for each of them, at once."""

    def __init__(self) -> None:
        self.heard: defaultdict[int, list[int]] = defaultdict(list)
        self._registered: list[tuple[int, int, bool]] = []
        self._number = 0

    def register(self, listener: int, kind: int, is_once: bool) -> None:
        self._registered.append((kind, listener, is_once))

    def remove(self, listener: int, kind: int) -> bool:
        for position, (of_kind, registered, _) in enumerate(self._registered):
            if (of_kind, registered) == (kind, listener):
                del self._registered[position]
                return True
        return False

    def clear(self, kind: int) -> None:
        self._registered = [each for each in self._registered if each[0] != kind]

    def emit(self, kind: int) -> None:
        self._number += 1
        for of_kind, listener, _ in self._registered:
            if of_kind == kind:
                self.heard[listener].append(self._number)
        self._registered = [each for each in self._registered if not (each[2] and each[0] == kind)]


@settings(max_examples=60, deadline=None)
@given(st.lists(STEP, max_size=40), st.integers(1, 5))
def test_listeners_get_what_the_model_says(steps: list[tuple[str, int, int]], limit: int) -> None:
    asyncio.run(_compared(steps, limit))


async def _compared(steps: list[tuple[str, int, int]], limit: int) -> None:
    model, heard = Model(), defaultdict(list)
    # So many as can be emitted, twice registered: `emit` waits for nobody, and nothing may be lost here.
    async with Emitter(limit=limit + 40 * 40, patience=30) as emitter:
        listeners = [_listener(number, heard[number]) for number in LISTENERS]
        for step, number, kind in steps:
            listener = listeners[number]
            if step in {"on", "once"}:
                (emitter.on if step == "on" else emitter.once)(TYPES[kind], listener)
                model.register(number, kind, step == "once")
            elif step == "remove":
                assert emitter.remove(TYPES[kind], listener) == model.remove(number, kind)
            elif step == "clear":
                emitter.clear(TYPES[kind])
                model.clear(kind)
            elif step == "emit":
                emitter.emit(TYPES[kind], PAYLOADS[kind])
                model.emit(kind)
            elif step == "emit_async":
                await emitter.emit_async(TYPES[kind], PAYLOADS[kind])
                model.emit(kind)
            elif step == "pause":
                await asyncio.sleep(0)
            else:
                await emitter.settle()
                assert all(heard[number] == model.heard[number] for number in LISTENERS)

    assert all(heard[number] == model.heard[number] for number in LISTENERS)
    assert emitter.lost == 0


def _listener(number: int, heard: list[int]):  # type: ignore[no-untyped-def]
    async def slow(event: Event) -> None:
        await asyncio.sleep(0)
        heard.append(event.number)

    def blocking(event: Event) -> None:
        heard.append(event.number)

    return slow if number else blocking


async def test_tasks_and_threads_that_emit_under_back_pressure_and_are_cancelled_lose_nothing() -> None:
    seeded = random.Random(9)
    heard: defaultdict[int, list[int]] = defaultdict(list)
    emitted = 0

    async def told(pauses: list[float]) -> None:
        nonlocal emitted
        for pause in pauses:
            emitted += 1  # `emit_async` accepts before it first waits
            await emitter.emit_async(TYPES[0], PAYLOADS[0])
            await asyncio.sleep(pause)

    async with Emitter(limit=200, patience=30) as emitter:
        for number in LISTENERS:
            emitter.on(TYPES[0], _listener(number, heard[number]))
        tasks = [asyncio.create_task(told([seeded.random() / 1000 for _ in range(50)])) for _ in range(8)]
        by_thread = asyncio.to_thread(lambda: [emitter.emit(TYPES[0], PAYLOADS[0]) for _ in range(100)])
        await asyncio.sleep(0.02)
        for task in tasks[::2]:
            task.cancel()
        await asyncio.gather(by_thread, *tasks, return_exceptions=True)

    assert emitter.lost == 0
    for number in LISTENERS:
        assert len(heard[number]) == emitted + 100
        assert heard[number] == sorted(set(heard[number]))
