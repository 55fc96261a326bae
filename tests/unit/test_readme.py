"""What the README shows is what happens."""

import os
import re
import shlex
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
from typer.testing import CliRunner

from socrates.cli.chatting.commands import COMMANDS
from socrates.cli.main import app
from socrates.config import CacheConfig, LLMConfig, Settings
from socrates.llm.demo.server import ModelServer
from tests.support.migrate import upgrade

SAMPLE = Path(__file__).parents[1] / "support" / "v1_samples" / "nine-tables.db"
README = Path(__file__).parents[2] / "README.md"


def section(heading: str) -> str:
    """The text of one section."""
    return README.read_text(encoding="utf-8").split(f"## {heading}\n", 1)[1].split("\n## ", 1)[0]


def indented_blocks(heading: str) -> list[str]:
    """The indented blocks of one section, in order."""
    blocks: list[list[str]] = [[]]
    for line in section(heading).splitlines():
        if line.startswith("    ") or (not line and blocks[-1]):
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [textwrap.dedent("\n".join(block)).strip() + "\n" for block in blocks if block]


def test_the_example_prints_what_stands_below_it(tmp_path: Path) -> None:
    program, printed, *_ = indented_blocks("Read and write from code")
    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == printed


def counts(shown: list[str]) -> list[list[str]]:
    """The methods of a `socrates cache stats`, with what does not depend on the machine."""
    return [line.split()[:6] for line in shown if "µs" in line or line.startswith("method")]


def test_the_cache_of_the_sample_does_what_stands_there(tmp_path: Path) -> None:
    path = Path(shutil.copyfile(SAMPLE, tmp_path / "projects.db"))
    upgrade(path, v1_timezone="UTC")
    command, *shown = indented_blocks("Read from the cache")[0].splitlines()
    result = CliRunner().invoke(app, [*command.removeprefix("$ socrates ").split()[:2], str(path)])
    printed = result.stdout.splitlines()
    assert counts(printed) == counts(shown)
    assert len(counts(shown)) == 15
    assert printed[0].removeprefix(str(path)) == shown[0].removeprefix("/home/ada/projects.db")
    assert printed[-1] == shown[-1]


def test_the_example_of_knowledge_prints_what_stands_below_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    _, program, printed, commands, *_ = indented_blocks("Search what is known")
    monkeypatch.chdir(tmp_path)
    exec(program, {})  # here, and not in a new Python, so that what takes seconds to load is loaded once
    assert capsys.readouterr().out == printed
    *_, content = commands.splitlines()
    (tmp_path / "rules.txt").write_text(content.strip())
    _, *others = commands.removeprefix("$ ").split("\n$ ")
    for each in others:
        command, *shown = each.splitlines()
        result = CliRunner().invoke(app, shlex.split(command)[1:])
        assert result.stdout.splitlines() == shown


def settings_named_in(heading: str) -> set[str]:
    return set(re.findall(r"^\| `SOCRATES_(\w+)` \|", section(heading), re.MULTILINE))


OF_KNOWLEDGE = {
    "EMBEDDING_MODEL",
    "INDEX_DIR",
    "CHROMA_URL",
    "SEARCH_CUTOFF",
    "DOCUMENTS_ROOT",
    "MAX_DOCUMENT_MB",
    "MAX_DOCUMENT_CHUNKS",
}
CACHES_OF_KNOWLEDGE = {"EMBEDDING_CACHE_SIZE", "SEARCH_RESULT_CACHE_SIZE", "SEARCH_CACHE_TTL_SECONDS"}

CONFIGS = {"CACHE_CONFIG", "LLM_CONFIG"}


def without_days_and_latencies(shown: list[str]) -> list[list[str]]:
    """The lines of a `socrates usage`, with what does not depend on the day and the machine."""
    return [line.split()[1:-2] if line.endswith("ms") else line.split() for line in shown]


def test_the_example_of_the_client_prints_what_stands_below_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _, program, printed, _, usage, *_ = indented_blocks("Ask a model")
    with ModelServer() as server:
        environment = os.environ | {"SOCRATES_CLAUDE_BASE_URL": server.url, "ANTHROPIC_API_KEY": "any"}
        run = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True, env=environment
        )
    assert run.stdout == printed
    monkeypatch.chdir(tmp_path)
    command, *shown = usage.splitlines()
    result = CliRunner().invoke(app, shlex.split(command)[2:])
    assert without_days_and_latencies(result.stdout.splitlines()) == without_days_and_latencies(shown)


def test_the_example_of_agents_prints_what_stands_below_it(tmp_path: Path) -> None:
    program, printed = indented_blocks("Let the agents work")
    with ModelServer() as server:
        environment = os.environ | {"SOCRATES_CLAUDE_BASE_URL": server.url, "ANTHROPIC_API_KEY": "any"}
        run = subprocess.run(
            [sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True, env=environment
        )
    assert run.stdout == printed


def test_every_command_of_a_conversation_stands_there() -> None:
    assert set(COMMANDS) - set(re.findall(r"`(/\w+)", section("Talk with Socrates"))) == {"/help"}


def test_every_setting_stands_there() -> None:
    caches = {name.upper() for name in CacheConfig.model_fields}
    assert settings_named_in("Read from the cache") == caches - CACHES_OF_KNOWLEDGE
    assert settings_named_in("Search what is known") == OF_KNOWLEDGE | CACHES_OF_KNOWLEDGE
    headings = ("Read and write from code", "Let the agents work", "Grow on PostgreSQL")
    elsewhere = set().union(*map(settings_named_in, headings))
    assert {name.upper() for name in Settings.model_fields} - CONFIGS == elsewhere | OF_KNOWLEDGE
    assert settings_named_in("Ask a model") == {name.upper() for name in LLMConfig.model_fields}


def test_every_file_that_it_names_is_there() -> None:
    linked = [part.split(")", 1)[0] for part in README.read_text(encoding="utf-8").split("](")[1:]]
    missing = [link for link in linked if not link.startswith("#") and not (README.parent / link).exists()]
    assert not missing
    assert len(linked) > 10
