"""How a database is doing, asked of the database itself."""

import time
from dataclasses import dataclass

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from socrates.database.engines import Engines
from socrates.database.failures import explained


@dataclass(frozen=True, slots=True)
class Health:
    """`problems` is empty when all is well. Sizes in bytes, `read_seconds` for one small read through the pool."""

    revision: str | None
    read_seconds: float
    database_bytes: int
    wal_bytes: int
    readers_in_use: int
    writer_in_use: bool
    problems: tuple[str, ...]

    @property
    def ok(self) -> bool:
        return not self.problems


async def measure_health(engines: Engines, deep: bool) -> Health:
    """Ask the database. A database that cannot answer is a problem in the report, not an exception."""
    began = time.perf_counter()
    problems: list[str] = []
    revision: str | None = None
    try:
        async with engines.reader.connect() as connection:
            revision = await connection.scalar(text("SELECT version_num FROM alembic_version"))
            seconds = time.perf_counter() - began
            if deep:
                problems += [row for row in await connection.scalars(text("PRAGMA integrity_check")) if row != "ok"]
    except SQLAlchemyError as error:
        seconds = time.perf_counter() - began
        problems.append(str(explained(error)))
    wal = engines.path.with_name(engines.path.name + "-wal")
    return Health(
        revision,
        seconds,
        engines.path.stat().st_size if engines.path.exists() else 0,
        wal.stat().st_size if wal.exists() else 0,
        engines.reader.pool.checkedout(),  # type: ignore[attr-defined]
        bool(engines.writer.pool.checkedout()),  # type: ignore[attr-defined]
        tuple(problems),
    )
