"""What SQLite's errors tell an owner, and what they must not."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from socrates.v1.sqlite_errors import explained


def test_text_that_is_not_utf_8_is_said_without_the_text() -> None:
    with closing(sqlite3.connect(":memory:")) as connection, pytest.raises(sqlite3.Error) as raised:
        connection.execute("SELECT CAST(x'736563726574ff' AS TEXT) AS encrypted_key").fetchone()
    assert "secret" in str(raised.value)
    message = str(explained(raised.value, Path("projects.db")))
    assert "not UTF-8" in message
    assert "secret" not in message
