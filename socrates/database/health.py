"""How a database is doing, asked of the database itself."""

import time
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from socrates.database.engines import Engines
from socrates.database.failures import explained
from socrates.errors import DatabaseError


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


async def measure_health(engines: Engines, deep: bool) -> Health:
    """Ask the database. A database that cannot answer is a problem in the report, not an exception."""
    began = seconds = time.perf_counter()
    problems: list[str] = []
    revision: str | None = None
    sizes = (0, 0)
    try:
        async with engines.reader.connect() as connection:
            revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
            seconds = time.perf_counter()
            sizes = await engines.measure(connection)
            if deep:
                problems += await engines.inspect(connection)
    except SQLAlchemyError as error:
        problems.append(str(explained(error)))
    except DatabaseError as error:
        problems.append(str(error))
    return Health(
        revision,
        seconds - began,
        *sizes,
        engines.reader.pool.checkedout(),  # type: ignore[attr-defined]
        engines.writer.pool.checkedout(),  # type: ignore[attr-defined]
        tuple(problems),
    )
