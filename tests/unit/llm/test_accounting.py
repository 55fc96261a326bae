"""What calls cost is counted, told and stored, and users keep to their budgets."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event

from socrates.config import LLMConfig
from socrates.errors import LLMConfigurationError, LLMError
from socrates.frozen import FrozenDict
from socrates.llm.accounting import Accounting, Call
from socrates.llm.caller import Caller
from socrates.llm.credentials import CredentialResolver
from socrates.llm.emitting import careful, silent
from socrates.llm.monitor import UsageMonitor
from socrates.llm.prices import Prices
from socrates.llm.provider import Tokens
from socrates.plain_keys import key_hash
from socrates.store import Store
from socrates.views import Usage
from tests.support.llm import HAIKU
from tests.support.stores import fresh_store
from tests.unit.llm.vaults import PLAIN

Events = list[tuple[str, Mapping[str, Any]]]


def accounting(store: Store, events: Events | None = None, **config: Any) -> Accounting:
    async def emit(name: str, payload: Mapping[str, Any]) -> None:
        if events is not None:
            events.append((name, payload))

    return Accounting(store, Prices(), LLMConfig(**config), emit)


def a_call(**changes: Any) -> Call:
    given = {"operation": "ask", "user_id": "ada", "provider": "claude", "model": HAIKU, "tokens": Tokens(1000, 100)}
    return Call(**(given | changes))


async def spend(store: Store, cost: str, at: datetime | None = None, user_id: str = "ada", tokens: int = 0) -> None:
    async with store.begin() as unit:
        await unit.llm.record_usage(
            user_id, "claude", HAIKU, cost=Decimal(cost), timestamp=at or datetime.now(UTC), input_tokens=tokens
        )


async def set_budgets(store: Store, *budgets: object) -> None:
    """Budgets of ada's own, each in the settings of another provider."""
    async with store.begin() as unit:
        for provider, budget in zip(("claude", "openai", "gemini"), budgets, strict=False):
            await unit.llm.save_config("ada", provider, settings={"monthly_budget": budget})


async def test_a_call_is_stored_as_it_was(store: Store) -> None:
    call = a_call(tokens=Tokens(1000, 100, 2000, 400), latency_ms=812.5, request_id="req_1")
    before = datetime.now(UTC)
    returned = await accounting(store).record(call)
    (row,) = await store.llm.usage("ada")
    assert row == returned
    assert row.timestamp is not None
    assert before <= row.timestamp <= datetime.now(UTC)
    assert (row.operation, row.provider, row.model, row.latency_ms) == ("ask", "claude", HAIKU, 812.5)
    assert (row.input_tokens, row.output_tokens, row.total_tokens) == (1000, 100, 1100)
    assert (row.cache_read_tokens, row.cache_write_tokens, row.request_id) == (2000, 400, "req_1")
    assert (row.success, row.error_message, row.cost) == (True, None, Decimal("0.0022"))


async def test_a_call_that_failed_is_stored_with_its_reason(store: Store) -> None:
    words = "no\0 \ud800" + "x" * 1000
    await accounting(store).record(a_call(tokens=Tokens(), error_message=words, request_id=words, model=words))
    (row,) = await store.llm.usage("ada")
    assert (row.success, row.cost, row.total_tokens) == (False, 0, 0)
    assert row.error_message == row.request_id == row.model == "no ?" + "x" * 495


async def test_nobody_gets_money_back_by_counts_below_nothing(store: Store) -> None:
    await spend(store, "0.5")

    usage = await accounting(store).record(a_call(tokens=Tokens(1, -(10**9), -(10**9), -(10**9))))

    assert (usage.output_tokens, usage.cache_read_tokens, usage.cache_write_tokens, usage.total_tokens) == (0, 0, 0, 1)
    assert await accounting(store).spent_this_month("ada") >= Decimal("0.5")


async def test_a_call_is_stored_whatever_it_is_named(store: Store) -> None:
    call = a_call(operation="a\0sk" * 1000, provider="cl\0aude", model="m\ud800", request_id="\0")

    await accounting(store).record(call)

    (row,) = await store.llm.usage("ada")
    assert (row.operation, row.provider, row.model) == ("ask" * 125, "claude", "m?")


