"""Neither a passcode nor a hash is shown where people look: texts, tracebacks, logs."""

import logging
import traceback
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

import pytest

from socrates.accounts import Accounts
from socrates.errors import AlreadyExistsError, InvalidValueError, LoginRefusedError, SocratesError, ThrottledError
from socrates.store import Store
from tests.unit.accounts.support import v1_hash
from tests.unit.repositories.rows import put_users

SECRETS = ("s3cret", "gu3ss", "n3w", "$argon2", v1_hash("s3cret"), v1_hash("gu3ss"))


def assert_tells_nothing(text: str) -> None:
    assert not [secret for secret in SECRETS if secret in text], text


def shown(error: BaseException) -> str:
    """The error in every form in which it is met, with all that it drags along."""
    told = [str(error), repr(error), *traceback.format_exception(error)]
    if isinstance(error, SocratesError):
        told.append(repr(vars(error)))
    linked = [each for each in (error.__cause__, error.__context__) if each is not None]
    return "\n".join(told + [shown(each) for each in linked])


async def test_views_and_errors_show_no_secret(accounts: Accounts, store: Store) -> None:
    await put_users(store, "v1", passcode_hash=v1_hash("s3cret"))
    views: list[Any] = [await accounts.register("ada", "s3cret"), await accounts.log_in("v1", "s3cret")]
    views += [await accounts.change_passcode("ada", "s3cret", "n3w"), await accounts.set_passcode("ada", "s3cret")]
    views += [accounts, accounts._passcodes]
    for view in views:
        assert_tells_nothing(f"{view} {view!r}")
    failing: list[tuple[type[SocratesError], Callable[[], Awaitable[Any]]]] = [
        (LoginRefusedError, partial(accounts.log_in, "ada", "gu3ss")),
        (LoginRefusedError, partial(accounts.log_in, "ada", "gu3ss\ud800")),
        (LoginRefusedError, partial(accounts.log_in, "nobody", "gu3ss")),
        (LoginRefusedError, partial(accounts.change_passcode, "ada", "gu3ss", "n3w")),
        (InvalidValueError, partial(accounts.change_passcode, "ada", "s3cret", "n3w\ud800")),
        (InvalidValueError, partial(accounts.register, "bob", "gu3ss" * 1000)),
        (InvalidValueError, partial(accounts.register, "bob", "gu3ss", subscription_tier=5)),
        (AlreadyExistsError, partial(accounts.register, "ada", "gu3ss")),
        *[(LoginRefusedError, partial(accounts.log_in, "ada", "gu3ss"))] * 3,
        (ThrottledError, partial(accounts.log_in, "ada", "gu3ss")),
    ]
    for expected, attempt in failing:
        with pytest.raises(SocratesError) as raised:
            await attempt()
        assert type(raised.value) is expected
        assert_tells_nothing(shown(raised.value))


async def test_logs_show_no_secret_at_any_level(
    accounts: Accounts, store: Store, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    for name in ("sqlalchemy.engine", "sqlalchemy.pool", "aiosqlite", "asyncio"):
        caplog.set_level(logging.DEBUG, name)
    for engine in (store._engines.writer.sync_engine, store._engines.reader.sync_engine):
        engine.echo = "debug"
    await put_users(store, "v1", passcode_hash=v1_hash("s3cret"))
    caplog.clear()
    await accounts.register("ada", "s3cret")
    await accounts.log_in("v1", "s3cret")
    await accounts.change_passcode("ada", "s3cret", "n3w")
    for _ in range(5):
        with pytest.raises(LoginRefusedError):
            await accounts.log_in("ada", "gu3ss")
    with pytest.raises(ThrottledError):
        await accounts.log_in("ada", "gu3ss")
    assert "INSERT INTO users" in caplog.text
    assert_tells_nothing(caplog.text)
    assert_tells_nothing(repr([record.__dict__ for record in caplog.records]))
