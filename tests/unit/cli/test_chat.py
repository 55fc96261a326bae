"""`socrates chat`, in a terminal: from registering to an artifact that lies in a file."""

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import StringIO
from pathlib import Path
from typing import Any

import pexpect
import pytest
from rich.console import Console
from typer.testing import CliRunner

from socrates import sync
from socrates.cli.chatting.answers import analyse_again, take_answer
from socrates.cli.chatting.files import save
from socrates.cli.chatting.screen import Screen
from socrates.cli.chatting.session import Session
from socrates.cli.main import app
from tests.support.migrate import REPOSITORY
from tests.support.model_server import OVERLOADED
from tests.support.systems import fresh_system, with_people, with_project

_MAIN = "from socrates.cli.main import main; main()"
_PATIENCE = 30
"""Seconds for what takes two at most on a quiet machine."""


class Terminal:
    """A terminal in which the conversation runs, and somebody who types."""

    def __init__(self, child: "pexpect.spawn[str]") -> None:
        self._child = child
        self._log = StringIO()
        child.logfile_read = self._log

    def sees(self, *texts: str) -> None:
        """These texts appear, in this order."""
        for text in texts:
            self._child.expect(re.escape(text), timeout=_PATIENCE)

    @property
    def shown(self) -> str:
        """Everything up to what was seen last."""
        return self._log.getvalue()

    def types(self, text: str, *, after: str = "You: ") -> None:
        """Type a line when the prompt has come."""
        self.sees(after.rstrip())  # the blank comes after a command to the terminal
        self._child.send(f"{text}\r")

    def presses(self, key: str, *, after: str = "You: ") -> None:
        """Press Control and a key when the prompt has come."""
        self.sees(after.rstrip())  # the blank comes after a command to the terminal
        self._child.sendcontrol(key)

    def ends(self) -> int:
        """The exit status."""
        self._child.expect(pexpect.EOF, timeout=_PATIENCE)
        self._child.close()
        return int(self._child.exitstatus)


@contextmanager
def conversation(directory: Path, *arguments: str, term: str = "xterm") -> Iterator[Terminal]:
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("SOCRATES_", "ANTHROPIC"))}
    # The terminal here is nobody who could answer where its cursor is.
    environment |= {
        "HOME": str(directory),
        "PYTHONPATH": str(REPOSITORY),
        "PROMPT_TOOLKIT_NO_CPR": "1",
        "TERM": term,
        "COLUMNS": "120",
    }
    child = pexpect.spawn(
        sys.executable,
        ["-c", _MAIN, "chat", *arguments],
        cwd=directory,
        env=environment,
        encoding="utf-8",
        dimensions=(40, 120),
    )
    try:
        yield Terminal(child)
    finally:
        child.close(force=True)


def register(terminal: Terminal, name: str = "ada") -> None:
    terminal.types("2", after="Which? ")
    terminal.types(name, after="Your name: ")
    terminal.types("a long passcode", after="Your passcode: ")
    terminal.types("a long passcode", after="once more: ")
    terminal.sees(f"Welcome, {name}.")


def begin_project(terminal: Terminal) -> None:
    terminal.types("1", after="Which one? ")
    terminal.types("Reading Room", after="called? ")
    terminal.types("1", after="Which? ")
    terminal.sees("Reading Room: discovery")


def test_somebody_walks_from_registering_to_an_artifact(tmp_path: Path) -> None:
    database = tmp_path / "library.db"
    with conversation(tmp_path, str(database), "--demo", "--no-knowledge") as terminal:
        register(terminal)
        begin_project(terminal)
        terminal.types("The goal is to lend books to the village. We need a catalogue. We will use React.")
        terminal.sees("What I learned:", "React", "discovery", "%")
        terminal.types("We will use Vue for the pages.")
        terminal.sees("These contradict each other (medium):", "React", "Vue")
        terminal.presses("c", after="Which? ")
        terminal.sees("/conflicts decides what is left.")
        terminal.types("/conflicts")
        terminal.types("2", after="Which? ")
        terminal.sees("Decided.")
        terminal.types("/hint")
        terminal.types("/note Ask the librarian about opening hours")
        terminal.sees("Noted.")
        terminal.types("/search librarian")
        terminal.sees("note: Ask the librarian")
        terminal.types("/maturity")
        terminal.sees("socrates users tier NAME pro")  # the database stays: no demonstration gives a tier in it
        assert CliRunner().invoke(app, ["users", "tier", "ada", "pro", str(database)]).exit_code == 0
        terminal.types("/maturity")
        terminal.sees("discovery", "analysis", "design", "implementation")
        terminal.types("/advance")
        terminal.types("y", after="all the same? [y/n] ")
        terminal.sees("Reading Room: analysis", "We need a catalogue")  # at once a question of the new phase
        terminal.types("/artifact")
        terminal.sees("Saved: ", "reading-room-code.md")
        terminal.types("/quit")
        terminal.sees("Goodbye.")
        assert terminal.ends() == 0
    assert len((tmp_path / "reading-room-code.md").read_text("utf-8")) > 100
    with sync.Store.open(database) as store:
        (project,) = store.projects.for_user("ada")
        context = store.projects.context(project.id)
        assert (project.phase, context.tech_stack) == ("analysis", ("Vue",))
        assert [message.type for message in store.conversations.after(project.id)][:4] == ["assistant", "user"] * 2


