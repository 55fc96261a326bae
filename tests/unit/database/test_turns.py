"""Waiting in line: first come first served, and not for ever."""

import asyncio

import pytest

from socrates.database.turns import Turns
from socrates.errors import BusyError


async def test_no_more_are_inside_than_there_are_places_and_they_come_in_order() -> None:
    turns, inside, most, order = Turns(3, 60), 0, 0, []

    async def visit(number: int) -> None:
        nonlocal inside, most
        async with turns:
            order.append(number)
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0.001)
            inside -= 1

    await asyncio.gather(*(visit(number) for number in range(50)))
    assert most == 3
    assert order == list(range(50))


async def test_nobody_jumps_the_queue() -> None:
    turns, order = Turns(1, 60), []

    async def visit(name: str, times: int) -> None:
        for _ in range(times):
            async with turns:
                order.append(name)
                await asyncio.sleep(0)

    await asyncio.gather(visit("often", 10), visit("once", 1))
    assert order.index("once") == 1


async def test_waiting_ends_with_busy_error_and_the_place_is_free_afterwards() -> None:
    turns = Turns(1, 0.05)
    async with turns:
        with pytest.raises(BusyError, match=r"0\.05 seconds.*lock_timeout"):
            async with turns:
                pytest.fail("it got in")
    async with turns:
        pass


async def test_a_cancelled_visitor_takes_no_place_along() -> None:
    turns = Turns(1, 60)

    async def visit() -> None:
        async with turns:
            await asyncio.sleep(3600)

    visitors = [asyncio.create_task(visit()) for _ in range(5)]
    await asyncio.sleep(0)
    for visitor in visitors:
        visitor.cancel()
    await asyncio.wait(visitors)
    async with asyncio.timeout(1), turns:
        pass
