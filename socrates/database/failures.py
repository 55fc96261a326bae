"""What SQLAlchemy and the drivers raise, said in our own exceptions."""

import re
import sqlite3

from sqlalchemy import exc

from socrates.database import postgres_failures
from socrates.errors import (
    AlreadyExistsError,
    BusyError,
    ClosedError,
    DamagedRecordError,
    DatabaseError,
    InvalidValueError,
    SocratesError,
)

READING = (exc.SQLAlchemyError, ValueError, TypeError, ArithmeticError, LookupError)
"""What a statement and the reading of its rows can raise: the last four come from values that nobody here stores."""

WRITING = (exc.SQLAlchemyError, OverflowError, UnicodeError)
"""What a statement that only writes can raise: the last two come from integers over 64 bits and lone surrogates."""

_UNIQUE = {sqlite3.SQLITE_CONSTRAINT_UNIQUE, sqlite3.SQLITE_CONSTRAINT_PRIMARYKEY}
_KEPT_OUT = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}

_UNDECODABLE = re.compile(r"Could not decode to UTF-8 column '(.*?)' with text")
"""sqlite3's message goes on with the text itself."""


def is_missing_parent(error: Exception) -> bool:
    """Whether a foreign key names a record that doesn't exist."""
    return isinstance(error, exc.IntegrityError) and (
        _code(error.orig) == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY
        or postgres_failures.code(error.orig) == postgres_failures.FOREIGN_KEY
    )


def explained(error: Exception) -> SocratesError:
    """The exception of ours that says what `error` means, to be raised outside the handler that caught it.

    It repeats names of tables and columns, never a value. `error` is its cause, unless that repeats a stored value.
    """
    meaning = _meaning(error)
    if not isinstance(meaning, DamagedRecordError):
        meaning.__cause__ = error
    return meaning


def _meaning(error: Exception) -> SocratesError:
    if isinstance(error, exc.DBAPIError):
        return _sqlite_failure(error) if _is_sqlite(error.orig) else postgres_failures.meaning(error)
    if isinstance(error, exc.SQLAlchemyError):
        return _misuse(error)
    if isinstance(error, OverflowError | UnicodeError):
        return InvalidValueError(f"a value cannot be stored: {error}")
    return DamagedRecordError(f"a stored value cannot be read ({type(error).__name__}); `socrates db check` says more")


def _is_sqlite(cause: BaseException | None) -> bool:
    """OverflowError and UnicodeError come from binding, on either engine."""
    return isinstance(cause, sqlite3.Error | OverflowError | UnicodeError)


def _sqlite_failure(error: exc.DBAPIError) -> SocratesError:
    if isinstance(error, exc.IntegrityError):
        return _constraint(error.orig)
    return _engine_failure(error.orig)


def _misuse(error: exc.SQLAlchemyError) -> SocratesError:
    if isinstance(error, exc.TimeoutError):
        return BusyError(
            "no connection became free in time: too many units of work or reads at once, or one that never ends. "
            "The setting lock_timeout says how long to wait"
        )
    if isinstance(error, exc.StatementError):
        return InvalidValueError(f"a value cannot be stored: {error.orig}")
    if isinstance(error, exc.PendingRollbackError):
        return DatabaseError("this unit of work has failed before, and nothing of it is stored; begin another one")
    if isinstance(error, exc.InvalidRequestError) and "closed" in str(error):
        return ClosedError("this unit of work is over; begin another one")
    return DatabaseError(f"the statement could not be run: {error}")


def _constraint(cause: BaseException | None) -> SocratesError:
    code = _code(cause)
    if code in _UNIQUE:
        return AlreadyExistsError(f"there is one already with the same key ({_after_colon(cause)})")
    if code == sqlite3.SQLITE_CONSTRAINT_FOREIGNKEY:
        return InvalidValueError("the record that it belongs to does not exist")
    return InvalidValueError(f"the database does not allow this value ({_after_colon(cause)})")


def _code(cause: BaseException | None) -> int:
    return int(getattr(cause, "sqlite_errorcode", 0))


def _after_colon(cause: BaseException | None) -> str:
    """The columns in "UNIQUE constraint failed: users.username"."""
    return str(cause).partition(": ")[2] or "no column is named"


def _engine_failure(cause: BaseException | None) -> SocratesError:
    code = _code(cause) & 0xFF
    if code in _KEPT_OUT:
        return BusyError("another process kept the database locked for longer than the setting lock_timeout")
    if code == sqlite3.SQLITE_FULL:
        return DatabaseError("the disk is full; nothing of this unit of work was stored")
    if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
        return DatabaseError("the database file is damaged; restore a backup, or see `socrates db check`")
    if isinstance(cause, OverflowError | UnicodeError):
        return InvalidValueError(f"a value cannot be stored: {cause}")
    undecodable = _UNDECODABLE.match(str(cause))
    if undecodable:
        return DamagedRecordError(
            f"a stored text is not UTF-8 (column {undecodable[1]}); `socrates db check` says more"
        )
    return DatabaseError(f"the database refused: {cause}")
