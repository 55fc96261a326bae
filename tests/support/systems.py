"""Whole systems on fresh databases: a real store, what is known, and a local model server."""

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from socrates.agents.contracts.base import Failure, Response
from socrates.config import LLMConfig, Settings
from socrates.drafts import NewMessage
from socrates.events import Emitter, Event, EventType
from socrates.llm.demo.protocol import Replier, Reply
from socrates.llm.demo.server import ModelServer
from socrates.orchestrator import Orchestrator
from socrates.store import Store
from tests.support.knowledge import WordEmbedder
from tests.support.llm import KEY
from tests.support.model_server import ScriptedModel
from tests.support.stores import fresh_place

QUIET = {EventType.AGENT_START, EventType.AGENT_COMPLETE, EventType.TOKEN_USAGE, EventType.LOG_INFO}
"""Events that nearly every request causes."""


class Clock:
    """The time of a system, which moves when it is told to."""

    def __init__(self) -> None:
        self.now = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.now

    def move(self, **by: float) -> None:
        """Go on, as timedelta takes it."""
        self.now += timedelta(**by)


@dataclass
class Lab:
    """A system, and what is around it."""

    system: Orchestrator
    server: ModelServer
    clock: Clock
    heard: list[Event]

    @property
    def store(self) -> Store:
        return self.system.services.store

    async def ask(self, agent: str, action: str, user: str = "ada", **fields: Any) -> Response:
        """Have an agent answer."""
        return await self.system.process_request(agent, {"action": action, "current_user": user, **fields})

    async def done(self, agent: str, action: str, user: str = "ada", **fields: Any) -> Any:
        """The same, which must succeed."""
        response = await self.ask(agent, action, user, **fields)
        assert not isinstance(response, Failure), response
        return response

    async def refused(self, agent: str, action: str, user: str = "ada", **fields: Any) -> Failure:
        """The same, which must fail."""
        response = await self.ask(agent, action, user, **fields)
        assert isinstance(response, Failure), response
        return response

    async def events(self, *types: EventType) -> list[Event]:
        """What was told so far: of these types, or all that is not QUIET; the next call tells what came since."""
        await self.system.services.emitter.settle()
        found = [event for event in self.heard if (event.type in types if types else event.type not in QUIET)]
        self.heard.clear()
        return found


@asynccontextmanager
async def fresh_system(
    directory: Path,
    *script: Reply,
    by_task: Mapping[str, Reply] | None = None,
    reply: Replier | None = None,
    knowledge: bool = False,
    settings: Mapping[str, Any] | None = None,
    **config: Any,
) -> AsyncIterator[Lab]:
    """A system on an empty database; its model replies as in tests/support/llm.py. It is closed afterwards.

    With `knowledge` it has a knowledge base, whose vectors count words. `config` are values of LLMConfig.
    """
    clock, heard, emitter = Clock(), list[Event](), Emitter()
    for kind in EventType:
        emitter.on(kind, heard.append)
    with ModelServer(reply or ScriptedModel(script, by_task)) as server, fresh_place(directory) as place:
        given = LLMConfig(**({"claude_base_url": server.url, "llm_retry_delay": 0.001, "llm_timeout": 30} | config))
        chosen = Settings(**({"index_dir": directory / "index", "llm_config": given} | dict(settings or {})))
        async with Orchestrator.open(
            place,
            chosen,
            emitter=emitter,
            knowledge=knowledge,
            embedder=WordEmbedder() if knowledge else None,
            key=SecretStr(KEY),
            clock=clock,
        ) as system:
            lab = Lab(system, server, clock, heard)
            await lab.events()
            yield lab


async def with_people(lab: Lab, *names: str, tier: str = "pro") -> None:
    """Users of these names, on this tier. Nobody can log in as one: their hashes are none."""
    async with lab.store.begin() as unit:
        for name in names:
            await unit.users.create(name, "", subscription_tier=tier)


async def with_project(
    lab: Lab, project_id: str = "p1", owner: str = "ada", members: Mapping[str, str] | None = None, **columns: Any
) -> str:
    """A project with this owner, and members with these roles. `columns` as `unit.projects.create` takes them."""
    async with lab.store.begin() as unit:
        await unit.projects.create(project_id.title(), owner, project_id=project_id, **columns)
        for username, role in (members or {}).items():
            await unit.projects.add_member(project_id, username, role)
    return project_id


async def with_talk(lab: Lab, project_id: str, *contents: str, phase: str = "discovery") -> None:
    """A conversation, the tutor and ada in turn, beginning with the tutor."""
    async with lab.store.begin() as unit:
        await unit.conversations.append_many(
            project_id,
            [
                NewMessage("user", text, phase=phase, author="ada")
                if place % 2
                else NewMessage("assistant", text, phase=phase, question_number=place // 2 + 1)
                for place, text in enumerate(contents)
            ],
        )
