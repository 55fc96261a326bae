"""Dialogues between people and the counselor."""

import json
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from socrates.llm.demo.answers import demo_reply
from socrates.llm.demo.protocol import Answer, ModelRequest, Replier, Reply
from tests.support.systems import Lab, fresh_system, with_people, with_project

COUNSELOR = "socratic_counselor"


@asynccontextmanager
async def talking(directory: Path, reply: Replier = demo_reply, **columns: Any) -> AsyncIterator[Lab]:
    """A system with a project of ada's, in which bob is a creator; eve has no part in it. A call is made once."""
    async with fresh_system(directory, reply=reply, llm_max_retries=0) as lab:
        await with_people(lab, "ada", "bob", "eve")
        await with_project(lab, members={"bob": "creator"}, **columns)
        yield lab


async def ask(lab: Lab, user: str = "ada", project_id: str = "p1") -> Any:
    """The next question."""
    return await lab.done(COUNSELOR, "generate_question", user, project_id=project_id)


async def answer(lab: Lab, response: str, user: str = "ada", **fields: Any) -> Any:
    """What becomes of an answer."""
    return await lab.done(COUNSELOR, "process_response", user, project_id="p1", response=response, **fields)


async def set_project(lab: Lab, **changes: Any) -> None:
    """Change columns of the project."""
    async with lab.store.begin() as unit:
        await unit.projects.update("p1", (await unit.projects.summary("p1")).version, **changes)


def states(**found: Any) -> Answer:
    """What a model finds in an answer."""
    return Answer(json.dumps(found))


class HeldModel:
    """The demo's model, which answers only once it is let: `asked` is set by its first request."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.go_on = threading.Event()

    def __call__(self, request: ModelRequest) -> Reply:
        self.asked.set()
        self.go_on.wait(timeout=20)
        return demo_reply(request)
