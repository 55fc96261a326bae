"""Scenarios by name, and the scene in which each is played.

    @scenario()
    async def an_idea_becomes_a_project(scene: Scene) -> None:
        await with_people(scene.lab, "ada")
        await scene.ask("project_manager", "create_project", project_name="Reading Room")

Its name is that of its module and its own: `projects/an-idea-becomes-a-project`. What it is compared by are the steps
of the scene: answers with the events that they caused, and what else it looks at.
"""

from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from pydantic import SecretStr

from socrates.agents.contracts.base import Failure, Response
from socrates.events import Event
from socrates.store import Store
from tests.regression.plain import Json, Normalizer, plain
from tests.support.model_server import ScriptedModel
from tests.support.systems import Lab, fresh_system

SETTINGS: dict[str, Any] = {
    "administrators": ["root"],
    "encryption_key": SecretStr("a secret that nobody knows"),
}


@dataclass
class Scene:
    """A fresh system, and what was seen of it so far. Its clock goes on by a second after each request."""

    lab: Lab
    model: ScriptedModel
    directory: Path
    steps: list[Json] = field(default_factory=list)
    is_at_real_time: bool = False

    @property
    def store(self) -> Store:
        return self.lab.store

    @property
    def documents(self) -> Path:
        """The directory that documents are imported from."""
        return self.directory / "documents"

    async def ask(self, agent: str, action: str, user: str = "ada", **fields: Any) -> Any:
        """Have an agent answer, and see the answer and what it caused to be told."""
        response = await self.lab.ask(agent, action, user, **fields)
        step: dict[str, Json] = {"action": f"{user}: {agent}.{action}", "answer": plain(response)}
        if told := [_told(event) for event in await self.lab.events()]:
            step["events"] = told
        self.steps.append(step)
        self.lab.clock.move(seconds=1)
        return response

    async def prepare(self, agent: str, action: str, user: str = "ada", **fields: Any) -> Any:
        """The same, which must succeed, and is not looked at."""
        response: Response = await self.lab.ask(agent, action, user, **fields)
        assert not isinstance(response, Failure), response
        await self.lab.events()
        self.lab.clock.move(seconds=1)
        return response

    def see(self, what: str, value: object) -> None:
        """Look at this."""
        self.steps.append({"saw": what, "value": plain(value)})

    def to_real_time(self) -> None:
        """Set the clock to the time that it is, for answers that count from it to what the store has dated itself."""
        self.lab.clock.now = datetime.now(UTC)
        self.is_at_real_time = True


Play = Callable[[Scene], Awaitable[None]]


@dataclass(frozen=True)
class Scenario:
    """One of the 50. With `knowledge` its system has a knowledge base."""

    name: str
    act: Play
    knowledge: bool

    async def play(self) -> Json:
        """What is seen of it now, the same on every run."""
        with _fresh_directory() as directory:
            model = ScriptedModel()
            settings = {**SETTINGS, "documents_root": directory / "documents"}
            began = datetime.now(UTC)
            async with fresh_system(
                directory, reply=model, knowledge=self.knowledge, settings=settings, llm_max_retries=0
            ) as lab:
                scene = Scene(lab, model, directory)
                await self.act(scene)
                places = {str(directory): "<directory>", lab.server.url: "<model server>"}
            ended = datetime.now(UTC)
            if scene.is_at_real_time:
                ended = max(ended, lab.clock())
            return Normalizer(began, ended, places)(scene.steps)


SCENARIOS: dict[str, Scenario] = {}
"""All of them by their names, once `tests.regression.scenarios` is imported."""


def scenario(*, knowledge: bool = False) -> Callable[[Play], Play]:
    """Make this function one of the scenarios. Raises ValueError where there is one of its name."""

    def registered(act: Play) -> Play:
        name = f"{act.__module__.rpartition('.')[2]}/{act.__name__}".replace("_", "-")
        if name in SCENARIOS:
            raise ValueError(f"there are two scenarios {name}")
        SCENARIOS[name] = Scenario(name, act, knowledge)
        return act

    return registered


@contextmanager
def _fresh_directory() -> Iterator[Path]:
    """By the path that the system itself calls it by, with a directory for documents in it."""
    with TemporaryDirectory(prefix="socrates-regression-") as made:
        directory = Path(made).resolve()
        (directory / "documents").mkdir()
        yield directory


def _told(event: Event) -> Json:
    return {event.type.value: plain(event.payload)}
