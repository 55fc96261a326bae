"""What the README shows is what happens."""

import re
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

from typer.testing import CliRunner

from socrates.cli.main import app
from socrates.config import CacheConfig
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


def test_every_setting_of_the_cache_of_reads_stands_there() -> None:
    named = set(re.findall(r"^\| `SOCRATES_(\w+)` \|", section("Read from the cache"), re.MULTILINE))
    later = {"EMBEDDING_CACHE_SIZE", "SEARCH_RESULT_CACHE_SIZE", "SEARCH_CACHE_TTL_SECONDS"}
    assert named == {name.upper() for name in CacheConfig.model_fields} - later


def test_every_file_that_it_names_is_there() -> None:
    linked = [part.split(")", 1)[0] for part in README.read_text(encoding="utf-8").split("](")[1:]]
    missing = [link for link in linked if not link.startswith("#") and not (README.parent / link).exists()]
    assert not missing
    assert len(linked) > 10
