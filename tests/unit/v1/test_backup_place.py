"""Where an owner's backup may go: it joins nothing that lies there, and overwrites nothing that comes."""

import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from socrates.errors import MigrationError
from socrates.v1.backup import back_up_to
from tests.support.migrate import value
from tests.support.v1_files import V1File


@pytest.fixture
def database(tmp_path: Path) -> Path:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user("ada")
    return v1.path


def leave_a_wal(database: Path, place: Path) -> Path:
    """Beside `place`, the -wal of a database that is gone, in which somebody had deleted all users."""
    other = Path(shutil.copyfile(database, place.with_name("other.db")))
    with closing(sqlite3.connect(other, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("DELETE FROM users")
        return Path(shutil.copyfile(f"{other}-wal", f"{place}-wal"))


def test_a_backup_does_not_join_the_wal_of_a_database_that_is_gone(database: Path, tmp_path: Path) -> None:
    place = tmp_path / "copy.db"
    left = leave_a_wal(database, place)
    with pytest.raises(MigrationError, match="lies there without its database"):
        back_up_to(database, place)
    assert not place.exists()
    left.unlink()
    assert value(back_up_to(database, place), "SELECT username FROM users") == "ada"


def test_a_file_that_comes_while_the_copy_is_made_is_not_overwritten(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    place = tmp_path / "copy.db"

    class Slow(sqlite3.Connection):
        def backup(self, *arguments: Any, **named: Any) -> None:
            place.write_text("the only copy of a thesis")
            super().backup(*arguments, **named)

    connect = sqlite3.connect
    monkeypatch.setattr("sqlite3.connect", lambda *arguments, **named: connect(*arguments, factory=Slow, **named))
    with pytest.raises(MigrationError, match="not overwritten"):
        back_up_to(database, place)
    assert place.read_text() == "the only copy of a thesis"
    assert not place.with_name("copy.db.partial").exists()
