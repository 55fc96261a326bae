"""All checks for conflicts at once (operation 17)."""

import asyncio
import threading
from pathlib import Path

import pytest

from socrates.errors import ClosedError
from socrates.llm.answers import Insights
from socrates.llm.caller import Caller
from socrates.llm.conflicts import NoVerdict
from socrates.llm.demo.answers import demo_reply
from socrates.llm.demo.protocol import Answer, Drop, Failure, ModelRequest, Raw, Reply
from tests.support.llm import a_briefing, fresh_lab
from tests.support.model_server import OVERLOADED, AtWork, until

INSIGHTS = Insights(
    goals=("Sell a subscription",),
    requirements=("needs internet", "must be beautiful"),
    tech_stack=("PostgreSQL", "Kotlin"),
    constraints=("many users",),
)

PROJECT = a_briefing(goals="Lend for free", constraints=("single-user", "at most 500 euros"))

CHECKS = ("detect_requirement_conflict", "detect_goal_conflict", "detect_constraint_conflict")


async def test_every_check_finds_its_conflicts(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path) as lab:
        result = await lab.client.detect_conflicts_async(PROJECT, INSIGHTS, "bob")
        assert {row.operation for row in await lab.rows()} == set(CHECKS)
    found = [(conflict.field, conflict.existing, conflict.new) for conflict in result.value.conflicts]
    assert found == [
        ("tech_stack", "SQLite", "PostgreSQL"),
        ("tech_stack", "Python", "Kotlin"),
        ("requirements", "must work offline", "needs internet"),
        ("goals", "Lend for free", "Sell a subscription"),
        ("constraints", "single-user", "many users"),
    ]
    assert {conflict.new_author for conflict in result.value.conflicts} == {"bob"}
    assert (result.value.without_verdict, result.degraded, result.failure) == ((), False, None)
    assert {row.operation for row in result.usage} == set(CHECKS)
    assert len(lab.server.requests) == len(CHECKS)


async def test_the_checks_run_at_the_same_time(tmp_path: Path) -> None:
    all_there = threading.Barrier(len(CHECKS))

    def reply(_: ModelRequest) -> Answer:
        all_there.wait(timeout=60)
        return Answer('{"has_conflict": false}')

    async with fresh_lab(tmp_path, reply=reply) as lab:
        await lab.client.detect_conflicts_async(PROJECT, INSIGHTS)
    assert lab.server.most_at_once == len(CHECKS)


async def test_no_more_of_them_than_there_are_places(tmp_path: Path) -> None:
    model = AtWork(lambda _: Answer('{"has_conflict": false}'), seconds=0.2)
    async with fresh_lab(tmp_path, reply=model, llm_concurrency=2) as lab:
        await lab.client.detect_conflicts_async(PROJECT, INSIGHTS)
    assert model.most == 2
    assert len(lab.server.requests) == len(CHECKS)


@pytest.mark.parametrize(
    "failure",
    [
        Failure(401, "authentication_error", "who?"),
        OVERLOADED,
        Drop(),
        Raw(b"{}"),
        Answer(""),
        Answer("no conflict"),
        Answer("{}"),
    ],
    ids=lambda value: str(value)[:40],
)
async def test_what_the_others_found_is_there_when_a_check_fails(tmp_path: Path, failure: Reply) -> None:
    async with fresh_lab(tmp_path, by_task={"detect_requirement_conflict": failure}, llm_max_retries=0) as lab:
        result = await lab.client.detect_conflicts_async(PROJECT, INSIGHTS)
        rows = await lab.rows()
    assert [conflict.field for conflict in result.value.conflicts] == [
        "tech_stack",
        "tech_stack",
        "goals",
        "constraints",
    ]
    assert result.value.without_verdict == (NoVerdict("requirements", INSIGHTS.requirements),)
    assert result.degraded
    assert result.failure is not None
    assert len(rows) == len(CHECKS)


async def test_when_all_fail_the_rule_is_left(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, key=None) as lab:
        result = await lab.client.detect_conflicts_async(PROJECT, INSIGHTS)
    assert [conflict.field for conflict in result.value.conflicts] == ["tech_stack", "tech_stack"]
    assert [unknown.field for unknown in result.value.without_verdict] == ["requirements", "goals", "constraints"]
    assert result.failure is not None
    assert result.failure.error_type == "AUTHENTICATION_ERROR"


async def test_a_check_that_fails_does_not_stop_the_others(tmp_path: Path) -> None:
    def reply(request: ModelRequest) -> Reply:
        if request.task == "detect_goal_conflict":
            return Failure(400, "invalid_request_error", "wrong")
        return Answer(demo_reply(request).text, delay=0.2)

    async with fresh_lab(tmp_path, reply=reply) as lab:
        result = await lab.client.detect_conflicts_async(PROJECT, INSIGHTS)
    assert [unknown.field for unknown in result.value.without_verdict] == ["goals"]
    assert {conflict.field for conflict in result.value.conflicts} == {"tech_stack", "requirements", "constraints"}


async def test_who_is_cancelled_cancels_every_check_and_each_is_accounted(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, reply=lambda _: Answer("late", delay=30)) as lab:
        tasks = asyncio.all_tasks()
        asked = asyncio.create_task(lab.client.detect_conflicts_async(PROJECT, INSIGHTS))
        await until(lambda: len(lab.server.requests) == len(CHECKS))
        asked.cancel()
        async with asyncio.timeout(5):
            with pytest.raises(asyncio.CancelledError):
                await asked
        rows = await lab.rows()
        assert {row.operation for row in rows} == set(CHECKS)
        assert {row.error_message for row in rows} == {"stopped before its end"}
        assert len(rows) == len(CHECKS)
        assert asyncio.all_tasks() == tasks
    assert lab.server.answered == 0


async def test_a_database_that_fails_is_no_failure_of_a_model(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path) as lab:
        await lab.store.close()
        with pytest.raises(ClosedError):
            await lab.client.detect_conflicts_async(PROJECT, INSIGHTS, caller=Caller("ada"))
    assert lab.server.requests == []
