"""The `socrates` command and its groups."""

from typing import Annotated

import typer

import socrates
from socrates.cli.cache import app as cache
from socrates.cli.chat import chat
from socrates.cli.command import REFUSED
from socrates.cli.db import app as db
from socrates.cli.keys import app as keys
from socrates.cli.knowledge import app as knowledge
from socrates.cli.tour import take_tour
from socrates.cli.usage import usage
from socrates.cli.users import app as users
from socrates.errors import SocratesError

app = typer.Typer(
    name="socrates",
    help="The data layer of Socrates.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # a traceback's locals can hold keys and passcode hashes
)
app.add_typer(db, name="db")
app.add_typer(keys, name="keys")
app.add_typer(users, name="users")
app.add_typer(cache, name="cache")
app.add_typer(knowledge, name="knowledge")
app.command()(chat)
app.command()(usage)


@app.command()
def tour(
    username: Annotated[str, typer.Argument(help="Whose projects to visit.")],
    database: Annotated[str | None, typer.Argument(help="A path or URL; default as in the settings.")] = None,
) -> None:
    """Walk through a database by the calls of service code; nothing is changed."""
    try:
        take_tour(database, username)
    except SocratesError as error:
        typer.echo(f"error: {error}", err=True)
        raise typer.Exit(REFUSED) from error


def _show_version(wanted: bool) -> None:
    if wanted:
        typer.echo(socrates.__version__)
        raise typer.Exit


@app.callback()
def _common(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Common options."""


def main() -> None:
    """The entry point of the `socrates` console script."""
    app()
