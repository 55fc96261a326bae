"""How operations call models: tried again, one at a time in its place, and accounted exactly once, whatever comes."""

import asyncio
import contextlib
import logging
import sqlite3
import subprocess
import sys
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from socrates.config import LLMConfig
from socrates.errors import LLMError
from socrates.llm.answers import Answer as Form
from socrates.llm.caller import Caller
from socrates.llm.client import LLMClient
from socrates.llm.demo.protocol import Answer, Drop, Failure, Reply, StreamError
from tests.support.llm import Lab, fresh_lab
from tests.support.model_server import OVERLOADED, serving, until
from tests.support.stores import fresh_store

ADA = Caller("ada")


class Verdict(Form):
    fits: bool = False


LONG = "One word after the other. " * 20

WITHOUT_THE_PACKAGE = """
import asyncio, sys
from socrates import Store
from socrates.errors import LLMError
from socrates.llm.client import LLMClient
from pydantic import SecretStr

asked = []

class Nowhere:
    def find_spec(self, name, path=None, target=None):
        if name == "anthropic":
            asked.append(name)
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)

sys.meta_path.insert(0, Nowhere())

async def main():
    async with Store.open(sys.argv[1]) as store:
        for key in (None, SecretStr("sk-test")):
            async with LLMClient(store, key=key) as client:
                try:
                    await client.generate_response_async("hello")
                except LLMError as error:
                    print(error.error_type, len(asked), type(error).__name__, error)

asyncio.run(main())
"""


async def outcome(asked: Awaitable[Any]) -> LLMError:
    with pytest.raises(LLMError) as caught:
        await asked
    return caught.value


def test_without_the_vendors_package_the_first_call_says_what_to_install(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", WITHOUT_THE_PACKAGE, str(tmp_path / "x.db")],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
        env={"HOME": str(tmp_path)},
    )

    without_key, with_key = done.stdout.splitlines()
    assert without_key.startswith("AUTHENTICATION_ERROR 0 LLMConfigurationError there is no API key for claude")
    assert with_key.startswith("CONFIGURATION_ERROR 1 LLMConfigurationError")
    assert "pip install 'socrates[llm]'" in with_key


@pytest.mark.parametrize(
    "failure",
    [
        OVERLOADED,
        Failure(429, "rate_limit_error", "slowly", retry_after=0.001),
        Failure(408, "timeout_error", "too late"),
        Failure(500, "api_error", "oh"),
        Drop(),
        Drop(after_bytes=10),
    ],
)
async def test_what_may_pass_is_tried_again_until_it_has(tmp_path: Path, failure: Reply) -> None:
    async with fresh_lab(tmp_path, failure, failure, failure, Answer("at last")) as lab:
        result = await lab.client.generate_response_async("hello")

        assert result.value == "at last"
        assert len(lab.server.requests) == 4
        (row,) = await lab.rows()
        assert row.success
        assert row.request_id == "req_demo_000004"


async def test_what_does_not_pass_fails_after_the_last_retry(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, by_task={"generate_response": OVERLOADED}, llm_max_retries=2) as lab:
        error = await outcome(lab.client.generate_response_async("hello"))

        assert (error.error_type, error.status) == ("GENERATION_ERROR", 529)
        assert len(lab.server.requests) == 3
        (row,) = await lab.rows()
        assert not row.success
        assert row.error_message == f"GENERATION_ERROR: {error}"
        assert row.request_id == "req_demo_000003"


@pytest.mark.parametrize("status", [400, 401, 403, 404, 413])
async def test_a_refusal_is_not_tried_again(tmp_path: Path, status: int) -> None:
    async with fresh_lab(tmp_path, Failure(status, "overloaded_error", "no", retry_after=0.001)) as lab:
        error = await outcome(lab.client.generate_response_async("hello"))

        assert error.status == status
        assert len(lab.server.requests) == 1


async def test_a_pause_that_is_too_long_is_not_waited_for(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, Failure(429, "rate_limit_error", "tomorrow", retry_after=86400)) as lab:
        error = await asyncio.wait_for(outcome(lab.client.generate_response_async("hello")), 5)

        assert error.error_type == "RATE_LIMITED"
        assert len(lab.server.requests) == 1


async def test_who_waits_for_another_try_holds_no_place(tmp_path: Path) -> None:
    slowly = Failure(429, "rate_limit_error", "slowly", retry_after=20)
    async with fresh_lab(tmp_path, slowly, llm_concurrency=1) as lab:
        first = asyncio.create_task(lab.client.generate_response_async("first"))
        await until(lambda: lab.server.answered == 1)

        await asyncio.wait_for(lab.client.generate_response_async("second"), 5)

        assert not first.done()
        first.cancel()


