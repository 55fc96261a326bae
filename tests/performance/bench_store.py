"""The store's reads and writes beside v1's, on the same data and without caches, which bench_cache.py measures."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from socrates.drafts import NewMessage
from socrates.store import Store
from tests.performance.compare import Side, Versus
from tests.performance.datasets import ADA, BARE, Dataset, dataset
from tests.performance.our_workload import working_session
from tests.performance.spending import spent
from tests.performance.targets import AtLeast, AtMost, GrowthUnder, NoTarget, ShareUpTo, Target
from tests.performance.v1_workload import ANSWER, append_message, list_projects, load_project, save_changed
from tests.performance.v1_workload import working_session as v1_working_session
from tests.support.migrate import upgrade
from tests.support.stores import fresh_file
from tests.support.v1_database import V1Database
from tests.support.v1_files import V1File

pytestmark = pytest.mark.usefixtures("one_core")

LENGTHS, QUICK_LENGTHS = (100, 1_000, 5_000), (10, 20)
"""Messages in the conversations that one more is appended to, beside v1."""

LONG, QUICK_LONG = (1_000, 3_000, 10_000, 30_000, 100_000), (20, 50, 100)
"""Messages in conversations that only ours can hold in one project."""


STATEMENTS = 3
"""That a whole project without its conversation may take."""


@dataclass
class Systems:
    """v1 and ours, open on copies of the same data."""

    v1: V1Database
    ours: Store
    project_id: str


@pytest.fixture
def systems(open_store: Callable[..., Store], tmp_path: Path) -> Callable[[Dataset], Systems]:
    """Opens both systems on copies of a data set."""

    def systems(original: Dataset) -> Systems:
        data = original.copied_to(tmp_path)
        return Systems(V1Database(data.v1), open_store(data.ours), data.project_of_ada())

    return systems


@pytest.mark.parametrize(
    ("name", "target"),
    [("bare", AtLeast(1.5)), ("usual", AtLeast(25)), ("large", AtLeast(300)), ("many", NoTarget())],
)
def test_list(
    versus: Versus,
    data: Callable[[str], Dataset],
    systems: Callable[[Dataset], Systems],
    name: str,
    target: Target,
) -> None:
    both = systems(data(name))

    async def ours() -> object:
        return await both.ours.projects.for_user(ADA)

    assert len(versus.run(ours())) == len(list_projects(both.v1))
    what = f"list a user's projects, {data(name).projects:,} × {data(name).messages} messages, no cache"

    def v1() -> object:
        return list_projects(both.v1)

    counts = spent(versus, both.ours, ours, v1)
    versus(id=f"list-{name}", what=what, ours=ours, baseline=v1, target=target, counts=counts)


def test_list_of_own(versus: Versus, systems: Callable[[Dataset], Systems], tmp_path: Path) -> None:
    """The other reading of the plan's figure: all 107 bare projects are the user's own."""
    both = systems(all_own(tmp_path, 107))

    async def ours() -> object:
        return await both.ours.projects.for_user(ADA)

    assert len(versus.run(ours())) == len(list_projects(both.v1)) == 107
    versus(
        id="list-bare-all-own",
        what="list a user's projects, 107 bare ones, all the user's own, no cache",
        ours=ours,
        baseline=lambda: list_projects(both.v1),
        target=AtLeast(1.5),
    )


def all_own(directory: Path, projects: int) -> Dataset:
    """Bare projects of ada's, and nobody else's."""
    v1, ours = directory / "all-own-v1.db", directory / "all-own.db"
    with V1File(v1) as file:
        file.add_user(ADA)
        for number in range(projects):
            file.add_project(**BARE | {"project_id": f"project-{number:06}", "owner": ADA})
    shutil.copyfile(v1, ours)
    upgrade(ours)
    return Dataset(v1, ours, projects, 0)


def test_list_among_ever_more(
    versus: Versus, growth_files: Callable[[], dict[int, Path]], open_store: Callable[..., Store]
) -> None:
    stores = {size: open_store(path) for size, path in growth_files().items()}
    versus.growth(
        id="list-growth",
        what="list a user's 25 projects among ever more of other people",
        ours={size: lister(store) for size, store in stores.items()},
        target=GrowthUnder(0.1),
        counts=spent(versus, stores[max(stores)], lister(stores[max(stores)])),
    )


def lister(store: Store) -> Callable[[], object]:
    async def ours() -> object:
        return await store.projects.for_user(ADA)

    return ours


def test_load(versus: Versus, data: Callable[[str], Dataset], systems: Callable[[Dataset], Systems]) -> None:
    both = systems(data("usual"))

    async def summary() -> object:
        return await both.ours.projects.summary(both.project_id)

    versus(
        id="summary",
        what="a project's summary (200 messages), beside v1's load, no cache",
        ours=summary,
        baseline=lambda: load_project(both.v1, both.project_id),
        target=AtMost(2),
        counts=spent(versus, both.ours, summary, lambda: load_project(both.v1, both.project_id)),
    )


def test_load_whole(versus: Versus, data: Callable[[str], Dataset], systems: Callable[[Dataset], Systems]) -> None:
    both = systems(data("usual"))

    async def details() -> object:
        return await both.ours.projects.details(both.project_id)

    def v1() -> object:
        return load_project(both.v1, both.project_id)

    counts = spent(versus, both.ours, details, v1)
    by_v1, own = versus.measure(v1, details)
    what = "a whole project without its conversation"
    versus.row("details", f"{what}, beside v1's load", own, by_v1, AtMost(6), counts=counts)
    versus.share(
        id="details-statements",
        what=f"{what}: {counts['statements']} statements, as a share of the {STATEMENTS} that it may take",
        share=counts["statements"] / STATEMENTS,
        ours=own,
        baseline=by_v1,
        target=ShareUpTo(1),
        counts=counts,
    )


@pytest.mark.parametrize("place", [0, 1, 2])
def test_append(versus: Versus, systems: Callable[[Dataset], Systems], quick: bool, place: int) -> None:
    lengths = QUICK_LENGTHS if quick else LENGTHS
    if place >= len(lengths):
        pytest.skip("the quick bench has fewer lengths")
    both = systems(dataset(1, lengths[place]))
    append = appender(both.ours, both.project_id)

    def v1() -> None:
        append_message(both.v1, both.project_id)

    versus(
        id=f"append-{lengths[place]}",
        what=f"append a message to {lengths[place]:,}",
        ours=Side(append, loops=10),
        baseline=Side(v1, loops=3),
        target=AtLeast(20) if lengths[place] == 1_000 else NoTarget(),
        counts=spent(versus, both.ours, append, v1),
    )


def appender(store: Store, project_id: str) -> Callable[[], object]:
    async def append() -> object:
        async with store.begin() as unit:
            return await unit.conversations.append(project_id, NewMessage("user", ANSWER, author=ADA))

    return append


@pytest.fixture
def long_conversations(
    open_store: Callable[..., Store], quick: bool, tmp_path: Path, versus: Versus
) -> dict[int, Store]:
    """Stores with one project each, `project`, by the length of its conversation."""
    stores: dict[int, Store] = {}
    for length in QUICK_LONG if quick else LONG:
        stores[length] = store = open_store(fresh_file(tmp_path, f"{length}.db"))
        versus.run(fill_conversation(store, length))
    return stores


async def fill_conversation(store: Store, length: int) -> None:
    async with store.begin() as unit:
        await unit.projects.create("Long", ADA, project_id="project")
        await unit.conversations.append_many("project", [NewMessage("user", ANSWER, author=ADA)] * length)


def longest(long_conversations: dict[int, Store]) -> Store:
    return long_conversations[max(long_conversations)]


def test_append_to_ever_longer(versus: Versus, long_conversations: dict[int, Store]) -> None:
    versus.growth(
        id="append-growth",
        what="append a message to an ever longer conversation",
        ours={length: Side(appender(store, "project"), loops=10) for length, store in long_conversations.items()},
        target=GrowthUnder(0.1),
        counts=spent(versus, longest(long_conversations), appender(longest(long_conversations), "project")),
    )


def test_last_of_ever_longer(versus: Versus, long_conversations: dict[int, Store]) -> None:
    versus.growth(
        id="last-growth",
        what="the last 50 messages of an ever longer conversation",
        ours={length: last_reader(store) for length, store in long_conversations.items()},
        target=GrowthUnder(0.1),
        counts=spent(versus, longest(long_conversations), last_reader(longest(long_conversations))),
    )


def last_reader(store: Store) -> Callable[[], object]:
    async def last() -> object:
        return await store.conversations.last("project", 50)

    return last


def test_save(versus: Versus, data: Callable[[str], Dataset], systems: Callable[[Dataset], Systems]) -> None:
    both = systems(data("usual"))
    project = load_project(both.v1, both.project_id)
    version = versus.run(both.ours.projects.summary(both.project_id)).version

    async def save() -> None:
        nonlocal version
        async with both.ours.begin() as unit:
            saved = await unit.projects.update(both.project_id, version, progress=version % 101)
        version = saved.version

    versus(
        id="save",
        what="save a project in which one field changed (200 messages)",
        ours=Side(save, loops=10),
        baseline=Side(lambda: save_changed(both.v1, project), loops=10),
        target=AtLeast(4),
        counts=spent(versus, both.ours, save, lambda: save_changed(both.v1, project)),
    )


def test_session(versus: Versus, data: Callable[[str], Dataset], systems: Callable[[Dataset], Systems]) -> None:
    """The database's part of a session; the target of 75 is for database, search and caches together."""
    both = systems(data("usual"))

    async def ours() -> object:
        return await working_session(both.ours, both.project_id)

    versus(
        id="session-database",
        what="a working session replayed, 107 × 200 messages: the database's part, no cache",
        ours=Side(ours, loops=1),
        baseline=Side(lambda: v1_working_session(both.v1, both.project_id), loops=1),
        target=NoTarget(),
    )
