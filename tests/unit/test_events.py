"""Listeners get what happened: in order, exactly once, side by side, and without holding up those who tell."""

import asyncio
import functools
import threading
import time
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta, timezone

import pytest

from socrates.errors import ClosedError, InvalidValueError
from socrates.events import Emitter, Event, EventType, correlated, correlation_id
from tests.support.events import LOGGED, NOTED, Gate, Heard, errors, noted

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)


# Who hears what


async def test_a_listener_hears_a_type_under_its_text_too() -> None:
    """D36: v1 took the text of a type for another type than its member."""
    heard, textual = Heard(), Heard()
    async with Emitter() as emitter:
        emitter.on(EventType.LEARNING_METRICS_UPDATED, heard)
        emitter.on("learning.metrics.updated", textual)
        metrics = {
            "user_id": "ada",
            "question_id": "static:discovery:1",
            "effectiveness_score": 0.5,
            "times_asked": 2,
            "times_answered_well": 1,
        }
        await emitter.emit_async("learning.metrics.updated", metrics)
        await emitter.settle()
        with pytest.raises(InvalidValueError, match="no event 'LEARNING_METRICS_UPDATED'"):
            await emitter.emit_async("LEARNING_METRICS_UPDATED", metrics)

    assert len(heard.events) == len(textual.events) == 1


async def test_who_listens_before_the_emitter_opens_hears_the_first_event() -> None:
    """D37: v1's emitter was born, and first used, inside the orchestrator's constructor."""
    heard = Heard()
    emitter = Emitter()
    emitter.on(NOTED, heard)
    async with emitter:
        await emitter.emit_async(NOTED, noted(1))

    assert heard.numbers == [1]


async def _method_like(heard: list[int], event: Event) -> None:
    await asyncio.sleep(0)
    heard.append(event.number)


@pytest.mark.parametrize(
    "listening",
    [
        lambda heard: functools.partial(_method_like, heard),
        lambda heard: lambda event: _method_like(heard, event),
        lambda heard: lambda event: heard.append(event.number),
    ],
    ids=["coroutine function", "function that returns an awaitable", "plain function"],
)
async def test_a_listener_is_run_to_its_end_whatever_kind_of_callable_it_is(
    listening: Callable[[list[int]], Callable[[Event], Awaitable[object] | object]],
) -> None:
    """D43: v1 called coroutine functions and awaited nothing."""
    heard: list[int] = []
    async with Emitter() as emitter:
        emitter.on(NOTED, listening(heard))
        emitter.emit(NOTED, noted(1))

    assert heard == [1]


async def test_a_listener_that_is_registered_twice_hears_everything_twice_and_is_removed_once() -> None:
    heard = Heard()
    async with Emitter() as emitter:
        emitter.on(NOTED, heard)
        emitter.on(NOTED, heard)
        emitter.emit(NOTED, noted(1))
        assert emitter.remove(NOTED, heard)
        emitter.emit(NOTED, noted(2))
        assert emitter.remove("custom", heard)
        assert not emitter.remove(NOTED, heard)
        emitter.emit(NOTED, noted(3))

    assert heard.numbers == [1, 1, 2]


async def test_registrations_are_counted_and_cleared_by_type_or_all() -> None:
    emitter = Emitter()
    for kind in (NOTED, LOGGED, LOGGED):
        emitter.on(kind, Heard())

    assert (emitter.count(), emitter.count(LOGGED), emitter.count("log.debug")) == (3, 2, 0)
    emitter.clear(LOGGED)
    assert (emitter.count(), emitter.count(LOGGED)) == (1, 0)
    emitter.clear()
    assert emitter.count() == 0


async def test_once_is_once_however_many_tasks_and_threads_emit() -> None:
    """D59: v1 removed the listener after it had run, so that two emits at a time both ran it."""
    heard = Heard(pause=0.01)
    async with Emitter() as emitter:
        emitter.once(NOTED, heard)
        await asyncio.gather(
            *(emitter.emit_async(NOTED, noted(number)) for number in range(10)),
            *(asyncio.to_thread(emitter.emit, NOTED, noted(number)) for number in range(10)),
        )

    assert len(heard.events) == 1
    assert emitter.count() == 0


async def test_a_once_that_has_not_run_can_be_taken_back() -> None:
    """D59: v1 registered a wrapper, which nobody could find again."""
    heard = Heard()
    async with Emitter() as emitter:
        emitter.once(NOTED, heard)
        assert emitter.remove(NOTED, heard)
        emitter.emit(NOTED, noted(1))

    assert heard.events == []


