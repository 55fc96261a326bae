"""`socrates db`: what an owner of a database does with it as a whole."""

from typing import Annotated

import typer

from socrates.cli import backups, check, copy, quarantine, repair, status, v1_tables
from socrates.cli.command import AsJson, Database, answer, answering, reading, require_head
from socrates.cli.overview import Overview, overview, overview_on_server, print_overview
from socrates.config import Settings
from socrates.database import migrations
from socrates.database.urls import database_url, sqlite_path
from socrates.errors import ConfigurationError

app = typer.Typer(help="Upgrade, check, back up and mend a database.", no_args_is_help=True)
for group in (check, status, backups, copy, repair, quarantine, v1_tables):
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
def show(database: Database = None, as_json: AsJson = False) -> None:
    """Show what a database holds: its projects, their teams, and the last words of a conversation."""
    with answering(as_json):
        found = _overview(database)
        answer(found.as_json(), as_json, lambda: print_overview(found))


def _overview(database: str | None) -> Overview:
    settings = Settings()
    url = database_url(settings, database)
    path = sqlite_path(url)
    if path is None:
        return overview_on_server(url, settings.lock_timeout)
    with reading(path) as connection:
        require_head(connection, path)
        return overview(connection)


def _options(database: str | None, x: list[str] | None, as_json: bool) -> dict[str, str]:
    """What `alembic -x` would get. Raises ConfigurationError for what is not of the form NAME=VALUE."""
    options = {} if database is None else {"url": database}
    for argument in x or []:
        name, equals, value = argument.partition("=")
        if not equals:
            raise ConfigurationError(f"-x {argument!r} is not of the form NAME=VALUE")
        options[name] = value
    return {**options, "json": "1"} if as_json else options
