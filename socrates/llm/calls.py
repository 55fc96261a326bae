"""The one way in which operations call a model: whose key, whether the budget allows it, how often, and accounted."""

import asyncio
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import aclosing, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from typing import TypeVar

from pydantic import SecretStr

from socrates.config import LLMConfig
from socrates.errors import ClosedError, LLMConfigurationError, LLMError
from socrates.llm.accounting import Accounting, Call
from socrates.llm.answers import Answer
from socrates.llm.caller import SYSTEM_USER, Caller
from socrates.llm.credentials import DEFAULT_PROVIDER, CredentialResolver
from socrates.llm.emitting import Emit
from socrates.llm.operation import Operation
from socrates.llm.parsing import read_as
from socrates.llm.prompts.composing import CHARACTERS_PER_TOKEN, Prompt
from socrates.llm.provider import Completion, Progress, Provider, ProviderError, Request, Tokens
from socrates.llm.results import Piece, Result
from socrates.llm.retrying import pause_before_retry
from socrates.views import Usage

_T = TypeVar("_T")
_A = TypeVar("_A", bound=Answer)

_log = logging.getLogger(__name__)


class Calls:
    """Calls models. Safe to share between the tasks of one event loop."""

    def __init__(
        self,
        providers: Mapping[str, Provider],
        resolver: CredentialResolver,
        accounting: Accounting,
        config: LLMConfig,
        emit: Emit,
    ) -> None:
        self._providers = providers
        self._resolver = resolver
        self._accounting = accounting
        self._config = config
        self._emit = emit
        self._slots = asyncio.Semaphore(config.llm_concurrency)
        self._recording: set[asyncio.Task[Usage]] = set()
        self._open: set[asyncio.Future[None]] = set()
        self._is_closed = False

    async def text(self, operation: Operation, prompt: Prompt, caller: Caller) -> Result[str]:
        """The model's answer as free text. Raises LLMError."""
        rows: list[Usage] = []
        async with self._accounted(operation, caller, rows) as account:
            completion = await self._complete(account, operation, prompt, caller)
            text = _text(completion).strip()
        truncated = completion.stop_reason == "max_tokens"
        return Result(text, truncated, omitted=prompt.omitted, usage=tuple(rows))

    async def structured(self, operation: Operation, prompt: Prompt, caller: Caller, schema: type[_A]) -> Result[_A]:
        """The model's answer in the form of `schema`. One that is cut off is asked for once more with twice the limit.

        Raises LLMError: PARSE_ERROR when the answer does not fit, TRUNCATED when the second is cut off too.
        """
        rows: list[Usage] = []
        try:
            value = await self._structured(operation, prompt, caller, schema, rows)
        except LLMError as error:
            if error.error_type != "TRUNCATED":
                raise
            again = replace(operation, max_tokens=2 * operation.max_tokens)
            value = await self._structured(again, prompt, caller, schema, rows)
        return Result(value, omitted=prompt.omitted, usage=tuple(rows))

    async def _structured(
        self, operation: Operation, prompt: Prompt, caller: Caller, schema: type[_A], rows: list[Usage]
    ) -> _A:
        async with self._accounted(operation, caller, rows) as account:
            completion = await self._complete(account, operation, prompt, caller, schema)
            if completion.stop_reason == "max_tokens":
                raise LLMError(f"the answer is cut off at {operation.max_tokens} tokens", "TRUNCATED")
            return read_as(schema, _text(completion))

    async def stream(
        self, operation: Operation, prompt: Prompt, caller: Caller, made_of: Callable[[str], _T]
    ) -> AsyncGenerator[Piece[_T], None]:
        """The pieces of the model's answer as they come in, then an empty one with the result. Raises LLMError.

        It is accounted when it ends, also where its reader stops early: close it then (`contextlib.aclosing`). It
        holds one of the places for requests until then.
        """
        rows: list[Usage] = []
        async with self._accounted(operation, caller, rows) as account:
            async with aclosing(self._events(account, operation, prompt, caller)) as events:
                async for event in events:
                    if isinstance(event, str):
                        account.hear(event)
                        yield Piece(event)
                    else:
                        account.learn(event)
            text = _text(account.completion())
        truncated = account.completion().stop_reason == "max_tokens"
        yield Piece("", Result(made_of(text), truncated, omitted=prompt.omitted, usage=tuple(rows)))

    async def _complete(
        self,
        account: "_Account",
        operation: Operation,
        prompt: Prompt,
        caller: Caller,
        schema: type[Answer] | None = None,
    ) -> Completion:
        provider, request, key = await self._prepared(account, operation, prompt, caller, schema)
        retries = 0
        while True:
            async with self._slots:
                self._begin(account)
                try:
                    completion = await provider.complete(request, key)
                except ProviderError as error:
                    pause = self._pause(account, error, retries)
                else:
                    account.learn(completion)
                    return completion
            await asyncio.sleep(pause)
            retries += 1

    async def _events(
        self, account: "_Account", operation: Operation, prompt: Prompt, caller: Caller
    ) -> AsyncGenerator[Progress | str | Completion, None]:
        """The events of a stream. It is begun again only as long as nothing has come in."""
        provider, request, key = await self._prepared(account, operation, prompt, caller, None)
        retries = 0
        while True:
            async with self._slots, aclosing(provider.stream(request, key)) as events:
                self._begin(account)
                try:
                    first = await anext(events)
                except ProviderError as error:
                    pause = self._pause(account, error, retries)
                else:
                    yield first
                    async for event in events:
                        yield event
                    return
            await asyncio.sleep(pause)
            retries += 1

    def _begin(self, account: "_Account") -> None:
        """Raises ClosedError: another attempt would open connections again that nobody closes."""
        if self._is_closed:
            raise ClosedError("the client of language models is closed; make another one")
        account.begin()

    def _pause(self, account: "_Account", error: ProviderError, retries: int) -> float:
        """How long to wait before the next attempt. Raises the error when there is none."""
        account.request_id = error.request_id
        pause = pause_before_retry(error, retries, self._config)
        if pause is None:
            raise error
        _log.info("%s: %s; trying again in %.1f s", account.operation, error, pause)
        return pause

    async def _prepared(
        self,
        account: "_Account",
        operation: Operation,
        prompt: Prompt,
        caller: Caller,
        schema: type[Answer] | None,
    ) -> tuple[Provider, Request, SecretStr]:
        account.provider, account.model = await self._resolver.model(caller)
        provider = self._providers.get(account.provider)
        if provider is None:
            raise LLMConfigurationError(
                f"the provider {account.provider} cannot be called yet, only its settings and keys are kept. "
                f"Choose {' or '.join(self._providers)} as the default provider",
                "CONFIGURATION_ERROR",
            )
        key = await self._resolver.key(caller, account.provider)
        await self._accounting.require_budget(account.user_id)
        request = Request(
            account.model,
            prompt.system,
            prompt.stable,
            prompt.data,
            operation.max_tokens,
            operation.temperature,
            schema,
        )
        return provider, request, key

    @asynccontextmanager
    async def _accounted(self, operation: Operation, caller: Caller, rows: list[Usage]) -> AsyncIterator["_Account"]:
        """Accounts what happens inside as one request, whatever comes of it, and reports its failure."""
        account = _Account(operation.name, caller.user_id or SYSTEM_USER)
        ended = asyncio.get_running_loop().create_future()
        self._open.add(ended)
        error_message: str | None = "stopped before its end"  # by a cancellation, or a reader of a stream
        try:
            yield account
            error_message = None
        except LLMError as error:
            error_message = f"{error.error_type}: {error}"
            await self._report(account, error)
            raise
        except Exception as error:
            error_message = f"ended by {type(error).__name__}"
            raise
        finally:
            try:
                rows.append(await self._recorded(account.ended(error_message)))
            finally:
                self._open.discard(ended)
                ended.set_result(None)

    async def _recorded(self, call: Call) -> Usage:
        # Whoever is cancelled once more while this is stored leaves, and it is stored all the same.
        task = asyncio.create_task(self._accounting.record(call))
        self._recording.add(task)
        task.add_done_callback(self._recording.discard)
        return await asyncio.shield(task)

    async def _report(self, account: "_Account", error: LLMError) -> None:
        level, event = (
            (logging.WARNING, "log.warning")
            if error.error_type in {"PARSE_ERROR", "TRUNCATED"}
            else (logging.ERROR, "log.error")
        )
        _log.log(level, "%s for %r failed: %s: %s", account.operation, account.user_id, error.error_type, error)
        payload = {"message": str(error), "operation": account.operation, "error_type": error.error_type}
        await self._emit(event, payload)

    async def settle(self, patience: float) -> None:
        """Wait until every call is accounted: those under way, and streams that nobody reads any more. Then begin none.

        A stream that its reader holds on to without reading is waited for `patience` seconds.
        """
        with suppress(TimeoutError):
            async with asyncio.timeout(patience):
                while self._open or self._recording:
                    await asyncio.wait(self._open | self._recording)
        self._is_closed = True


