"""Runs Alembic's own command line on a database, and reads what it left there."""

import hashlib
import json
import os
import re
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import Any

from alembic.config import main as alembic_main
from sqlalchemy import URL

REPOSITORY = Path(__file__).parents[2]

# Drops CAP_DAC_OVERRIDE (1) from what executed programs may have (PR_CAPBSET_DROP, 24), then executes Python anew.
OBEY_PERMISSIONS = (
    "import ctypes, os, sys; ctypes.CDLL(None).prctl(24, 1, 0, 0, 0);"
    " os.execv(sys.executable, [sys.executable, *sys.argv[1:]])"
)


@dataclass(frozen=True)
class Outcome:
    """What a run of the command left behind; `peak_memory` (bytes) is known of subprocesses only."""

    status: int
    out: str
    err: str
    peak_memory: int = 0


def alembic(target: Path | str, *command: str, **x: object) -> Outcome:
    """Run `alembic <command>` in this process on a file (a Path) or a URL (text), with `-x` options."""
    out, err = StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        try:
            alembic_main(argv=_arguments(target, command, x))
            status = 0
        except SystemExit as stop:
            status = _exit_status(stop)
    return Outcome(status, out.getvalue(), err.getvalue())


def alembic_subprocess(
    target: Path | str,
    *command: str,
    environment: Mapping[str, str] | None = None,
    may_override_permissions: bool = True,
    **x: object,
) -> Outcome:
    """Run the same command as `python -m alembic`, with further environment variables.

    With `may_override_permissions=False` even the superuser is held to the permissions of files.
    """
    superuser = os.geteuid() == 0 and not may_override_permissions
    interpreter = [sys.executable, *(("-c", OBEY_PERMISSIONS) if superuser else ())]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        process = subprocess.Popen(
            [*interpreter, "-m", "alembic", *_arguments(target, command, x)],
            stdout=out,
            stderr=err,
            cwd=REPOSITORY,
            env={**os.environ, **(environment or {})},
        )
        peak_memory = 0
        while process.poll() is None:
            peak_memory = max(peak_memory, _peak_memory(process.pid))
            time.sleep(0.01)
        out.seek(0)
        err.seek(0)
        return Outcome(process.returncode, out.read(), err.read(), peak_memory)


def _peak_memory(pid: int) -> int:
    """Return the most memory (bytes) a process ever held (Linux); 0 once it has ended.

    `ru_maxrss` will not do: a child starts with the figure of the process that forked it.
    """
    found = re.search(r"VmHWM:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) * 1024 if found else 0


def upgrade(path: Path, expected_status: int = 0, **x: object) -> Outcome:
    """Run `upgrade head` on a file, naive times read as UTC unless `v1_timezone` says otherwise."""
    outcome = alembic(path, "upgrade", "head", **({"v1_timezone": "UTC"} | x))
    assert outcome.status == expected_status, outcome
    return outcome


def upgraded_to(revision: str, path: Path) -> Path:
    """Upgrade a file as far as an earlier version did, its backup put elsewhere; return it."""
    backups = path.parent / "backups"
    backups.mkdir()
    outcome = alembic(path, "upgrade", revision, v1_timezone="UTC", backup_dir=backups)
    assert outcome.status == 0, outcome
    return path


def refused(outcome: Outcome) -> bool:
    """Say whether the command was refused as it should be: status 2, a message, no traceback."""
    return outcome.status == 2 and outcome.err.strip() != "" and "Traceback" not in outcome.err


def told(outcome: Outcome, directory: Path) -> str:
    """Return all that the command printed, in lower case, without the directory (named after the test)."""
    return (outcome.out + outcome.err).replace(str(directory), "").lower()


def rows(path: Path, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Return the rows of a query; the file is opened read-only."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    try:
        return connection.execute(sql, parameters).fetchall()
    finally:
        connection.close()


def row(path: Path, sql: str, *parameters: object) -> tuple[Any, ...]:
    """Return the only row of a query."""
    (only,) = rows(path, sql, *parameters)
    return only


def value(path: Path, sql: str, *parameters: object) -> Any:
    """Return the only value of a query."""
    (only,) = row(path, sql, *parameters)
    return only


def json_value(path: Path, sql: str, *parameters: object) -> Any:
    """Return the only value of a query, which is JSON, parsed."""
    return json.loads(value(path, sql, *parameters))


def execute(path: Path, sql: str, *parameters: object) -> None:
    """Change a database."""
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(sql, parameters)
    connection.close()


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file's bytes, in hexadecimal."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def schema(path: Path) -> dict[str, str]:
    """The statement that made each table and index that has one, by name."""
    return dict(rows(path, "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))


def table_names(path: Path) -> set[str]:
    """Return the names of a database's tables."""
    return {name for (name,) in rows(path, "SELECT name FROM sqlite_master WHERE type = 'table'")}


def noted_fields(path: Path, source_table: str, source_key: str) -> list[str]:
    """Return the fields of one v1 record that the import adjusted and reported, in the report's order."""
    found = rows(
        path,
        "SELECT field FROM v1_import_notes WHERE source_table = ? AND source_key = ? ORDER BY run_id, position",
        source_table,
        source_key,
    )
    return [field for (field,) in found]


def is_noted(path: Path, source_table: str, source_key: str, field: str) -> bool:
    """Say whether the import reported an adjustment of the field, or of a part of it."""
    return any(field in noted for noted in noted_fields(path, source_table, source_key))


def _arguments(target: Path | str, command: tuple[str, ...], x: Mapping[str, object]) -> list[str]:
    url = target if isinstance(target, str) else _sqlite_url(target)
    options = [f"-x={name}={setting}" for name, setting in {"url": url, **x}.items()]
    return ["-c", str(REPOSITORY / "alembic.ini"), *options, *command]


def _sqlite_url(path: Path) -> str:
    return URL.create("sqlite", database=str(path)).render_as_string(hide_password=False)


def _exit_status(stop: SystemExit) -> int:
    if stop.code is None:
        return 0
    return stop.code if isinstance(stop.code, int) else 1
