"""What each layer adds to a read: raw sqlite3, SQLAlchemy's Core and Session, two asynchronous drivers, our session,
and for the summary the store's public call, without and with its cache.

Every rung above raw sqlite3 borrows a connection from its pool for each read and gives it back, as a service does.
"""

import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import Select, create_engine, select
from sqlalchemy.ext.asyncio import AsyncEngine, AsyncSession, create_async_engine
from sqlalchemy.orm import Session

from socrates.config import Settings
from socrates.database.flight import Flight
from socrates.database.onehop import OneHopDialect
from socrates.database.sessions import ReadSession
from socrates.database.sqlite_engines import open_engines
from socrates.database.turns import Turns
from socrates.models import Project
from socrates.store import Store
from tests.performance.compare import Times, Versus
from tests.performance.datasets import ADA, Dataset
from tests.performance.opening import CACHED, UNCACHED
from tests.performance.targets import AtLeast, NoTarget

pytestmark = pytest.mark.usefixtures("one_core")

COLUMNS = (
    Project.id,
    Project.name,
    Project.owner,
    Project.phase,
    Project.status,
    Project.updated_at,
    Project.message_count,
)
NAMES = "id, name, owner, phase, status, updated_at, message_count"
ROWS = 20

SUMMARY = f"SELECT {NAMES} FROM projects WHERE id = ?"
LIST = f"SELECT {NAMES} FROM projects WHERE owner = ? ORDER BY updated_at DESC LIMIT {ROWS}"


class Ladder:
    """The rungs, from the bare driver up, all on one file, each reading the rows of one question."""

    def __init__(self, path: Path, versus: Versus) -> None:
        self._versus = versus
        self._raw = sqlite3.connect(path)
        self._sync = create_engine(f"sqlite:///{path}")
        self._stock = create_async_engine(f"sqlite+aiosqlite:///{path}")
        self._onehop = create_async_engine(f"sqlite+{OneHopDialect.driver}:///{path}")
        self._ours = open_engines(path, Settings())

    def rungs(self, sql: str, statement: Select[tuple[object, ...]], parameter: str) -> dict[str, Callable[[], object]]:
        """Return one way to read per rung, each giving all rows."""

        def raw() -> list[object]:
            return self._raw.execute(sql, (parameter,)).fetchall()

        def core() -> list[object]:
            with self._sync.connect() as connection:
                return [*connection.execute(statement)]

        def session() -> list[object]:
            with Session(self._sync) as session:
                return [*session.execute(statement)]

        return {
            "raw": raw,
            "core": core,
            "session": session,
            "stock": self._asynchronous(self._stock, statement),
            "onehop": self._asynchronous(self._onehop, statement),
            "ours": self._as_repositories_read(statement),
        }

    def _asynchronous(self, engine: AsyncEngine, statement: Select[tuple[object, ...]]) -> Callable[[], object]:
        async def read() -> list[object]:
            async with AsyncSession(engine) as session:
                return [*await session.execute(statement)]

        return read

    def _as_repositories_read(self, statement: Select[tuple[object, ...]]) -> Callable[[], object]:
        session = ReadSession(self._ours.reader, Flight(), Turns(1, 1))

        async def read() -> list[object]:
            return [*await session.run(statement)]

        return read

    def close(self) -> None:
        self._raw.close()
        self._sync.dispose()
        for engine in (self._stock, self._onehop, self._ours):
            self._versus.run(engine.dispose())


ASYNCHRONOUS = {"stock", "onehop", "ours"}

WHAT = {
    "core": "SQLAlchemy Core, synchronous",
    "session": "SQLAlchemy Session, synchronous",
    "stock": "AsyncSession on the stock driver",
    "onehop": "AsyncSession on the one-hop driver",
    "ours": "the session of the store's reads",
    "store": "the store's public call, no cache",
    "cached": "the store's public call, cached",
}


@pytest.fixture
def usual(data: Callable[[str], Dataset], tmp_path: Path) -> Dataset:
    return data("usual").copied_to(tmp_path)


@pytest.fixture
def ladder(usual: Dataset, versus: Versus) -> Iterator[Ladder]:
    with closing(Ladder(usual.ours, versus)) as ladder:
        yield ladder


def climb(versus: Versus, rungs: dict[str, Callable[[], object]], id: str, what: str) -> None:
    """Measure all rungs beside each other: a row for each, beside raw sqlite3, and one for what our driver saves."""
    times = dict(zip(rungs, versus.measure(*rungs.values()), strict=True))
    for rung in list(times)[1:]:
        says = f"{what}: {WHAT[rung]}, beside raw sqlite3"
        versus.row(f"{id}-{rung}", says, times[rung], times["raw"], NoTarget(), rung=(what, WHAT[rung]))
    stock, onehop, ours = (Times(over(times[rung], times["raw"])) for rung in ("stock", "onehop", "ours"))
    beside = "overhead over raw sqlite3, beside AsyncSession on the stock driver"
    versus.row(f"{id}-overhead", f"{what}: {WHAT['ours']}, {beside}", ours, stock, AtLeast(2.5))
    versus.row(f"{id}-overhead-driver", f"{what}: {WHAT['onehop']}, {beside}", onehop, stock, AtLeast(2.5))


def over(times: Times, raw: Times) -> list[float]:
    """What is added to raw sqlite3, round by round."""
    return [own - bare for own, bare in zip(times.seconds, raw.seconds, strict=True)]


def all_read_the_same(ladder_rungs: dict[str, Callable[[], object]], versus: Versus, rows: int) -> bool:
    """Say whether every rung gives so many rows with the same ids."""
    read = []
    for rung, call in ladder_rungs.items():
        found = versus.run(call()) if rung in ASYNCHRONOUS else call()
        read.append([row[0] for row in found])
    return len(read[0]) == rows and all(ids == read[0] for ids in read)


def test_summary(versus: Versus, ladder: Ladder, usual: Dataset, open_store: Callable[..., Store]) -> None:
    """The two highest rungs give a view, with more columns than the others read."""
    key = usual.project_of_ada()
    rungs = ladder.rungs(SUMMARY, select(*COLUMNS).where(Project.id == key), key)
    assert all_read_the_same(rungs, versus, 1)
    store, cached = (public_read(open_store(usual.ours, settings), key) for settings in (UNCACHED, CACHED))
    climb(versus, rungs | {"store": store, "cached": cached}, "read-summary", "a project's summary by its id")


def public_read(store: Store, project_id: str) -> Callable[[], object]:
    async def read() -> object:
        return await store.projects.summary(project_id)

    return read


def test_list(versus: Versus, ladder: Ladder) -> None:
    statement = select(*COLUMNS).where(Project.owner == ADA).order_by(Project.updated_at.desc()).limit(ROWS)
    rungs = ladder.rungs(LIST, statement, ADA)
    assert all_read_the_same(rungs, versus, ROWS)
    climb(versus, rungs, "read-list", f"{ROWS} summaries of a user's projects")
