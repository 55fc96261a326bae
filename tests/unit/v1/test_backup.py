"""The copy that is made before anything is changed."""

import os
import re
import shutil
import sqlite3
from pathlib import Path
from typing import NamedTuple

import pytest

from socrates.errors import MigrationError
from socrates.v1.backup import back_up, check_free_space
from tests.support.v1_files import V1File


@pytest.fixture
def database(tmp_path: Path) -> Path:
    home = tmp_path / "home"
    home.mkdir()
    with V1File(home / "projects.db") as v1:
        for number in range(300):
            v1.add_user(f"user-{number}")
    return v1.path


class Usage(NamedTuple):
    """What `shutil.disk_usage` gives."""

    total: int
    used: int
    free: int


def dump(path: Path) -> list[str]:
    """Everything a database holds."""
    connection = sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)
    lines = list(connection.iterdump())
    connection.close()
    return lines


def test_a_backup_holds_everything_under_a_telling_name(database: Path, tmp_path: Path) -> None:
    backup = back_up(database, tmp_path)
    assert re.fullmatch(r"projects\.db\.backup_\d{8}T\d{6}Z", backup.name)
    assert backup.parent == tmp_path
    assert dump(backup) == dump(database)


def test_a_backup_leaves_nothing_else_behind(database: Path) -> None:
    backup = back_up(database, database.parent)
    assert set(database.parent.iterdir()) == {database, backup}


def test_backups_of_one_second_do_not_overwrite_each_other(database: Path) -> None:
    backups = {back_up(database, database.parent) for _ in range(4)}
    assert len(backups) == 4
    assert all(dump(backup) == dump(database) for backup in backups)


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o644])
def test_nobody_may_read_a_backup_who_may_not_read_the_original(database: Path, mode: int) -> None:
    database.chmod(mode)
    assert back_up(database, database.parent).stat().st_mode & 0o777 == mode


def test_a_backup_holds_what_is_committed_while_we_hold_the_lock(database: Path) -> None:
    before = dump(database)
    writer = sqlite3.connect(database, isolation_level=None)
    writer.execute("BEGIN IMMEDIATE")
    writer.execute("DELETE FROM users")
    backup = back_up(database, database.parent)
    writer.execute("ROLLBACK")
    writer.close()
    assert dump(backup) == before


def test_a_backup_holds_what_still_lies_in_a_write_ahead_log(database: Path) -> None:
    writer = sqlite3.connect(database, isolation_level=None)
    writer.execute("PRAGMA journal_mode = WAL")
    writer.execute("DELETE FROM users WHERE username <> 'user-7'")
    backup = back_up(database, database.parent)
    writer.close()
    connection = sqlite3.connect(backup)
    assert connection.execute("SELECT username FROM users").fetchall() == [("user-7",)]
    connection.close()


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "#1.db", "é.db"])
def test_any_file_name_is_backed_up(database: Path, name: str) -> None:
    path = database.rename(database.with_name(name))
    assert dump(back_up(path, path.parent)) == dump(path)


def test_a_backup_that_cannot_be_written_is_an_error(database: Path, tmp_path: Path) -> None:
    with pytest.raises(MigrationError, match="could not be written"):
        back_up(database, tmp_path / "no such place")
    assert list(database.parent.iterdir()) == [database]


def test_a_file_that_cannot_be_read_whole_leaves_no_half_backup(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[4096 * 2 :] = os.urandom(len(content) - 4096 * 2)
    database.write_bytes(content)
    with pytest.raises(MigrationError):
        back_up(database, database.parent)
    assert list(database.parent.iterdir()) == [database]


def test_enough_space_is_enough(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = database.stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10 * size, 7 * size, 3 * size))
    check_free_space(database, database.parent)


def test_too_little_space_is_refused_with_the_figures(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    size = database.stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10 * size, 9 * size, size))
    with pytest.raises(MigrationError) as caught:
        check_free_space(database, database.parent)
    assert f"{size:,} bytes free" in str(caught.value)
    assert f"needs about {3 * size:,}" in str(caught.value)


def test_two_directories_of_one_disk_need_the_sum(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    size = database.stat().st_size
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage(10 * size, 8 * size, 2 * size))
    with pytest.raises(MigrationError, match=f"needs about {3 * size:,}"):
        check_free_space(database, tmp_path)
