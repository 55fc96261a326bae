"""`socrates db quarantine`: the rows that an import could not read, listed, exported, corrected and tried again."""

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from socrates.cli.command import (
    FAILED,
    AsJson,
    Database,
    answer,
    answering,
    interruptible,
    reading,
    require_head,
    say,
    sqlite_file,
)
from socrates.errors import BusyError, ConfigurationError
from socrates.v1.corrections import Correction
from socrates.v1.exclusive import uninterrupted
from socrates.v1.files import require_readable, require_writable
from socrates.v1.ledger import Run, last_run
from socrates.v1.quarantine import Held, Outcome, Retry, chosen, held
from socrates.v1.quarantine_files import CorrectedFiles, Exported, export
from socrates.v1.sqlite_errors import explained
from socrates.v1.target import Target

app = typer.Typer(
    name="quarantine", help="List, export, correct and retry rows that could not be imported.", no_args_is_help=True
)

_WAIT_SECONDS = 5
_LONGEST_KEY = 60

_Ids = Annotated[list[int] | None, typer.Option("--id", metavar="N", help="This row only; may be repeated.")]


@app.command("list")
def list_(database: Database = None, as_json: AsJson = False) -> None:
    """List the rows in quarantine: where they are from, why they are there, and whether they were imported later."""
    with answering(as_json):
        path = sqlite_file(database)
        with reading(path) as connection:
            require_head(connection, path)
            target = Target(connection)
            facts = {"database": str(path), "since": _since(target), "rows": [_row(row) for row in held(target)]}
        answer(facts, as_json, lambda: _print_list(facts))


@app.command("export")
def export_(
    directory: Annotated[Path, typer.Argument(help="Where the files go; it is made if it is missing.")],
    database: Database = None,
    ids: _Ids = None,
    as_json: AsJson = False,
) -> None:
    """Write rows to files, two for each: the raw bytes, and as JSON what can be read of them, to be corrected there.

    Without --id these are all rows that were not imported yet. The files hold what v1 stored, secrets too.
    """
    with answering(as_json):
        path = sqlite_file(database)
        with reading(path) as connection:
            require_head(connection, path)
            target = Target(connection)
            rows = chosen(held(target), ids or ())
            written = export(target, rows, directory) if rows else []
        facts = {"database": str(path), "directory": str(directory), "rows": [_exported(row) for row in written]}
        answer(facts, as_json, lambda: _print_exported(facts))


