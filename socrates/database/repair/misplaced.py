"""Finds pages of other tables in the place of a table's own, where nothing but their rows is wrong.

SQLite's own check does not see them when a table has no more than that page: the page is whole, only not this table's.
"""

import sqlite3
from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from socrates.database.repair.finding import Keys
from socrates.database.repair.pages import Pages
from socrates.database.repair.stored_tables import StoredTable
from socrates.database.repair.trees import Forest


def misplaced_pages(connection: sqlite3.Connection, suspects: frozenset[str]) -> Keys:
    """Why pages of a database that SQLite finds sound are those of other tables.

    In the tables `suspects`, whose rows make no sense, a page that stands in the file a second time is one. In others
    it is not: two tables may hold the same.
    """
    found = Keys()
    with TemporaryDirectory(prefix="socrates-pages-") as directory:
        path = Path(directory) / "copy.db"
        with closing(sqlite3.connect(path)) as copy:
            connection.backup(copy)  # as this transaction sees it, whatever lies in a -wal
            with closing(Pages(path)) as pages:
                _look(copy, Forest(pages), suspects, found)
    return found


def _look(copy: sqlite3.Connection, forest: Forest, suspects: frozenset[str], found: Keys) -> None:
    tables = copy.execute("SELECT name, rootpage FROM sqlite_master WHERE type = 'table' AND rootpage > 0").fetchall()
    for name, root in tables:
        table = StoredTable.of(copy, name, root)
        for piece in forest.walk(table.tree):
            if piece.hole is not None and name in suspects:
                found.add(f"{name}: {piece.hole.reason}")
            if any(map(table.is_foreign, piece.rows)):
                found.add(f"{name}: it holds rows of another table")
