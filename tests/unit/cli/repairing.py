"""Databases to repair, and what `socrates db repair` says of them."""

import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from typer.testing import CliRunner, Result

from socrates.cli import repair as command
from socrates.cli.main import app as socrates_app
from tests.support.migrate import execute, upgrade
from tests.support.v1_files import generated_v1_file


@cache
def v1_template() -> Path:
    return generated_v1_file(Path(mkdtemp(prefix="socrates-repair-")) / "projects.db", projects=12, messages=30)


@cache
def template() -> Path:
    path = Path(shutil.copy(v1_template(), v1_template().with_name("upgraded.db")))
    upgrade(path)
    return path


def repair(path: Path, *options: str) -> Result:
    result = CliRunner().invoke(command.app, [str(path), *options])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result


def repaired(path: Path, status: int = 0) -> dict[str, Any]:
    """Repair it, and return what was told."""
    result = repair(path, "--yes", "--json")
    assert result.exit_code == status, result.output
    facts: dict[str, Any] = json.loads(result.stdout)
    assert facts["repaired"]
    return facts


def assert_refused(result: Result, path: Path, before: bytes) -> str:
    """Status 2, the file as it was, and nothing beside it; returns the message."""
    assert result.exit_code == 2, result.output
    assert path.read_bytes() == before
    assert beside(path) == []
    return result.stderr


def beside(path: Path) -> list[str]:
    """What lies beside a database, without lock files."""
    return sorted(found.name for found in path.parent.iterdir() if found != path and found.suffix != ".lock")


def kept_rows(facts: dict[str, Any]) -> list[dict[str, Any]]:
    """The rows in the file of those that have no place in the database."""
    path = Path(facts["kept"]["file"])
    assert path.stat().st_mode & 0o777 == 0o600
    rows: list[dict[str, Any]] = json.loads(path.read_text())["rows"]
    assert len(rows) == sum(facts["kept"]["rows"].values())
    return rows


def proven(path: Path) -> bool:
    """Whether the check of the import holds."""
    return CliRunner().invoke(socrates_app, ["db", "check", str(path)]).exit_code == 0


def like_another_program(path: Path, *statements: str) -> None:
    """Change a database without enforcing foreign keys."""
    for statement in statements:
        execute(path, statement)
