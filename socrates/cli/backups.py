"""`socrates db backup` and `socrates db restore`."""

import sqlite3
import time
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from socrates.cli.command import (
    FAILED,
    AsJson,
    Database,
    Yes,
    answer,
    answering,
    interruptible,
    require_consent,
    say,
    sqlite_file,
)
from socrates.database.migrations import head_revision
from socrates.errors import MigrationError
from socrates.v1.backup import back_up_to
from socrates.v1.contents import Contents, contents_of
from socrates.v1.files import read_only
from socrates.v1.restore import Restoration
from socrates.v1.shapes import FileKind

app = typer.Typer()

_NAMES = {FileKind.OURS: "ours", FileKind.V1: "written by v1", FileKind.EMPTY: "empty"}


@app.command()
def backup(
    database: Database = None,
    to: Annotated[
        Path | None, typer.Option(metavar="PATH", help="A new file, or a directory. Default: beside the database.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Make a whole, consistent copy of a database, which may be in use meanwhile."""
    began = time.monotonic()
    remarks: list[str] = []

    def state() -> str:
        return "the database is as it was. A backup that bears its final name is whole, and there is no other"

    with answering(as_json), interruptible(as_json, state):
        path = sqlite_file(database)
        made = back_up_to(path, to, remarks)
        facts = {
            "database": str(path),
            "backup": str(made),
            "bytes": made.stat().st_size,
            "revision": _revision(made),
            "seconds": round(time.monotonic() - began, 3),
            "remarks": remarks,
        }
        answer(facts, as_json, lambda: _print_backup(facts))


@app.command()
def restore(
    backup: Annotated[Path, typer.Argument(help="The file to restore: a backup, or what a restore replaced.")],
    database: Database = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Put a backup in the place of a database that nobody uses, and keep the file that it replaces.

    Exit status 1 when it was done, but what was read back afterwards is not what the backup holds.
    """
    with answering(as_json):
        restoration = Restoration(backup, sqlite_file(database))
        with interruptible(as_json, lambda: _state(restoration)):
            incoming = restoration.examine(head_revision())
            if restoration.database.exists():
                if not as_json:
                    _print_plan(restoration, incoming)
                require_consent("Replace it?", yes, as_json)
            restoration.run()
            facts = _facts(restoration, incoming)
            answer(facts, as_json, lambda: _print_restored(facts))
        if restoration.doubt is not None:
            raise typer.Exit(FAILED)


def _state(restoration: Restoration) -> str:
    if not restoration.done:
        return "nothing was changed"
    return f"but it was done already. {_kept(restoration.kept)}"


def _kept(kept: Path | str | None) -> str:
    return "Nothing was there to be replaced" if kept is None else f"The replaced file is kept as {kept}"


def _revision(path: Path) -> str | None:
    """The revision of a database of ours; None for any other."""
    try:
        with read_only(path) as connection:
            return contents_of(connection, path).revision
    except (MigrationError, sqlite3.Error):
        return None


def _facts(restoration: Restoration, incoming: Contents) -> dict[str, Any]:
    return {
        "database": str(restoration.database),
        "restored_from": str(restoration.backup),
        "kept_as": None if restoration.kept is None else str(restoration.kept),
        **_figures(incoming),
        "replaced": None if restoration.outgoing is None else _figures(restoration.outgoing),
        "replaced_problem": restoration.problem,
        "doubt": restoration.doubt,
        "next": _next(incoming, restoration.database),
        "remarks": restoration.remarks,
    }


def _figures(contents: Contents) -> dict[str, Any]:
    return {**asdict(contents), "kind": contents.kind.value}


def _next(contents: Contents, database: Path) -> str | None:
    """What the owner should do, if anything."""
    if contents.kind is FileKind.V1:
        return f"use it with v1, or upgrade it: socrates db upgrade {database}"
    if contents.revision != head_revision():
        return f"it is at an earlier schema: socrates db upgrade {database}"
    return None


def _print_backup(facts: dict[str, Any]) -> None:
    revision = "" if facts["revision"] is None else f", revision {facts['revision']}"
    say(f"Backup: {facts['backup']} ({facts['bytes']:,} bytes{revision}, {facts['seconds']:.2f} s)")
    for remark in facts["remarks"]:
        say(f"  {remark}")


def _print_plan(restoration: Restoration, incoming: Contents) -> None:
    outgoing = restoration.outgoing
    say(f"{restoration.database}: {restoration.problem if outgoing is None else _line(outgoing)}")
    say("is to be replaced by")
    say(f"{restoration.backup}: {_line(incoming)}")
    for remark in restoration.remarks:
        say(f"  {remark}")


def _line(contents: Contents) -> str:
    revision = "" if contents.revision is None else f", revision {contents.revision}"
    messages = "" if contents.messages is None else f", {contents.messages:,} messages"
    change = "" if contents.last_change is None else f", last changed {contents.last_change[:19]}"
    return (
        f"{_NAMES[contents.kind]}{revision}, {contents.size:,} bytes, {contents.users:,} users, "
        f"{contents.projects:,} projects{messages}{change}"
    )


def _print_restored(facts: dict[str, Any]) -> None:
    say(f"{facts['database']} is restored from {facts['restored_from']}.")
    say(f"{_kept(facts['kept_as'])}.")
    if facts["next"]:
        say(f"Next: {facts['next']}")
    if facts["doubt"]:
        say(f"But look at it: {facts['doubt']}", err=True)
