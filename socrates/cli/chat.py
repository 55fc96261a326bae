"""`socrates chat`: a conversation with Socrates in the terminal."""

import asyncio
import logging
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer
from pydantic import SecretStr

from socrates.cli.command import Database, answering, interruptible, say
from socrates.config import LLMConfig, Settings
from socrates.errors import ConfigurationError

_DEMO_KEY = SecretStr("a-key-that-opens-nothing")
"""The demo's model takes any."""

_Demo = Annotated[
    bool,
    typer.Option("--demo", help="A model on this machine, which needs no key; without DATABASE, keep nothing."),
]
_Knowledge = Annotated[
    bool | None, typer.Option("--knowledge/--no-knowledge", help="Search what is known. Default: where the extra is.")
]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where the conversation happens."""

    database: str | None
    settings: Settings
    key: SecretStr | None = None
    is_thrown_away: bool = False


def chat(database: Database = None, demo: _Demo = False, knowledge: _Knowledge = None) -> None:
    """Talk with Socrates about a project: it asks, you answer, and it keeps what it learns."""
    with answering(as_json=False):
        if find_spec("anthropic") is None:
            raise ConfigurationError("a conversation needs a model's package: pip install 'socrates[llm]'")
        if not (sys.stdin.isatty() and sys.stdout.isatty()):
            raise ConfigurationError("a conversation needs a terminal: standard input and output are none here")
        # What failed stands in the conversation. Logs would repeat it in its midst, and not make it safe to show.
        logging.getLogger().addHandler(logging.NullHandler())
        with (
            interruptible(as_json=False, state=lambda: "what was stored by then stays"),
            _place(database, demo) as place,
        ):
            asyncio.run(_talk(place, knowledge))


@contextmanager
def _place(database: str | None, demo: bool) -> Iterator[_Place]:
    """The database and the model; the demo's own are gone afterwards."""
    if not demo:
        yield _Place(database, Settings())
        return
    # Not at the top: whoever does not need the demo's model should not wait for it.
    from socrates.llm.demo.server import ModelServer  # noqa: PLC0415

    with ExitStack() as stack:
        server = stack.enter_context(ModelServer())
        is_thrown_away = database is None
        if database is None:
            directory = Path(stack.enter_context(TemporaryDirectory(prefix="socrates-demo-")))
            database = str(directory / "demo.db")
            say("A demonstration: the model is on this machine, and nothing is kept.")
        settings = Settings(llm_config=LLMConfig(claude_base_url=server.url))
        yield _Place(database, settings, _DEMO_KEY, is_thrown_away)


async def _talk(place: _Place, knowledge: bool | None) -> None:
    # Loaded here, after the help and the checks: these take a second.
    from socrates.cli.chatting.entrance import enter  # noqa: PLC0415
    from socrates.cli.chatting.screen import LeftError, Screen  # noqa: PLC0415
    from socrates.cli.chatting.session import Session  # noqa: PLC0415
    from socrates.cli.chatting.talk import talk  # noqa: PLC0415
    from socrates.orchestrator import Orchestrator  # noqa: PLC0415

    screen = Screen()
    if knowledge or (knowledge is None and find_spec("chromadb") is not None):
        screen.say("Loading what is known; the first time that takes a while.", "dim")
    async with Orchestrator.open(place.database, place.settings, knowledge=knowledge, key=place.key) as system:
        session = Session(system, screen)
        try:
            await enter(session, has_all_tiers=place.is_thrown_away)
            await talk(session)
        except LeftError:
            screen.say("Goodbye.")
