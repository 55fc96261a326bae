"""`socrates db`: what an owner of a database does with it as a whole."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from socrates.cli.overview import print_overview
from socrates.config import Settings
from socrates.database import migrations
from socrates.database.urls import database_url, sqlite_path
from socrates.errors import DatabaseError, NotRecognisedError, SocratesError
from socrates.v1.check import changes_since, check_source
from socrates.v1.files import read_only
from socrates.v1.ledger import last_run
from socrates.v1.reader import V1Reader
from socrates.v1.shapes import backups_in
from socrates.v1.sqlite_errors import explained
from socrates.v1.target import Target

FAILED, REFUSED = 1, 2

app = typer.Typer(help="Upgrade, check and look at a database.", no_args_is_help=True)

Database = Annotated[
    str | None,
    typer.Argument(help="A URL, or the path of a SQLite file. Default: SOCRATES_DATABASE_URL, else ~/.socrates."),
]
Option = Annotated[
    list[str] | None,
    typer.Option("-x", metavar="NAME=VALUE", help="An option of the migration, as `alembic -x` takes it."),
]


@app.command()
def upgrade(database: Database = None, x: Option = None) -> None:
    """Bring a v1 file, an earlier schema of ours, or an empty database to the current schema."""
    migrations.upgrade(_options(database, x))


@app.command()
def downgrade(database: Database = None, x: Option = None) -> None:
    """Give v1's tables back."""
    migrations.downgrade(_options(database, x))


@app.command()
def check(database: Database = None) -> None:
    """Prove that the import lost nothing, and say what was written since. Exit status 1 when something is missing."""
    with _opened(database) as connection:
        target = Target(connection)
        run = last_run(target)
        if run is None:
            typer.echo("Nothing was ever imported into this database.")
            return
        backups = backups_in(connection)
        proven = True
        if run.options.get("v1") is None:
            source = check_source(V1Reader(connection, backups), target, run)
            proven = source.proven
            typer.echo(f"v1's rows that still convert to what was imported: {source.equal:,}")
            typer.echo(f"v1's rows that convert to something else: {source.differing}")
            typer.echo(f"v1's rows that are gone: {source.missing}")
            typer.echo(
                f"v1's rows in quarantine: {source.quarantined:,}; neither there nor imported: {source.unaccounted}"
            )
        changes = changes_since(target, run)
        typer.echo(f"Imported rows unchanged since: {changes.equal:,}")
        typer.echo(f"Changed since: {changes.changed}")
        typer.echo(f"Added since: {changes.added}")
        typer.echo(f"Missing: {changes.missing}")
        if not proven or changes.missing.count:
            typer.echo("The check failed: rows are missing or differ.", err=True)
            raise typer.Exit(FAILED)
        typer.echo("The import is proven: no value was lost.")


@app.command()
def show(database: Database = None) -> None:
    """Show what a database holds: its projects, their teams, and the last words of a conversation."""
    with _opened(database) as connection:
        print_overview(connection)


def _options(database: str | None, x: list[str] | None) -> dict[str, str]:
    options = {} if database is None else {"url": database}
    for argument in x or []:
        name, equals, value = argument.partition("=")
        if not equals:
            raise typer.BadParameter(f"{argument!r} is not of the form NAME=VALUE", param_hint="-x")
        options[name] = value
    return options


@contextmanager
def _opened(database: str | None) -> Iterator[sqlite3.Connection]:
    """The SQLite file, read-only, if it is at a revision of ours. Ends the command with status 2 when it is not."""
    path = Path()
    try:
        path = _file(database)
        with read_only(path) as connection:
            tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
            if "v1_import_runs" not in tables:
                raise NotRecognisedError(f"{path} has no schema of ours yet: run socrates db upgrade {path}")
            yield connection
    except sqlite3.Error as error:
        typer.echo(f"error: {explained(error, path)}", err=True)
        raise typer.Exit(REFUSED) from error
    except SocratesError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(REFUSED) from error


def _file(database: str | None) -> Path:
    path = sqlite_path(database_url(Settings(), database))
    if path is None:
        raise DatabaseError("this command looks at SQLite files; name one")
    return path
