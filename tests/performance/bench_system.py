"""Questions through the orchestrator, beside v1's way: one question after another, each waiting for its model."""

import asyncio
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from socrates.agents.contracts.base import Failure
from socrates.config import LLMConfig, Settings
from socrates.orchestrator import Orchestrator
from tests.performance.bench_llm import QUESTIONS, QUICK_SECONDS, SECONDS, V1Client, served
from tests.performance.compare import Side, Versus
from tests.performance.targets import NoTarget, Under
from tests.support.llm import KEY
from tests.support.stores import fresh_file

_PROMPT = "Ask one question about a library that lends books. " * 20


async def system_with(stack: AsyncExitStack, directory: Path, url: str, projects: int) -> Orchestrator:
    """A system without knowledge, in which ada has so many projects."""
    settings = Settings(llm_config=LLMConfig(claude_base_url=url))
    system = await stack.enter_async_context(
        Orchestrator.open(fresh_file(directory), settings, knowledge=False, key=SecretStr(KEY))
    )
    async with system.services.store.begin() as unit:
        await unit.users.create("ada", "", subscription_tier="enterprise")
        for number in range(projects):
            await unit.projects.create("Reading Room", "ada", project_id=f"p{number}")
    return system


async def ask(system: Orchestrator, project: int) -> Any:
    request = {"action": "generate_question", "current_user": "ada", "project_id": f"p{project}"}
    response = await system.process_request("socratic_counselor", request)
    assert not isinstance(response, Failure), response
    return response


def test_five_questions_through_the_orchestrator(versus: Versus, tmp_path: Path, quick: bool) -> None:
    seconds = QUICK_SECONDS if quick else SECONDS
    with served(seconds) as url:
        stack, v1 = AsyncExitStack(), V1Client(url, _PROMPT)
        system = versus.loop.run_until_complete(system_with(stack, tmp_path, url, QUESTIONS))
        versus.loop.run_until_complete(system.services.llm.test_connection_async())  # loads the SDK

        async def ours() -> None:
            await asyncio.gather(*(ask(system, number) for number in range(QUESTIONS)))

        versus(
            id="questions-orchestrated",
            what=f"{QUESTIONS} questions at once through the orchestrator, at a model that takes {seconds:g} s",
            ours=Side(ours, loops=1),
            baseline=Side(lambda: [v1.ask() for _ in range(QUESTIONS)], loops=1),
            target=Under(seconds * 1.1),
            rounds=3,
        )
        v1.close()
        versus.loop.run_until_complete(stack.aclose())


def test_what_a_request_costs(versus: Versus, tmp_path: Path) -> None:
    with served(0) as url:
        stack, v1 = AsyncExitStack(), V1Client(url, _PROMPT)
        system = versus.loop.run_until_complete(system_with(stack, tmp_path, url, 1))

        async def ours() -> Any:
            return await ask(system, 0)

        versus(
            id="question-orchestrated",
            what="a question at a model that takes no time: allowed, counted, stored, told; beside the SDK alone",
            ours=ours,
            baseline=v1.ask,
            target=NoTarget(),
        )
        v1.close()
        versus.loop.run_until_complete(stack.aclose())
