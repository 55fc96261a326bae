"""What a real PostgreSQL server refuses, said in our own exceptions and without a value."""

import asyncio
import traceback
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import text

from socrates.database import postgres_failures
from socrates.errors import (
    AlreadyExistsError,
    BusyError,
    DatabaseError,
    InvalidValueError,
    ProjectNotFoundError,
    SerializationError,
    SocratesError,
)
from socrates.store import Store, UnitOfWork
from tests.support.postgres import EmptyDatabases, execute, query
from tests.support.stores import fresh_store, on_postgres

pytestmark = pytest.mark.postgres

# Put together, so that the lines of source in a traceback do not hold it.
SECRET = "-".join(("pbkdf2", "hash", "4711"))

PROBE = (
    "CREATE TEMP TABLE probe (id text PRIMARY KEY, number integer CONSTRAINT small CHECK (number < 10), name text"
    " NOT NULL DEFAULT '', exact numeric(3)) ON COMMIT DROP"
)


@pytest.fixture
async def store(empty_databases: EmptyDatabases, tmp_path: Any) -> AsyncIterator[Store]:
    with on_postgres(empty_databases):
        async with fresh_store(tmp_path) as store:
            yield store


async def refused(store: Store, sql: str, **parameters: Any) -> SocratesError:
    """What is raised for a statement in a unit of work that has made the table `probe`."""
    with pytest.raises(SocratesError) as raised:  # noqa: PT012 - the unit is what raises
        async with store.begin() as unit:
            await unit.projects._session.run(text(PROBE))
            await unit.projects._session.run(text("INSERT INTO probe (id) VALUES (:id)"), {"id": SECRET})
            await unit.projects._rows(text(sql), **parameters)
    assert_keeps_quiet(raised.value)
    return raised.value


def assert_keeps_quiet(error: BaseException) -> None:
    """Nothing that a log would show of the error, its causes and contexts, repeats the secret."""
    shown = "".join(traceback.format_exception(error))
    assert SECRET not in shown
    for each in causes(error):
        assert SECRET not in f"{each} {each!r} {getattr(each, 'detail', None)}"


