"""`socrates db`: what an owner of a database does with it as a whole."""

from pathlib import Path
from typing import Annotated, Any

import typer

from socrates.cli import backups, quarantine, repair, status, v1_tables
from socrates.cli.command import (
    FAILED,
    AsJson,
    Database,
    answer,
    answering,
    reading,
    require_head,
    require_no_newer,
    say,
    sqlite_file,
)
from socrates.cli.overview import overview, print_overview
from socrates.database import migrations
from socrates.errors import ConfigurationError
from socrates.v1.proof import Proof, prove_last
from socrates.v1.reader import V1Reader
from socrates.v1.shapes import backups_in
from socrates.v1.target import Target

app = typer.Typer(help="Upgrade, check, back up and mend a database.", no_args_is_help=True)
for group in (status, backups, repair, quarantine, v1_tables):
    app.add_typer(group.app)

_Option = Annotated[
    list[str] | None,
    typer.Option("-x", metavar="NAME=VALUE", help="An option of the migration, as `alembic -x` takes it."),
]


@app.command()
def upgrade(database: Database = None, x: _Option = None, as_json: AsJson = False) -> None:
    """Bring a v1 file, an earlier schema of ours, or an empty database to the current schema."""
    with answering(as_json):
        options = _options(database, x, as_json)
    migrations.upgrade(options)


@app.command()
def downgrade(database: Database = None, x: _Option = None, as_json: AsJson = False) -> None:
    """Give v1's tables back."""
    with answering(as_json):
        options = _options(database, x, as_json)
    migrations.downgrade(options)


@app.command()
def check(database: Database = None, as_json: AsJson = False) -> None:
    """Prove that the import lost nothing, and say what was written since. Exit status 1 when something is missing."""
    with answering(as_json):
        path = sqlite_file(database)
        proof = _prove(path)
        if proof is None:
            facts: dict[str, Any] = {"database": str(path), "imported": False}
            answer(facts, as_json, lambda: say("Nothing was ever imported into this database."))
            return
        answer({"database": str(path), "imported": True, **proof.as_json()}, as_json, lambda: _print_proof(proof))
    if not proof.holds:
        say("The check failed: rows are missing or differ.", err=True)
        raise typer.Exit(FAILED)


@app.command()
def show(database: Database = None, as_json: AsJson = False) -> None:
    """Show what a database holds: its projects, their teams, and the last words of a conversation."""
    with answering(as_json):
        path = sqlite_file(database)
        with reading(path) as connection:
            require_head(connection, path)
            found = overview(connection)
        answer(found.as_json(), as_json, lambda: print_overview(found))


def _options(database: str | None, x: list[str] | None, as_json: bool) -> dict[str, str]:
    """What `alembic -x` would get. Raises ConfigurationError for what is not of the form NAME=VALUE."""
    options = {} if database is None else {"url": database}
    for argument in x or []:
        name, equals, value = argument.partition("=")
        if not equals:
            raise ConfigurationError(f"-x {argument!r} is not of the form NAME=VALUE")
        options[name] = value
    return {**options, "json": "1"} if as_json else options


def _prove(path: Path) -> Proof | None:
    with reading(path) as connection:
        require_no_newer(connection, path)
        return prove_last(Target(connection), V1Reader(connection, backups_in(connection)), str(path))


def _print_proof(proof: Proof) -> None:
    source, changes = proof.source, proof.changes
    if source is None:
        say(f"{proof.elsewhere}; only what was imported can be checked.")
    else:
        for change in proof.backup_changes:
            say(f"v1's tables were {change.kind} at {change.changed_at[:19]} UTC")
        say(f"v1's rows that still convert to what was imported: {source.equal:,}")
        say(f"v1's rows that convert to something else: {source.differing}")
        say(f"v1's rows that are gone: {source.missing}")
        say(f"v1's rows in quarantine: {source.quarantined:,}; neither there nor imported: {source.unaccounted}")
    say(f"Imported rows unchanged since: {changes.equal:,}")
    say(f"Changed since: {changes.changed}")
    say(f"Added since: {changes.added}")
    say(f"Deleted since: {changes.deleted}")
    say(f"Missing, though nobody deleted it: {changes.missing}")
    for gap in proof.gaps:
        say(f"The account of the import is not whole: {gap}")
    if proof.holds:
        say("The import is proven: no value was lost.")
