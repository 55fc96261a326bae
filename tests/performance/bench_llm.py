"""Calls of a model beside v1's way: the vendor's synchronous client, one call after another, nothing accounted.

The model is the local server, in a process of its own, so that what it takes is not ours.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import anthropic
import pytest
from pydantic import SecretStr

from socrates.config import LLMConfig, Settings
from socrates.llm.caller import Caller
from socrates.llm.client import LLMClient
from socrates.llm.prompts import dialogue
from socrates.llm.prompts.composing import Rank, Section
from socrates.store import Store
from tests.load.model import served_by
from tests.performance.compare import Side, Versus
from tests.performance.targets import AtLeast, NoTarget, Under
from tests.support.llm import KEY, a_briefing
from tests.support.stores import fresh_file

MODEL = "claude-haiku-4-5-20251001"
QUESTIONS = 5
SECONDS, QUICK_SECONDS = 2.0, 0.05
"""That the model takes to answer: the plan's two."""
AT_ONCE, QUICK_AT_ONCE = 200, 10
ADA = Caller("ada")

_SERVE = """
import dataclasses, sys
from socrates.llm.demo.answers import demo_reply
from socrates.llm.demo.server import ModelServer

delay = float(sys.argv[1])
with ModelServer(lambda request: dataclasses.replace(demo_reply(request), delay=delay)) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""


def served(delay: float) -> AbstractContextManager[str]:
    """The URL of a model that takes so many seconds."""
    return served_by("-c", _SERVE, str(delay))


@asynccontextmanager
async def opened(directory: Path, url: str, **config: Any) -> AsyncIterator[LLMClient]:
    """A client on a fresh database."""
    settings = Settings(llm_config=LLMConfig(claude_base_url=url, **config))
    async with Store.open(fresh_file(directory), settings) as store, LLMClient(store, key=SecretStr(KEY)) as client:
        yield client


@pytest.fixture
def briefing() -> Any:
    return a_briefing("What is it for?", "It lends books.", "To whom?", "To everybody in the village.")


class V1Client:
    """v1's way: everything in one user message, and the SDK's synchronous client."""

    def __init__(self, url: str, prompt: str) -> None:
        self._client = anthropic.Anthropic(api_key=KEY, base_url=url)
        self._prompt = prompt

    def ask(self) -> str:
        message = self._client.messages.create(
            model=MODEL, max_tokens=200, messages=[{"role": "user", "content": self._prompt}]
        )
        return message.content[0].text

    def close(self) -> None:
        self._client.close()


def prompt_of(briefing: Any) -> str:
    """The words of our prompt, so that both send as much."""
    prompt = dialogue.socratic_question(briefing, 0, None, Section("knowledge", (), Rank.KNOWLEDGE), 8000)
    return f"{prompt.system}\n{prompt.stable}\n{prompt.data}"


def test_five_questions(versus: Versus, briefing: Any, tmp_path: Path, quick: bool) -> None:
    seconds = QUICK_SECONDS if quick else SECONDS
    with served(seconds) as url:
        v1 = V1Client(url, prompt_of(briefing))
        opening = opened(tmp_path, url)
        client = versus.loop.run_until_complete(opening.__aenter__())

        async def ours() -> None:
            await asyncio.gather(
                *(client.generate_socratic_question_async(briefing, n, caller=ADA) for n in range(QUESTIONS))
            )

        versus.loop.run_until_complete(client.test_connection_async())  # loads the SDK
        versus(
            id="questions-concurrent",
            what=f"{QUESTIONS} questions at once to a model that takes {seconds:g} s, beside one after another",
            ours=Side(ours, loops=1),
            baseline=Side(lambda: [v1.ask() for _ in range(QUESTIONS)], loops=1),
            target=Under(seconds * 1.1),
            rounds=3,
        )
        v1.close()
        versus.loop.run_until_complete(opening.__aexit__(None, None, None))


def test_what_accounting_costs(versus: Versus, briefing: Any, tmp_path: Path) -> None:
    with served(0) as url:
        v1 = V1Client(url, prompt_of(briefing))
        opening = opened(tmp_path, url)
        client = versus.loop.run_until_complete(opening.__aenter__())
        numbers = iter(range(sys.maxsize))

        async def ours() -> object:
            return await client.generate_socratic_question_async(briefing, next(numbers), caller=ADA)

        versus(
            id="question-overhead",
            what="a question to a model that takes no time, accounted, beside the SDK alone",
            ours=ours,
            baseline=v1.ask,
            target=NoTarget(),
        )
        v1.close()
        versus.loop.run_until_complete(opening.__aexit__(None, None, None))


def test_many_at_once(versus: Versus, briefing: Any, tmp_path: Path, quick: bool) -> None:
    number = QUICK_AT_ONCE if quick else AT_ONCE
    with served(0.05) as url:
        opening = opened(tmp_path, url)
        client = versus.loop.run_until_complete(opening.__aenter__())

        async def at_once() -> None:
            await asyncio.gather(
                *(client.generate_socratic_question_async(briefing, n, caller=ADA) for n in range(number))
            )

        async def one_by_one() -> None:
            for n in range(10):
                await client.generate_socratic_question_async(briefing, n, caller=ADA)

        versus.loop.run_until_complete(client.test_connection_async())
        baseline, ours = versus.measure(Side(one_by_one, loops=1), Side(at_once, loops=1), rounds=3)
        versus.figures(
            "calls-concurrent",
            f"{number} calls to a model that takes 50 ms, 10 at a time, beside one after another (10, in proportion)",
            ours.median,
            baseline.median * number / 10,
            AtLeast(1 if quick else 5),
            n=len(ours.seconds),
            spread=ours.spread,
        )
        versus.loop.run_until_complete(opening.__aexit__(None, None, None))