def causes(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and all that it came from, suppressed or not."""
    if error is not None:
        yield error
        yield from causes(error.__cause__)
        if error.__context__ is not error.__cause__:
            yield from causes(error.__context__)


@pytest.mark.parametrize(
    ("sql", "kind", "told"),
    [
        ("INSERT INTO probe (id) VALUES (:x)", AlreadyExistsError, "probe, probe_pkey"),
        ("INSERT INTO probe (id, number) VALUES (:x || 'y', 11)", InvalidValueError, "probe, small"),
        ("INSERT INTO probe (id, name) VALUES (:x || 'y', NULL)", InvalidValueError, "probe, name"),
        ("INSERT INTO probe (id, exact) VALUES (:x || 'y', 1000)", InvalidValueError, "column does not take it"),
        ("INSERT INTO probe (id) SELECT :x || string_agg(md5(g::text), '') FROM generate_series(1, 300) g",
         InvalidValueError, "512 bytes"),
        ("SELECT CAST(:x AS text)::integer", InvalidValueError, "column does not take it"),
        ("SELECT CAST(:x AS text)::timestamptz", InvalidValueError, "column does not take it"),
        ("SELECT CAST(:x AS integer)", InvalidValueError, "column does not take it"),
        ("SELECT 1 / (length(:x) - 16)", InvalidValueError, "column does not take it"),
        ("SELECT * FROM missing WHERE id = :x", DatabaseError, "missing"),
        ("SELECT (:x)::text COLLATE missing", DatabaseError, "missing"),
    ],
)  # fmt: skip
async def test_what_the_server_refuses_is_named_without_a_value(
    store: Store, sql: str, kind: type[SocratesError], told: str
) -> None:
    error = await refused(store, sql, x=SECRET)
    assert type(error) is kind
    assert told in str(error)


def raising(code: str) -> str:
    """A statement with which a server raises an error of this code, the secret in its every part."""
    said = "MESSAGE = 'on purpose', DETAIL = (SELECT id FROM probe), HINT = (SELECT id FROM probe)"
    return f"DO $$ BEGIN RAISE EXCEPTION USING ERRCODE = '{code}', {said}; END $$"


CODES = {
    "23505": AlreadyExistsError,
    "23503": InvalidValueError,
    "23514": InvalidValueError,
    "23P01": InvalidValueError,
    "22021": InvalidValueError,
    "22P05": InvalidValueError,
    "22003": InvalidValueError,
    "54000": InvalidValueError,
    "40001": SerializationError,
    "40P01": SerializationError,
    "0A000": SerializationError,
    "55P03": BusyError,
    "57014": DatabaseError,
    "53100": DatabaseError,
    "53200": DatabaseError,
    "25006": DatabaseError,
    "25P02": DatabaseError,
    "57P01": DatabaseError,
    "57P02": DatabaseError,
    "57P05": DatabaseError,
    "08006": DatabaseError,
    "XX000": DatabaseError,
}


def test_every_code_has_its_case() -> None:
    assert set(postgres_failures._CODES) <= set(CODES)
    assert set(postgres_failures._CLASSES) <= {code[:2] for code in CODES}


@pytest.mark.parametrize("code", CODES)
async def test_each_code_has_its_exception_and_keeps_quiet(store: Store, code: str) -> None:
    error = await refused(store, raising(code))
    assert type(error) is CODES[code]
    assert ("on purpose" in str(error)) == (code == "XX000"), "what is known is said in our words"
    async with store.begin() as unit:
        assert await unit.projects.count_owned("ada") == 0


# The same as they come about by themselves


async def test_a_reference_to_nothing_is_told_from_other_failures(store: Store) -> None:
    with pytest.raises(ProjectNotFoundError) as raised:
        async with store.begin() as unit:
            await unit.projects.save_phase_scores("nowhere", {"design": 1.0})
    assert_keeps_quiet(raised.value)
    error = await refused(
        store, "INSERT INTO phase_maturity_scores (project_id, phase, score) VALUES (:x, 'design', 1)", x=SECRET
    )
    assert type(error) is InvalidValueError
    assert "does not exist" in str(error)


@pytest.mark.parametrize(
    "attempt",
    [
        lambda unit: unit.users.create("ada", SECRET + "\x00"),
        lambda unit: unit.projects.create("Library", SECRET + 600 * "x"),
        lambda unit: unit.projects.create("Library", SECRET + "\ud800"),
        lambda unit: unit.llm.save_key("ada", "claude", SECRET, SECRET + "\x00"),
        lambda unit: unit.users.create("bob", SECRET),
        lambda unit: unit.projects.summary(SECRET + "\x00"),
        lambda unit: unit.projects.summary(SECRET + "\ud800"),
        lambda unit: unit.projects.count_owned(SECRET + "\x00"),
    ],
)  # fmt: skip
async def test_no_call_repeats_what_it_was_given(store: Store, attempt: Callable[[UnitOfWork], Awaitable[Any]]) -> None:
    async with store.begin() as unit:
        await unit.users.create("bob", SECRET)
    with pytest.raises((InvalidValueError, AlreadyExistsError)) as raised:
        async with store.begin() as unit:
            await attempt(unit)
    assert_keeps_quiet(raised.value)


@pytest.mark.parametrize("ending", ["\x00", "\ud800"], ids=["NUL", "lone surrogate"])
async def test_a_read_by_what_cannot_be_sent_is_an_invalid_value(store: Store, ending: str) -> None:
    for read in (store.projects.summary, store.users.get, store.projects.for_user, store.conversations.last):
        with pytest.raises(InvalidValueError) as raised:
            await read(SECRET + ending)
        assert_keeps_quiet(raised.value)
    assert await store.projects.for_user("ada") == ()


async def test_what_fails_spoils_the_unit_however_early_it_is_refused(store: Store) -> None:
    with pytest.raises(DatabaseError, match="begin another one") as raised:  # noqa: PT012 - the unit is what raises
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada", project_id="library")
            with pytest.raises(InvalidValueError):
                await unit.users.create("ada", SECRET + "\x00")
    assert_keeps_quiet(raised.value)
    assert await store.projects.for_user("ada") == ()


async def test_reads_cannot_write(store: Store) -> None:
    with pytest.raises(DatabaseError, match="only reads"):
        await store.projects._rows(text("DELETE FROM projects"))


async def test_a_schema_that_changes_under_a_prepared_statement_is_told_once(store: Store) -> None:
    async with store.begin() as unit:
        await unit.projects.create("Library", "ada", project_id="library")
        await unit.conversations.last("library")
    url = store._engines.writer.url.render_as_string(hide_password=False)
    statement = text("SELECT * FROM changing")
    execute(url, "CREATE TABLE changing (id integer)")
    try:
        async with store.begin() as unit:
            await unit.projects._rows(statement)
        execute(url, "ALTER TABLE changing ADD COLUMN more integer")
        with pytest.raises(SerializationError, match="run it again"):
            async with store.begin() as unit:
                await unit.projects._rows(statement)
        async with store.begin() as unit:
            assert await unit.projects._rows(statement) == []
    finally:
        execute(url, "DROP TABLE changing")


async def test_an_idle_unit_that_the_server_ends_is_told(store: Store) -> None:
    url = store._engines.writer.url.render_as_string(hide_password=False)
    with pytest.raises(DatabaseError, match="connection to the database was lost"):  # noqa: PT012 - the unit is what raises
        async with store.begin() as unit:
            ((server,),) = await unit.projects._rows(text("SELECT pg_backend_pid()"))
            await unit.projects._session.run(text("SET LOCAL idle_in_transaction_session_timeout = '50ms'"))
            async with asyncio.timeout(20):
                while query(url, "SELECT 1 FROM pg_stat_activity WHERE pid = $1", server):  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            await asyncio.sleep(0.1)
            await unit.projects.count_owned("ada")
    assert await store.projects.count_owned("ada") == 0


async def test_a_unit_after_a_failure_in_it_is_told_to_begin_another(store: Store) -> None:
    with pytest.raises(DatabaseError, match="begin another one"):  # noqa: PT012 - the unit is what raises
        async with store.begin() as unit:
            with pytest.raises(DatabaseError):
                await unit.projects._rows(text("SELECT * FROM missing"))
            await unit.projects.count_owned("ada")
