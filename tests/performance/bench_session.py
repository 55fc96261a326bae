"""A working session in database and search time together, and what the plan asks in absolute times; with v1 beside.

The model that makes vectors is one that both use. Calls of a language model are left out, for both would pay for them.
"""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from itertools import count
from typing import Any

import pytest
from pydantic import SecretStr

from socrates.agents.contracts.base import Failure
from socrates.config import LLMConfig
from socrates.drafts import NewEntry
from socrates.knowledge.embedder import SentenceTransformersEmbedder
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.orchestrator import Orchestrator
from socrates.repositories.knowledge_entries import Embedded
from socrates.store import Store
from tests.performance.bench_knowledge import embedder, v1_model  # noqa: F401 (fixtures)
from tests.performance.compare import Side, Versus
from tests.performance.datasets import ADA, Dataset
from tests.performance.known import CATEGORY, paragraphs, queries
from tests.performance.opening import CACHED
from tests.performance.our_workload import working_session
from tests.performance.spending import spent
from tests.performance.targets import AtLeast, NoTarget, Target, Under
from tests.performance.v1_search import V1Knowledge
from tests.performance.v1_workload import list_projects, load_project, save_changed
from tests.performance.v1_workload import working_session as v1_working_session
from tests.support.knowledge import Lent
from tests.support.llm import KEY
from tests.support.v1_database import V1Database

ENTRIES, QUICK_ENTRIES = 2_000, 40
ROUNDS = 11
"""Of a session."""
TOP_K = 3
"""Of what is known, for a question."""
SEARCHES = 10
"""Of the plan, at once."""


@dataclass(frozen=True)
class Both:
    """v1 and ours on copies of the same data; both know the same of ada's project."""

    v1: V1Database
    v1_knowledge: V1Knowledge
    system: Orchestrator
    store: Store
    knowledge: KnowledgeBase
    project_id: str
    summary: str
    """What v1 searches with before a question: the goals, the requirements, the tech stack and the constraints."""


@pytest.fixture(scope="module")
def both(
    bench_loop: asyncio.AbstractEventLoop,
    embedder: SentenceTransformersEmbedder,  # noqa: F811
    v1_model: Any,  # noqa: F811
    data: Callable[[str], Dataset],
    tmp_path_factory: pytest.TempPathFactory,
    quick: bool,
) -> Iterator[Both]:
    """Whole systems, ours as the orchestrator opens it; no model is there to be asked."""
    run = bench_loop.run_until_complete
    directory = tmp_path_factory.mktemp("both")
    copy = data("usual").copied_to(directory)
    project_id = copy.project_of_ada()
    settings = CACHED.model_copy(update={"llm_config": LLMConfig(claude_base_url="http://127.0.0.1:9")})
    contents = paragraphs(QUICK_ENTRIES if quick else ENTRIES)
    vectors = run(embedder.embed(contents, "document"))
    opening = Orchestrator.open(copy.ours, settings, knowledge=True, embedder=Lent(embedder), key=SecretStr(KEY))
    system = run(opening.__aenter__())
    knowledge = system.services.knowledge
    assert knowledge is not None
    known = [
        Embedded(NewEntry(content, CATEGORY), vector.tobytes(), knowledge.model)
        for content, vector in zip(contents, vectors, strict=True)
    ]
    run(knowledge.put_embedded(known, project_id))
    v1 = V1Database(copy.v1)
    with closing(V1Knowledge(directory / "known-by-v1", v1_model)) as v1_knowledge:
        v1_knowledge.fill(contents, vectors, project_id)
        summary = summary_of(load_project(v1, project_id))
        yield Both(v1, v1_knowledge, system, system.services.store, knowledge, project_id, summary)
    run(opening.__aexit__(None, None, None))


def summary_of(project: Any) -> str:
    lists = (project.requirements, project.tech_stack, project.constraints)
    return "\n".join([project.goals, *(", ".join(map(str, each)) for each in lists)])


def test_the_plans_list(versus: Versus, both: Both) -> None:
    async def ours() -> object:
        return await both.store.projects.for_user(ADA)

    _in_time(versus, both, "plan-list", "list a user's projects", ours, lambda: list_projects(both.v1), 0.05)


