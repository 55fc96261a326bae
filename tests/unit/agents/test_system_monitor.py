"""Tokens, totals, limits and the connection: of the asker, and from the database."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import event as sqlalchemy_event

from socrates.events import EventType
from socrates.llm.demo.protocol import Answer, Failure
from tests.support.engines import ENGINES, on_engine
from tests.support.model_server import ScriptedModel
from tests.support.systems import Lab, fresh_system, with_people

CALLS = {"input_tokens": 4000, "output_tokens": 1000}


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
async def desk(tmp_path: Path, model: ScriptedModel) -> AsyncIterator[Lab]:
    async with fresh_system(tmp_path, reply=model, llm_max_retries=0) as lab:
        await with_people(lab, "ada", "bob")
        yield lab


@pytest.fixture(params=ENGINES)
async def stored(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    with on_engine(request):
        async with fresh_system(tmp_path) as lab:
            await with_people(lab, "ada", "bob")
            yield lab


async def test_tokens_are_stored_for_who_asks(stored: Lab) -> None:
    """D54 and D44: v1 kept them in a list of the process, for everybody at once."""
    tracked = await stored.done("system_monitor", "track_tokens", operation="finalize", **CALLS)
    assert (tracked.current_usage.total_tokens, tracked.total_recent, tracked.warning) == (5000, 5000, False)
    (row,) = await stored.store.llm.usage("ada")
    assert (row.id, row.operation, row.input_tokens, row.output_tokens) == (
        tracked.current_usage.id,
        "finalize",
        4000,
        1000,
    )
    assert await stored.store.llm.usage("bob") == ()
    stats = await stored.done("system_monitor", "get_stats")
    assert (stats.total_tokens, stats.api_calls, stats.failed_calls) == (5000, 1, 0)
    others = await stored.done("system_monitor", "get_stats", "bob")
    assert (others.total_tokens, others.api_calls) == (0, 0)


async def test_a_call_is_told_with_its_cost(desk: Lab) -> None:
    """D75: v1 took the cost from the request, or from one price for all models."""
    tracked = await desk.done("system_monitor", "track_tokens", model="claude-haiku-4-5-20251001", **CALLS)
    assert tracked.current_usage.cost == Decimal("0.009")
    assert tracked.model_dump(mode="json")["current_usage"]["cost"] == "0.009"
    (event,) = await desk.events(EventType.TOKEN_USAGE)
    assert event.payload.model_dump()["cost_estimate"] == Decimal("0.009")
    assert (await desk.done("system_monitor", "get_stats")).total_cost == Decimal("0.009")


async def test_much_use_is_warned_of(desk: Lab) -> None:
    for _ in range(9):
        tracked = await desk.done("system_monitor", "track_tokens", **CALLS)
    tracked = await desk.done("system_monitor", "track_tokens", **CALLS)
    assert (tracked.total_recent, tracked.warning) == (50_000, False)
    tracked = await desk.done("system_monitor", "track_tokens", input_tokens=5001)
    assert (tracked.total_recent, tracked.warning) == (50_001, True)
    limits = await desk.done("system_monitor", "check_limits")
    assert limits.recent_usage == 25_001
    assert len(limits.warnings) == 1
    assert "50000" in limits.warnings[0]
    assert (await desk.done("system_monitor", "check_limits", "bob")).warnings == ()


async def test_a_call_that_could_not_be_stored_is_a_failure(desk: Lab) -> None:
    """D33: v1 reported success whatever the database had said."""

    def refuse(_connection: object, _cursor: object, statement: str, *_rest: object) -> None:
        if statement.startswith("INSERT INTO llm_usage"):
            raise OSError("the disk is full")

    engine = desk.store._engines.writer.sync_engine
    sqlalchemy_event.listen(engine, "before_cursor_execute", refuse)
    try:
        failure = await desk.refused("system_monitor", "track_tokens", **CALLS)
    finally:
        sqlalchemy_event.remove(engine, "before_cursor_execute", refuse)
    assert failure.code == "DATABASE_ERROR"
    assert await desk.store.llm.usage("ada") == ()


@pytest.mark.parametrize(
    ("fields", "code", "field"),
    [
        ({"input_tokens": -1}, "INVALID_REQUEST", "input_tokens"),
        ({"input_tokens": "many"}, "INVALID_REQUEST", "input_tokens"),
        ({"output_tokens": 10**10}, "INVALID_REQUEST", "output_tokens"),
        ({"input_tokens": 1, "total_tokens": 3}, "INVALID_REQUEST", None),
        ({"cost_estimate": 0.5}, "INVALID_REQUEST", "cost_estimate"),
        ({"provider": "nobody"}, "UNKNOWN_PROVIDER", "provider"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    desk: Lab, fields: dict[str, object], code: str, field: str | None
) -> None:
    failure = await desk.refused("system_monitor", "track_tokens", **fields)
    assert (failure.code, failure.field) == (code, field)
    assert await desk.store.llm.usage("ada") == ()


async def test_a_connection_that_works_is_reported(desk: Lab) -> None:
    before = await desk.done("system_monitor", "get_stats")
    assert before.connection_status is None
    health = await desk.done("system_monitor", "check_health")
    assert (health.connection, health.last_check, health.code, health.message) == (True, desk.clock.now, None, None)
    assert (await desk.done("system_monitor", "get_stats")).connection_status is True
    assert [request.task for request in desk.server.requests] == ["test_connection"]


async def test_each_check_asks_anew(desk: Lab, model: ScriptedModel) -> None:
    await desk.done("system_monitor", "check_health")
    model.script.append(Failure(401, "authentication_error", "no such key"))
    assert not (await desk.done("system_monitor", "check_health")).connection


async def test_a_connection_that_fails_has_the_same_fields_and_says_why(desk: Lab, model: ScriptedModel) -> None:
    """D81: v1's response had other keys when the check failed."""
    works = await desk.done("system_monitor", "check_health")
    model.script.append(Failure(401, "authentication_error", "no such key"))
    fails = await desk.done("system_monitor", "check_health")
    assert set(fails.model_dump()) == set(works.model_dump())
    assert (fails.connection, fails.code) == (False, "AUTHENTICATION_ERROR")
    assert fails.message
    assert [event.payload.model_dump()["operation"] for event in await desk.events(EventType.LOG_ERROR)] == [
        "test_connection"
    ]
    limits = await desk.done("system_monitor", "check_limits")
    assert len(limits.warnings) == 1
    assert "did not answer" in limits.warnings[0]


