"""How a connection to PostgreSQL is made, and what its errors may repeat."""

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
from sqlalchemy import ExceptionContext, event
from sqlalchemy.ext.asyncio import AsyncEngine

from socrates.errors import ConfigurationError, DamagedRecordError, DatabaseError

_EPOCH = datetime(2000, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_STARTING_PAUSE = 0.2
_STARTING_ATTEMPTS = 50
"""A server that is starting is waited for, ten seconds in all; PostgreSQL itself says that it is."""


async def connect(*arguments: Any, **options: Any) -> asyncpg.Connection:
    """What SQLAlchemy calls in place of `asyncpg.connect`. Raises ConfigurationError or DatabaseError."""
    for attempt in range(1, _STARTING_ATTEMPTS + 1):
        try:
            connection = await _connected(*arguments, **options)
        except asyncpg.CannotConnectNowError as error:
            if attempt == _STARTING_ATTEMPTS:
                raise DatabaseError(f"PostgreSQL cannot be reached: {error}") from error
        else:
            await _keep_times_exact(connection)
            return connection
        await asyncio.sleep(_STARTING_PAUSE)
    raise AssertionError("the last attempt returns or raises")


async def _connected(*arguments: Any, **options: Any) -> asyncpg.Connection:
    try:
        return await asyncpg.connect(*arguments, **options)
    except asyncpg.CannotConnectNowError:
        raise
    except asyncpg.TooManyConnectionsError as error:
        raise DatabaseError(
            "PostgreSQL takes no more connections; lower the setting pool_size, or raise the server's max_connections"
        ) from error
    except (asyncpg.InvalidAuthorizationSpecificationError, asyncpg.InvalidCatalogNameError) as error:
        raise ConfigurationError(f"PostgreSQL refused the connection: {error}. See the database URL") from error
    except asyncpg.exceptions.ClientConfigurationError as error:
        raise ConfigurationError(f"the PostgreSQL URL cannot be used: {error}") from error
    except (asyncpg.PostgresError, asyncpg.InterfaceError, OSError) as error:
        reason = str(error) or "it did not answer in time"
        raise DatabaseError(f"PostgreSQL cannot be reached: {reason}. Is the server running?") from error
    except (TypeError, ValueError) as error:
        raise ConfigurationError("the PostgreSQL URL has a parameter that the driver does not know") from error


async def _keep_times_exact(connection: asyncpg.Connection) -> None:
    """asyncpg's own codec writes the first and the last moment of a datetime as infinity."""
    await connection.set_type_codec(
        "timestamptz", schema="pg_catalog", encoder=_encoded, decoder=_decoded, format="tuple"
    )


def _encoded(moment: datetime) -> tuple[int]:
    return ((moment - _EPOCH) // _MICROSECOND,)


def _decoded(microseconds: tuple[int]) -> datetime:
    try:
        return _EPOCH + timedelta(microseconds=microseconds[0])
    except OverflowError:
        failure = DamagedRecordError(
            "a stored time cannot be read: it is not within the years 1 to 9999, so another program wrote it"
        )
    raise failure


def forget_values(engine: AsyncEngine) -> None:
    """Have the errors of this engine name tables and columns only: PostgreSQL's details repeat whole rows."""

    @event.listens_for(engine.sync_engine, "handle_error")
    def forget(failure: ExceptionContext) -> None:
        for error in _with_causes(failure.original_exception):
            _forget_values_in(error)
        if failure.sqlalchemy_exception is not None:
            # It was made before, with the text of the other.
            failure.sqlalchemy_exception.args = (str(failure.original_exception),)


def _with_causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _forget_values_in(error: BaseException) -> None:
    for part in ("detail", "hint", "context"):
        if hasattr(error, part):
            setattr(error, part, None)
    if (getattr(error, "sqlstate", None) or "").startswith("22"):
        # "invalid input for query argument $3: '…'": the value is inside the sentence.
        error.args = (f"a value does not fit ({type(error).__name__})",)
        if isinstance(error, asyncpg.DataError):
            # Python's own exception, of a text that is not Unicode for instance, holds the value.
            error.__cause__ = error.__context__ = None
    elif error.args and isinstance(error.args[0], str):
        error.args = (error.args[0].partition("\nDETAIL")[0], *error.args[1:])