async def test_an_answer_that_is_cut_off_is_asked_for_once_more_with_twice_the_room(tmp_path: Path) -> None:
    cut = Answer('{"insights": ', stop_reason="max_tokens")
    async with fresh_lab(tmp_path, cut, Answer('{"fits": true}')) as lab:
        result = await lab.client.generate_structured_async("Does it fit?", {"input": "this"}, Verdict, max_tokens=50)

        assert result.value.fits
        assert [request.max_tokens for request in lab.server.requests] == [50, 100]
        assert [usage.success for usage in result.usage] == [False, True]
        assert len(await lab.rows()) == 2


async def test_only_what_has_not_begun_to_come_in_is_begun_again(tmp_path: Path) -> None:
    script = OVERLOADED, Drop(), Answer("good"), StreamError(1, "overloaded_error", "too many")
    async with fresh_lab(tmp_path, *script) as lab:
        pieces = [piece async for piece in lab.client.stream_response_async("hello")]
        assert pieces[-1].result is not None
        assert pieces[-1].result.value == "good"

        stream = lab.client.stream_response_async("hello")
        assert (await anext(stream)).text
        with pytest.raises(LLMError, match="too many"):
            await anext(stream)

        assert len(lab.server.requests) == 4
        broken, whole = await lab.rows()
        assert (whole.success, broken.success) == (True, False)
        assert broken.input_tokens > 0


async def test_a_reader_who_stops_early_is_accounted_and_gives_the_place_back(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, Answer(LONG, delay_between=0.01), llm_concurrency=1) as lab:
        async with contextlib.aclosing(lab.client.stream_response_async("hello")) as stream:
            await anext(stream)

        (row,) = await lab.rows()
        assert (row.success, row.error_message) == (False, "stopped before its end")
        assert row.input_tokens > 0
        await asyncio.wait_for(lab.client.generate_response_async("next"), 5)


@pytest.mark.parametrize(
    ("key", "caller", "config", "error_type", "told"),
    [
        (None, ADA, {}, "AUTHENTICATION_ERROR", "store one for the user"),
        ("sk-test", Caller("ada", provider="openai"), {}, "CONFIGURATION_ERROR", "Choose claude"),
        ("sk-test", Caller("ada", provider="nobody"), {}, "CONFIGURATION_ERROR", "it takes claude"),
        ("sk-test", ADA, {"llm_monthly_budget": 0}, "BUDGET_EXCEEDED", "SOCRATES_LLM_MONTHLY_BUDGET"),
    ],
)
async def test_a_call_that_is_not_made_is_accounted_logged_and_told(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    key: str | None,
    caller: Caller,
    config: Mapping[str, Any],
    error_type: str,
    told: str,
) -> None:
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    monkeypatch.delenv("API_KEY_CLAUDE", raising=False)
    async with fresh_lab(tmp_path, key=key, **config) as lab:
        error = await outcome(lab.client.generate_response_async("hello", caller=caller))

        assert error.error_type == error_type
        assert told in str(error)
        assert lab.server.answered == 0
        (row,) = await lab.rows("ada")
        assert row.error_message == f"{error_type}: {error}"
        assert (row.success, row.total_tokens, row.latency_ms, row.cost) == (False, 0, 0, 0)
        (event,) = lab.payloads("log.error")
        assert (event["error_type"], event["operation"]) == (error_type, "generate_response")
    assert [record.levelname for record in caplog.records if str(error) in record.message] == ["ERROR"]


def _drop_the_table(directory: Path) -> None:
    (file,) = directory.glob("*.db")
    with contextlib.closing(sqlite3.connect(file)) as connection:
        connection.execute("DROP TABLE llm_usage")


