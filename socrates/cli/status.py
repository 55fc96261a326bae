"""`socrates db status`: what a database is, what it holds, where it came from, and what lies beside it."""

import sqlite3
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import typer

from socrates.cli.command import AsJson, Database, answer, answering, reading, require_ours, say, sqlite_file
from socrates.database.migrations import current_revision, head_revision
from socrates.models import Base
from socrates.v1.backup import UNFINISHED
from socrates.v1.ledger import backup_changes, last_run
from socrates.v1.shapes import FileKind, backups_in, recognise, v1_tables_in
from socrates.v1.target import Target, parsed

app = typer.Typer()

_BESIDE = ("backup_", "replaced_", "orphans_", "new_")
"""How the names of files that our commands leave beside a database go on."""


@app.command()
def status(database: Database = None, as_json: AsJson = False) -> None:
    """Show a database's revision, sizes, counts, last import, and what is in quarantine."""
    with answering(as_json):
        path = sqlite_file(database)
        with reading(path) as connection:
            facts = facts_about(connection, path)
        answer(facts, as_json, lambda: _print(facts))


def facts_about(connection: sqlite3.Connection, path: Path) -> dict[str, Any]:
    """All that is told, ready for JSON. Raises NotRecognisedError for a database that is neither v1's nor ours."""
    kind = recognise(connection, frozenset(), str(path))
    if kind is FileKind.OURS:
        require_ours(connection, path)
    revision = current_revision(connection)
    return {
        "database": str(path),
        "kind": kind.value,
        "revision": revision,
        "head": head_revision(),
        "next": _next(kind, revision, path),
        "bytes": _sizes(connection, path),
        "rows": _counts(connection, kind),
        "import": _last_import(connection) if kind is FileKind.OURS else None,
        "quarantine": _quarantine(connection) if kind is FileKind.OURS else {},
        "v1_tables": {name: _count(connection, name) for name in backups_in(connection).values()},
        "beside": _beside(path),
    }


def _next(kind: FileKind, revision: str | None, path: Path) -> str | None:
    """What the owner should do, if anything."""
    if kind is FileKind.V1:
        return f"a database that v1 wrote. Close v1, then: socrates db upgrade {path}"
    if kind is FileKind.EMPTY:
        return f"an empty database; it gets its schema when a program opens it, or by: socrates db upgrade {path}"
    if revision == head_revision():
        return None
    if revision is not None and revision > head_revision():
        return "written by a newer version of socrates; install that one"
    return f"at an earlier schema: socrates db upgrade {path}"


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


def _counts(connection: sqlite3.Connection, kind: FileKind) -> dict[str, int]:
    if kind is FileKind.V1:
        return {name: _count(connection, name) for name in v1_tables_in(connection)}
    there = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
    names = [table.name for table in Base.metadata.sorted_tables if not table.name.startswith("v1_")]
    return {name: _count(connection, name) for name in sorted(names) if name in there}


def _count(connection: sqlite3.Connection, table: str) -> int:
    (count,) = connection.execute(f'SELECT count(*) FROM "{table}"').fetchone()  # noqa: S608 - names of this package
    return int(count)


def _last_import(connection: sqlite3.Connection) -> dict[str, Any] | None:
    target = Target(connection)
    run = last_run(target)
    if run is None:
        return None
    ((started, finished, report),) = target.query(
        "SELECT started_at, finished_at, report FROM v1_import_runs WHERE id = ?", (run.id,)
    )
    tables: Mapping[str, Mapping[str, int]] = parsed(report).get("tables", {})
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
    if not target.has_table(table):
        return 0
    ((count,),) = target.query(f"SELECT count(*) FROM {table}")  # noqa: S608 - names of this package
    return int(count)


def _quarantine(connection: sqlite3.Connection) -> dict[str, dict[str, int]]:
    """Per table of v1: the rows that wait, and those of them that only lack their project."""
    target = Target(connection)
    waiting = "SELECT source_table, count(*), sum(reason LIKE 'orphan:%') FROM v1_quarantine"
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
    say(
        f"Size: {sizes['database']:,} bytes, of which {sizes['free']:,} are free; "
        f"write-ahead log: {sizes['write_ahead_log']:,}"
    )
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
        say(f"v1's tables were {change['kind']} at {change['changed_at'][:19]} UTC")
