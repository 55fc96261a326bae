"""An emitter that closes loses nothing, or says what."""

import asyncio

import pytest

from socrates.errors import ClosedError, InvalidValueError
from socrates.events import Emitter, Event
from tests.support.events import LOGGED, NOTED, Gate, Heard, errors, noted


async def test_closing_hands_out_everything_and_what_listeners_add() -> None:
    heard = Heard()
    async with Emitter() as emitter:

        async def slow(event: Event) -> None:
            await asyncio.sleep(0.002)
            await emitter.emit_async(LOGGED, {"message": "handled"})

        emitter.on(NOTED, slow)
        emitter.on(LOGGED, heard)
        for number in range(10):
            emitter.emit(NOTED, noted(number))

    assert len(heard.events) == 10
    assert emitter.lost == 0


async def test_closing_loses_patience_with_a_listener_that_hangs_and_says_what_is_lost(
    caplog: pytest.LogCaptureFixture,
) -> None:
    gate, heard = Gate(), Heard()
    async with Emitter(close_timeout=0.5) as emitter:
        emitter.on(NOTED, gate)
        emitter.on(NOTED, heard)
        for number in range(3):
            emitter.emit(NOTED, noted(number))

    assert (emitter.lost, gate.events, heard.numbers) == (3, [], [0, 1, 2])
    assert any("3 events, from number 1 on, are lost for listener Gate" in told for told in errors(caplog))


async def test_a_closing_without_patience_still_says_what_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    async with Emitter(close_timeout=0) as emitter:
        emitter.on(NOTED, Gate())
        emitter.emit(NOTED, noted(0))

    assert emitter.lost == 1


async def test_nothing_is_taken_before_the_opening_and_after_the_end() -> None:
    emitter = Emitter()
    with pytest.raises(ClosedError, match="not open yet"):
        emitter.emit(NOTED, noted(0))
    async with emitter:
        pass
    await emitter.aclose()
    with pytest.raises(ClosedError, match="is closed"):
        await emitter.emit_async(NOTED, noted(0))
    with pytest.raises(ClosedError, match="opened once"):
        async with emitter:
            pass


async def test_a_listener_that_would_close_or_wait_for_its_emitter_is_refused(caplog: pytest.LogCaptureFixture) -> None:
    heard = Heard()
    async with Emitter() as emitter:

        async def close(event: Event) -> None:
            with pytest.raises(InvalidValueError, match="wait for itself"):
                await emitter.settle()
            await emitter.aclose()

        emitter.on(LOGGED, close)
        emitter.on(NOTED, heard)
        emitter.emit(LOGGED, {"message": "close!"})
        await emitter.settle()
        emitter.emit(NOTED, noted(1))

    assert heard.numbers == [1]
    assert "wait for itself" in caplog.text
