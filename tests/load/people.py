"""What one person does in a session, through the orchestrator: a project, questions and answers, searches, an artifact.

Every response is checked, and what was acknowledged is remembered, so that the database can be held to it afterwards.
"""

from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from socrates.agents.contracts.base import Failure
from socrates.config import LLMConfig, Settings
from socrates.knowledge.embedder import Purpose, Vectors
from socrates.orchestrator import Orchestrator
from socrates.store import Store
from tests.load.latencies import Latencies
from tests.support.knowledge import WordEmbedder
from tests.support.llm import KEY

PEOPLE = 50
QUESTIONS = 5

_SAID = (
    "The goal is to lend books to everybody in the village.",
    "It must remind readers of due dates.",
    "We use Python and SQLite.",
    "It must work without a network.",
    "Two people work on it, within three months.",
)


class NotDoneError(Exception):
    """An action failed, or its answer was not what it has to be."""


@asynccontextmanager
async def opened(place: str | Path, directory: Path, url: str, **settings: Any) -> AsyncIterator[Orchestrator]:
    """A system on this database, its index in `directory`, whose model is at `url`.

    It takes as many calls at once as there are people. A call is made once only: a second attempt would hide an error.
    """
    config = LLMConfig(claude_base_url=url, llm_concurrency=PEOPLE, llm_max_retries=0)
    chosen = Settings(llm_config=config, index_dir=directory / "index", **settings)
    async with Orchestrator.open(place, chosen, embedder=_ForgetfulEmbedder(), key=SecretStr(KEY)) as system:
        await system.services.llm.test_connection_async()  # loads the SDK, which takes seconds and is not the load
        yield system


async def register(store: Store, names: Iterable[str]) -> None:
    """Users of these names, whom no subscription stops. Their hashes are none: a real one takes 0.1 s each."""
    async with store.begin() as unit:
        for name in names:
            await unit.users.create(name, "", subscription_tier="enterprise")


class _ForgetfulEmbedder(WordEmbedder):
    """Keeps no account of what it was asked: over a long time that would pass for a leak."""

    async def embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
        vectors = await super().embed(texts, purpose)
        self.calls.clear()
        return vectors


@dataclass
class Person:
    """Somebody at work in one project at a time."""

    system: Orchestrator
    name: str
    latencies: Latencies
    project_id: str = ""
    said: dict[int, str] = field(default_factory=dict)
    """The messages of the project that were acknowledged, by position."""
    note_ids: list[str] = field(default_factory=list)

    async def work(self, questions: int = QUESTIONS) -> None:
        """A whole session in a new project. Raises NotDoneError at the first thing that is not as it has to be."""
        await self.create()
        for turn in range(questions):
            await self.ask()
            await self.answer(turn)
        await self.search(questions)
        await self.generate()

    async def create(self) -> None:
        """Make the project."""
        made = await self._done("create", "project_manager", "create_project", project_name="Reading Room")
        self.project_id, self.said = made.project.project_id, {}
        listed = await self._done("list", "project_manager", "list_projects")
        _require(self.project_id in {project.project_id for project in listed.projects}, "its project is listed")

    async def ask(self) -> None:
        """Have the next question asked, by the model and not by the bank."""
        asked = await self._done("question", "socratic_counselor", "generate_question", project_id=self.project_id)
        _require(not asked.degraded, asked.warning)
        self._remember(asked.position, asked.question)

    async def answer(self, turn: int) -> None:
        """Answer it; every answer names the person, by which a search finds it."""
        text = f"{_SAID[turn % len(_SAID)]} So says {self.name}."
        processed = await self._done(
            "answer", "socratic_counselor", "process_response", project_id=self.project_id, response=text
        )
        _require(processed.analyzed and not processed.degraded and not processed.unchecked, processed.warning)
        self._remember(processed.answer_position, text)

    async def search(self, answers: int) -> None:
        """Search what is known, the conversation, and the notes after one was written: what is there is found."""
        known = await self._done(
            "find", "context_analyzer", "find_similar", project_id=self.project_id, query=f"books for {self.name}"
        )
        _require(len(known.similar_projects) == 3, "what everybody knows is searched")
        found = await self._done(
            "search", "context_analyzer", "search_conversations", project_id=self.project_id, query=f"SAYS {self.name}"
        )
        _require(len(found.results) == answers, f"{answers} answers are found, and not {len(found.results)}")
        text = f"{self.name} asks about fees."
        of_it = {"project_id": self.project_id}
        added = await self._done(
            "note", "note_manager", "add_note", **of_it, note_type="idea", title="Fees", content=text
        )
        self.note_ids.append(added.note.note_id)
        notes = await self._done("search", "note_manager", "search_notes", **of_it, query=self.name)
        _require([note.note_id for note in notes.results] == self.note_ids[-1:], "the note is found")

    async def generate(self) -> None:
        """Have the artifact written."""
        made = await self._done("generate", "code_generator", "generate_artifact", project_id=self.project_id)
        _require(bool(made.artifact) and not made.truncated, "the artifact is whole")

    def _remember(self, position: int, content: str) -> None:
        _require(position not in self.said, f"position {position} is given once only")
        self.said[position] = content

    async def _done(self, kind: str, agent: str, action: str, **fields: Any) -> Any:
        with self.latencies.timing(kind):
            response = await self.system.process_request(agent, {"action": action, "current_user": self.name, **fields})
            if isinstance(response, Failure):
                raise NotDoneError(f"{action} of {self.name}: {response.code}: {response.message}")
        return response


def _require(holds: bool, what: str) -> None:
    if not holds:
        raise NotDoneError(f"it does not hold that: {what}")