@app.command("retry")
def retry(
    database: Database = None,
    ids: _Ids = None,
    corrected: Annotated[
        Path | None,
        typer.Option("--from", metavar="DIRECTORY", help="Import rows as the JSON files there have them."),
    ] = None,
    x: Annotated[
        list[str] | None,
        typer.Option("-x", metavar="v1_timezone=ZONE", help="The zone of naive times. Default: that of the import."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Do it all, tell, and take it back.")] = False,
    as_json: AsJson = False,
) -> None:
    """Try again to import rows in quarantine: as they are, or as their owner corrected them.

    All in one transaction. Nothing that is there is overwritten. Exit status 1 when some of the rows still cannot be
    imported.
    """
    writing = _Writing(keep=not dry_run)
    with answering(as_json), interruptible(as_json, writing.state):
        path, timezone = sqlite_file(database), _timezone(x or [])
        files = None if corrected is None else CorrectedFiles(corrected)
        with writing.transaction(path) as connection:
            require_head(connection, path)
            outcomes = _retry(Target(connection), ids or [], files, timezone)
        remaining = sum(not outcome.imported for outcome in outcomes)
        facts = {
            "database": str(path),
            "dry_run": dry_run,
            "imported": len(outcomes) - remaining,
            "remaining": remaining,
            "rows": [_outcome(outcome) for outcome in outcomes],
        }
        answer(facts, as_json, lambda: _print_outcomes(facts))
        if remaining:
            raise typer.Exit(FAILED)


def _retry(target: Target, ids: list[int], files: CorrectedFiles | None, timezone: str | None) -> list[Outcome]:
    run = last_run(target)
    if run is None:
        return []
    attempt = Retry(target, run, timezone)
    if files is None:
        return list(attempt.run(chosen(held(target), ids), lambda _: Correction()))
    return list(attempt.run(files.chosen(held(target), ids), files.correction_of))


def _timezone(x: list[str]) -> str | None:
    """The one option of the migration that is one of a retry too. Raises ConfigurationError for another."""
    zones = [value for name, _, value in (argument.partition("=") for argument in x) if name == "v1_timezone" and value]
    if len(zones) != len(x) or len(zones) > 1:
        raise ConfigurationError("a retry takes -x v1_timezone=ZONE, once, and no other option")
    return zones[0] if zones else None


class _Writing:
    """One write transaction on a SQLite file, which is rolled back in the end unless it is to be kept."""

    def __init__(self, *, keep: bool) -> None:
        self._keep = keep
        self._kept = False

    def state(self) -> str:
        """What was done, for an owner who interrupts it."""
        return "but the rows had been imported by then" if self._kept else "nothing was changed"

    @contextmanager
    def transaction(self, path: Path) -> Iterator[sqlite3.Connection]:
        """Other programs may have the file open. Raises BusyError when one writes for too long, DatabaseError."""
        require_readable(path)
        require_writable(path)
        uri = f"{path.resolve().as_uri()}?mode=rw"
        try:
            with closing(sqlite3.connect(uri, uri=True, timeout=_WAIT_SECONDS, isolation_level=None)) as connection:
                connection.execute("PRAGMA foreign_keys = ON")
                connection.execute("BEGIN IMMEDIATE")
                try:
                    yield connection
                    with uninterrupted():
                        connection.execute("COMMIT" if self._keep else "ROLLBACK")
                        self._kept = self._keep
                except BaseException:
                    if connection.in_transaction:
                        connection.execute("ROLLBACK")
                    raise
        except sqlite3.Error as error:
            if getattr(error, "sqlite_errorcode", 0) & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
                raise BusyError(
                    f"{path} is in use: another program writes to it. Nothing was changed. Try again later."
                ) from error
            raise explained(error, path) from error


def _since(target: Target) -> dict[str, Any] | None:
    run: Run | None = last_run(target)
    if run is None:
        return None
    ((started,),) = target.query("SELECT started_at FROM v1_import_runs WHERE id = ?", (run.id,))
    return {"run": run.id, "source": run.source, "at": str(started), "timezone": run.timezone}


def _row(row: Held) -> dict[str, Any]:
    later = {"at": row.released_at, "key": row.released_as, "corrected": row.corrected}
    return {
        "id": row.id,
        "table": row.table,
        "key": row.key,
        "reason": row.reason,
        "bytes": row.size,
        "imported": None if row.released_as is None else later,
    }


def _exported(row: Exported) -> dict[str, Any]:
    return {"id": row.id, "files": [str(path) for path in row.files], "readable": row.readable}


def _outcome(outcome: Outcome) -> dict[str, Any]:
    return {**outcome._asdict(), "imported": outcome.imported}


def _print_list(facts: Mapping[str, Any]) -> None:
    rows, since = facts["rows"], facts["since"]
    if not rows:
        say("Nothing is in quarantine.")
        return
    if since is not None:
        say(f"In quarantine since the import of {since['source']} at {since['at'][:19]} UTC:")
    for row in rows:
        say(f"{row['id']:>6}  {_named(row)}, {row['bytes']:,} bytes: {row['reason']}")
        if (later := row["imported"]) is not None:
            how = "as corrected" if later["corrected"] else "as it was"
            say(f"{'':>8}imported {how} at {later['at'][:19]} UTC under the key {_shown(later['key'])}")
    waiting = sum(row["imported"] is None for row in rows)
    say(f"{waiting:,} rows wait, {len(rows) - waiting:,} were imported later.")


def _print_exported(facts: Mapping[str, Any]) -> None:
    if not facts["rows"]:
        say("Nothing waits in quarantine, so nothing was written.")
        return
    for row in facts["rows"]:
        note = "" if row["readable"] else " (what its pickle held cannot be read)"
        say(f"{', '.join(row['files'])}{note}")
    say(
        "They hold what v1 stored, passcode hashes and keys too: delete them when they have served. Correct the JSON "
        f"files, then: socrates db quarantine retry {facts['database']} --from {facts['directory']}"
    )


def _print_outcomes(facts: Mapping[str, Any]) -> None:
    if facts["dry_run"]:
        say("Dry run: all of this was done and taken back. Nothing was changed.")
    for row in facts["rows"]:
        if row["imported"]:
            told = f"imported {'as corrected' if row['corrected'] else 'as it was'}"
            told += "" if row["key"] == row["source_key"] else f", under the key {_shown(row['key'])}"
            told += f", {row['adjusted']} adjustments" if row["adjusted"] else ""
        else:
            told = f"stays in quarantine: {row['reason']}"
        say(f"{row['id']:>6}  {_named(row, 'source_key')}: {told}")
    say(f"{facts['imported']:,} rows imported, {facts['remaining']:,} stay in quarantine.")


def _named(row: Mapping[str, Any], key: str = "key") -> str:
    return f"{row['table']} {'without a key' if row[key] is None else _shown(row[key])}"


def _shown(key: str) -> str:
    """A key, without control characters, and not longer than a line can be."""
    return repr(key if len(key) <= _LONGEST_KEY else f"{key[:_LONGEST_KEY]}…")