async def test_a_table_that_is_gone_does_not_cost_the_caller_the_answer(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with fresh_lab(tmp_path, Answer("good")) as lab:
        _drop_the_table(tmp_path)

        result = await lab.client.generate_response_async("hello")

        assert result.value == "good"
        assert "could not be accounted" in lab.payloads("log.error")[0]["message"]
    assert {record.name for record in caplog.records if record.levelno == logging.ERROR} == {"socrates.llm.accounting"}


async def test_a_store_that_is_closed_does_not_cost_the_caller_the_answer(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, Answer("good")) as lab:
        await lab.store.close()

        result = await lab.client.generate_response_async("hello")

        assert result.value == "good"
        assert "could not be accounted" in lab.payloads("log.error")[0]["message"]


async def test_a_listener_that_fails_spoils_nothing(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async def emit(event: str, payload: Mapping[str, Any]) -> None:
        raise RuntimeError("the listener's own trouble")

    with serving(Answer("good"), Failure(400, "invalid_request_error", "no")) as server:
        config = LLMConfig(claude_base_url=server.url)
        async with (
            fresh_store(tmp_path, llm_config=config) as store,
            LLMClient(store, emit=emit, key=SecretStr("sk-test")) as client,
        ):
            assert (await client.generate_response_async("hello")).value == "good"
            error = await outcome(client.generate_response_async("hello"))

            assert error.status == 400
            assert len(await store.llm.usage("system", limit=10)) == 2
    assert "the listener's own trouble" in caplog.text


async def _in_the_queue(lab: Lab) -> asyncio.Task[Any]:
    first = asyncio.create_task(lab.client.generate_response_async("holds the place", caller=Caller("bob")))
    await until(lambda: len(lab.server.requests) == 1)
    waiting = asyncio.create_task(lab.client.generate_response_async("waits", caller=ADA))
    await asyncio.sleep(0.05)
    waiting.add_done_callback(lambda _: first.cancel())
    return waiting


async def _in_the_request(lab: Lab) -> asyncio.Task[Any]:
    asked = asyncio.create_task(lab.client.generate_response_async("waits", caller=ADA))
    await until(lambda: len(lab.server.requests) == 1)
    return asked


async def _in_a_stream(lab: Lab) -> asyncio.Task[Any]:
    async def read() -> None:
        async with contextlib.aclosing(lab.client.stream_response_async("waits", caller=ADA)) as stream:
            async for _ in stream:
                pass

    asked = asyncio.create_task(read())
    await until(lambda: len(lab.server.requests) == 1)
    return asked


async def _in_the_backoff(lab: Lab) -> asyncio.Task[Any]:
    asked = await _in_the_request(lab)
    await until(lambda: lab.server.answered == 1)
    await asyncio.sleep(0.05)
    return asked


LATE = Answer(LONG, delay=20)


@pytest.mark.parametrize(
    ("reply", "go_to"),
    [
        (LATE, _in_the_queue),
        (LATE, _in_the_request),
        (LATE, _in_a_stream),
        (Answer(LONG, delay_between=20), _in_a_stream),
        (Failure(429, "rate_limit_error", "slowly", retry_after=20), _in_the_backoff),
    ],
    ids=["queue", "request", "opening stream", "stream", "backoff"],
)
@pytest.mark.parametrize("times", [1, 2])
async def test_a_call_that_is_cancelled_is_accounted_once_and_gives_its_place_back(
    tmp_path: Path, reply: Reply, go_to: Callable[[Lab], Awaitable[asyncio.Task[Any]]], times: int
) -> None:
    async with fresh_lab(tmp_path, reply, llm_concurrency=1) as lab:
        asked = await go_to(lab)

        for _ in range(times):
            asked.cancel()
            await asyncio.sleep(0)
        with pytest.raises(asyncio.CancelledError):
            await asyncio.wait_for(asked, 5)

        await asyncio.wait_for(lab.client.generate_response_async("next", caller=Caller("carl")), 5)
        await lab.client.aclose()
        (row,) = await lab.rows("ada")
        assert (row.success, row.error_message) == (False, "stopped before its end")
        assert row.operation in {"generate_response", "stream_response"}
        assert lab.payloads("log.error") == []


@pytest.mark.parametrize("times", [1, 2])
async def test_a_call_that_is_cancelled_while_it_is_accounted_is_accounted_all_the_same(
    tmp_path: Path, times: int
) -> None:
    with serving(Answer("good")) as server:
        config = LLMConfig(claude_base_url=server.url, llm_concurrency=1)
        async with fresh_store(tmp_path, llm_config=config) as store:
            # The row waits for the file's one writer, which is lent to somebody else.
            async with LLMClient(store, key=SecretStr("sk-test")) as client, store.begin():
                asked = asyncio.create_task(client.generate_response_async("hello"))
                while not client.monitor.calls:  # noqa: ASYNC110 - nobody is told
                    await asyncio.sleep(0.001)
                for _ in range(times):
                    asked.cancel()
                    await asyncio.sleep(0)
                with pytest.raises(asyncio.CancelledError):
                    await asked
                assert await store.llm.usage("system", limit=10) == ()
            (row,) = await store.llm.usage("system", limit=10)
            assert row.success


async def test_a_listener_that_never_ends_does_not_cost_the_row(tmp_path: Path) -> None:
    reached = asyncio.Event()

    async def emit(event: str, payload: Mapping[str, Any]) -> None:
        reached.set()
        await asyncio.Event().wait()

    with serving(Answer("good")) as server:
        async with (
            fresh_store(tmp_path, llm_config=LLMConfig(claude_base_url=server.url), close_timeout=0.1) as store,
            LLMClient(store, emit=emit, key=SecretStr("sk-test")) as client,
        ):
            asked = asyncio.create_task(client.generate_response_async("hello"))
            await reached.wait()
            (row,) = await store.llm.usage("system", limit=10)
            assert row.success
            asked.cancel()