@dataclass(slots=True)
class _Account:
    """What is known of one request so far."""

    operation: str
    user_id: str
    provider: str = DEFAULT_PROVIDER
    model: str = ""
    tokens: Tokens = field(default_factory=Tokens)
    request_id: str | None = None
    began: float | None = None
    answer: Completion | None = None
    heard: int = 0

    def begin(self) -> None:
        """An attempt is sent. Its latency leaves out those before, and what they waited for."""
        self.began = time.monotonic()

    def learn(self, told: Progress | Completion) -> None:
        """The answer, or how far it is."""
        self.model, self.tokens, self.request_id = told.model or self.model, told.tokens, told.request_id
        if isinstance(told, Completion):
            self.answer = told

    def hear(self, piece: str) -> None:
        """A piece of a stream. One that is stopped before its end is billed for what came, and tells no count of it."""
        self.heard += len(piece)
        self.tokens = replace(self.tokens, output=max(self.tokens.output, self.heard // CHARACTERS_PER_TOKEN))

    def completion(self) -> Completion:
        """The whole answer. Raises LLMError when none came."""
        if self.answer is None:
            raise LLMError("the stream ended without an end", "CONNECTION_ERROR")
        return self.answer

    def ended(self, error_message: str | None) -> Call:
        """What is to be accounted."""
        latency_ms = 0.0 if self.began is None else (time.monotonic() - self.began) * 1000
        return Call(
            self.operation,
            self.user_id,
            self.provider,
            self.model,
            self.tokens,
            latency_ms,
            error_message,
            self.request_id,
        )


def _text(completion: Completion) -> str:
    """The text of an answer. Raises LLMError where there is none."""
    if completion.stop_reason == "refusal":
        raise LLMError("the model refused to answer: say it in other words", "GENERATION_ERROR")
    if not completion.text.strip():
        if completion.stop_reason == "max_tokens":
            raise LLMError("the limit of tokens was used up before the first word", "TRUNCATED")
        raise LLMError("the model's answer is empty", "EMPTY_RESPONSE")
    return completion.text
