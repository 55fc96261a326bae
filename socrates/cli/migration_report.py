"""How a migration shows its progress and its outcome to the owner of the file."""

import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from socrates.errors import ConfigurationError
from socrates.v1.files import is_sqlite
from socrates.v1.importer import Progress as ProgressCallback
from socrates.v1.migration import Migration
from socrates.v1.options import Options
from socrates.v1.reading import printable
from socrates.v1.report import ImportReport, TableReport

_REASONS_SHOWN = 10

_ADJUSTMENTS = {
    "converted": "a value of another type, converted without loss",
    "fraction_shortened": "a time with more than six digits of a second",
    "id_given": "a pending question without an id, or with one used twice",
    "item_not_text": "a list item that was not text",
    "key_from_row": "an id that differed between the row and its blob: the row's was kept",
    "member_merged": "a second entry for one team member, merged",
    "number_not_storable": "a number that no column holds, kept in extra",
    "owner_made_lead": "an owner with another role than lead, which is kept in extra",
    "time_ambiguous": "a local time that occurred twice or never: the earlier reading was taken",
    "time_unreadable": "a time that cannot be read, its text kept in extra where there is one",
    "unknown_key": "a key that v1 did not know, kept in extra",
}


@contextmanager
def progress_bar() -> Iterator[ProgressCallback]:
    """A bar on a terminal's error stream; nothing where that is no terminal."""
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        tasks: dict[str, int] = {}

        def show(table: str, done: int, total: int) -> None:
            if table not in tasks:
                tasks[table] = bar.add_task(table, total=total)
            bar.update(tasks[table], completed=done)  # type: ignore[arg-type]

        yield show


def print_outcome(migration: Migration) -> None:
    """Say on standard output what was done, and what to do next."""
    dry_run, database = migration.options.dry_run, migration.name
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # a terminal need not know every character of the data
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    if dry_run:
        console.print("Dry run: all of this was done and thrown away. Nothing was changed.")
    if migration.report is not None:
        _print_report(console, migration.report)
    elif not migration.upgraded and not migration.downgraded:
        console.print(f"{_shown(database)}: nothing to do, the schema is as asked for.")
    elif migration.given_back:
        console.print(f"{_shown(database)}: v1's tables bear their own names again; nothing of the new schema is left.")
    elif migration.downgraded:
        console.print(f"{_shown(database)}: the new tables are taken back.")
    elif migration.set_aside:
        console.print(f"{_shown(database)}: v1's tables are set aside. Their rows come with: alembic upgrade head")
    elif migration.was_ours:
        console.print(f"{_shown(database)}: the schema was upgraded; no row was touched.")
    else:
        console.print(f"{_shown(database)}: an empty database, which has the schema now. There was nothing to import.")
    for remark in migration.remarks:
        console.print(f"Note: {_shown(remark)}")
    if migration.backup is not None and not dry_run:
        console.print(f"Backup: {_shown(str(migration.backup))}")
    if migration.report is not None and not dry_run:
        _print_next(console, migration.report, migration, database)


def require_report_place(options: Options, database: Path | None) -> None:
    """Raises ConfigurationError unless the report that was asked for can be written, and over no database."""
    report = options.report
    if report is None:
        return
    if not report.parent.is_dir() or not os.access(report.parent, os.W_OK):
        raise ConfigurationError(f"-x report={report}: {report.parent} is no directory that can be written to")
    if report.exists() and not report.is_file():
        raise ConfigurationError(f"-x report={report} is not a regular file")
    for used in filter(None, (database, options.v1)):
        if report.resolve().name.startswith(used.resolve().name) and report.resolve().parent == used.resolve().parent:
            raise ConfigurationError(f"-x report={report} would lie over {used} or what SQLite keeps beside it")
    if report.exists() and is_sqlite(report):
        raise ConfigurationError(f"-x report={report} is a database, which a report must not overwrite")


def outcome(migration: Migration) -> dict[str, Any]:
    """The same as facts for JSON."""
    dry_run = migration.options.dry_run
    return {
        "database": migration.name,
        "dry_run": dry_run,
        "upgraded": migration.upgraded,
        "downgraded": migration.downgraded,
        "v1_tables_set_aside": migration.set_aside,
        "v1_tables_given_back": migration.given_back,
        "backup": str(migration.backup) if migration.backup and not dry_run else None,
        "import": migration.report.as_json() if migration.report else None,
        "readable_keys": migration.readable_keys,
        "remarks": migration.remarks,
    }


def write_report(migration: Migration, path: Path) -> None:
    """Write the report as JSON, for nobody but its owner to read: it repeats values of the database."""
    content = outcome(migration)
    partial = path.with_name(path.name + ".partial")
    partial.touch(mode=0o600)
    partial.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    os.replace(partial, path)


def _print_report(console: Console, report: ImportReport) -> None:
    table = Table(title=f"Import of {_shown(report.source)}", title_justify="left")
    table.add_column("v1 table")
    for heading in ("read", "imported", "quarantined", "adjusted"):
        table.add_column(heading, justify="right")
    for name, account in report.tables.items():
        figures = (account.read, account.imported, account.quarantined, account.adjusted.total())
        table.add_row(name, *(f"{figure:,}" for figure in figures))
    console.print(table)
    for name, account in report.tables.items():
        _print_adjustments(console, name, account)
        _print_quarantined(console, name, account)
    console.print(
        f"Every value was read back and compared. Naive times were read as {_shown(report.timezone)}. "
        f"{report.seconds:.2f} s."
    )


def _print_adjustments(console: Console, name: str, account: TableReport) -> None:
    for kind, count in sorted(account.adjusted.items()):
        console.print(f"  {name}: {count:,} × {_ADJUSTMENTS.get(kind, kind)}")


def _print_quarantined(console: Console, name: str, account: TableReport) -> None:
    for entry in (account.reasons + account.orphans)[:_REASONS_SHOWN]:
        console.print(f"  {name} {_shown(repr(entry['key']))} is in quarantine: {_shown(entry['reason'])}")
    if account.quarantined > _REASONS_SHOWN:
        console.print(f"  {name}: {account.quarantined - _REASONS_SHOWN:,} more are in quarantine")


def _print_next(console: Console, report: ImportReport, migration: Migration, database: str) -> None:
    keys = report.tables.get("api_keys")
    if keys is not None and keys.imported:
        console.print(
            f"{keys.imported:,} API keys came over as v1 stored them, {migration.readable_keys:,} of which anybody can "
            "read. Encrypt them: socrates keys encrypt. They also lie in "
            + ("the backup and in api_keys_v1_backup" if migration.options.v1 is None else "v1's file")
            + ", so renew them where you got them."
        )
    if report.damaged:
        console.print(
            f"{report.damaged} rows could not be read. They are whole in the table v1_quarantine, with the reason."
        )
    if migration.options.v1 is None:
        console.print(
            "v1's tables stand beside the new ones as <name>_v1_backup. Next: socrates db check "
            f"{_shown(database)} proves the import again; alembic downgrade base takes it back."
        )
    else:
        console.print(f"{_shown(str(migration.options.v1))} was only read, and is as it was.")


def _shown(text: str) -> str:
    """What a name or a message would do to the terminal, or to rich's own marks, is written out instead."""
    return escape(printable(text))