async def test_the_monitor_counts_first_then_the_row_is_stored_then_the_event_is_told(store: Store) -> None:
    seen: list[tuple[str, int, int]] = []

    async def emit(name: str, payload: Mapping[str, Any]) -> None:
        seen.append((name, counting.monitor.calls, len(await store.llm.usage("ada"))))
        assert payload == {
            "operation": "ask",
            "input_tokens": 1000,
            "output_tokens": 100,
            "total_tokens": 1100,
            "cost_estimate": Decimal("0.0015"),
        }

    counting = Accounting(store, Prices(), LLMConfig(), emit)
    await counting.record(a_call())
    assert seen == [("token.usage", 1, 1)]
    assert len(await store.llm.usage("ada")) == 1


@pytest.mark.parametrize("call", [a_call(), a_call(tokens=Tokens(2**70)), a_call(user_id="\ud800")])
async def test_a_call_that_cannot_be_stored_is_counted_and_the_failure_is_told(
    store: Store, call: Call, caplog: pytest.LogCaptureFixture
) -> None:
    if call == a_call():
        await store.close()
    events: Events = []
    counting = accounting(store, events)
    assert (await counting.record(call)).operation == call.operation
    assert counting.monitor.calls == 1
    failures = [payload["message"] for name, payload in events if name == "log.error"]
    assert failures[0].startswith("a call could not be accounted: ")
    assert "could not be accounted" in caplog.text


