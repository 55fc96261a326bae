"""What the README shows is what happens."""

import subprocess
import sys
import textwrap
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def indented_blocks(section: str) -> list[str]:
    """The indented blocks of one section, in order."""
    text = README.read_text(encoding="utf-8").split(f"## {section}\n", 1)[1].split("\n## ", 1)[0]
    blocks: list[list[str]] = [[]]
    for line in text.splitlines():
        if line.startswith("    ") or (not line and blocks[-1]):
            blocks[-1].append(line)
        elif blocks[-1]:
            blocks.append([])
    return [textwrap.dedent("\n".join(block)).strip() + "\n" for block in blocks if block]


def test_the_example_prints_what_stands_below_it(tmp_path: Path) -> None:
    program, printed, *_ = indented_blocks("Read and write from code")
    run = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert run.stdout == printed


def test_every_file_that_it_names_is_there() -> None:
    linked = [part.split(")", 1)[0] for part in README.read_text(encoding="utf-8").split("](")[1:]]
    missing = [link for link in linked if not link.startswith("#") and not (README.parent / link).exists()]
    assert not missing
    assert len(linked) > 10
