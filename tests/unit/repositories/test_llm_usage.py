from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql

from socrates.errors import AlreadyExistsError, InvalidValueError
from socrates.frozen import FrozenDict
from socrates.repositories import llm_usage
from socrates.store import Store, UnitOfWork
from socrates.views import Usage, UsageOfDay, UsageRow, UsageTotals
from tests.support.stores import counted, fresh_store
from tests.unit.repositories.plans import indexes_used, query_plan, scans
from tests.unit.repositories.rows import THEN

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
MIDNIGHT = datetime(2026, 1, 2, tzinfo=UTC)
BY_TIME = "USING INDEX ix_llm_usage_user_id_timestamp (user_id=?"


def call(key: str, at: datetime | None = THEN, **values: Any) -> Usage:
    made = Usage(key, "ada", "claude", "opus", at, 10, 5, 15, 2.0, Decimal("0.1"), True, None, None, FrozenDict())
    return replace(made, **values)


async def record(store: Store, *calls: Usage) -> None:
    async with store.begin() as unit:
        await unit.llm.record_usages(calls)


def ids(calls: tuple[Usage, ...]) -> list[str]:
    return [each.id for each in calls]


async def test_a_recorded_call_gets_an_id_a_time_and_its_total(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            made = await unit.llm.record_usage("ada", "claude", "opus", input_tokens=7, output_tokens=3)
        assert (made.total_tokens, made.cost, made.latency_ms, made.success) == (10, Decimal(0), 0.0, True)
        assert made.timestamp is not None
        assert abs(datetime.now(UTC) - made.timestamp) < MINUTE
        assert await store.llm.usage("ada") == (made,)


async def test_a_recorded_call_takes_what_it_is_given(tmp_path: Path) -> None:
    given = {
        "input_tokens": 1,
        "output_tokens": 2,
        "total_tokens": 9,
        "latency_ms": 12.25,
        "cost": Decimal("0.000001230000000000000000"),
        "success": False,
        "error_message": "overloaded",
        "request_id": "r1",
        "timestamp": THEN,
        "extra": {"cache": [1]},
        "operation": "extract_insights",
        "cache_read_tokens": 2**40,
        "cache_write_tokens": 3,
    }
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            made = await unit.llm.record_usage("ada", "claude", "opus", usage_id="u1", **given)
        (read,) = await store.llm.usage("ada")
        assert read == made
        assert {name: getattr(read, name) for name in given} == given | {"extra": {"cache": (1,)}}
        assert (read.id, str(read.cost)) == ("u1", "0.000001230000000000000000")


async def test_calls_are_recorded_all_or_none(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await record(store)
        await record(store, call("a"), call("b", at=None, cost=None, latency_ms=None))
        assert await store.llm.usage("ada") == (call("a"), call("b", at=None, cost=None, latency_ms=None))
        with pytest.raises(AlreadyExistsError):
            await record(store, call("c"), call("a"))
        for wrong in (
            {"cost": 0.5},
            {"at": datetime(2026, 1, 1)},
            {"input_tokens": 2**63},
            {"cache_read_tokens": 2**63},
            {"cache_write_tokens": None},
        ):
            with pytest.raises(InvalidValueError):
                await record(store, call("c"), call("d", **wrong))
        assert ids(await store.llm.usage("ada")) == ["a", "b"]


async def test_calls_are_listed_newest_first_with_those_without_a_time_last(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await record(
            store,
            call("x", at=None),
            call("b"),
            call("c", THEN + MINUTE),
            call("a", provider="openai"),
            call("y", at=None, provider="openai"),
            call("other", user_id="bob"),
        )
        assert ids(await store.llm.usage("ada")) == ["c", "b", "a", "y", "x"]
        assert ids(await store.llm.usage("ada", provider="openai")) == ["a", "y"]
        assert ids(await store.llm.usage("ada", limit=2)) == ["c", "b"]
        assert await store.llm.usage("eve") == ()
        with pytest.raises(InvalidValueError):
            await store.llm.usage("ada", limit=0)


async def test_a_span_holds_its_beginning_but_not_its_end(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await record(store, *(call(str(n), THEN + n * MINUTE) for n in range(4)), call("lost", at=None))
        first, end = THEN + MINUTE, THEN + 3 * MINUTE
        assert ids(await store.llm.usage("ada", since=first, until=end)) == ["2", "1"]
        assert ids(await store.llm.usage("ada", since=first)) == ["3", "2", "1"]
        assert ids(await store.llm.usage("ada", until=end)) == ["2", "1", "0", "lost"]
        berlin = timezone(timedelta(hours=2))
        assert ids(await store.llm.usage("ada", since=end.astimezone(berlin))) == ["3"]
        with pytest.raises(InvalidValueError, match="time zone"):
            await store.llm.usage("ada", since=datetime(2026, 1, 1))


SPANS = [{}, {"since": THEN + MINUTE}, {"until": THEN + 3 * MINUTE}, {"since": THEN, "until": THEN + 3 * MINUTE}]


@pytest.mark.parametrize("provider", [None, "openai"])
@pytest.mark.parametrize("span", SPANS, ids=["always", "since", "until", "since and until"])
async def test_pages_of_calls_hold_each_one_once(tmp_path: Path, span: dict[str, Any], provider: str | None) -> None:
    places = [None] * 3 + [THEN + n // 3 * MINUTE for n in range(12)]
    calls = [call(f"{n:02d}{name}", at, provider=name) for n, at in enumerate(places) for name in ("claude", "openai")]
    since, until = span.get("since"), span.get("until")
    wanted = [
        each
        for each in calls
        if provider in (None, each.provider)
        and (since is None or (each.timestamp is not None and each.timestamp >= since))
        and (until is None or each.timestamp is None or each.timestamp < until)
    ]
    oldest = datetime.min.replace(tzinfo=UTC)
    expected = [each.id for each in sorted(wanted, key=lambda each: (each.timestamp or oldest, each.id), reverse=True)]
    async with fresh_store(tmp_path) as store:
        await record(store, *calls)
        for size in (1, 4, 50):
            found: list[str] = []
            page = await store.llm.usage("ada", provider=provider, limit=size, **span)
            while page:
                assert len(page) <= size
                found += ids(page)
                page = await store.llm.usage("ada", provider=provider, limit=size, after=page[-1], **span)
            assert found == expected


async def test_no_call_of_a_span_is_behind_one_without_a_time(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await record(store, call("a"), call("lost", at=None), call("also lost", at=None))
        assert await store.llm.usage("ada", since=THEN, after=call("lost", at=None)) == ()


async def test_a_page_that_follows_what_is_later_than_the_span_is_its_first(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await record(store, *(call(str(n), THEN + n * MINUTE) for n in range(4)), call("lost", at=None))
        for after in ("2", "3"):
            later = call(after, THEN + int(after) * MINUTE)
            assert ids(await store.llm.usage("ada", until=THEN + 2 * MINUTE, after=later)) == ["1", "0", "lost"]
            assert ids(await store.llm.usage("ada", since=THEN + MINUTE, until=THEN + 2 * MINUTE, after=later)) == ["1"]


async def test_totals_are_exact_and_grouped_by_provider_and_model(tmp_path: Path) -> None:
    large = 2**40
    async with fresh_store(tmp_path) as store:
        await record(
            store,
            *(call(f"a{n}", cost=Decimal("0.1"), latency_ms=float(n), cache_read_tokens=7) for n in range(3)),
            call("b", model="haiku", success=False, cost=Decimal("1E-20"), cache_write_tokens=large),
            call("c", model="haiku", cost=Decimal(1), input_tokens=large, output_tokens=0, total_tokens=large),
            call(
                "d", provider="Z", cost=None, latency_ms=None, input_tokens=None, output_tokens=None, total_tokens=None
            ),
            call("other", user_id="bob"),
        )
        assert await store.llm.usage_totals("ada") == (
            UsageTotals("Z", "opus", 1, 0, 0, 0, 0, 0, 0, Decimal(0), None),
            UsageTotals("claude", "haiku", 2, 1, large + 10, 5, large + 15, 0, large, Decimal(f"1.{'0' * 19}1"), 2.0),
            UsageTotals("claude", "opus", 3, 0, 30, 15, 45, 21, 0, Decimal("0.3"), 1.0),
        )
        (only,) = await store.llm.usage_totals("ada", provider="Z")
        assert (only.provider, type(only.cost), type(only.calls)) == ("Z", Decimal, int)
        assert await store.llm.usage_totals("eve") == ()


@pytest.mark.parametrize(("span", "calls"), [*zip(SPANS, (5, 3, 4, 3), strict=True)])
async def test_totals_of_a_span_count_calls_without_a_time_unless_it_has_a_beginning(
    tmp_path: Path, span: dict[str, Any], calls: int
) -> None:
    async with fresh_store(tmp_path) as store:
        await record(store, *(call(str(n), THEN + n * MINUTE) for n in range(4)), call("lost", at=None))
        for provider in (None, "claude"):
            (totals,) = await store.llm.usage_totals("ada", provider=provider, **span)
            assert (totals.calls, totals.cost) == (calls, calls * Decimal("0.1"))
        with pytest.raises(InvalidValueError, match="time zone"):
            await store.llm.usage_totals("ada", until=datetime(2026, 1, 1))


async def test_days_begin_at_midnight_utc(tmp_path: Path) -> None:
    moment = timedelta(microseconds=1)
    async with fresh_store(tmp_path) as store:
        await record(
            store,
            call("a", MIDNIGHT - moment),
            call("b", MIDNIGHT, cost=Decimal("0.2")),
            call("c", (MIDNIGHT + DAY - moment).astimezone(timezone(timedelta(hours=5))), total_tokens=None),
            call("d", MIDNIGHT + 3 * DAY, cost=None),
            call("lost", at=None),
            call("other", user_id="bob"),
        )
        assert await store.llm.usage_by_day("ada", MIDNIGHT - DAY, MIDNIGHT + 4 * DAY) == (
            UsageOfDay(date(2026, 1, 1), 1, 15, Decimal("0.1")),
            UsageOfDay(date(2026, 1, 2), 2, 15, Decimal("0.3")),
            UsageOfDay(date(2026, 1, 5), 1, 15, Decimal(0)),
        )
        within = await store.llm.usage_by_day("ada", MIDNIGHT, MIDNIGHT + 3 * DAY)
        assert [(each.day.day, each.calls) for each in within] == [(2, 2)]
        assert await store.llm.usage_by_day("eve", MIDNIGHT, MIDNIGHT + DAY) == ()


async def test_the_table_adds_up_by_day_provider_model_and_operation(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        late = (MIDNIGHT + DAY).astimezone(timezone(timedelta(hours=-5)))
        await record(
            store,
            call("a", MIDNIGHT, operation="insights", cache_read_tokens=4, cache_write_tokens=2, latency_ms=1.0),
            call("b", MIDNIGHT + MINUTE, operation="insights", cache_read_tokens=2**40, success=False, user_id="bob"),
            call("c", MIDNIGHT, operation="questions", cost=Decimal("1E-20")),
            call("d", MIDNIGHT, operation=None),
            call("e", MIDNIGHT, model="haiku", operation="questions", cost=None, latency_ms=None, input_tokens=None),
            call("f", late, provider="Z", operation=""),
            call("lost", at=None, operation="insights"),
        )
        first, second = date(2026, 1, 2), date(2026, 1, 3)
        rows = (
            UsageRow(second, "Z", "opus", "", 1, 0, 10, 5, 0, 0, Decimal("0.1"), 2.0),
            UsageRow(first, "claude", "haiku", "questions", 1, 0, 0, 5, 0, 0, Decimal(0), None),
            UsageRow(first, "claude", "opus", None, 1, 0, 10, 5, 0, 0, Decimal("0.1"), 2.0),
            UsageRow(first, "claude", "opus", "insights", 2, 1, 20, 10, 2**40 + 4, 2, Decimal("0.2"), 1.5),
            UsageRow(first, "claude", "opus", "questions", 1, 0, 10, 5, 0, 0, Decimal("1E-20"), 2.0),
            UsageRow(None, "claude", "opus", "insights", 1, 0, 10, 5, 0, 0, Decimal("0.1"), 2.0),
        )
        table = store.llm.usage_table
        assert await table() == rows
        assert await table(since=MIDNIGHT) == rows[:-1]
        assert await table(until=MIDNIGHT + DAY) == rows[1:]
        assert await table(since=MIDNIGHT, until=MIDNIGHT + DAY) == rows[1:-1]
        (of_bob,) = await table(user_id="bob")
        assert (of_bob.calls, of_bob.failures, of_bob.cache_read_tokens, of_bob.cost) == (1, 1, 2**40, Decimal("0.1"))
        assert await table(user_id="eve") == await table(since=MIDNIGHT + 2 * DAY) == ()


async def test_what_a_user_spent_is_exact_from_the_moment_on(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await record(
            store,
            call("early", THEN - MINUTE),
            *(call(f"{n}", THEN + n * MINUTE) for n in range(3)),
            call("tiny", THEN, cost=Decimal("1E-20")),
            call("lost", at=None),
            call("unknown", cost=None),
            call("other", user_id="bob", cost=Decimal(9)),
        )
        assert await store.llm.spent("ada", THEN) == Decimal("0.30000000000000000001")
        for who, since in (("eve", THEN), ("ada", THEN + DAY)):
            nothing = await store.llm.spent(who, since)
            assert (nothing, type(nothing)) == (0, Decimal)
        with pytest.raises(InvalidValueError, match="time zone"):
            await store.llm.spent("ada", datetime(2026, 1, 1))


async def test_the_tokens_of_the_last_calls_come_newest_first(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        places = [None, THEN, THEN + MINUTE, THEN + MINUTE, THEN + DAY]
        await record(store, *(call(f"{n}", at, total_tokens=n or None) for n, at in enumerate(places)))
        await record(store, call("other", THEN + 2 * DAY, user_id="bob"))
        assert await store.llm.recent_tokens("ada", 3) == (4, 3, 2)
        assert await store.llm.recent_tokens("ada", 10) == (4, 3, 2, 1, 0)
        assert await store.llm.recent_tokens("eve", 1) == ()
        with pytest.raises(InvalidValueError, match="last"):
            await store.llm.recent_tokens("ada", 0)


async def test_every_read_is_one_statement_through_the_index(tmp_path: Path, engine: str) -> None:
    async with fresh_store(tmp_path) as store:
        lost, dated = call("a", at=None), call("b", THEN + MINUTE)
        await record(store, lost, dated, call("c"), call("0", at=None))
        await store.llm.usage("ada")
        early, late = {"since": THEN}, {"until": THEN + DAY}
        after, before, between = " AND timestamp>?)", " AND timestamp<?)", " AND timestamp>? AND timestamp<?)"
        span: dict[str, Any] = {**early, **late, "provider": "claude"}
        reads: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
            (")", lambda: store.llm.usage("ada")),
            (after, lambda: store.llm.usage("ada", **early)),
            (before, lambda: store.llm.usage("ada", **late)),
            (before, lambda: store.llm.usage("ada", after=dated)),
            (before, lambda: store.llm.usage("ada", after=dated, **late)),
            (between, lambda: store.llm.usage("ada", after=dated, **early)),
            (" AND timestamp=?)", lambda: store.llm.usage("ada", after=lost)),
            (between, lambda: store.llm.usage("ada", **span)),
            (")", lambda: store.llm.usage_totals("ada")),
            (")", lambda: store.llm.usage_totals("ada", **late)),
            (after, lambda: store.llm.usage_totals("ada", **early)),
            (between, lambda: store.llm.usage_totals("ada", **span)),
            (between, lambda: store.llm.usage_by_day("ada", THEN, THEN + DAY)),
            (")", lambda: store.llm.usage_table(user_id="ada")),
            (after, lambda: store.llm.usage_table(user_id="ada", **early)),
            (between, lambda: store.llm.usage_table(user_id="ada", **early, **late)),
            (after, lambda: store.llm.spent("ada", THEN)),
            (")", lambda: store.llm.recent_tokens("ada", 3)),
        ]
        for condition, read in reads:
            with counted(store) as cost:
                assert await read()
            cost.must_be(1, 1)
            assert await scans(store, cost.statements) == []
            if engine == "sqlite":
                assert BY_TIME + condition in await query_plan(store, cost.statements)
            else:
                searched = await indexes_used(store, cost.statements)
                assert {"timestamp" in within for within in searched.values()} == {"timestamp" in condition}


async def test_recording_is_one_statement_for_one_call_and_for_many(tmp_path: Path) -> None:
    writes: list[Callable[[UnitOfWork], Awaitable[Any]]] = [
        lambda unit: unit.llm.record_usage("ada", "claude", "opus"),
        lambda unit: unit.llm.record_usages([call(str(n)) for n in range(500)]),
    ]
    async with fresh_store(tmp_path) as store:
        await record(store, call("first"))
        for write in writes:
            with counted(store) as cost:
                async with store.begin() as unit:
                    await write(unit)
            cost.must_be(1, 2)


def test_statements_with_clauses_of_their_own_compile_for_postgresql() -> None:
    dialect = postgresql.dialect()
    # Behind a UNION, PostgreSQL sorts by columns of the result only, not by those of a table.
    page = str(llm_usage._page(provider=True, since=False, until=True, after="dated").compile(dialect=dialect))
    assert "ORDER BY timestamp DESC NULLS LAST, id DESC" in page
    assert "FILTER (WHERE" in str(llm_usage._totals(True, True, True).compile(dialect=dialect))
