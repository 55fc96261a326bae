"""What PostgreSQL's codes mean (its documentation, appendix A), said in our own exceptions."""

from collections.abc import Callable

from sqlalchemy import exc

from socrates.errors import (
    AlreadyExistsError,
    BusyError,
    DatabaseError,
    InvalidValueError,
    SerializationError,
    SocratesError,
)

FOREIGN_KEY = "23503"
LOCK_TIMEOUT = "55P03"

_Meaning = Callable[[BaseException | None], SocratesError]


def code(cause: BaseException | None) -> str | None:
    """PostgreSQL's code of a driver's exception; None for one that has none."""
    # SQLAlchemy's own copy of the exception does not always have it.
    for error in (cause, getattr(cause, "__cause__", None)):
        found = getattr(error, "sqlstate", None)
        if isinstance(found, str):
            return found
    return None


def meaning(error: exc.DBAPIError) -> SocratesError:
    """The exception of ours that says what a failure on PostgreSQL means. It repeats names, never a value."""
    state = code(error.orig)
    if state is None:
        return lost() if error.connection_invalidated else DatabaseError(f"the database refused: {error.orig}")
    known = _CODES.get(state) or _CLASSES.get(state[:2])
    if known is None:
        return DatabaseError(f"the database refused: {error.orig}")
    return known(error.orig)


def lost(_cause: BaseException | None = None) -> DatabaseError:
    """The connection is gone; what had not begun to commit was rolled back."""
    return DatabaseError("the connection to the database was lost; nothing of this unit of work was stored")


def _says(kind: type[SocratesError], message: str) -> _Meaning:
    return lambda _cause: kind(message)


def _duplicate(cause: BaseException | None) -> SocratesError:
    return AlreadyExistsError(f"there is one already with the same key ({_place(cause)})")


def _not_allowed(cause: BaseException | None) -> SocratesError:
    return InvalidValueError(f"the database does not allow this value ({_place(cause)})")


def _place(cause: BaseException | None) -> str:
    """The table and the constraint or column."""
    told = getattr(cause, "__cause__", None)
    names = (getattr(told, name, None) for name in ("table_name", "constraint_name", "column_name"))
    return ", ".join(filter(None, names)) or "no column is named"


_GAVE_UP = _says(
    SerializationError,
    "another unit of work got in the way, and the database gave up this one; nothing of it was stored. Run it again, "
    "or have Store.transact do that",
)


def _limit(cause: BaseException | None) -> SocratesError:
    """One code for limits of all kinds; two of them can be met here."""
    if "NOTIFY queue" in str(cause):
        return DatabaseError(
            "the server's queue of notifications is full: a connection that listens has a transaction open, or does "
            "not read; nothing of this unit of work was stored"
        )
    return InvalidValueError("a value is too long for an index of PostgreSQL; keys have at most 512 bytes there")


_NO_NUL = _says(InvalidValueError, "a value cannot be stored or looked for: PostgreSQL's text takes no NUL character")
_FULL = _says(DatabaseError, "the server's disk or memory is full; nothing of this unit of work was stored")

_CODES: dict[str, _Meaning] = {
    "23505": _duplicate,
    FOREIGN_KEY: _says(InvalidValueError, "the record that it belongs to does not exist"),
    "22021": _NO_NUL,
    "22P05": _NO_NUL,
    "54000": _limit,
    "40001": _GAVE_UP,
    "40P01": _GAVE_UP,
    LOCK_TIMEOUT: _says(
        BusyError, "another unit of work kept a record locked for longer than the setting lock_timeout"
    ),
    "57014": _says(
        DatabaseError, "the statement took longer than the setting statement_timeout, or somebody cancelled it"
    ),
    "53100": _FULL,
    "53200": _FULL,
    "25006": _says(DatabaseError, "the server only reads: it is a standby, or this user may not write"),
    "25P02": _says(
        DatabaseError, "this unit of work has failed before, and nothing of it is stored; begin another one"
    ),
    "0A000": _says(SerializationError, "the schema changed while the program ran; run it again"),
    "57P01": lost,
    "57P02": lost,
    "57P05": lost,
}
_CLASSES: dict[str, _Meaning] = {
    "08": lost,
    "22": _says(InvalidValueError, "a value cannot be stored or looked for: its column does not take it"),
    "23": _not_allowed,
}
