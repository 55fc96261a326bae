"""The sessions below the store: what they commit, and that reads need no transaction."""

import asyncio
from contextlib import nullcontext
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import exc, text

from socrates.config import Settings
from socrates.database.flight import Flight
from socrates.database.sessions import ReadSession, write_session
from socrates.database.sqlite_engines import SQLiteEngines, open_engines
from socrates.database.turns import Turns
from socrates.errors import ClosedError, InvalidValueError
from socrates.models import User
from tests.concurrency.checks import DRIVERS, assert_unlocked
from tests.support.migrate import value
from tests.support.stores import fresh_file


@pytest.fixture(params=DRIVERS)
def engines(request: pytest.FixtureRequest, tmp_path: Path) -> SQLiteEngines:
    return open_engines(fresh_file(tmp_path), Settings(sqlite_driver=request.param))


async def test_a_write_session_commits_at_its_end_and_cannot_be_used_again(engines: SQLiteEngines) -> None:
    async with write_session(engines.write_session()) as session:
        await session.execute(text("UPDATE alembic_version SET version_num = 'x'"))
        assert value(engines.path, "SELECT version_num FROM alembic_version") != "x"
    assert value(engines.path, "SELECT version_num FROM alembic_version") == "x"
    with pytest.raises(exc.InvalidRequestError, match="closed"):
        await session.execute(text("SELECT 1"))
    await engines.dispose()


async def test_a_write_session_rolls_back_on_any_exception(engines: SQLiteEngines) -> None:
    for error in (ValueError("x"), asyncio.CancelledError(), GeneratorExit()):
        with pytest.raises(type(error)):  # noqa: PT012 - the session is what raises
            async with write_session(engines.write_session()) as session:
                await session.execute(text("UPDATE alembic_version SET version_num = 'x'"))
                raise error
        assert_unlocked(engines.path)
    assert value(engines.path, "SELECT version_num FROM alembic_version") != "x"
    await engines.dispose()


MARK = text("UPDATE alembic_version SET version_num = :mark")
MARKS = "SELECT version_num FROM alembic_version"


@pytest.mark.parametrize("ways", [("run", "execute"), ("execute", "run"), ("run", "execute", "run")], ids="-".join)
async def test_the_sessions_own_way_and_the_short_one_are_one_transaction(
    engines: SQLiteEngines, ways: tuple[str, ...]
) -> None:
    before = value(engines.path, MARKS)
    for outcome in (ValueError, None):
        with pytest.raises(outcome) if outcome else nullcontext():
            async with write_session(engines.write_session()) as session:
                for number, way in enumerate(ways):
                    seen = (await getattr(session, way)(text(MARKS))).scalar()
                    assert seen == (str(number - 1) if number else before)
                    await getattr(session, way)(MARK, {"mark": str(number)})
                    assert value(engines.path, MARKS) == before
                if outcome:
                    raise outcome
        assert value(engines.path, MARKS) == (before if outcome else str(len(ways) - 1))
        assert_unlocked(engines.path)
    await engines.dispose()


async def test_entities_are_stored_with_what_the_short_way_wrote(engines: SQLiteEngines) -> None:
    async with write_session(engines.write_session()) as session:
        await session.run(MARK, {"mark": "x"})
        session.add(User(username="ada", passcode_hash="", created_at=datetime.now(UTC)))
    assert (value(engines.path, MARKS), value(engines.path, "SELECT username FROM users")) == ("x", "ada")
    await engines.dispose()


async def test_what_only_the_commit_refuses_is_said_in_our_words(engines: SQLiteEngines) -> None:
    with pytest.raises(InvalidValueError, match="the record that it"):  # noqa: PT012 - the session is what raises
        async with write_session(engines.write_session()) as session:
            await session.execute(text("PRAGMA defer_foreign_keys = ON"))
            await session.execute(
                text("INSERT INTO phase_maturity_scores (project_id, phase, score) VALUES ('nowhere', 'design', 1)")
            )
    assert_unlocked(engines.path)
    await engines.dispose()


async def test_a_read_session_reads_on_after_an_error_and_refuses_when_it_is_over(engines: SQLiteEngines) -> None:
    flight = Flight()
    session = ReadSession(engines.reader, flight, Turns(1, 1))
    for _ in range(3):
        with pytest.raises(exc.OperationalError, match="no such table"):
            await session.run(text("SELECT * FROM missing"))
        assert (await session.run(text("SELECT :x"), {"x": 5})).scalar() == 5
    await flight.land(1)
    with pytest.raises(ClosedError):
        await session.run(text("SELECT 1"))
    await engines.dispose()
