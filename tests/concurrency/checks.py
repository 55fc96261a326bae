"""What must hold of a database file after anything whatsoever."""

import os
import sqlite3
from contextlib import closing
from pathlib import Path

from socrates.database.sqlite_connection import connection_class
from tests.support.migrate import rows

LONG = os.environ.get("SOCRATES_LONG") == "1"

DRIVERS = ("onehop", "stock")


def assert_sound(path: Path) -> None:
    """Every page is whole, every reference leads somewhere, every conversation counts its messages without a gap."""
    with closing(sqlite3.connect(path, factory=connection_class("writer", "NORMAL"))) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        assert (
            connection.execute(
                "SELECT id, message_count, count(position), min(position), max(position) FROM projects"
                " LEFT JOIN conversation_messages ON project_id = id GROUP BY id"
                " HAVING message_count <> count(position) OR min(position) <> 0 OR max(position) <> message_count - 1"
            ).fetchall()
            == []
        )


def assert_unlocked(path: Path, patience: float = 0) -> None:
    """Somebody else can write, now or within `patience` seconds: no transaction was left open."""
    with closing(sqlite3.connect(path, timeout=patience, isolation_level=None)) as connection:
        connection.execute("BEGIN IMMEDIATE")
        connection.execute("ROLLBACK")


def contents(path: Path, project_id: str) -> list[str]:
    """The messages of a conversation that are committed, by position."""
    found = rows(path, "SELECT content FROM conversation_messages WHERE project_id = ? ORDER BY position", project_id)
    return [content for (content,) in found]


def companions(path: Path) -> set[str]:
    """The names of the files that lie beside a database, without lock files."""
    return {found.name for found in path.parent.iterdir() if found != path and found.suffix != ".lock"}
