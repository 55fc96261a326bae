"""How a database is doing, asked of the database itself."""

import time
from dataclasses import dataclass, field

from sqlalchemy import text
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from socrates.database.engines import Engines
from socrates.database.failures import explained
from socrates.errors import ConfigurationError, DatabaseError


@dataclass(frozen=True, slots=True)
class Health:
    """`problems` is empty when all is well. Sizes in bytes, `read_seconds` for one small read through the pool.

    `wal_bytes` is the size of SQLite's -wal file; 0 on PostgreSQL, whose log belongs to the whole server.
    """

    revision: str | None
    read_seconds: float
    database_bytes: int
    wal_bytes: int
    readers_in_use: int
    writers_in_use: int
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


@dataclass(slots=True)
class _Answers:
    """What a database has said so far."""

    revision: str | None = None
    read_seconds: float = 0.0
    sizes: tuple[int, int] = (0, 0)
    problems: list[str] = field(default_factory=list)


async def measure_health(engines: Engines, deep: bool) -> Health:
    """Ask the database. A database that cannot answer is a problem in the report, not an exception."""
    answers = _Answers()
    try:
        try:
            await _ask(engines, deep, answers)
        except DBAPIError as error:
            if not error.connection_invalidated:
                raise
            # The server was restarted since, which is no problem any more: all connections of the pool are new now.
            answers = _Answers()
            await _ask(engines, deep, answers)
    except SQLAlchemyError as error:
        answers.problems.append(str(explained(error)))
    except (DatabaseError, ConfigurationError) as error:
        answers.problems.append(str(error))
    return Health(
        answers.revision,
        answers.read_seconds,
        *answers.sizes,
        engines.reader.pool.checkedout(),  # type: ignore[attr-defined]
        engines.writer.pool.checkedout(),  # type: ignore[attr-defined]
        tuple(answers.problems),
    )


async def _ask(engines: Engines, deep: bool, answers: _Answers) -> None:
    began = time.perf_counter()
    async with engines.reader.connect() as connection:
        answers.revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
        answers.read_seconds = time.perf_counter() - began
        answers.sizes = await engines.measure(connection)
        if deep:
            answers.problems += await engines.inspect(connection)
