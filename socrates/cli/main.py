"""The `socrates` command and its groups."""

from typing import Annotated

import typer

import socrates
from socrates.cli.db import app as db

app = typer.Typer(
    name="socrates",
    help="The data layer of Socrates.",
    no_args_is_help=True,
    pretty_exceptions_show_locals=False,  # a traceback's locals can hold keys and passcode hashes
)
app.add_typer(db, name="db")


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
