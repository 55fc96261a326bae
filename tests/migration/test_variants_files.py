"""V1, V21 and V22: what file it is, who else has it open, and whether it is one at all."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.expected_rows import KEYS
from tests.support.migrate import (
    REPOSITORY,
    alembic,
    alembic_subprocess,
    refused,
    rows,
    sha256,
    table_names,
    told,
    upgrade,
    value,
)
from tests.support.v1_files import V1File, generated_v1_file


@pytest.mark.parametrize("tables", [2, 3, 9])
def test_a_file_of_any_age_is_imported_as_far_as_it_goes(tmp_path: Path, tables: int) -> None:
    with V1File(tmp_path / "projects.db", tables=tables) as v1:
        v1.add_project()
        v1.add_user()
        if tables > 2:
            v1.add_note()
    upgrade(v1.path)
    assert value(v1.path, "SELECT count(*) FROM projects") == 1
    assert value(v1.path, "SELECT count(*) FROM users") == 1
    assert value(v1.path, "SELECT count(*) FROM project_notes") == (1 if tables > 2 else 0)
    assert rows(v1.path, "SELECT * FROM llm_usage") == []
    assert len([name for name in table_names(v1.path) if name.endswith("_v1_backup")]) == tables


def test_v1_tables_without_rows_are_imported(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        pass
    upgrade(v1.path)
    assert rows(v1.path, "SELECT * FROM projects") == []
    assert "projects_v1_backup" in table_names(v1.path)


def write_nothing(path: Path) -> None:
    path.write_bytes(b"")


def make_empty_database(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE passing (x)")
        connection.execute("DROP TABLE passing")


def leave_missing(path: Path) -> None:
    assert not path.exists()


@pytest.mark.parametrize("make", [write_nothing, make_empty_database, leave_missing])
def test_an_empty_file_an_empty_database_and_a_missing_file_become_a_schema(tmp_path: Path, make: object) -> None:
    path = tmp_path / "projects.db"
    assert callable(make)
    make(path)
    upgrade(path)
    assert table_names(path) >= set(KEYS)
    assert not [name for name in table_names(path) if name.endswith("_v1_backup")]
    assert list(tmp_path.glob("*.backup_*")) == []


@pytest.fixture
def v1_path(tmp_path: Path) -> Path:
    return generated_v1_file(tmp_path / "projects.db", projects=30, messages=20)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("lock", ["BEGIN EXCLUSIVE", "BEGIN IMMEDIATE"])
def test_a_writers_lock_is_refused_with_a_clear_error(v1_path: Path, lock: str) -> None:
    before = sha256(v1_path)
    with closing(sqlite3.connect(v1_path, isolation_level=None)) as holder:
        holder.execute(lock)
        outcome = alembic(v1_path, "upgrade", "head", v1_timezone="UTC")
        holder.execute("ROLLBACK")
    assert refused(outcome), outcome
    assert "lock" in told(outcome, v1_path.parent)
    assert sha256(v1_path) == before


@pytest.mark.usefixtures("impatient")
def test_a_readers_lock_is_refused_with_a_clear_error(v1_path: Path) -> None:
    before = sha256(v1_path)
    with closing(sqlite3.connect(v1_path, isolation_level=None)) as holder:
        holder.execute("BEGIN")
        cursor = holder.execute("SELECT project_id FROM projects")
        cursor.fetchone()
        outcome = alembic(v1_path, "upgrade", "head", v1_timezone="UTC")
        cursor.close()
        holder.execute("ROLLBACK")
    assert refused(outcome), outcome
    assert "lock" in told(outcome, v1_path.parent)
    assert sha256(v1_path) == before


def test_an_idle_connection_is_no_obstacle(v1_path: Path) -> None:
    with closing(sqlite3.connect(v1_path)) as idle:
        idle.execute("SELECT count(*) FROM projects").fetchone()
        upgrade(v1_path)
    assert value(v1_path, "SELECT count(*) FROM projects") == 30


DIE_WHILE_WRITING = """
import os, signal, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size = 2")
connection.execute("BEGIN")
connection.execute("UPDATE projects SET data = zeroblob(20000), created_at = 'half-written'")
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.fixture
def crashed(v1_path: Path) -> Path:
    before = sha256(v1_path)
    crash = subprocess.run([sys.executable, "-c", DIE_WHILE_WRITING, str(v1_path)], check=False)
    assert crash.returncode == -signal.SIGKILL
    assert v1_path.with_name("projects.db-journal").exists()
    assert sha256(v1_path) != before
    return v1_path


