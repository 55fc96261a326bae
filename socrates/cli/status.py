"""`socrates db status`: what a database is, what it holds, where it came from, and what lies beside it."""

import sqlite3
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import typer
from sqlalchemy import URL

from socrates.cli.command import AsJson, Database, answer, answering, reading, require_ours, say
from socrates.config import Settings
from socrates.database.migrations import current_revision, head_revision
from socrates.database.urls import database_url, sqlite_path
from socrates.errors import NotRecognisedError
from socrates.models import Base
from socrates.v1.backup import UNFINISHED
from socrates.v1.layout import Kind
from socrates.v1.ledger import BackupChange, backup_changes, damaged_account, last_run, reported
from socrates.v1.postgres_target import PostgresTarget
from socrates.v1.shapes import FileKind, backups_in, recognise, v1_tables_in
from socrates.v1.target import Target

app = typer.Typer()

_BESIDE = ("backup_", "replaced_", "orphans_", "new_")
"""How the names of files that our commands leave beside a database go on."""


@app.command()
def status(database: Database = None, as_json: AsJson = False) -> None:
    """Show a database's revision, sizes, counts, last import, and what is in quarantine."""
    with answering(as_json):
        facts = _facts(database_url(Settings(), database))
        answer(facts, as_json, lambda: _print(facts))


def _facts(url: URL) -> dict[str, Any]:
    path = sqlite_path(url)
    if path is None:
        return _facts_on_server(url)
    with reading(path) as connection:
        return facts_about(connection, path)


def facts_about(connection: sqlite3.Connection, path: Path) -> dict[str, Any]:
    """All that is told of a file, ready for JSON. Raises NotRecognisedError for one that is neither v1's nor ours."""
    kind = recognise(connection, frozenset(), str(path))
    if kind is FileKind.OURS:
        require_ours(connection, path)
    target = Target(connection)
    return {
        "database": str(path),
        **_schema(kind, current_revision(connection), str(path)),
        "bytes": _sizes(connection, path),
        "rows": _counts(target, v1_tables_in(connection) if kind is FileKind.V1 else _new_tables(target)),
        **_account(target, kind),
        "v1_tables": _counts(target, backups_in(connection).values()),
        "beside": _beside(path),
    }


def _facts_on_server(url: URL) -> dict[str, Any]:
    """The same of a PostgreSQL database. Raises NotRecognisedError for one that is neither empty nor ours."""
    from socrates.database.copying.postgres_side import open_reading  # noqa: PLC0415 - its driver is an extra

    with open_reading(url, Settings().lock_timeout) as side:
        tables, revision = side.tables(), side.revision()
        if tables and revision is None:
            raise NotRecognisedError(f"{side.shown} is neither empty nor one of ours. Name the right database.")
        kind = FileKind.OURS if tables else FileKind.EMPTY

        def contents(driver: Any) -> dict[str, Any]:
            target = PostgresTarget(driver)
            return {"rows": _counts(target, _new_tables(target)), **_account(target, kind)}

        return {
            "database": side.shown,
            **_schema(kind, revision, side.shown),
            # The log belongs to the whole server, which also finds room for itself.
            "bytes": {"database": side.size(), "write_ahead_log": None, "free": None},
            **side.look_below(contents),
            "v1_tables": {},
            "beside": [],
        }


def _schema(kind: FileKind, revision: str | None, shown: str) -> dict[str, Any]:
    return {
        "kind": kind.value,
        "revision": revision,
        "head": head_revision(),
        "next": _next(kind, revision, shown),
    }


def _account(target: Target, kind: FileKind) -> dict[str, Any]:
    is_ours = kind is FileKind.OURS
    return {
        "import": _last_import(target) if is_ours else None,
        "quarantine": _quarantine(target) if is_ours else {},
    }


def _next(kind: FileKind, revision: str | None, shown: str) -> str | None:
    """What the owner should do, if anything."""
    if kind is FileKind.V1:
        return f"a database that v1 wrote. Close v1, then: socrates db upgrade {shown}"
    if kind is FileKind.EMPTY:
        return f"an empty database; it gets its schema when a program opens it, or by: socrates db upgrade {shown}"
    if revision == head_revision():
        return None
    if revision is not None and revision > head_revision():
        return "written by a newer version of socrates; install that one"
    return f"at an earlier schema: socrates db upgrade {shown}"


def _sizes(connection: sqlite3.Connection, path: Path) -> dict[str, int]:
    (page,) = connection.execute("PRAGMA page_size").fetchone()
    (free,) = connection.execute("PRAGMA freelist_count").fetchone()
    file = path.resolve()
    wal = file.with_name(f"{file.name}-wal")
    return {
        "database": path.stat().st_size,
        "write_ahead_log": wal.stat().st_size if wal.exists() else 0,
        "free": page * free,
    }