async def test_a_check_that_failed_for_one_person_says_nothing_of_another(desk: Lab, model: ScriptedModel) -> None:
    """D56: in v1 one user's request changed another's result."""
    model.script += [Failure(401, "authentication_error", "no such key"), Answer("good")]
    assert not (await desk.done("system_monitor", "check_health", "ada")).connection
    assert (await desk.done("system_monitor", "check_health", "bob")).connection
    assert (await desk.done("system_monitor", "get_stats", "ada")).connection_status is False
    assert (await desk.done("system_monitor", "get_stats", "bob")).connection_status is True


@pytest.mark.parametrize("action", ["track_tokens", "check_health", "get_stats", "check_limits"])
async def test_only_people_that_exist_are_answered(desk: Lab, action: str) -> None:
    assert (await desk.refused("system_monitor", action, "nobody")).code == "USER_NOT_FOUND"
    async with desk.store.begin() as unit:
        await unit.users.archive("bob")
    assert (await desk.refused("system_monitor", action, "bob")).code == "USER_ARCHIVED"
    assert desk.server.requests == []


async def test_v1s_name_for_who_asks_is_taken(desk: Lab) -> None:
    request = {"action": "get_stats", "user_id": "ada"}
    assert (await desk.system.process_request("system_monitor", request)).status == "success"