def test_a_journal_left_by_a_crash_is_rolled_back_and_reported(crashed: Path, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    outcome = upgrade(crashed, report=report)
    assert rows(crashed, "SELECT * FROM projects_v1_backup WHERE created_at = 'half-written'") == []
    assert value(crashed, "SELECT count(*) FROM projects") == 30
    assert "journal" in report.read_text("utf-8").replace(str(tmp_path), "")
    assert "journal" in told(outcome, tmp_path)


def test_a_dry_run_reports_a_journal_left_by_a_crash_and_leaves_it(crashed: Path) -> None:
    before = sha256(crashed), sha256(crashed.with_name("projects.db-journal"))
    outcome = upgrade(crashed, dry_run=1)
    assert "journal" in told(outcome, crashed.parent)
    assert (sha256(crashed), sha256(crashed.with_name("projects.db-journal"))) == before


def test_a_journal_beside_the_file_named_by_option_is_reported(crashed: Path, tmp_path: Path) -> None:
    target, report = tmp_path / "new.db", tmp_path / "report.json"
    outcome = upgrade(target, v1=crashed, report=report)
    assert value(target, "SELECT count(*) FROM projects") == 30
    assert "journal" in report.read_text("utf-8").replace(str(tmp_path), "")
    assert "journal" in told(outcome, tmp_path)


@pytest.mark.usefixtures("impatient")
def test_a_lock_on_the_file_named_by_option_is_refused_and_that_file_named(v1_path: Path) -> None:
    target = v1_path.with_name("new.db")
    with closing(sqlite3.connect(v1_path, isolation_level=None)) as holder:
        holder.execute("BEGIN EXCLUSIVE")
        outcome = alembic(target, "upgrade", "head", v1=v1_path, v1_timezone="UTC")
        holder.execute("ROLLBACK")
    assert refused(outcome), outcome
    assert str(v1_path) in outcome.err


def test_of_several_upgrades_at_once_one_imports_and_none_fails_badly(v1_path: Path) -> None:
    command = [sys.executable, "-m", "alembic", "-x", f"url=sqlite:///{v1_path}", "upgrade", "head"]
    running = [subprocess.Popen(command, cwd=REPOSITORY, stderr=subprocess.PIPE, text=True) for _ in range(3)]
    errors = [process.communicate()[1] for process in running]
    assert {process.returncode for process in running} <= {0, 2}
    assert not any("Traceback" in error for error in errors)
    assert value(v1_path, "SELECT count(*) FROM projects") == 30
    assert value(v1_path, "SELECT count(*) FROM v1_import_runs") == 1


@pytest.mark.parametrize("name", ["we ird%20%name.db", "üñí.db", "a?b.db", "a#b.db", "q'\".db", "x;y&z"])
def test_a_file_of_any_name_is_upgraded_in_place(tmp_path: Path, name: str) -> None:
    path = generated_v1_file(tmp_path / name, projects=1, messages=1)
    upgrade(path)
    assert value(path, "SELECT count(*) FROM projects") == 1
    (backup,) = (found for found in tmp_path.iterdir() if found != path)
    assert backup.name.startswith(f"{name}.backup_")


def test_a_file_in_utf_16_is_imported(tmp_path: Path) -> None:
    with V1File(tmp_path / "utf8.db") as v1:
        v1.add_project(goals="größer 数据")
    path = tmp_path / "projects.db"
    with closing(sqlite3.connect(path)) as target, closing(sqlite3.connect(v1.path)) as source:
        target.execute("PRAGMA encoding = 'UTF-16le'")
        target.executescript("\n".join(source.iterdump()))
    upgrade(path)
    assert value(path, "PRAGMA encoding") == "UTF-16le"
    assert value(path, "SELECT goals FROM projects") == "größer 数据"


def test_a_file_that_is_not_sqlite_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    path.write_text("This is a letter, not a database. " * 100)
    assert_refused_unchanged(path)


def test_an_encrypted_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    path.write_bytes(os.urandom(16 * 4096))
    assert_refused_unchanged(path)


@pytest.mark.parametrize("kept", [50, 1000, 4096, 40_000, -4096, -100])
def test_a_truncated_file_is_refused(v1_path: Path, kept: int) -> None:
    v1_path.write_bytes(v1_path.read_bytes()[:kept])
    assert_refused_unchanged(v1_path)


def test_a_file_with_a_damaged_page_is_refused(v1_path: Path) -> None:
    content = bytearray(v1_path.read_bytes())
    content[3 * 4096 : 4 * 4096] = os.urandom(4096)
    v1_path.write_bytes(content)
    assert_refused_unchanged(v1_path)


def assert_refused_unchanged(path: Path) -> None:
    before = sha256(path)
    outcome = alembic(path, "upgrade", "head", v1_timezone="UTC", on_bad="quarantine")
    assert refused(outcome), outcome
    assert sha256(path) == before


def test_a_directory_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    path.mkdir()
    assert refused(alembic(path, "upgrade", "head"))
    assert list(path.iterdir()) == []


def test_a_read_only_file_is_refused(tmp_path: Path) -> None:
    path = generated_v1_file(tmp_path / "projects.db", projects=2, messages=2)
    path.chmod(0o444)
    before = sha256(path)
    outcome = alembic_subprocess(path, "upgrade", "head", may_override_permissions=False, v1_timezone="UTC")
    assert refused(outcome), outcome
    assert sha256(path) == before
    assert list(tmp_path.iterdir()) == [path]


def test_a_v1_file_named_by_option_that_is_missing_is_refused(tmp_path: Path) -> None:
    target = tmp_path / "new.db"
    missing = tmp_path / "missing.db"
    outcome = alembic(target, "upgrade", "head", v1=missing)
    assert refused(outcome), outcome
    assert "missing.db" in outcome.err
    assert not missing.exists()
    assert not target.exists() or rows(target, "SELECT name FROM sqlite_master") == []


@pytest.mark.parametrize("content", [b"", b"no database at all" * 50, None], ids=["empty", "letter", "directory"])
def test_a_v1_file_named_by_option_that_holds_no_v1_is_refused(tmp_path: Path, content: bytes | None) -> None:
    source = tmp_path / "source.db"
    if content is None:
        source.mkdir()
    else:
        source.write_bytes(content)
    target = tmp_path / "new.db"
    outcome = alembic(target, "upgrade", "head", v1=source)
    assert refused(outcome), outcome
    assert not target.exists() or rows(target, "SELECT name FROM sqlite_master") == []