def test_the_plans_load(versus: Versus, both: Both) -> None:
    """All that v1 loads: the project, and its conversation."""

    async def ours() -> object:
        project = both.project_id
        return await asyncio.gather(both.store.projects.details(project), both.store.conversations.last(project, 200))

    what = "load a project with its 200 messages"
    _in_time(versus, both, "plan-load", what, ours, lambda: load_project(both.v1, both.project_id), 0.01)


def test_the_plans_save(versus: Versus, both: Both) -> None:
    project = load_project(both.v1, both.project_id)
    version = versus.run(both.store.projects.summary(both.project_id)).version

    async def ours() -> None:
        nonlocal version
        async with both.store.begin() as unit:
            version = (await unit.projects.update(both.project_id, version, progress=version % 101)).version

    what = "save a project in which one field changed"
    _in_time(versus, both, "plan-save", what, ours, lambda: save_changed(both.v1, project), 0.02)


def test_the_plans_searches(versus: Versus, both: Both) -> None:
    ours_asked, v1_asked = queries(5), queries(5)

    async def ours() -> object:
        return await asyncio.gather(
            *(both.knowledge.search(next(ours_asked), project_id=both.project_id) for _ in range(SEARCHES))
        )

    def by_v1() -> None:
        for _ in range(SEARCHES):
            both.v1_knowledge.search(next(v1_asked), 5, both.project_id)

    _in_time(versus, both, "plan-searches", f"{SEARCHES} new searches at once", ours, by_v1, 1.0)


def test_the_plans_analysis(versus: Versus, both: Both) -> None:
    """The agent's whole answer: the right to see the project, its conversation counted, its goals searched for."""
    request = {"action": "analyze_context", "current_user": ADA, "project_id": both.project_id}
    goals = load_project(both.v1, both.project_id).goals

    async def ours() -> object:
        response = await both.system.process_request("context_analyzer", request)
        assert not isinstance(response, Failure), response
        return response

    def by_v1() -> None:
        talk = load_project(both.v1, both.project_id).conversation_history
        sum(message["type"] == "assistant" for message in talk)
        both.v1_knowledge.search(goals, 5, both.project_id)

    _in_time(versus, both, "plan-analysis", "analyse a project's context, cached", ours, by_v1, 0.01)


def _in_time(
    versus: Versus,
    both: Both,
    id: str,
    what: str,
    ours: Callable[[], object],
    by_v1: Callable[[], object],
    seconds: float,
) -> None:
    """A row that the plan holds to a time, on 107 projects of 200 messages."""
    counts = spent(versus, both.store, ours, by_v1, past_caches=False)
    shown = f"the plan's time: {what}, beside v1's"
    versus(id=id, what=shown, ours=Side(ours), baseline=Side(by_v1), target=Under(seconds), counts=counts)


@pytest.mark.parametrize("learning", [False, True])
def test_session(versus: Versus, both: Both, learning: bool) -> None:
    """What is searched for is new in each session, and `learning` from each answer changes it for the next question."""
    target: Target = NoTarget() if learning else AtLeast(75)
    how = "each search new, as the project changes with each answer" if learning else "the first search of each new"
    sides = [_asking(both.summary, learning) for _ in range(2)]

    async def ours() -> object:
        begin, query = sides[0]
        begin()

        async def search() -> object:
            return await both.knowledge.search(query(), top_k=TOP_K, project_id=both.project_id)

        return await working_session(both.store, both.project_id, search=search)

    def by_v1() -> object:
        begin, query = sides[1]
        begin()
        return v1_working_session(
            both.v1,
            both.project_id,
            search=lambda: both.v1_knowledge.search(query(), TOP_K, both.project_id),
        )

    versus(
        id="session-learning" if learning else "session",
        what=f"a working session replayed, 107 × 200 messages: database and search together, cached; {how}",
        ours=Side(ours, loops=1),
        baseline=Side(by_v1, loops=1),
        target=target,
        counts=spent(versus, both.store, ours, by_v1, past_caches=False),
        rounds=ROUNDS,
    )


def _asking(summary: str, learning: bool) -> tuple[Callable[[], None], Callable[[], str]]:
    """What begins a session, and what gives its next query: a text that no earlier session had."""
    sessions, questions = count(), count()
    session = 0

    def begin() -> None:
        nonlocal session
        session = next(sessions)

    def query() -> str:
        return f"{session}: {summary} {next(questions) if learning else ''}"

    return begin, query
