"""Databases at head whose every table has rows, of the values that are likely to go wrong on the way."""

import random
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

from sqlalchemy import Column, Table, create_engine, insert

from socrates.config import Settings
from socrates.database.copying.copy import Copy, opened_copy
from socrates.database.copying.tables import Kind, kind_of
from socrates.database.urls import database_url
from socrates.models import Base
from tests.support.stores import fresh_file

TEXTS = (
    "",
    " ",
    "A",
    "Zebra",
    "a",
    "a/b:c'd\"",
    "é",
    "e\u0301",
    "ß",
    "中",
    "\uffff",
    "🎈",
    "?$1%s",
    "NULL",
    "{}",
    "\n\t\\",
)
VALUES: dict[Kind, tuple[Any, ...]] = {
    Kind.TEXT: (*TEXTS, "é🎈\t'\\" * 500),
    Kind.INTEGER: (0, 1, 7, -1, 2**31, 2**63 - 1, -(2**63)),
    Kind.FLOAT: (0.0, -0.0, 1.0, 0.1 + 0.2, 1e300, 5e-324, -1.7976931348623157e308),
    Kind.FLAG: (True, False),
    Kind.TIME: (
        datetime(2025, 12, 4, 13, 1, 19, 197734, tzinfo=UTC),
        datetime(2026, 1, 1, tzinfo=UTC),
        datetime(1, 1, 1, tzinfo=UTC),
        datetime(9999, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    ),
    Kind.DECIMAL: tuple(map(Decimal, ("0", "0.00", "0.1", "0.10", "1E-7", "0E-20", "-3.000", "9" * 900 + ".10"))),
    Kind.JSON: (
        {},
        {"k": "v", "$x": [1, 1.0, True, None], "nul": "\0", "lone": "\ud800"},
        {"deep": {"d": {"e": [-0.0, 1e300, 2**70]}}, "é🎈": ""},
    ),
    Kind.BYTES: (b"", b"\0", b"\xff\0\xfe", random.Random(1).randbytes(3000)),
}
ROWS = 16


def filled(directory: Path, name: str = "projects.db") -> Path:
    """A SQLite database with rows in every table."""
    path = fresh_file(directory, name)
    engine = create_engine(f"sqlite:///{path}")
    chance = random.Random(7)
    with engine.begin() as connection:
        for table in Base.metadata.sorted_tables:
            connection.execute(insert(table), [_row(table, number, chance) for number in range(ROWS)])
    engine.dispose()
    return path


def _row(table: Table, number: int, chance: random.Random) -> dict[str, Any]:
    row = {column.name: _value(column, number, chance) for column in table.columns}
    if table.name == "embedding_cache":
        row |= {"dimensions": number + 1, "vector": chance.randbytes(4 * (number + 1))}
    if table.name == "knowledge_suggestions":
        row["status"] = "pending"
    if table.name == "project_conflicts":
        row |= {"field": "goals", "severity": "high", "status": "resolved", "choice": "keep"}
    if table.name == "knowledge_entries":
        row["scope"] = "global" if row["project_id"] is None else "project"
    return row


def _value(column: Column[Any], number: int, chance: random.Random) -> Any:
    kind = kind_of(column)
    if column.name in _indexed(column.table):
        return TEXTS[number] if kind is Kind.TEXT else number
    if column.name in {"position", "message_count", "version"}:
        return number + 1
    if column.nullable and chance.random() < 0.3:
        return None
    if type(column.type).__name__ == "JSON" and column.name != "original":
        return chance.choice(([], ["a", "é🎈"], [""]))
    return chance.choice(VALUES[kind])


def _indexed(table: Any) -> set[str]:
    """Columns whose values have to be short, and many of them different ones."""
    unique = (constraint for constraint in table.constraints if hasattr(constraint, "columns"))
    flags = {column.name for column in table.columns if kind_of(column) not in {Kind.TEXT, Kind.INTEGER}}
    return {column.name for group in (*table.indexes, *unique) for column in group.columns} - flags


def execute(path: Path, sql: str, *parameters: object) -> None:
    """Run one statement on a SQLite file, as anybody's program can."""
    with closing(sqlite3.connect(path)) as connection:
        connection.execute(sql, parameters)
        connection.commit()


def add_user(path: Path, name: str) -> None:
    execute(
        path,
        "INSERT INTO users (username, passcode_hash, created_at, subscription_tier, subscription_status, is_archived)"
        " VALUES (?, '', '2026-01-01 00:00:00.000000', 'free', 'active', 0)",
        name,
    )


def ignore(_what: str, _done: int, _total: int) -> None:
    """Progress that nobody watches."""


def copied(source: Path | str, target: Path | str, progress: Any = ignore) -> Copy:
    """Copy and keep it."""
    settings = Settings(lock_timeout=30)
    with opened_copy(database_url(settings, str(source)), database_url(settings, str(target)), settings) as copy:
        copy.run(progress)
        copy.commit()
    return copy


def dump(path: Path) -> list[str]:
    """What a SQLite file holds, to the last digit and type."""
    with closing(sqlite3.connect(path)) as connection:
        return sorted(connection.iterdump())
