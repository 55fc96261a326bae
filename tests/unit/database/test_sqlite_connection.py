"""The functions that every connection knows, and how a connection is closed."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from socrates.database.sqlite_connection import connection_class


@pytest.fixture
def connection(tmp_path: Path) -> Iterator[sqlite3.Connection]:
    with closing(sqlite3.connect(tmp_path / "x.db", factory=connection_class("writer", "NORMAL"))) as found:
        yield found


@pytest.mark.parametrize(
    ("text", "needle", "found"),
    [
        ("The Library", "lib", 1),
        ("The Library", "shelf", 0),
        ("GROSSE STRASSE", "straße".casefold(), 1),
        ("ΒΙΒΛΙΟΘΉΚΗ", "βιβλιοθήκη", 1),
        ("БИБЛИОТЕКА", "библио", 1),
        ("100% _sure", "% _", 1),
        (None, "x", 0),
        (17, "1", 0),
    ],
)
def test_text_is_found_whatever_its_case(connection: sqlite3.Connection, text: object, needle: str, found: int) -> None:
    assert connection.execute("SELECT contains_folded(?, ?)", (text, needle)).fetchone() == (found,)


@pytest.mark.parametrize(
    ("values", "total"),
    [
        ([], None),
        ([None], "0"),
        (["0.1", "0.2"], "0.3"),
        (["0.1", None, "-0.1"], "0.0"),
        (["123456789012345678.12", "0.000001"], "123456789012345678.120001"),
    ],
)
def test_decimals_are_added_exactly(
    connection: sqlite3.Connection, values: list[str | None], total: str | None
) -> None:
    connection.execute("CREATE TABLE costs (cost TEXT)")
    connection.executemany("INSERT INTO costs VALUES (?)", [(value,) for value in values])
    assert connection.execute("SELECT decimal_sum(cost) FROM costs").fetchone() == (total,)


def test_closing_ends_the_transaction_even_when_a_cursor_is_still_being_read(
    tmp_path: Path, connection: sqlite3.Connection
) -> None:
    connection.execute("CREATE TABLE numbers (number INTEGER)")
    connection.executemany("INSERT INTO numbers VALUES (?)", [(number,) for number in range(10)])
    connection.commit()
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("INSERT INTO numbers VALUES (99)")
    cursor = connection.execute("SELECT number FROM numbers")
    assert cursor.fetchone() == (0,)
    connection.close()
    connection.close()
    with closing(sqlite3.connect(tmp_path / "x.db", timeout=0, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        assert other.execute("SELECT count(*) FROM numbers").fetchone() == (10,)
    del cursor
