"""Errors of SQLAlchemy and of the driver, said in our own exceptions and without a value."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import exc, select, text

from socrates.database.failures import READING, WRITING, explained, is_missing_parent
from socrates.errors import (
    AlreadyExistsError,
    BusyError,
    ClosedError,
    DamagedRecordError,
    DatabaseError,
    InvalidValueError,
    SocratesError,
)
from socrates.models import Project
from socrates.store import Store, UnitOfWork
from tests.support.stores import fresh_file, fresh_store

SCHEMA = """
    CREATE TABLE parent (id TEXT PRIMARY KEY, other TEXT UNIQUE);
    CREATE TABLE child (id TEXT NOT NULL CHECK (id <> ''), parent TEXT REFERENCES parent, number INTEGER) STRICT;
    INSERT INTO parent VALUES ('s3cret', 's3cret');
"""


def cause(sql: str, *parameters: Any) -> Exception:
    """What sqlite3 raises for a statement."""
    with closing(sqlite3.connect(":memory:")) as connection:
        connection.executescript(SCHEMA)
        connection.execute("PRAGMA foreign_keys = ON")
        with pytest.raises(Exception) as raised:  # noqa: PT011 - whatever it is
            connection.execute(sql, parameters)
    return raised.value


def wrapped(error: Exception) -> Exception:
    """The same as SQLAlchemy raises it."""
    return exc.DBAPIError.instance("SELECT 's3cret'", ("s3cret",), error, sqlite3.Error)


def coded(code: int, message: str = "s3cret") -> Exception:
    error = sqlite3.OperationalError(message)
    error.sqlite_errorcode = code  # type: ignore[misc]
    return wrapped(error)


@pytest.mark.parametrize(
    ("sql", "kind", "told"),
    [
        ("INSERT INTO parent VALUES ('s3cret', 'x')", AlreadyExistsError, "parent.id"),
        ("INSERT INTO parent VALUES ('x', 's3cret')", AlreadyExistsError, "parent.other"),
        ("INSERT INTO child VALUES ('x', 'none', 1)", InvalidValueError, "does not exist"),
        ("INSERT INTO child VALUES (NULL, 's3cret', 1)", InvalidValueError, "child.id"),
        ("INSERT INTO child VALUES ('', 's3cret', 1)", InvalidValueError, "id <> ''"),
    ],
)
def test_a_broken_constraint_is_named_by_its_columns(sql: str, kind: type[SocratesError], told: str) -> None:
    error = explained(wrapped(cause(sql)))
    assert type(error) is kind
    assert told in str(error)
    assert "s3cret" not in str(error)


def test_a_missing_parent_is_told_from_other_broken_constraints() -> None:
    assert is_missing_parent(wrapped(cause("INSERT INTO child VALUES ('x', 'none', 1)")))
    assert not is_missing_parent(wrapped(cause("INSERT INTO parent VALUES ('s3cret', 'x')")))
    assert not is_missing_parent(coded(sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY))
    assert not is_missing_parent(ValueError())


@pytest.mark.parametrize(
    ("code", "kind", "told"),
    [
        (sqlite3.SQLITE_BUSY, BusyError, "lock_timeout"),
        (sqlite3.SQLITE_BUSY_SNAPSHOT, BusyError, "lock_timeout"),
        (sqlite3.SQLITE_BUSY_RECOVERY, BusyError, "lock_timeout"),
        (sqlite3.SQLITE_LOCKED, BusyError, "lock_timeout"),
        (sqlite3.SQLITE_FULL, DatabaseError, "disk is full"),
        (sqlite3.SQLITE_CORRUPT, DatabaseError, "damaged"),
        (sqlite3.SQLITE_CORRUPT_INDEX, DatabaseError, "damaged"),
        (sqlite3.SQLITE_NOTADB, DatabaseError, "damaged"),
    ],
)
def test_what_the_engine_says_is_said_with_what_helps(code: int, kind: type[SocratesError], told: str) -> None:
    error = explained(coded(code))
    assert type(error) is kind
    assert told in str(error)


def test_any_other_refusal_is_a_database_error_with_its_cause() -> None:
    error = explained(coded(sqlite3.SQLITE_IOERR, "disk I/O error"))
    assert type(error) is DatabaseError
    assert "disk I/O error" in str(error)


@pytest.mark.parametrize(
    ("error", "kind", "told"),
    [
        (exc.TimeoutError(), BusyError, "lock_timeout"),
        (exc.StatementError("no", "SELECT 1", None, ValueError("naive")), InvalidValueError, "naive"),
        (exc.InvalidRequestError("This Session has been permanently closed"), ClosedError, "over"),
        (exc.InvalidRequestError("something else"), DatabaseError, "something else"),
        (OverflowError("too large"), InvalidValueError, "too large"),
        (UnicodeError("surrogates"), InvalidValueError, "surrogates"),
        (ValueError("bad form"), DamagedRecordError, "socrates db check"),
        (TypeError("bad type"), DamagedRecordError, "TypeError"),
        (KeyError("x"), DamagedRecordError, "KeyError"),
        (ZeroDivisionError("x"), DamagedRecordError, "ZeroDivisionError"),
    ],
    ids=repr,
)
def test_each_kind_of_failure_has_its_exception(error: Exception, kind: type[SocratesError], told: str) -> None:
    found = explained(error)
    assert type(found) is kind
    assert told in str(found)
    # What could not be read may be a secret.
    assert found.__cause__ is (None if kind is DamagedRecordError else error)
    assert isinstance(error, READING)


def test_what_writing_can_raise_is_not_taken_for_damage() -> None:
    for kind in WRITING:
        assert not isinstance(explained(kind()), DamagedRecordError)


def test_the_statement_and_its_parameters_are_never_repeated() -> None:
    for code in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR):
        assert "s3cret" not in str(explained(coded(code, "message")))


async def _fail_late(store: Store, sql: str) -> None:
    async with store.begin() as unit:
        await _run(unit, sql)


async def _run(unit: UnitOfWork, sql: str) -> None:
    await unit.projects._session.execute(text(sql))


async def test_a_constraint_that_breaks_at_the_commit_is_ours_too(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            await unit.projects.create("A library", "ada", project_id="p")

        async def orphan() -> None:
            async with store.begin() as unit:
                await _run(unit, "PRAGMA defer_foreign_keys = ON")
                await _run(unit, "UPDATE team_members SET project_id = 'none'")

        with pytest.raises(InvalidValueError, match="does not exist"):
            await orphan()
        assert len(await store.projects.members("p")) == 1


async def test_a_unit_that_is_over_says_so(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            await unit.projects.create("A library", "ada", project_id="p")
        for late in (
            unit.projects.summary("p"),
            unit.projects.delete("p"),
            unit.projects.save_phase_scores("p", {"a": 1}),
        ):
            with pytest.raises(ClosedError):
                await late
        assert (await store.projects.summary("p")).id == "p"


async def test_a_lock_that_another_holds_too_long_is_busy(tmp_path: Path) -> None:
    async with fresh_store(tmp_path, lock_timeout=0.2) as store:
        with closing(sqlite3.connect(tmp_path / "projects.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(BusyError, match="lock_timeout"):
                await _create(store)
            other.execute("ROLLBACK")
        await _create(store)


async def _create(store: Store) -> None:
    async with store.begin() as unit:
        await unit.projects.create("A library", "ada", project_id="p")


async def test_a_damaged_file_is_said_to_be_one(tmp_path: Path) -> None:
    path = fresh_file(tmp_path)
    async with Store.open(path) as store:
        await _create(store)
    with closing(sqlite3.connect(path)) as connection:
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        (root,) = connection.execute("SELECT rootpage FROM sqlite_master WHERE name = 'projects'").fetchone()
    with path.open("r+b") as file:
        file.seek((root - 1) * page_size)
        file.write(b"\xff" * page_size)
    async with Store.open(path) as store:
        with pytest.raises(DatabaseError, match="damaged"):
            await store.projects.summary("p")


async def test_a_value_never_shows_in_the_error_of_a_unit(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:

        async def twice() -> None:
            async with store.begin() as unit:
                for _ in range(2):
                    await unit.projects.create("s3cret name", "s3cret owner", project_id="p", goals="s3cret goals")

        with pytest.raises(AlreadyExistsError) as raised:
            await twice()
        error: BaseException | None = raised.value
        while error is not None:
            assert "s3cret" not in str(error)
            error = error.__cause__
        async with store._engines.reader.connect() as connection:
            assert (await connection.execute(select(Project.id))).all() == []
