"""What caches give and what they cost. Every hit asks whether another process has written."""

import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter

import pytest

from socrates.drafts import NewMessage
from socrates.store import Store
from tests.performance.agents_workload import TURNS, replay
from tests.performance.bench_growth import skip_without_a_server
from tests.performance.compare import Side, Times, Versus
from tests.performance.datasets import ADA, Dataset
from tests.performance.opening import CACHED, UNCACHED, without_coherence
from tests.performance.our_workload import working_session
from tests.performance.targets import AtLeast, AtMost, NoTarget, ShareOver, ShareUpTo, Under
from tests.performance.v1_workload import ANSWER, list_projects
from tests.performance.v1_workload import working_session as v1_working_session
from tests.support.migrate import REPOSITORY
from tests.support.postgres import EmptyDatabases
from tests.support.v1_database import V1Database

pytestmark = pytest.mark.usefixtures("one_core")

OpenStore = Callable[..., Store]

HIT = 10e-6
"""Seconds that a hit may take, through the public call."""


@dataclass(frozen=True)
class Case:
    """A file of ours, beside v1's of the same content."""

    data: Dataset
    project_id: str


@pytest.fixture
def usual(data: Callable[[str], Dataset], tmp_path: Path) -> Case:
    copy = data("usual").copied_to(tmp_path)
    return Case(copy, copy.project_of_ada())


def test_list(versus: Versus, data: Callable[[str], Dataset], open_store: OpenStore, tmp_path: Path) -> None:
    files = data("bare").copied_to(tmp_path)
    v1 = V1Database(files.v1)
    uncached, cached = (reader(open_store(files.ours, settings), _list) for settings in (UNCACHED, CACHED))
    by_v1, read, hit = versus.measure(lambda: list_projects(v1), uncached, cached)
    what = f"list a user's projects, {files.projects} bare ones, cached"
    versus.row("cached-list", f"{what}, beside v1", hit, by_v1, AtLeast(50))
    versus.row("cached-list-uncached", f"{what}, beside our own without a cache", hit, read, AtLeast(10))
    versus.row("cached-list-hit", f"{what}: one call", hit, None, Under(HIT))


def _list(store: Store, _project_id: str = "") -> object:
    return store.projects.for_user(ADA)


ReadOfProject = Callable[[Store, str], object]

READS: dict[str, tuple[str, ReadOfProject]] = {
    "summary": ("a project's summary", lambda store, project: store.projects.summary(project)),
    "details": ("a whole project without its conversation", lambda store, project: store.projects.details(project)),
    "last": ("the last 50 messages", lambda store, project: store.conversations.last(project, 50)),
    "members": ("a project's members", lambda store, project: store.projects.members(project)),
    "user": ("a user", lambda store, _project: store.users.get(ADA)),
    "notes": ("a project's notes", lambda store, project: store.notes.for_project(project)),
    "effectiveness": ("a user's 30 questions", lambda store, _project: store.learning.effectiveness_of(ADA)),
}
"""Cached reads, by the end of their row's id."""


def reader(store: Store, read: ReadOfProject, project_id: str = "", *, missing: bool = False) -> Callable[[], object]:
    """A call of the read; `missing` drops first what is kept."""

    async def hit() -> object:
        return await read(store, project_id)  # type: ignore[misc]

    async def miss() -> object:
        store.cache.clear()
        return await hit()

    return miss if missing else hit


@pytest.mark.parametrize("name", READS)
def test_hit(versus: Versus, usual: Case, open_store: OpenStore, quick: bool, name: str) -> None:
    if quick and name != "summary":
        pytest.skip("the quick bench looks for one read")
    what, read = READS[name]
    uncached, cached = (
        reader(open_store(usual.data.ours, settings), read, usual.project_id) for settings in (UNCACHED, CACHED)
    )
    versus(
        id=f"cached-{name}",
        what=f"{what}, cached, beside our own without a cache",
        ours=cached,
        baseline=uncached,
        target=Under(HIT),
    )


@pytest.mark.parametrize("name", ["summary", "details", "last"])
def test_miss(versus: Versus, usual: Case, open_store: OpenStore, quick: bool, name: str) -> None:
    """A miss measures and keeps what it reads. Its time includes 2 µs for dropping what is kept."""
    if quick and name != "details":
        pytest.skip("the quick bench misses one read")
    what, read = READS[name]
    uncached = reader(open_store(usual.data.ours, UNCACHED), read, usual.project_id)
    missing = reader(open_store(usual.data.ours, CACHED), read, usual.project_id, missing=True)
    versus(
        id=f"miss-{name}",
        what=f"{what}: a miss, beside the same without a cache",
        ours=missing,
        baseline=uncached,
        target=AtMost(2),
    )


@pytest.fixture
def writers(versus: Versus, open_store: OpenStore, usual: Case, tmp_path: Path) -> tuple[Store, Store]:
    """Two stores on copies of one file: a cached one, and one whose writes keep nothing true."""
    copy = usual.data.copied_to(tmp_path / "plain")
    return open_store(usual.data.ours, CACHED), without_coherence(open_store(copy.ours, UNCACHED))