def _new_tables(target: Target) -> list[str]:
    """Those that are there: an earlier revision has fewer."""
    names = sorted(table.name for table in Base.metadata.sorted_tables if not table.name.startswith("v1_"))
    return [name for name in names if target.has_table(name)]


def _counts(target: Target, tables: Iterable[str]) -> dict[str, int]:
    return {name: _count(target, name) for name in tables}


def _count(target: Target, table: str) -> int:
    ((count,),) = target.query(f'SELECT count(*) FROM "{table}"')  # noqa: S608 - names of this package
    return int(count)


def _last_import(target: Target) -> dict[str, Any] | None:
    run = last_run(target)
    if run is None:
        return None
    moments = ", ".join(target.column(name, Kind.TIME) for name in ("started_at", "finished_at"))
    ((started, finished),) = target.query(f"SELECT {moments} FROM v1_import_runs WHERE id = ?", (run.id,))  # noqa: S608
    if not isinstance(finished, str):
        raise damaged_account(run.id, "finished_at")
    tables = reported(target, run)
    return {
        "source": run.source,
        "started_at": started,
        "finished_at": finished,
        "timezone": run.timezone,
        "options": run.options,
        **{name: sum(table[name] for table in tables.values()) for name in ("read", "imported", "quarantined")},
        "deleted_since": _kept(target, "v1_import_deletions"),
        "imported_later": _kept(target, "v1_quarantine_releases"),
        "backup_changes": [change._asdict() for change in backup_changes(target, run)],
    }


def _kept(target: Target, table: str) -> int:
    """The rows of a table that earlier revisions lack."""
    return _count(target, table) if target.has_table(table) else 0


def _quarantine(target: Target) -> dict[str, dict[str, int]]:
    """Per table of v1: the rows that wait, and those of them that only lack their project."""
    orphans = "count(*) FILTER (WHERE reason LIKE 'orphan:%')"
    waiting = f"SELECT source_table, count(*), {orphans} FROM v1_quarantine"  # noqa: S608
    if target.has_table("v1_quarantine_releases"):
        waiting += " WHERE id NOT IN (SELECT quarantine_id FROM v1_quarantine_releases)"
    rows = target.query(f"{waiting} GROUP BY source_table ORDER BY source_table")
    return {table: {"rows": count, "without_project": orphans} for table, count, orphans in rows}


def _beside(path: Path) -> list[dict[str, Any]]:
    """The files that our commands left in the database's directory, by name."""
    found = []
    for entry in sorted(path.resolve().parent.iterdir()):
        rest = entry.name.removeprefix(f"{path.resolve().name}.")
        if rest != entry.name and rest.startswith(_BESIDE) and entry.is_file():
            found.append(
                {"path": str(entry), "bytes": entry.stat().st_size, "complete": entry.suffix not in UNFINISHED}
            )
    return found


def _print(facts: Mapping[str, Any]) -> None:
    sizes, run = facts["bytes"], facts["import"]
    revision = "" if facts["revision"] is None else f", revision {facts['revision']} (newest: {facts['head']})"
    say(f"{facts['database']}: {facts['kind']}{revision}")
    if facts["next"]:
        say(f"  {facts['next']}")
    free, log = sizes["free"], sizes["write_ahead_log"]
    details = "" if free is None else f", of which {free:,} are free; write-ahead log: {log:,}"
    say(f"Size: {sizes['database']:,} bytes{details}")
    for name, count in facts["rows"].items():
        if count:
            say(f"  {name}: {count:,}")
    if run is not None:
        _print_import(run)
    elif facts["kind"] == FileKind.OURS.value:
        say("There is no account of an import." if facts["v1_tables"] else "Nothing was ever imported.")
    for table, waiting in facts["quarantine"].items():
        orphans = waiting["without_project"]
        say(f"In quarantine: {table}: {waiting['rows']:,}, of which {orphans:,} only lack their project")
    if facts["v1_tables"]:
        say(f"v1's tables beside the new ones: {sum(facts['v1_tables'].values()):,} rows")
    for entry in facts["beside"]:
        say(f"Beside it: {entry['path']} ({entry['bytes']:,} bytes){'' if entry['complete'] else ', unfinished'}")


def _print_import(run: Mapping[str, Any]) -> None:
    say(
        f"Imported from {run['source']} at {run['finished_at'][:19]} UTC, naive times read as {run['timezone']}: "
        f"{run['read']:,} rows read, {run['imported']:,} imported, {run['quarantined']:,} quarantined"
    )
    say(f"Since then: {run['deleted_since']:,} deleted, {run['imported_later']:,} imported out of quarantine")
    for change in run["backup_changes"]:
        say(str(BackupChange(**change)))
