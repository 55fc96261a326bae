"""Maturity: what an answer scores, what is told of it, who may see it."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from socrates.agents.base import News
from socrates.agents.scoring import score
from socrates.drafts import NewMaturityEvent, NewSpec
from socrates.errors import InvalidValueError
from socrates.events import EventType
from socrates.llm.demo.answers import demo_reply
from socrates.llm.demo.protocol import ModelRequest, Reply
from socrates.rules.categories import categories_of
from socrates.rules.maturity import phase_maturity
from socrates.store import UnitOfWork
from socrates.tagged_json import encode
from socrates.views import PhaseScore
from tests.support.engines import ENGINES, on_engine
from tests.support.model_server import OVERLOADED, until
from tests.support.stores import counted
from tests.support.systems import Lab, fresh_system, with_project
from tests.unit.agents.quality import ANSWER, QUALITY, SORTED, ready, set_project

CHANGES = (
    EventType.PHASE_MATURITY_UPDATED,
    EventType.PHASE_READY_TO_ADVANCE,
    EventType.MATURITY_MILESTONE,
)


@pytest.fixture(params=ENGINES)
async def on_both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    with on_engine(request):
        async with fresh_system(tmp_path, by_task={"categorize_insights": SORTED}) as lab:
            yield await ready(lab)


async def stored_score(lab: Lab, phase: str = "discovery") -> float | None:
    scores: tuple[PhaseScore, ...] = await lab.store.projects.phase_scores("p1")
    return next(each.score for each in scores if each.phase == phase)


async def with_specs(lab: Lab, share: float, phase: str = "discovery") -> None:
    """Statements that add this share of each target."""
    async with lab.store.begin() as unit:
        targets = categories_of("software", phase)
        specs = [NewSpec(category, category, 1.0, points * share) for category, points in targets.items()]
        await unit.projects.add_specs("p1", phase, specs)


async def test_an_answer_is_sorted_by_a_model_and_scored(on_both: Lab) -> None:
    """D05: v1 asked the model by a method that there was not, and sorted by field for ever."""
    done = await on_both.done(QUALITY, "update_after_response", "bob", project_id="p1", insights=ANSWER)
    assert (done.specs_added, done.degraded, done.warning) == (2, False, "")
    specs = await on_both.store.projects.specs("p1", "discovery")
    assert [(each.category, each.content, each.confidence) for each in specs] == [
        ("problem_definition", "Lend books", 1.0),
        ("constraints", "500 euros", 0.5),
    ]
    expected = 1.5 / 90 * 100
    assert done.maturity.overall_score == await stored_score(on_both) == pytest.approx(expected)
    stored = {each.category: each for each in await on_both.store.projects.category_scores("p1", "discovery")}
    assert stored.keys() == done.maturity.category_scores.keys() == categories_of("software", "discovery").keys()
    assert (stored["constraints"].current_score, stored["constraints"].spec_count) == (0.5, 1)
    totals = await on_both.store.projects.analytics("p1")
    assert (totals.velocity, totals.total_qa_sessions) == (pytest.approx(expected), 1)
    assert totals.avg_confidence == 0.75
    assert "goals" in totals.weak_categories
    (event,) = await on_both.events()
    assert event.type == EventType.PHASE_MATURITY_UPDATED
    assert event.payload.model_dump() == {
        "agent": QUALITY,
        "project_id": "p1",
        "user_id": "bob",
        "phase": "discovery",
        "score": pytest.approx(expected),
        "ready": False,
        "complete": False,
    }


async def test_the_history_knows_what_an_answer_gained(quality: Lab) -> None:
    """D03: v1 wrote the new score as both scores, so that every gain was 0."""
    for _ in range(2):
        await quality.done(QUALITY, "update_after_response", project_id="p1", insights=ANSWER)
    told = await quality.done(QUALITY, "get_history", project_id="p1")
    one = pytest.approx(1.5 / 90 * 100)
    assert [(each.score_before, each.delta, each.details) for each in told.history] == [
        (0.0, one, {"specs_added": 2}),
        (one, one, {"specs_added": 2}),
    ]
    assert {each.event_type for each in told.history} == {"response_processed"}
    newest = await quality.done(QUALITY, "get_history", project_id="p1", limit=1)
    assert (newest.history, newest.total_events) == (told.history[1:], 2)


async def test_the_history_of_v1_is_shown_whatever_it_holds(quality: Lab) -> None:
    async with quality.store.begin() as unit:
        odd = NewMaturityEvent("completion", 3.0, 2.0, "moved", details={"specs_added": "many", 1: b"x"})
        await unit.projects.add_maturity_event("p1", odd)
    told = await quality.done(QUALITY, "get_history", project_id="p1")
    (shown,) = told.history
    assert (shown.phase, shown.delta, shown.event_type) == ("completion", -1.0, "moved")
    assert json.loads(told.model_dump_json())["history"][0]["details"] == shown.details == encode(odd.details)


async def test_readiness_and_completion_are_told_once(quality: Lab) -> None:
    """D77: v1 told at 100 that a phase was ready, and again on every calculation."""
    heard = []
    for share in (0.59, 0.01, 0.1, 0.3, 0.2):
        await with_specs(quality, share)
        await quality.done(QUALITY, "calculate_maturity", project_id="p1")
        heard.append([event.type for event in await quality.events(*CHANGES)][1:])
    assert heard == [[], [EventType.PHASE_READY_TO_ADVANCE], [], [EventType.MATURITY_MILESTONE], []]
    assert await stored_score(quality) == 100.0


async def test_calculating_anew_is_no_answer(quality: Lab) -> None:
    await with_specs(quality, 0.5, "design")
    done = await quality.done(QUALITY, "calculate_maturity", "bob", project_id="p1", phase="design")
    assert (done.maturity.phase, done.maturity.overall_score) == ("design", 50.0)
    assert (await stored_score(quality), await stored_score(quality, "design")) == (0.0, 50.0)
    assert await quality.store.projects.maturity_events("p1") == ()


async def test_answers_are_sorted_by_the_type_of_their_own_project(tmp_path: Path) -> None:
    """D10 and D56: v1 sorted the first answers by the type that the project before it had had."""
    asked: list[set[str]] = []

    def reply(request: ModelRequest) -> Reply:
        asked.append({line.strip("- ") for line in request.blocks["categories"].splitlines()})
        return demo_reply(request)

    async with fresh_system(tmp_path, reply=reply) as lab:
        await ready(lab)
        await with_project(lab, "p2", project_type="business", phase="analysis")
        await asyncio.gather(
            *(
                lab.done(QUALITY, "update_after_response", project_id=project_id, insights=ANSWER)
                for project_id in ("p1", "p2")
            )
        )
        scored = [
            {each.category for each in await lab.store.projects.category_scores(project_id)}
            for project_id in ("p1", "p2")
        ]
    expected = [set(categories_of("software", "discovery")), set(categories_of("business", "analysis"))]
    assert scored == expected
    assert sorted(map(sorted, asked)) == sorted(map(sorted, expected))


async def test_answers_that_come_at_once_lose_nothing(on_both: Lab) -> None:
    """D55: in v1 whoever saved last overwrote what the others had added."""
    counts = (1, 3, 0, 2, 1, 4)
    project = await on_both.store.projects.summary("p1")

    async def answer(number: int, count: int) -> None:
        async def work(unit: UnitOfWork) -> None:
            specs = [NewSpec("goals", f"{number}.{each}", 0.5 + number / 20, 1.0) for each in range(count)]
            await score(unit, News(), project, "discovery", specs, "ada")

        await on_both.store.transact(work)

    await asyncio.gather(*(answer(*each) for each in enumerate(counts)))
    specs = await on_both.store.projects.specs("p1", "discovery")
    assert [each.position for each in specs] == list(range(sum(counts)))
    events = await on_both.store.projects.maturity_events("p1")
    assert sorted(event.details["specs_added"] for event in events) == sorted(counts)
    reached = 0.0
    for event in events:
        assert event.score_before == reached
        reached = event.score_after or 0.0
    assert reached == await stored_score(on_both) == phase_maturity("software", "discovery", specs).overall_score
    totals = await on_both.store.projects.analytics("p1")
    assert (totals.total_qa_sessions, totals.velocity) == (len(counts), pytest.approx(reached / len(counts)))


async def test_to_score_an_answer_reads_what_is_known_once(quality: Lab) -> None:
    with counted(quality.store) as cost:
        await quality.done(QUALITY, "update_after_response", project_id="p1", insights=ANSWER)
    reads = [statement for statement in cost.statements if statement.startswith("SELECT")]
    for table in ("phase_maturity_scores", "categorized_specs", "maturity_events"):
        assert sum(f"SELECT {table}." in statement for statement in reads) == 1, table


async def test_an_answer_is_not_scored_where_the_totals_cannot_be_calculated(quality: Lab) -> None:
    """D34: v1 only printed that, and the metrics were out of date from then on."""
    await set_project(quality, phase="completion")
    project = await quality.store.projects.summary("p1")
    with pytest.raises(InvalidValueError):
        async with quality.store.begin() as unit:
            await score(unit, News(), project, "discovery", [NewSpec("goals", "x")], "ada")
    assert await quality.store.projects.specs("p1") == ()
    assert await stored_score(quality) == 0.0


async def test_without_a_model_the_field_decides_and_says_so(tmp_path: Path) -> None:
    async with fresh_system(tmp_path, by_task={"categorize_insights": OVERLOADED}, llm_max_retries=0) as lab:
        await ready(lab)
        done = await lab.done(QUALITY, "update_after_response", project_id="p1", insights=ANSWER)
        assert done.degraded
        assert "by their fields" in done.warning
        specs = await lab.store.projects.specs("p1")
        assert {(each.category, each.confidence) for each in specs} == {("goals", 0.7), ("constraints", 0.7)}


async def test_an_answer_that_says_nothing_asks_no_model(quality: Lab) -> None:
    done = await quality.done(QUALITY, "update_after_response", project_id="p1", insights={})
    assert (done.specs_added, quality.server.requests) == (0, [])
    (event,) = await quality.store.projects.maturity_events("p1")
    assert (event.delta, event.details) == (0.0, {"specs_added": 0})


@pytest.mark.parametrize(
    ("meanwhile", "code"), [("leave", "PROJECT_NOT_FOUND"), ("archive", "PROJECT_ARCHIVED"), ("type", "TYPE_CHANGED")]
)
async def test_what_changed_while_the_model_thought_is_looked_at_again(
    tmp_path: Path, meanwhile: str, code: str
) -> None:
    gate = threading.Event()

    def reply(request: ModelRequest) -> Reply:
        gate.wait(30)
        return SORTED

    async with fresh_system(tmp_path, reply=reply) as lab:
        await ready(lab)
        asked = asyncio.create_task(
            lab.refused(QUALITY, "update_after_response", "bob", project_id="p1", insights=ANSWER)
        )
        try:
            await until(lambda: bool(lab.server.requests))
            async with lab.store.begin() as unit:
                if meanwhile == "leave":
                    await unit.projects.remove_member("p1", "bob")
                elif meanwhile == "archive":
                    await unit.projects.archive("p1")
            if meanwhile == "type":
                await set_project(lab, project_type="business")
        finally:
            gate.set()
        assert (await asked).code == code
        assert await lab.store.projects.specs("p1") == ()
        assert await lab.events() == []


async def test_a_look_at_readiness_stores_and_tells_nothing(quality: Lab) -> None:
    await with_specs(quality, 0.7)
    await quality.events()
    shown = (await quality.done(QUALITY, "get_readiness", "bob", project_id="p1")).verification
    assert (shown.maturity_score, shown.ready, shown.complete, shown.warnings) == (pytest.approx(70), True, False, ())
    assert shown.details.strongest_categories[0] in categories_of("software", "discovery")
    assert await stored_score(quality) == 0.0
    assert await quality.events() == []


async def test_verification_warns_and_keeps_nobody_from_going_on(quality: Lab) -> None:
    warned = (await quality.done(QUALITY, "verify_advancement", project_id="p1", from_phase="design")).verification
    assert (warned.ready, warned.maturity_score) == (False, 0.0)
    assert warned.missing_categories == tuple(categories_of("software", "design"))
    (event,) = await quality.events()
    assert event.type == EventType.QUALITY_CHECK_WARNING
    assert event.payload.model_dump()["warnings"] == warned.warnings
    await with_specs(quality, 1.0, "design")
    passed = (await quality.done(QUALITY, "verify_advancement", project_id="p1", from_phase="design")).verification
    assert (passed.complete, passed.warnings) == (True, ())
    (event,) = await quality.events()
    assert event.type == EventType.QUALITY_CHECK_PASSED
    assert event.payload.model_dump()["score"] == 100.0
    assert await stored_score(quality, "design") == 0.0


async def test_the_summary_shows_stored_scores(quality: Lab) -> None:
    async with quality.store.begin() as unit:
        await unit.projects.save_phase_scores("p1", {"discovery": 100.0, "design": 60.0})
    shown = (await quality.done(QUALITY, "get_maturity_summary", project_id="p1")).summary
    assert [(phase, each.score, each.ready, each.complete) for phase, each in shown.items()] == [
        ("discovery", 100.0, True, True),
        ("analysis", 0.0, False, False),
        ("design", 60.0, True, False),
        ("implementation", 0.0, False, False),
    ]


async def test_analytics_tells_what_to_do_next(quality: Lab) -> None:
    """D24 and D25: v1 saw no plateau that goes on, and recommended a category without a statement twice."""
    await quality.done(QUALITY, "update_after_response", project_id="p1", insights=ANSWER)
    for _ in range(3):
        await quality.done(QUALITY, "update_after_response", project_id="p1", insights={})
    shown = await quality.done(QUALITY, "get_analytics", "bob", project_id="p1", question_count=3)
    assert (shown.phase, shown.totals.total_qa_sessions, shown.trends.total_sessions) == ("discovery", 4, 4)
    assert shown.trends.current_score == await stored_score(quality)
    (plateau,) = shown.plateaus
    assert (plateau.start_session, plateau.duration, plateau.is_current) == (2, 3, True)
    recommended = [each.category for each in shown.recommendations]
    assert len(recommended) == len(set(recommended)) == 7
    assert len(shown.suggested_questions) == 3
    assert set(shown.performance.missing_categories) == set(shown.missing_categories["discovery"])
    assert [each.category for each in shown.performance.weak_categories] == ["problem_definition", "constraints"]


async def test_analytics_of_another_phase(quality: Lab) -> None:
    await with_specs(quality, 0.8, "design")
    await quality.done(QUALITY, "calculate_maturity", project_id="p1", phase="design")
    shown = await quality.done(QUALITY, "get_analytics", project_id="p1", phase="design")
    assert (shown.trends.current_phase, shown.trends.current_score) == ("design", pytest.approx(80))
    assert (shown.performance.balance.status, shown.recommendations) == ("BALANCED", ())
    assert "design" not in shown.missing_categories