async def test_a_listener_registers_removes_and_emits_from_inside() -> None:
    later, removed = Heard(), Heard()
    async with Emitter() as emitter:

        async def meddle(event: Event) -> None:
            assert emitter.remove(NOTED, meddle)
            emitter.on(NOTED, later)
            emitter.remove(NOTED, removed)
            await emitter.emit_async(NOTED, noted(2))

        emitter.on(NOTED, meddle)
        emitter.on(NOTED, removed)
        emitter.emit(NOTED, noted(1))

    assert later.numbers == [2]
    assert removed.numbers == [1], "what was accepted before the removal is still delivered"


# Order, isolation, slowness


async def test_one_listener_to_several_types_gets_them_in_one_order() -> None:
    heard = Heard(pause=0.001)
    async with Emitter() as emitter:
        for kind in (NOTED, LOGGED):
            emitter.on(kind, heard)
        for number in range(10):
            emitter.emit(*((NOTED, noted(number)) if number % 3 else (LOGGED, {"message": "third"})))

    assert [event.number for event in heard.events] == list(range(1, 11))


async def test_a_failing_listener_costs_the_others_nothing_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    heard, again = Heard(), []

    async def fails(event: Event) -> None:
        again.append(event.number)
        raise RuntimeError("its own trouble") if event.number == 1 else asyncio.CancelledError

    async with Emitter() as emitter:
        emitter.on(NOTED, fails)
        emitter.on(NOTED, heard)
        for number in range(3):
            await emitter.emit_async(NOTED, noted(number))

    assert (heard.numbers, again) == ([0, 1, 2], [1, 2, 3])
    assert "its own trouble" in caplog.text
    assert len(errors(caplog)) == 3


async def test_a_slow_listener_delays_neither_who_emits_nor_who_listens() -> None:
    """D49: v1 ran every listener in the emitting path; this one blocks its thread, as v1's did."""
    blocked, heard_all = threading.Event(), asyncio.Event()

    async def quick(event: Event) -> None:
        if event.number == 20:
            heard_all.set()

    async with Emitter() as emitter:
        emitter.on(NOTED, lambda event: blocked.wait(10))
        emitter.on(NOTED, quick)
        began = time.monotonic()
        for number in range(20):
            await emitter.emit_async(NOTED, noted(number))
        await asyncio.wait_for(heard_all.wait(), 5)
        took = time.monotonic() - began
        blocked.set()

    assert took < 2


async def test_a_full_queue_holds_up_who_can_wait_until_there_is_room() -> None:
    gate = Gate()
    async with Emitter(limit=2, patience=10) as emitter:
        emitter.on(NOTED, gate)
        for number in range(3):  # one is in the listener's hands
            await emitter.emit_async(NOTED, noted(number))
            await asyncio.sleep(0.005)
        held = asyncio.create_task(emitter.emit_async(NOTED, noted(3)))
        await asyncio.sleep(0.01)
        assert not held.done()
        gate.open.set()
        await asyncio.wait_for(held, 5)

    assert [event.number for event in gate.events] == [1, 2, 3, 4]
    assert emitter.lost == 0


async def test_a_caller_who_is_cancelled_while_held_up_has_told_everybody() -> None:
    gate = Gate()
    async with Emitter(limit=1, patience=10) as emitter:
        emitter.on(NOTED, gate)
        emitter.emit(NOTED, noted(0))
        await asyncio.sleep(0.005)
        emitter.emit(NOTED, noted(1))
        held = asyncio.create_task(emitter.emit_async(NOTED, noted(2)))
        await asyncio.sleep(0.005)
        held.cancel()
        with pytest.raises(asyncio.CancelledError):
            await held
        gate.open.set()

    assert [event.number for event in gate.events] == [1, 2, 3]