async def test_a_listener_that_fails_costs_nobody_the_row(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    async def emit(name: str, payload: Mapping[str, Any]) -> None:
        raise ZeroDivisionError

    await Accounting(store, Prices(), LLMConfig(), careful(emit)).record(a_call())
    assert len(await store.llm.usage("ada")) == 1
    assert "a listener to token.usage failed" in caplog.text


async def test_what_the_month_cost_is_what_was_spent_since_it_began_in_utc(store: Store) -> None:
    began = datetime.now(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    await spend(store, "5", began - timedelta(microseconds=1))
    await spend(store, "7", user_id="bob")
    assert await accounting(store).spent_this_month("ada") == 0
    await spend(store, "0.1", began)
    await spend(store, "0.2")
    assert await accounting(store).spent_this_month("ada") == Decimal("0.3")


async def test_the_least_of_all_budgets_holds(store: Store) -> None:
    assert await accounting(store).budget("ada") is None
    assert await accounting(store, llm_monthly_budget=Decimal(9)).budget("ada") == 9
    await set_budgets(store, None, "7.5", 8)
    assert await accounting(store).budget("ada") == Decimal("7.5")
    assert await accounting(store, llm_monthly_budget=Decimal(3)).budget("ada") == 3
    assert await accounting(store, llm_monthly_budget=Decimal(3)).budget("bob") == 3
    assert await accounting(store, llm_monthly_budget=Decimal(3)).budget("system") is None


@pytest.mark.parametrize(
    "garbage", ["", "a lot", "NaN", "-1", "Infinity", True, [5], {"dollars": 5}, float("nan"), "1e999999"]
)
async def test_a_budget_that_is_no_amount_lets_no_call_through(tmp_path: Path, garbage: object) -> None:
    async with fresh_store(tmp_path) as store:
        await set_budgets(store, 100, garbage)
        with pytest.raises(LLMConfigurationError, match="no amount of US dollars") as raised:
            await accounting(store).require_budget("ada")
        assert raised.value.error_type == "CONFIGURATION_ERROR"
        await accounting(store).require_budget("bob")


async def test_a_call_is_refused_once_the_budget_is_spent(store: Store) -> None:
    counting = accounting(store, llm_monthly_budget=Decimal("0.30"))
    await counting.require_budget("ada")
    await spend(store, "0.299999999")
    await counting.require_budget("ada")
    await spend(store, "0.000000001")
    with pytest.raises(LLMError, match=r"'ada' has spent 0\.30 of 0\.30 US dollars") as raised:
        await counting.require_budget("ada")
    assert raised.value.error_type == "BUDGET_EXCEEDED"
    await counting.require_budget("bob")
    await spend(store, "100", user_id="system")
    await counting.require_budget("system")


async def test_a_budget_of_nothing_lets_no_call_through(store: Store) -> None:
    with pytest.raises(LLMError, match=r"0\.00 of 0\.00"):
        await accounting(store, llm_monthly_budget=Decimal(0)).require_budget("ada")


async def test_who_nears_the_budget_is_warned(store: Store) -> None:
    counting = accounting(store, llm_monthly_budget=Decimal(10), llm_budget_warning=0.7)
    await spend(store, "6.99")
    assert await counting.warnings("ada") == ()
    await spend(store, "0.01")
    assert await counting.warnings("ada") == ("'ada' has spent 7.00 of 10.00 US dollars for this month",)


async def test_the_last_five_and_the_last_ten_calls_are_watched(store: Store) -> None:
    hours = count()

    async def warnings(*tokens: int, user_id: str) -> tuple[str, ...]:
        for number in tokens:
            await spend(store, "0", datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=next(hours)), user_id, number)
        return await accounting(store).warnings(user_id)

    assert await warnings(900_000, *[5000] * 10, user_id="ada") == ()
    assert await warnings(5001, user_id="ada") == (  # the 900,000 are out of sight already
        "the last 10 calls of 'ada' took 50001 tokens, which is more than 50000",
    )
    assert await warnings(0, 0, 40_001, 0, 0, 0, user_id="bob") == (
        "the last 5 calls of 'bob' took 40001 tokens, which is more than 40000",
    )
    assert await warnings(40_000, user_id="eve") == ()
    assert len(await warnings(60_000, user_id="eve")) == 2


async def test_each_call_tells_its_warnings(store: Store, caplog: pytest.LogCaptureFixture) -> None:
    events: Events = []
    counting = accounting(store, events)
    await counting.record(a_call(tokens=Tokens(40_001)))
    message = "the last 5 calls of 'ada' took 40001 tokens, which is more than 40000"
    assert [payload for name, payload in events if name == "log.warning"] == [{"message": message}]
    assert message in caplog.text
    await counting.record(a_call(tokens=Tokens(), error_message="failed"))
    assert len([name for name, _ in events if name == "log.warning"]) == 1  # nothing was used


async def test_a_row_is_stored_where_its_warnings_cannot_be_told(
    store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    await set_budgets(store, "garbage")
    events: Events = []
    await accounting(store, events).record(a_call())
    assert len(await store.llm.usage("ada")) == 1
    (payload,) = [payload for name, payload in events if name == "log.error"]
    assert payload == {"message": "what a user has spent could not be looked up: LLMConfigurationError"}


def test_the_monitor_keeps_totals_and_the_last_thousand_calls() -> None:
    monitor = UsageMonitor()
    for number in range(1500):
        monitor.add(a_usage(number, success=number % 3 > 0))
    assert (monitor.calls, monitor.failures, len(monitor.last)) == (1500, 500, 1000)
    assert (monitor.last[0].total_tokens, monitor.last[-1].total_tokens) == (500, 1499)
    assert (monitor.total_tokens, monitor.total_cost) == (1500 * 1499 // 2, Decimal(15))


def a_usage(tokens: int, success: bool) -> Usage:
    names = {"id": "u", "user_id": "ada", "provider": "claude", "model": HAIKU, "timestamp": None, "latency_ms": 1.0}
    rest = {"error_message": None, "request_id": None, "extra": FrozenDict(), "cost": Decimal("0.01")}
    return Usage(**names, **rest, input_tokens=0, output_tokens=tokens, total_tokens=tokens, success=success)  # type: ignore[arg-type]


@contextmanager
def noting_statements(store: Store) -> Iterator[list[str]]:
    """What reaches the database, with the cache at work as it is in service."""
    found: list[str] = []

    def note(_connection: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        found.append(" ".join(statement.split()))

    engines = (store._engines.writer.sync_engine, store._engines.reader.sync_engine)
    for engine in engines:
        event.listen(engine, "before_cursor_execute", note)
    yield found
    for engine in engines:
        event.remove(engine, "before_cursor_execute", note)


@pytest.mark.parametrize(("budget", "statements"), [(None, 3), (Decimal(10), 5)])
async def test_a_call_costs_the_database_no_more_than_this(
    tmp_path: Path, budget: Decimal | None, statements: int
) -> None:
    """The key, the row and the last calls; and with a budget what is spent, before the call and after it."""
    async with fresh_store(tmp_path, encryption_key="a secret of sixteen or more") as store:
        async with store.begin() as unit:
            await unit.llm.save_key("ada", "claude", PLAIN[0], key_hash(PLAIN[1]))
        resolver = CredentialResolver(store, LLMConfig())
        counting = Accounting(store, Prices(), LLMConfig(llm_monthly_budget=budget), silent)

        async def one_call() -> None:
            await resolver.resolve(Caller("ada"))
            await counting.require_budget("ada")
            await counting.record(a_call())

        await one_call()  # fills the cache, and notes the use of the key
        with noting_statements(store) as found:
            await one_call()
        assert len(found) == statements, found