def test_append(versus: Versus, writers: tuple[Store, Store], usual: Case) -> None:
    """With an empty cache: what is collected from the statements, and asked at the commit."""
    coherent, plain = (Side(appender(store, usual.project_id), loops=10) for store in writers)
    versus(
        id="coherent-append",
        what="append a message, SQLite: a cache kept true, beside none",
        ours=coherent,
        baseline=plain,
        target=AtMost(1.25),
    )


def test_append_to_what_is_cached(versus: Versus, writers: tuple[Store, Store], usual: Case) -> None:
    """The same where everything that the bench reads of the project is cached, and half of it is dropped."""

    def side(store: Store) -> Side:
        return Side(appender(store, usual.project_id), before=lambda: versus.run(read_everything(store)), loops=1)

    async def read_everything(store: Store) -> None:
        await store.projects.for_user(ADA)
        for _what, read in READS.values():
            await reader(store, read, usual.project_id)()  # type: ignore[misc]

    coherent, plain = map(side, writers)
    versus(
        id="coherent-append-dropping",
        what="append a message to a project that is cached, SQLite, beside no cache",
        ours=coherent,
        baseline=plain,
        target=AtMost(1.25),
        rounds=100,
    )


def appender(store: Store, project_id: str) -> Callable[[], object]:
    async def append() -> object:
        async with store.begin() as unit:
            return await unit.conversations.append(project_id, NewMessage("user", ANSWER, author=ADA))

    return append


@pytest.fixture
def server_url(request: pytest.FixtureRequest) -> Iterator[str]:
    """A database at head on a server."""
    skip_without_a_server()
    databases: EmptyDatabases = request.getfixturevalue("empty_databases")
    with databases.lent() as url:
        yield url


def test_append_on_postgres(versus: Versus, server_url: str, open_store: OpenStore) -> None:
    """There, other processes are told by one more statement in the transaction."""
    coherent, plain = open_store(server_url, CACHED), without_coherence(open_store(server_url, UNCACHED))

    async def create(store: Store, name: str) -> None:
        async with store.begin() as unit:
            await unit.projects.create(name, ADA, project_id=name)

    versus.run(create(coherent, "coherent"))
    versus.run(create(plain, "plain"))
    versus(
        id="coherent-append-postgres",
        what="append a message, PostgreSQL: a cache kept true and others notified, beside none",
        ours=Side(appender(coherent, "coherent"), loops=10),
        baseline=Side(appender(plain, "plain"), loops=10),
        target=NoTarget(),
    )


def test_agents(versus: Versus, usual: Case, open_store: OpenStore, tmp_path: Path, quick: bool) -> None:
    """From an empty cache, five people side by side: see agents_workload.py for what they read and why."""
    copy = usual.data.copied_to(tmp_path / "uncached")
    cached, uncached = open_store(usual.data.ours, CACHED), open_store(copy.ours, UNCACHED)
    turns = 2 if quick else TURNS

    def at_work(store: Store) -> Side:
        async def session() -> None:
            await replay(store, turns)

        return Side(session, loops=1)

    versus.run(replay(cached, turns))
    hit_rate = cached.cache.total().hit_rate
    without, ours = versus.measure(at_work(uncached), at_work(cached), rounds=5)
    versus.share(
        id="hit-rate",
        what=f"five people at work with the agents, {turns} questions each: share of hits; times beside no cache",
        share=hit_rate,
        ours=ours,
        baseline=without,
        target=ShareOver(0.6),
    )


def test_session(versus: Versus, usual: Case, open_store: OpenStore) -> None:
    """One person, who reads hardly anything twice; the target of 75 is for database, search and caches together."""
    v1, store = V1Database(usual.data.v1), open_store(usual.data.ours, CACHED)

    async def ours() -> object:
        return await working_session(store, usual.project_id)

    versus(
        id="session-database-cached",
        what="a working session replayed, 107 × 200 messages: the database's part, cached",
        ours=Side(ours, loops=1),
        baseline=Side(lambda: v1_working_session(v1, usual.project_id), loops=1),
        target=NoTarget(),
    )


def test_memory(versus: Versus, usual: Case, quick: bool) -> None:
    """In a new process, with results of real reads, after as many were evicted as are kept."""
    megabytes = 3 if quick else 100
    command = [sys.executable, "-m", "tests.performance.filled_cache", str(usual.data.ours), str(megabytes)]
    began = perf_counter()
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=REPOSITORY)
    versus.share(
        id="cache-memory",
        what=f"a cache filled to its bound of {megabytes} MB: growth of resident memory, as a share of the bound",
        share=float(done.stdout),
        ours=Times([perf_counter() - began]),
        baseline=None,
        target=ShareUpTo(1),
    )
    versus.measured_elsewhere()
