"""Many calls at once, calls that outlive their client, and what those are charged who leave before the end."""

import asyncio
import contextlib
import gc
import random
from pathlib import Path
from typing import Any

import pytest

from socrates.errors import ClosedError
from socrates.llm.demo.protocol import Answer, Drop, Failure, ModelRequest, Raw, Reply, StreamError
from tests.support.llm import Lab, a_briefing, fresh_lab

LONG = "One word after the other. " * 20

PROJECT = a_briefing("What is it for?", "To lend books")
NEW = {"requirements": ["a"], "goals": ["b"], "constraints": ["c"]}


async def _streamed(lab: Lab, pieces: int) -> None:
    async with contextlib.aclosing(lab.client.stream_response_async("hello")) as stream:
        async for _ in stream:
            if not (pieces := pieces - 1):
                return


async def test_nothing_is_left_of_hundreds_of_calls_half_of_which_are_cancelled(tmp_path: Path) -> None:
    chance = random.Random(8)
    untold: list[Any] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: untold.append(context))

    def reply(request: ModelRequest) -> Reply:
        bad = (Failure(529, "overloaded_error", "busy"), Drop(after_pieces=1), Raw(b"{"), StreamError(2, "x", "y"))
        return chance.choice([*bad, *[Answer(LONG, delay=chance.random() / 100, delay_between=0.001)] * 4])

    async with fresh_lab(tmp_path, reply=reply) as lab:
        asked = []
        for number in range(20):
            asked += [
                asyncio.create_task(lab.client.generate_response_async("hello")),
                asyncio.create_task(_streamed(lab, 1 + number % 5)),
                asyncio.create_task(lab.client.detect_conflicts_async(PROJECT, NEW)),
                asyncio.create_task(lab.client.generate_artifact_async(PROJECT)),
            ]
        for task in chance.sample(asked, 40):
            await asyncio.sleep(chance.random() / 50)
            for _ in range(chance.randint(1, 3)):
                task.cancel()
                await asyncio.sleep(0)
        ended = await asyncio.gather(*asked, return_exceptions=True)
        await lab.client.aclose()

        assert lab.client._calls._slots._value == 10
        assert len(await lab.rows()) == lab.client.monitor.calls > 100
        assert sum(isinstance(one, asyncio.CancelledError) for one in ended) > 10
        del asked, ended, task
        gc.collect()
        assert asyncio.all_tasks() == {asyncio.current_task()}
    assert untold == []


async def test_who_leaves_before_the_end_of_a_stream_is_charged_for_what_came(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, Answer(LONG)) as lab:
        heard = ""
        async with contextlib.aclosing(lab.client.stream_response_async("hello")) as stream:
            while len(heard) < len(LONG):
                heard += (await anext(stream)).text

        (row,) = await lab.rows()
        assert not row.success
        assert row.output_tokens == len(LONG) // 4
        assert row.cost


async def test_a_call_that_outlives_its_client_is_not_tried_again(tmp_path: Path) -> None:
    busy = Failure(529, "overloaded_error", "busy", retry_after=1.5)
    async with fresh_lab(tmp_path, busy, settings={"close_timeout": 0.05}) as lab:
        asked = asyncio.create_task(lab.client.generate_response_async("hello"))
        async with asyncio.timeout(10):
            while not lab.server.answered:  # noqa: ASYNC110 - a thread of the server answers
                await asyncio.sleep(0.01)
        await lab.client.aclose()

        with pytest.raises(ClosedError, match="make another"):
            await asked
        assert lab.server.answered == 1
        (row,) = await lab.rows()
        assert (row.success, row.error_message) == (False, "ended by ClosedError")