def test_a_demonstration_that_is_not_kept_shows_what_every_tier_has(tmp_path: Path) -> None:
    with conversation(tmp_path, "--demo", "--no-knowledge") as terminal:
        register(terminal)
        terminal.presses("d", after="Which one? ")
        assert "you are on the Pro tier" in terminal.shown
        assert terminal.ends() == 0
    assert list(tmp_path.rglob("*.db")) == []


def test_a_conversation_goes_on_where_it_was_left(tmp_path: Path) -> None:
    database = tmp_path / "library.db"
    with sync.Orchestrator.open(database, knowledge=False) as system:

        def ask(agent: str, action: str, **fields: object) -> Any:
            return system.process_request(agent, {"action": action, "current_user": "ada", **fields})

        ask("user_manager", "create_user", passcode="a long passcode")
        made = ask("project_manager", "create_project", project_name="Reading Room")
        project_id = made.project.project_id
        ask("socratic_counselor", "toggle_dynamic_questions", project_id=project_id)
        question = ask("socratic_counselor", "generate_question", project_id=project_id).question
    with conversation(tmp_path, str(database), "--demo", "--no-knowledge") as terminal:
        terminal.types("1", after="Which? ")
        terminal.presses("c", after="Your name: ")
        terminal.sees("Stopped.")
        terminal.types("1", after="Which? ")
        terminal.types("ada", after="Your name: ")
        terminal.types("a wrong passcode", after="Your passcode: ")
        terminal.sees("don't fit together")
        terminal.types("1", after="Which? ")
        terminal.types("ada", after="Your name: ")
        terminal.types("a long passcode", after="Your passcode: ")
        terminal.types("1", after="Which one? ")
        terminal.sees(question)
        terminal.types("/nonsense")
        terminal.sees("There is no command /nonsense")
        terminal.presses("d")
        terminal.sees("Goodbye.")
        assert terminal.ends() == 0
    with sync.Store.open(database) as store:
        assert store.conversations.count(project_id) == 1  # it was not asked anew


def test_who_has_no_key_is_told_so_once_and_goes_on_with_the_bank_of_questions(tmp_path: Path) -> None:
    with conversation(tmp_path, "library.db", "--no-knowledge", term="dumb") as terminal:
        register(terminal)
        begin_project(terminal)
        terminal.sees("there is no API key for claude", "Which problem is your project to solve")
        terminal.types("/artifact")
        terminal.sees("socrates users tier NAME pro")
        terminal.types("/QUIT")
        assert terminal.ends() == 0
        assert "AUTHENTICATION_ERROR" not in terminal.shown  # so the log's lines have
        # Not even on a terminal that can do nothing but show what comes.
        assert "a long passcode" not in terminal.shown


async def test_an_answer_that_no_model_could_analyse_is_analysed_later(tmp_path: Path) -> None:
    shown = StringIO()
    async with fresh_system(tmp_path, OVERLOADED, llm_max_retries=0) as lab:
        await with_people(lab, "ada")
        session = Session(lab.system, Screen(Console(file=shown)), "ada", await with_project(lab))
        await take_answer(session, "We need a catalogue.")
        assert "/again has it analysed" in shown.getvalue()
        assert "What I learned:" not in shown.getvalue()
        assert await analyse_again(session)
        assert "We need a catalogue" in shown.getvalue().partition("What I learned:")[2]
        assert not await analyse_again(session)
    assert "Every answer was analysed." in shown.getvalue()


def test_without_the_extra_no_conversation_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "anthropic", None)
    done = CliRunner().invoke(app, ["chat", "--demo"])
    assert done.exit_code == 2
    assert "pip install 'socrates[llm]'" in done.stderr


def test_no_conversation_is_held_with_a_pipe() -> None:
    done = CliRunner().invoke(app, ["chat", "--demo"], input="1\n")
    assert done.exit_code == 2
    assert "a conversation needs a terminal" in done.stderr


def test_an_artifact_never_takes_the_place_of_a_file(tmp_path: Path) -> None:
    first = save("one", "Reading Room / ../etc", "business_plan", tmp_path)
    second = save("two", "Reading Room / ../etc", "business_plan", tmp_path)
    assert (first.name, second.name) == ("reading-room-etc-business-plan.md", "reading-room-etc-business-plan-2.md")
    assert (first.read_text(), second.read_text()) == ("one", "two")


@pytest.mark.parametrize("project", ["", "///", "x" * 500])
def test_every_project_gives_a_file_a_name(project: str, tmp_path: Path) -> None:
    assert save("text", project, "code", tmp_path).parent == tmp_path
