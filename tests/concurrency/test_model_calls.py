"""Many calls of a model at once: in their places, accounted each once, and nobody waits for anybody's computing."""

import asyncio
import gc
import time
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from pydantic import SecretStr

from socrates.config import LLMConfig
from socrates.errors import LLMError
from socrates.llm.caller import Caller
from socrates.llm.client import LLMClient
from socrates.llm.demo.protocol import Answer, Drop, Failure, ModelRequest, Reply
from socrates.llm.demo.server import ModelServer
from tests.support.llm import a_briefing, fresh_lab
from tests.support.model_server import OVERLOADED, AtWork, ScriptedModel
from tests.support.stores import fresh_store

MANY = 200
BEAT = 0.002
"""Seconds."""


@asynccontextmanager
async def heartbeat() -> AsyncIterator[list[float]]:
    """The seconds by which each beat of the event loop was late."""
    late: list[float] = []

    async def beat() -> None:
        while True:
            began = time.perf_counter()
            await asyncio.sleep(BEAT)
            late.append(time.perf_counter() - began - BEAT)

    beating = asyncio.create_task(beat())
    await asyncio.sleep(0)  # it has begun
    try:
        yield late
    finally:
        await asyncio.sleep(2 * BEAT)  # what took less than a beat is within one, which ends
        beating.cancel()


async def test_two_hundred_calls_keep_to_their_places_and_are_accounted_each_once(tmp_path: Path) -> None:
    def reply(request: ModelRequest) -> Reply:
        number = int(request.user.split("call ")[1].split()[0])
        if number % 10 == 0:
            return Failure(400, "invalid_request_error", "no")
        return Answer(f"answer to {number}")

    model = AtWork(reply, seconds=0.04)
    async with fresh_lab(tmp_path, reply=model, llm_concurrency=10) as lab:

        async def ask(number: int) -> str:
            try:
                result = await lab.client.generate_response_async(f"call {number} ", caller=Caller("ada"))
            except LLMError as error:
                return str(error.status)
            return result.value

        answers = await asyncio.gather(*(ask(number) for number in range(MANY)))

        assert answers == ["400" if n % 10 == 0 else f"answer to {n}" for n in range(MANY)]
        assert 2 <= model.most <= 10
        rows = await lab.rows("ada")
        assert len({row.request_id for row in rows}) == len(rows) == MANY
        assert sum(row.success for row in rows) == MANY * 9 // 10
        assert lab.client.monitor.calls == MANY


async def test_two_hundred_calls_that_are_cancelled_leave_every_place_free(tmp_path: Path) -> None:
    def reply(request: ModelRequest) -> Reply:
        if "next" in request.user:
            return Answer("good")
        return Answer("late", delay=20) if "call 1" in request.user else Drop()

    async with fresh_lab(tmp_path, reply=reply, llm_concurrency=10) as lab:
        client, ada = lab.client, Caller("ada")
        asked = [asyncio.create_task(client.generate_response_async(f"call {n}", caller=ada)) for n in range(MANY)]
        await asyncio.sleep(0.3)
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)

        async with asyncio.timeout(10):
            results = await asyncio.gather(*(client.generate_response_async("next") for _ in range(10)))
        assert [result.value for result in results] == ["good"] * 10
        assert len(await lab.rows("ada")) == MANY


async def test_memory_does_not_grow_with_the_number_of_calls(tmp_path: Path) -> None:
    async def ask(client: LLMClient) -> int:
        for _ in range(3):
            await asyncio.gather(*(client.generate_response_async("hello " * 1000) for _ in range(20)))
        client.monitor.last.clear()
        gc.collect()  # what only waits for it is no growth
        return tracemalloc.get_traced_memory()[0]

    with ModelServer(lambda _: Answer("word " * 1000), keep=1) as server:
        config = LLMConfig(claude_base_url=server.url)
        async with (
            fresh_store(tmp_path, llm_config=config) as store,
            LLMClient(store, key=SecretStr("sk-test")) as client,
        ):
            await ask(client)
            tracemalloc.start()
            try:
                growth = -await ask(client) + await ask(client)
            finally:
                tracemalloc.stop()

    # Expected are 50 kB; 60 answers and as many prompts have 660 kB.
    assert growth < 200_000, f"{growth} bytes"


async def test_five_questions_take_as_long_as_one(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, reply=lambda _: Answer("What for?", delay=1)) as lab:
        project = a_briefing("What will it be?", "A library", team={"ada": "lead"})
        await lab.client.generate_socratic_question_async(project, 0)  # loads the SDK
        began = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for number in range(5):
                group.create_task(lab.client.generate_socratic_question_async(project, number))
        seconds = time.perf_counter() - began

        # Expected are 1.05 s (llm-client, chapter 11, allows 0.5 s for answers of 0.2 s); one after another takes 5 s.
        assert seconds < 4


@pytest.mark.parametrize("asked", ["whole", "pieces", "failure", "timeout"])
async def test_no_call_but_the_first_blocks_the_event_loop(tmp_path: Path, asked: str) -> None:
    replies: dict[str, Reply] = {
        "whole": Answer("word " * 1500),
        "pieces": Answer("word " * 1500),
        "failure": OVERLOADED,
        "timeout": Answer("late", delay=20),
    }
    seconds = 0.3 if asked == "timeout" else 30
    model = ScriptedModel([Answer("first")], fallback=lambda _: replies[asked])
    async with fresh_lab(tmp_path, reply=model, llm_timeout=seconds, llm_max_retries=1) as lab:
        await lab.client.generate_response_async("hello")

        latest = []
        for _ in range(3):
            async with heartbeat() as late:
                try:
                    if asked == "pieces":
                        async for _ in lab.client.stream_response_async("hello " * 5000):
                            pass
                    else:
                        await lab.client.generate_response_async("hello " * 5000)
                except LLMError:
                    assert asked in {"failure", "timeout"}
            latest.append(max(late))

        # Expected are a few ms (limit of llm-client, chapter 11: 20 ms); a call that blocks does so each time, and a
        # machine that is busy elsewhere now and then.
        assert min(latest) < 0.1
