"""What all commands that take a database share: their arguments, how they answer, and how they end.

Every command tells the same facts in one of two ways: as text for people, or with ``--json`` as one JSON object on
standard output. A refusal is told on standard error, or as ``{"error": {"kind": …, "message": …}}``.
"""

import io
import json
import os
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any, TypeVar

import typer
from sqlalchemy import URL, Connection, create_engine
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.pool import StaticPool

from socrates.config import Settings
from socrates.database.migrations import current_revision, head_revision
from socrates.database.urls import database_url, sqlite_path
from socrates.errors import ConfigurationError, DatabaseError, NotRecognisedError, SchemaError, SocratesError
from socrates.v1.backup import with_notes
from socrates.v1.files import read_only
from socrates.v1.reading import printable
from socrates.v1.sqlite_errors import explained, sqlite_cause

_T = TypeVar("_T")

FAILED, REFUSED, INTERRUPTED = 1, 2, 130
"""Exit status: what was looked for was found wanting, or something remains to be done; nothing was done; Ctrl-C. 0 is
success."""

Database = Annotated[
    str | None,
    typer.Argument(help="A URL, or the path of a SQLite file. Default: SOCRATES_DATABASE_URL, else ~/.socrates."),
]
AsJson = Annotated[bool, typer.Option("--json", help="Answer with one JSON object on standard output.")]
Yes = Annotated[bool, typer.Option("--yes", "-y", help="Do it without asking.")]


@contextmanager
def answering(as_json: bool) -> Iterator[None]:
    """Around a command's work: whatever it refuses is told in the form that was asked for, with exit status 2."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a name of a file need not be text at all
    try:
        yield
    except (SocratesError, OSError) as error:
        refuse(error, as_json)


def refuse(error: Exception, as_json: bool) -> None:
    """Tell why the command did nothing, and end it with status 2."""
    message = with_notes(str(error), error)
    if as_json:
        print_json({"error": {"kind": type(error).__name__, "message": message}})
    else:
        say(f"error: {message}", err=True)
    raise typer.Exit(REFUSED) from error


@contextmanager
def interruptible(as_json: bool, state: Callable[[], str]) -> Iterator[None]:
    """Around work that Ctrl-C may end: then `state` says what was done by then, and the exit status is 130."""
    try:
        yield
    except (KeyboardInterrupt, typer.Abort) as interrupt:
        message = with_notes(f"interrupted: {state()}.", interrupt)
        if as_json:
            print_json({"error": {"kind": "KeyboardInterrupt", "message": message}})
        else:
            say(message, err=True)
        raise typer.Exit(INTERRUPTED) from interrupt


def answer(facts: Mapping[str, Any], as_json: bool, as_text: Callable[[], None]) -> None:
    """Tell the outcome in the form that was asked for. Not even a failure here changes it, or the exit status."""
    try:
        if as_json:
            print_json(facts)
        else:
            as_text()
    except OSError as error:
        say(f"error: it is done, but could not be told: {error}", err=True)
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 - Python would fail on the same stream at its exit


def say(text: str, *, err: bool = False) -> None:
    """Print text for people. What a name or a value in it would do to the terminal is written out instead."""
    typer.echo("\n".join(map(printable, text.split("\n"))), err=err)


def print_json(facts: Mapping[str, Any]) -> None:
    """Print one object, in ASCII: a terminal need not know every character of the data."""
    typer.echo(json.dumps(facts, indent=2))


def require_consent(question: str, yes: bool, as_json: bool) -> None:
    """Ask before something that cannot be taken back. Ends the command with status 2 unless the owner agrees.

    Raises DatabaseError where nobody can be asked: a script says ``--yes``.
    """
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise DatabaseError("this asks before it acts, and here is nobody to ask: say --yes. Nothing was changed.")
    if not typer.confirm(question):
        say("Nothing was changed.", err=True)
        raise typer.Exit(REFUSED)


def sqlite_file(database: str | None) -> Path:
    """The file that the argument, the environment or the default names. Raises DatabaseError for another engine."""
    path = sqlite_path(database_url(Settings(), database))
    if path is None:
        raise DatabaseError("this command works on SQLite files; name one")
    return path


@contextmanager
def reading(path: Path) -> Iterator[sqlite3.Connection]:
    """The SQLite file in one read transaction. Raises DatabaseError."""
    try:
        with read_only(path) as connection:
            yield connection
    except (sqlite3.Error, SQLAlchemyError) as error:
        cause = sqlite_cause(error)
        if cause is None:
            raise
        raise explained(cause, path) from error


def require_database(database: str | None) -> URL:
    """The URL of a database that has to be there, because opening would make a missing file.

    Raises ConfigurationError.
    """
    url = database_url(Settings(), database)
    path = sqlite_path(url)
    if path is not None and not path.exists():
        raise ConfigurationError(f"there is no database {path}; name one that is there")
    return url


def looking(url: URL, work: Callable[[Connection], _T]) -> _T:
    """What `work` finds in a database of this version, in one read transaction on either engine.

    Raises NotRecognisedError, SchemaError or DatabaseError.
    """
    path = sqlite_path(url)
    if path is None:
        from socrates.database.copying.postgres_side import open_source  # noqa: PLC0415 - its driver is an extra

        with open_source(url, Settings().lock_timeout) as side:
            return side.look(work)
    with reading(path) as raw:
        require_head(raw, path)
        engine = create_engine("sqlite://", creator=lambda: raw, poolclass=StaticPool)
        with engine.connect() as connection:
            return work(connection)


def require_ours(connection: sqlite3.Connection, path: Path) -> None:
    """Raises NotRecognisedError unless the database is at a revision of ours, of whatever age."""
    tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    if not {"alembic_version", "v1_import_runs"} <= tables:
        raise NotRecognisedError(f"{path} has no schema of ours yet: run socrates db upgrade {path}")


def require_no_newer(connection: sqlite3.Connection, path: Path) -> None:
    """Raises NotRecognisedError, or SchemaError for a revision that only a newer version can judge."""
    require_ours(connection, path)
    revision, head = current_revision(connection), head_revision()
    if revision is not None and revision > head:
        raise SchemaError(f"{path} was written by a newer socrates ({revision}, here {head}): install that version")


def require_head(connection: sqlite3.Connection, path: Path) -> None:
    """Raises NotRecognisedError or SchemaError unless the database has this version's schema."""
    require_no_newer(connection, path)
    revision, head = current_revision(connection), head_revision()
    if revision != head:
        raise SchemaError(
            f"{path} is at revision {revision or 'none'}, and this version works on {head}: "
            f"run socrates db upgrade {path}"
        )
