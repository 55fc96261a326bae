"""A key is in no log, error, event or row, even when the provider repeats it; the database has it encrypted."""

import asyncio
import base64
import contextlib
import hashlib
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator, Mapping
from pathlib import Path

import pytest
from pydantic import SecretStr

from socrates.errors import LLMError, SocratesError
from socrates.llm.caller import Caller
from socrates.llm.credentials import CredentialResolver
from socrates.llm.demo.protocol import Answer, Drop, Failure, Raw, Reply, StreamError
from socrates.llm.keys import Keys
from socrates.llm.vault import KeyVault
from tests.support.llm import Lab, fresh_lab

KEY = "sk-ant-do-not-tell-anybody-0123456789"
SECRET = SecretStr("correct horse battery staple")
ADA = Caller("ada")

FORMS = {
    "the key": KEY,
    "its Base64": base64.b64encode(KEY.encode()).decode().rstrip("="),
    "its URL-safe Base64": base64.urlsafe_b64encode(KEY.encode()).decode().rstrip("="),
    "its hash": hashlib.sha256(KEY.encode()).hexdigest(),
}

_MESSAGE = (
    b'{"id": "%b", "type": "message", "role": "assistant", "model": "%b", "content": [], "stop_reason": "%b", '
    b'"usage": {"input_tokens": 1, "output_tokens": 1}}'
)
_MODEL_REPEATS = _MESSAGE.replace(b"%b", KEY.encode())
_LOCATION = {"location": f"https://example.com/{KEY}"}

REPEATED: Mapping[str, Reply] = {
    "in a refusal's message": Failure(401, "authentication_error", f"no such key: {KEY} (Bearer {KEY})"),
    "in a refusal's type": Failure(400, KEY, "no"),
    "across the cut of a message": Failure(400, "invalid_request_error", "x" * 265 + KEY),
    "in a failure that is tried again": Failure(529, "overloaded_error", KEY),
    "in the id of a request": Failure(400, "invalid_request_error", "no", headers={"request-id": KEY}),
    "in a redirect": Failure(307, "moved", KEY, headers=_LOCATION),
    "in a page": Raw(f"<html>{KEY}</html>".encode(), "text/html", 502),
    "in no JSON": Raw(f'{{"{KEY}'.encode()),
    "in no answer": Raw(f'["{KEY}"]'.encode()),
    "as the model": Raw(_MODEL_REPEATS),
    "in an error of a stream": StreamError(1, "overloaded_error", f"not with {KEY}"),
    "before the connection broke": Drop(after_bytes=600, answer=Answer(KEY * 100)),
    "in pauses": Failure(429, "rate_limit_error", "no", headers={"retry-after": KEY}),
    "not at all, too late": Answer("late", delay=20),
}


def found_in(text: str) -> list[str]:
    return [name for name, form in FORMS.items() if form in text]


async def failure_of(asked: Awaitable[None]) -> LLMError | None:
    try:
        await asked
    except LLMError as error:
        return error
    return None


def chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and all that it came from."""
    while error is not None:
        yield error
        if error.__cause__ is not None:
            yield from chain(error.__cause__)
        error = error.__context__


def shown(error: BaseException) -> str:
    return f"{error} {error!r} {error.args!r} {vars(error)!r}" + "".join(traceback.format_exception(error))


def logged(records: list[logging.LogRecord]) -> str:
    formatter = logging.Formatter()
    return "\n".join(f"{formatter.format(record)} {record.msg!r} {record.args!r}" for record in records)


def stored(directory: Path) -> bytes:
    return b"".join(file.read_bytes() for file in sorted(directory.iterdir()) if file.is_file())


async def _whole(lab: Lab) -> None:
    await lab.client.generate_response_async("hello", caller=ADA)


async def _in_pieces(lab: Lab) -> None:
    async for _ in lab.client.stream_response_async("hello", caller=ADA):
        pass


@pytest.mark.parametrize("reply", REPEATED.values(), ids=REPEATED.keys())
@pytest.mark.parametrize("asked", [_whole, _in_pieces])
async def test_a_key_that_the_provider_repeats_goes_nowhere(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, reply: Reply, asked: Callable[[Lab], Awaitable[None]]
) -> None:
    for name in ("", "anthropic", "httpx2", "httpcore2"):
        caplog.set_level(logging.DEBUG, name)
    async with fresh_lab(tmp_path, reply=lambda _: reply, key=KEY, llm_max_retries=1, llm_timeout=0.3) as lab:
        errors = list(chain(await failure_of(asked(lab))))
        assert all(isinstance(error, SocratesError) for error in errors), "the SDK's exceptions hold the key"
        assert [found_in(shown(error)) for error in errors] == [[]] * len(errors)
        assert lab.server.answered > 0 or isinstance(reply, Answer | Drop)
        assert found_in(repr(lab.events)) == []
        assert found_in(repr(await lab.rows("ada"))) == []
        assert len(await lab.rows("ada")) == 1
        assert found_in(stored(tmp_path).decode("latin-1")) == []
    assert found_in(logged([record for record in caplog.records if record.name.startswith("socrates.")])) == []


async def test_the_vendors_own_logs_show_no_key_that_the_provider_does_not_repeat(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("", "anthropic", "httpx2", "httpcore2"):
        caplog.set_level(logging.DEBUG, name)
    script = Answer("good"), Failure(401, "authentication_error", "no"), Drop(), Answer("late", delay=20)
    async with fresh_lab(tmp_path, *script, key=KEY, llm_max_retries=0, llm_timeout=0.3) as lab:
        for _ in script:
            with contextlib.suppress(LLMError):
                await _whole(lab)

    assert {record.name.partition(".")[0] for record in caplog.records} >= {"anthropic", "httpcore2", "socrates"}
    assert found_in(logged(caplog.records)) == []


async def test_no_object_of_the_client_shows_a_key(tmp_path: Path) -> None:
    caller = Caller("ada", api_key=SecretStr(KEY))
    async with fresh_lab(tmp_path, key=KEY) as lab:
        result = await lab.client.generate_response_async("hello", caller=caller)
        resolver = CredentialResolver(lab.store, lab.store.settings.llm_config, SecretStr(KEY))
        credentials = await resolver.resolve(caller)
        provider = lab.client._providers["claude"]
        inside = vars(lab.client), vars(lab.client._calls)
        for each in (lab.client, *inside, provider, resolver, credentials, caller, result):
            assert found_in(f"{each!r} {each!s}") == []
        assert found_in(repr(lab.server.requests)) == ["its hash"]  # by which tests know whose key came
        assert credentials.key.get_secret_value() == KEY


async def test_a_users_stored_key_is_used_and_shown_nowhere(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    refused = Failure(401, "authentication_error", f"no such key: {KEY}")
    async with fresh_lab(tmp_path, refused, Answer("good"), settings={"encryption_key": SECRET}) as lab:
        await Keys(lab.store, KeyVault(SECRET)).save("ada", "claude", SecretStr(KEY))
        error = await failure_of(_whole(lab))
        await _whole(lab)

        assert [request.key_digest for request in lab.server.requests] == [FORMS["its hash"]] * 2
        assert error is not None
        assert found_in(shown(error)) == []
        assert found_in(repr(lab.events)) == []
        assert set(found_in(stored(tmp_path).decode("latin-1"))) <= {"its hash"}  # a column of v1's, which is kept
    assert found_in(logged(caplog.records)) == []


async def test_a_call_that_is_cancelled_shows_no_key(tmp_path: Path) -> None:
    async with fresh_lab(tmp_path, Answer("late", delay=20), key=KEY) as lab:
        asked = asyncio.create_task(_whole(lab))
        await asyncio.sleep(0.3)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await asked

        assert found_in("".join(traceback.format_exception(caught.value))) == []
        assert found_in(stored(tmp_path).decode("latin-1")) == []
