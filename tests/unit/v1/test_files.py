"""May a file be used, and how it is read without touching it."""

import hashlib
import os
import shutil
import signal
import sqlite3
import sys
from pathlib import Path

import pytest

from socrates.errors import MigrationError
from socrates.v1.files import (
    copy_to,
    has_hot_journal,
    read_only,
    require_readable,
    require_writable,
    temporary_directory,
)
from tests.support.v1_files import V1File


@pytest.fixture
def database(tmp_path: Path) -> Path:
    with V1File(tmp_path / "projects.db") as v1:
        for number in range(300):
            v1.add_user(f"user-{number}")
    return v1.path


def crashed_copy(database: Path, target: Path) -> Path:
    """A copy as a crash in the middle of a transaction leaves it: changed pages, and the journal that undoes them."""
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute("PRAGMA cache_size = 2")
    connection.execute("BEGIN IMMEDIATE")
    connection.execute("UPDATE users SET created_at = created_at || 'changed', passcode_hash = hex(randomblob(200))")
    shutil.copyfile(database, target)
    shutil.copyfile(f"{database}-journal", f"{target}-journal")
    connection.execute("ROLLBACK")
    connection.close()
    return target


def state(directory: Path) -> dict[str, str]:
    """The names and contents of all files of a directory."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in directory.iterdir() if path.is_file()}


def refusal(path: Path) -> str:
    with pytest.raises(MigrationError) as caught:
        require_readable(path)
    return str(caught.value)


def test_a_database_and_an_empty_file_may_be_read(database: Path, tmp_path: Path) -> None:
    require_readable(database)
    (tmp_path / "empty.db").touch()
    require_readable(tmp_path / "empty.db")


def test_what_is_no_database_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "file.db"
    for content in (b"hello", b"SQLite format 2\x00", b"SQLite format 3", os.urandom(4096)):
        path.write_bytes(content)
        assert "is not a SQLite database, or it is encrypted" in refusal(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    assert "there is no file" in refusal(tmp_path / "projects.db")
    assert "there is no file" in refusal(tmp_path / "no" / "projects.db")


def test_a_directory_is_refused(tmp_path: Path) -> None:
    assert "is a directory" in refusal(tmp_path)


def test_a_pipe_is_refused_without_waiting_for_it(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    assert "is not a regular file" in refusal(tmp_path / "pipe")


def test_a_dangling_link_is_refused(tmp_path: Path) -> None:
    (tmp_path / "link.db").symlink_to(tmp_path / "gone.db")
    assert "there is no file" in refusal(tmp_path / "link.db")
    with pytest.raises(MigrationError):
        require_writable(tmp_path / "link.db")


def test_a_new_file_may_be_made_where_a_directory_is(tmp_path: Path) -> None:
    require_writable(tmp_path / "new.db")
    with pytest.raises(MigrationError, match="there is no directory"):
        require_writable(tmp_path / "no" / "new.db")


def test_a_read_only_file_is_not_written_not_even_by_an_administrator(database: Path) -> None:
    database.chmod(0o444)
    with pytest.raises(MigrationError, match="is read-only"):
        require_writable(database)


def test_a_file_in_a_read_only_directory_is_not_written(database: Path) -> None:
    database.parent.chmod(0o555)
    try:
        with pytest.raises(MigrationError, match="its directory"):
            require_writable(database)
    finally:
        database.parent.chmod(0o755)


def test_a_journal_is_hot_when_it_has_content(database: Path) -> None:
    journal = database.with_name("projects.db-journal")
    assert not has_hot_journal(database)
    journal.touch()
    assert not has_hot_journal(database)
    journal.write_bytes(bytes(512))
    assert not has_hot_journal(database)
    journal.write_bytes(b"\xd9\xd5\x05\xf9\x20\xa1\x63\xd7" + bytes(504))
    assert has_hot_journal(database)


def test_reading_leaves_everything_as_it_was(database: Path, tmp_path: Path) -> None:
    before = state(tmp_path)
    with read_only(database) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (300,)
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            connection.execute("DELETE FROM users")
    assert state(tmp_path) == before


def test_after_a_crash_the_committed_rows_are_read_and_nothing_is_rolled_back_in_place(
    database: Path, tmp_path: Path
) -> None:
    place = tmp_path / "crashed"
    place.mkdir()
    crashed = crashed_copy(database, place / "projects.db")
    assert has_hot_journal(crashed)
    before = state(place)
    with read_only(crashed) as connection:
        assert connection.execute("SELECT count(*) FROM users WHERE created_at LIKE '%changed'").fetchone() == (0,)
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    assert state(place) == before


def test_a_link_to_a_crashed_file_is_read_with_the_journal_beside_the_file(database: Path, tmp_path: Path) -> None:
    place = tmp_path / "crashed"
    place.mkdir()
    crashed = crashed_copy(database, place / "projects.db")
    link = tmp_path / "link.db"
    link.symlink_to(crashed)
    assert has_hot_journal(link)
    with read_only(link) as connection:
        assert connection.execute("SELECT count(*) FROM users WHERE created_at LIKE '%changed'").fetchone() == (0,)


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "#1.db", "é.db", "x;y.db"])
def test_any_file_name_is_read(database: Path, name: str) -> None:
    path = database.rename(database.with_name(name))
    with read_only(path) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (300,)


def test_a_truncated_file_does_not_read_as_an_empty_one(database: Path) -> None:
    os.truncate(database, 100)
    with pytest.raises(MigrationError, match="damaged or cut short"), read_only(database):
        pass


def test_a_copy_holds_what_is_committed(database: Path, tmp_path: Path) -> None:
    writer = sqlite3.connect(database, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM users")
    copy_to(database, tmp_path / "copy.db", [])
    writer.execute("ROLLBACK")
    writer.close()
    with read_only(tmp_path / "copy.db") as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (300,)


def test_ctrl_c_while_a_temporary_directory_is_removed_leaves_nothing_of_it(tmp_path: Path) -> None:
    struck = []

    def strike(event: str, arguments: tuple[object, ...]) -> None:
        if event == "os.remove" and arguments[0] == "copy.db" and not struck:
            struck.append(event)
            signal.raise_signal(signal.SIGINT)

    sys.addaudithook(strike)  # it stays, and hears of nothing any more
    with temporary_directory("socrates-", tmp_path) as directory:
        (directory / "copy.db").write_bytes(b"everything")
    assert struck
    assert list(tmp_path.iterdir()) == []
