"""`socrates db check`: the proof that an import lost nothing, on either engine, also of a copy."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer
from sqlalchemy import URL

from socrates.cli.command import FAILED, AsJson, Database, answer, answering, reading, require_no_newer, say
from socrates.config import Settings
from socrates.database.migrations import head_revision, require_head
from socrates.database.urls import database_url, sqlite_path
from socrates.errors import ConfigurationError, NotRecognisedError
from socrates.v1.postgres_target import PostgresTarget
from socrates.v1.proof import Proof, prove_last
from socrates.v1.reader import SourceRow, V1Reader
from socrates.v1.shapes import FileKind, backups_in, recognise, v1_tables_in
from socrates.v1.sqlite_errors import explained
from socrates.v1.target import Target

app = typer.Typer()

_V1 = Annotated[
    Path | None,
    typer.Option(
        metavar="PATH",
        help="Where v1's rows are, if not in the database: the file that v1 wrote, or one that was upgraded.",
    ),
]


@app.command()
def check(database: Database = None, v1: _V1 = None, as_json: AsJson = False) -> None:
    """Prove that the import lost nothing, and say what was written since. Exit status 1 when something is missing."""
    with answering(as_json):
        url = database_url(Settings(), database)
        with _given(v1) as given:
            checked = _check(url, given)
        answer(checked.as_json(v1), as_json, lambda: _print(checked, v1))
    if checked.proof is not None and not checked.proof.holds:
        say("The check failed: rows are missing or differ.", err=True)
        raise typer.Exit(FAILED)


@dataclass(frozen=True, slots=True)
class _Checked:
    """What was found of a database; `proof` is None where nothing was ever imported."""

    database: str
    proof: Proof | None

    def as_json(self, v1: Path | None) -> dict[str, Any]:
        if self.proof is None:
            return {"database": self.database, "imported": False}
        return {
            "database": self.database,
            "imported": True,
            "v1_rows_read_from": None if self.proof.source is None else str(v1 or self.database),
            **self.proof.as_json(),
        }


def _check(url: URL, given: V1Reader | None) -> _Checked:
    path = sqlite_path(url)
    if path is None:
        return _check_on_server(url, given)
    with reading(path) as connection:
        require_no_newer(connection, path)
        own = V1Reader(connection, backups_in(connection))
        if given is not None and own.names:
            raise ConfigurationError(f"{path} holds v1's tables itself, and these are checked: leave out --v1")
        return _Checked(str(path), prove_last(Target(connection), own, str(path), given))


def _check_on_server(url: URL, given: V1Reader | None) -> _Checked:
    from socrates.database.copying.postgres_side import open_reading  # noqa: PLC0415 - its driver is an extra

    with open_reading(url, Settings().lock_timeout) as side:
        revision = side.revision()
        if revision is None:
            raise NotRecognisedError(f"{side.shown} has no schema of ours yet: run socrates db upgrade {side.shown}")
        if revision > head_revision():
            require_head(side.shown, revision)
        proof = side.look_below(lambda driver: prove_last(PostgresTarget(driver), None, side.shown, given))
        return _Checked(side.shown, proof)


class _GivenReader(V1Reader):
    """v1's rows in another file than the one that is checked: what SQLite reports of it names that file."""

    def __init__(self, connection: sqlite3.Connection, names: dict[str, str], path: Path) -> None:
        super().__init__(connection, names)
        self._path = path

    def rows(self, table: str) -> Iterator[SourceRow]:
        try:
            yield from super().rows(table)
        except sqlite3.Error as error:
            raise explained(error, self._path) from error


@contextmanager
def _given(path: Path | None) -> Iterator[V1Reader | None]:
    """v1's tables in the file of ``--v1``. Raises NotRecognisedError when it has none."""
    if path is None:
        yield None
        return
    with reading(path) as connection:
        is_v1 = recognise(connection, frozenset(), str(path)) is FileKind.V1
        names = {name: name for name in v1_tables_in(connection)} if is_v1 else backups_in(connection)
        if not names:
            raise NotRecognisedError(f"{path} holds no tables of v1: name the file that v1 wrote, or a backup of it")
        yield _GivenReader(connection, names, path)


def _print(checked: _Checked, v1: Path | None) -> None:
    if checked.proof is None:
        say("Nothing was ever imported into this database.")
        return
    proof = checked.proof
    _print_source(proof, v1)
    changes = proof.changes
    say(f"Imported rows unchanged since: {changes.equal:,}")
    say(f"Changed since: {changes.changed}")
    say(f"Added since: {changes.added}")
    say(f"Deleted since: {changes.deleted}")
    say(f"Missing, though nobody deleted it: {changes.missing}")
    for gap in proof.gaps:
        say(f"The account of the import is not whole: {gap}")
    if proof.holds:
        only = " as far as it could be checked here" if proof.source is None else ""
        say(f"The import is proven{only}: no value was lost.")


def _print_source(proof: Proof, v1: Path | None) -> None:
    source = proof.source
    if source is None:
        say(
            f"v1's rows are not in this database, so only what was imported is checked: {proof.elsewhere}. "
            "To check v1's rows too, name their file: --v1 PATH"
        )
        return
    if v1 is not None:
        say(f"v1's rows were read from {v1}")
    for change in proof.backup_changes:
        say(str(change))
    say(f"v1's rows that still convert to what was imported: {source.equal:,}")
    say(f"v1's rows that convert to something else: {source.differing}")
    say(f"v1's rows that are gone: {source.missing}")
    say(f"v1's rows in quarantine: {source.quarantined:,}; neither there nor imported: {source.unaccounted}")
