"""What is under way is counted, waited for, and stopped."""

import asyncio

import pytest

from socrates.database.flight import Flight
from socrates.errors import ClosedError


async def test_an_empty_flight_lands_at_once_and_lets_nobody_on_again() -> None:
    flight = Flight()
    await asyncio.wait_for(flight.land(60), 1)
    with pytest.raises(ClosedError, match=r"Store\.open"), flight.aboard():
        pytest.fail("it was let on")


async def test_landing_waits_for_the_last_one() -> None:
    flight, done = Flight(), []

    async def travel(seconds: float) -> None:
        with flight.aboard():
            await asyncio.sleep(seconds)
        done.append(seconds)

    travelling = [asyncio.create_task(travel(seconds)) for seconds in (0.02, 0.05, 0.1)]
    await asyncio.sleep(0)
    await asyncio.wait_for(asyncio.gather(flight.land(60), flight.land(60)), 5)
    await asyncio.gather(*travelling)
    assert done == [0.02, 0.05, 0.1]


async def test_whoever_is_aboard_when_the_patience_ends_gets_closed_error_and_no_cancellation() -> None:
    flight, cleaned = Flight(), []

    async def travel() -> str:
        try:
            with flight.aboard(), flight.aboard():  # a read inside a unit of work
                try:
                    await asyncio.sleep(3600)
                finally:
                    await asyncio.sleep(0.02)
                    cleaned.append(True)
        except ClosedError:
            await asyncio.sleep(0)  # the task goes on
            return "told"
        return "arrived"

    travelling = asyncio.create_task(travel())
    await asyncio.sleep(0)
    await flight.land(0)
    assert cleaned == [True], "cleaning up is waited for"
    assert await travelling == "told"
    assert travelling.cancelling() == 0


async def test_somebody_elses_cancellation_is_not_taken_for_the_landing() -> None:
    flight = Flight()

    async def travel() -> None:
        with flight.aboard():
            await asyncio.sleep(3600)

    travelling = asyncio.create_task(travel())
    await asyncio.sleep(0)
    landing = asyncio.create_task(flight.land(0))
    await asyncio.sleep(0)
    travelling.cancel()
    await landing
    with pytest.raises(asyncio.CancelledError):
        await travelling


async def test_an_exception_passes_as_it_is() -> None:
    flight = Flight()
    with pytest.raises(KeyError, match="x"), flight.aboard():
        raise KeyError("x")
    await asyncio.wait_for(flight.land(60), 1)
