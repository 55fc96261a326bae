"""Who writes first."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from socrates.agents.order import ProjectOrder


class Writers:
    """Requests on projects, each of which waits for a model of its own and then writes its name."""

    def __init__(self) -> None:
        self.order = ProjectOrder()
        self.written: list[str] = []
        self.models: dict[str, asyncio.Event] = {}

    def begin(self, name: str, project_id: str = "p1", error: Exception | None = None) -> "asyncio.Task[None]":
        self.models[name] = asyncio.Event()
        return asyncio.create_task(self._write(name, project_id, error))

    async def _write(self, name: str, project_id: str, error: Exception | None) -> None:
        async with self.order.place(project_id) as reached:
            await self.models[name].wait()
            if error is not None:
                raise error
            await reached()
            self.written.append(name)


async def turns(count: int = 20) -> None:
    """Let everybody go on who can."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_who_came_first_writes_first_however_late_the_model() -> None:
    writers = Writers()
    tasks = [writers.begin(name) for name in "abc"]
    await turns()
    for name in "cba":
        assert writers.written == []
        writers.models[name].set()
        await turns()
    await asyncio.gather(*tasks)
    assert writers.written == ["a", "b", "c"]


async def test_projects_do_not_wait_for_one_another() -> None:
    writers = Writers()
    slow, quick = writers.begin("slow"), writers.begin("quick", "p2")
    await turns()
    writers.models["quick"].set()
    await quick
    assert writers.written == ["quick"]
    writers.models["slow"].set()
    await slow


async def test_a_place_that_is_cancelled_lets_the_next_go_on() -> None:
    writers = Writers()
    first, second, third = (writers.begin(name) for name in "abc")
    await turns()
    writers.models["b"].set()
    writers.models["c"].set()
    await turns()
    second.cancel()
    with pytest.raises(asyncio.CancelledError):
        await second
    await turns()
    assert writers.written == []  # the third still waits for the first
    writers.models["a"].set()
    await asyncio.gather(first, third)
    assert writers.written == ["a", "c"]


async def test_a_place_whose_request_fails_lets_the_next_go_on() -> None:
    writers = Writers()
    first, second = writers.begin("a", error=ZeroDivisionError()), writers.begin("b")
    await turns()
    writers.models["b"].set()
    await turns()
    assert writers.written == []
    writers.models["a"].set()
    with pytest.raises(ZeroDivisionError):
        await first
    await second
    assert writers.written == ["b"]


async def test_who_waits_for_nobody_is_not_held_up() -> None:
    order = ProjectOrder()
    for _ in range(3):
        async with asyncio.timeout(5), order.place("p1") as reached:
            await reached()


async def test_one_who_leaves_without_having_waited_keeps_the_place_of_those_behind() -> None:
    order, written = ProjectOrder(), []
    first = asyncio.Event()

    async def write(name: str, before: Callable[[], Awaitable[object]] | None) -> None:
        async with order.place("p1") as reached:
            if before is not None:
                await before()
            await reached()
            written.append(name)

    async def leave() -> None:
        async with order.place("p1"):
            pass

    tasks = [asyncio.create_task(each) for each in (write("a", first.wait), leave(), write("b", None))]
    await turns()
    assert tasks[1].done()
    assert written == []
    first.set()
    await asyncio.gather(*tasks)
    assert written == ["a", "b"]


async def test_nothing_is_kept_of_those_who_are_gone() -> None:
    writers = Writers()
    tasks = [writers.begin(f"{number}", f"p{number % 50}") for number in range(500)]
    await turns()
    for task in tasks[::7]:
        task.cancel()
    for model in writers.models.values():
        model.set()
    await asyncio.gather(*tasks, return_exceptions=True)
    await turns()
    assert writers.order._last == {}
    assert len(writers.written) == 500 - len(tasks[::7])
