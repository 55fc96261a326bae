"""Small databases that tell what they hold, for what replaces one by another."""

import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

from tests.support.migrate import sha256


def texts(path: Path, text: str, count: int = 300, mode: str = "delete", page_size: int = 4096) -> Path:
    """A database with `count` rows of one text."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"PRAGMA page_size = {page_size}")
        connection.execute(f"PRAGMA journal_mode = {mode}")
        connection.execute("CREATE TABLE content (id INTEGER PRIMARY KEY, text)")
        connection.execute("CREATE INDEX by_text ON content (text)")
        numbers = "WITH n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n LIMIT ?) "
        connection.execute(f"INSERT INTO content (text) {numbers} SELECT ? FROM n", (count, text * 20))
    return path


def held(path: Path) -> tuple[str, int]:
    """What `texts` wrote there; the whole database is read, and found sound."""
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        found = connection.execute("SELECT text, count(*) FROM content GROUP BY text").fetchall()
    ((text, count),) = found
    return text[: len(text) // 20], count


def left_by_a_crash(path: Path) -> None:
    """Make the changes of `path` lie in a -wal beside it that nobody holds, as after a kill."""
    aside = path.with_name("aside")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE content SET text = replace(text, 'old', 'OLD')")
        shutil.copyfile(path, aside)
        shutil.copyfile(f"{path}-wal", f"{aside}-wal")
    os.replace(aside, path)
    os.replace(f"{aside}-wal", f"{path}-wal")


def state(directory: Path) -> dict[str, str]:
    """Names and contents of all files there, without locks and SQLite's indexes of a -wal."""
    return {path.name: sha256(path) for path in directory.iterdir() if not path.name.endswith((".lock", "-shm"))}
