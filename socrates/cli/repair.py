"""`socrates db repair`: what is wrong with a database, and mending what can be mended."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import typer

from socrates.cli.command import (
    FAILED,
    AsJson,
    Database,
    Yes,
    answer,
    answering,
    interruptible,
    print_json,
    require_consent,
    say,
    sqlite_file,
)
from socrates.cli.diagnosis import Diagnosis, diagnose
from socrates.cli.repairing import Repair
from socrates.database.migrations import head_revision
from socrates.v1.exclusive import refusal
from socrates.v1.files import require_writable
from socrates.v1.shapes import FileKind

app = typer.Typer()


@app.command()
def repair(database: Database = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Say what is wrong with a database, and mend what can be mended. Nothing is lost in silence.

    Exit status 1 when something is wrong still: nobody agreed, no repair can mend it, or rows are lost.
    """
    with answering(as_json):
        path = sqlite_file(database).resolve()
        work = Repair(path)
        with interruptible(as_json, work.state), _explained(path):
            found = diagnose(path)
            if found.plan:
                _mend(work, found, yes, as_json)
            elif as_json:
                print_json(_facts(found, work))
            else:
                _print_findings(found)
        if (work.rescues or work.remaining or work.doubt) if work.is_over else found.findings:
            raise typer.Exit(FAILED)


def _mend(work: Repair, found: Diagnosis, yes: bool, as_json: bool) -> None:
    if as_json and not yes:
        print_json(_facts(found, work))
        return
    if not as_json:
        _print_findings(found)
        for step in found.plan:
            say(f"A repair would {step}.")
    require_writable(work.database)
    require_consent("Repair it?", yes, as_json)
    if found.is_damaged:
        work.carry_over(found.suspects)
    else:
        work.mend()
    answer(_facts(found, work), as_json, lambda: _print_repair(work))


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Whatever SQLite still reports, as one of our exceptions."""
    try:
        yield
    except sqlite3.Error as error:
        raise refusal(error, path) from error


def _facts(found: Diagnosis, work: Repair) -> dict[str, Any]:
    return {
        "database": str(work.database),
        "kind": None if found.kind is None else found.kind.value,
        "revision": found.revision,
        "head": head_revision(),
        "findings": [finding.as_json() for finding in found.findings],
        "remarks": found.remarks,
        "plan": found.plan,
        "advice": found.advice,
        "repaired": work.is_over,
        **work.as_json(),
    }


def _print_findings(found: Diagnosis) -> None:
    if not found.findings:
        say(f"{found.database}: nothing to repair.")
    for finding in found.findings:
        say(f"{finding.kind.value}: {finding}")
    for remark in found.remarks:
        say(f"Note: {remark}")
    if found.advice is not None:
        say(f"{'What stays' if found.plan else 'Next'}: {found.advice}")
    elif found.kind is FileKind.V1 and not found.findings:
        say(f"Next: socrates db upgrade {found.database}")


def _print_repair(work: Repair) -> None:
    for step in work.done:
        say(f"Done: {step}")
    for rescue in work.as_json()["tables"]:
        say(f"{rescue['table']}: {_rescued(rescue)}")
    if work.kept is not None:
        rows = ", ".join(f"{count:,} of {table}" for table, count in work.kept_rows.items())
        say(f"Rows that have no place in it are kept, whole or what is left of them: {work.kept} ({rows})")
    if work.replaced is not None:
        say(f"The damaged file is kept as {work.replaced}")
    if work.backup is not None:
        say(f"Backup: {work.backup}")
    if work.doubt is not None:
        say(f"Note: {work.doubt}")
    for finding in work.remaining:
        say(f"What stays: {finding.kind.value}: {finding}")
    if not work.is_over:
        say("Nothing could be mended. Nothing was changed.")
    elif work.rescues or work.remaining or work.doubt:
        say(f"{work.database} is repaired, as far as it can be.")
    else:
        say(f"{work.database} is repaired.")


def _rescued(rescue: dict[str, Any]) -> str:
    parts = [f"{rescue['carried_over']:,} rows carried over"]
    if rescue["kept"]:
        parts.append(f"{rescue['kept']:,} in doubt, and kept")
    if rescue["lost"] and rescue["lost"]["count"]:
        more = "" if rescue["lost"]["count"] <= len(rescue["lost"]["first"]) else ", …"
        parts.append(f"{rescue['lost']['count']:,} lost: {'; '.join(rescue['lost']['first'])}{more}")
    if rescue["rows_may_be_missing"]:
        parts.append(f"rows may be missing {', '.join(rescue['rows_may_be_missing'])}")
    return "; ".join([*parts, *rescue["why"]])