async def test_a_listener_that_hangs_tries_patience_once_and_its_losses_are_logged_and_counted(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate, heard = Gate(), Heard()
    async with Emitter(limit=2, patience=0.5) as emitter:
        emitter.on(NOTED, gate)
        emitter.on(NOTED, heard)
        began = time.monotonic()
        for number in range(40):
            await emitter.emit_async(NOTED, noted(number))
            await asyncio.sleep(0)
        took = time.monotonic() - began
        gate.open.set()

    assert took < 0.5 * 20, "with 35 times patience it were 17 s"
    assert heard.numbers == list(range(40))
    assert len(gate.events) + emitter.lost == 40
    assert emitter.lost == len(errors(caplog)) == 35
    assert "holds up nobody any longer" in caplog.text


async def test_a_listener_that_has_caught_up_is_waited_for_again() -> None:
    gate = Gate()
    async with Emitter(limit=1, patience=0.02) as emitter:
        emitter.on(NOTED, gate)
        for number in range(3):
            await emitter.emit_async(NOTED, noted(number))
            await asyncio.sleep(0)
        gate.open.set()
        await emitter.settle()
        gate.open.clear()
        began = time.monotonic()
        for number in range(3):
            await emitter.emit_async(NOTED, noted(number))
            await asyncio.sleep(0)
        took = time.monotonic() - began
        gate.open.set()

    assert took >= 0.02
    assert len(gate.events) == 6


async def test_a_listener_to_its_own_event_never_waits_for_itself() -> None:
    heard: list[int] = []
    async with Emitter(limit=1, patience=30) as emitter:

        async def echo(event: Event) -> None:
            heard.append(event.number)
            if event.number <= 2:
                await emitter.emit_async(NOTED, noted(0))

        emitter.on(NOTED, echo)
        emitter.emit(NOTED, noted(0))
        emitter.emit(NOTED, noted(0))
        await asyncio.wait_for(emitter.settle(), 5)

    assert heard == [1, 2, 3, 4]


async def test_a_listener_that_raises_what_is_no_exception_holds_up_nobody(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()

    async def stops(event: Event) -> None:
        raise GeneratorExit

    async with Emitter() as emitter:
        emitter.on(NOTED, stops)
        emitter.on(NOTED, heard)
        emitter.emit(NOTED, noted(0))
        emitter.emit(NOTED, noted(1))
        await asyncio.wait_for(emitter.settle(), 5)

    assert heard.numbers == [0, 1]
    assert emitter.lost == 1
    assert "raised what is no Exception" in caplog.text


# Threads, loops, envelopes


async def test_other_threads_emit_and_another_loop_is_refused() -> None:
    heard = Heard()
    async with Emitter() as emitter:
        emitter.on(NOTED, heard)
        await asyncio.to_thread(lambda: [emitter.emit(NOTED, noted(number)) for number in range(100)])
        with pytest.raises(InvalidValueError, match="another event loop"):
            await asyncio.to_thread(lambda: asyncio.run(emitter.emit_async(NOTED, noted(0))))

    assert heard.numbers == list(range(100))


def test_an_emitter_whose_loop_is_gone_takes_nothing() -> None:
    emitter = Emitter()

    async def opened() -> None:
        await emitter.__aenter__()

    asyncio.run(opened())
    with pytest.raises(ClosedError):
        emitter.emit(NOTED, noted(0))


async def test_what_a_request_causes_carries_its_id_in_listeners_too() -> None:
    heard, seen = Heard(), []
    async with Emitter() as emitter:

        async def follow(event: Event) -> None:
            await emitter.emit_async(LOGGED, {"message": "followed"})

        def blocking(event: Event) -> None:
            seen.append(correlation_id())

        emitter.on(NOTED, follow)
        emitter.on(NOTED, blocking)
        emitter.on(LOGGED, heard)
        for request in ("first", "second", None):
            with correlated(request):
                emitter.emit(NOTED, noted(0))

    assert [event.correlation_id for event in heard.events] == seen == ["first", "second", None]
    assert correlation_id() is None


async def test_events_are_stamped_in_utc_by_the_clock_that_was_given() -> None:
    """D74: v1 stamped events with the naive local time."""
    heard = Heard()
    times = [NOON.astimezone(timezone(timedelta(hours=2))), datetime(2026, 5, 1)]
    async with Emitter(clock=lambda: times.pop(0)) as emitter:
        emitter.on(NOTED, heard)
        emitter.emit(NOTED, noted(0))
        with pytest.raises(InvalidValueError, match="time zone"):
            emitter.emit(NOTED, noted(1))

    assert [event.at.isoformat() for event in heard.events] == ["2026-05-01T12:00:00+00:00"]


async def test_without_a_clock_it_is_now() -> None:
    heard = Heard()
    before = datetime.now(UTC)
    async with Emitter() as emitter:
        emitter.on(NOTED, heard)
        emitter.emit(NOTED, noted(0))

    assert before <= heard.events[0].at <= datetime.now(UTC)


@pytest.mark.parametrize("wrong", [{"limit": 0}, {"patience": -1}, {"close_timeout": -1}])
def test_an_emitter_that_could_hold_or_wait_for_nothing_is_refused(wrong: dict[str, int]) -> None:
    with pytest.raises(InvalidValueError):
        Emitter(**wrong)
