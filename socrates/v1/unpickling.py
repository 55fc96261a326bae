"""The one place where a pickle becomes objects."""

import io
import pickle
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from socrates.errors import DamagedRecordError
from socrates.v1.reading import printable
from socrates.v1.scan import scan
from socrates.v1.walk import walk

# Exactly the names that v1's pickles can hold (v1-format, V14). Types only: no function is ever called by name.
ALLOWED_GLOBALS: dict[tuple[str, str], type] = {
    ("datetime", "datetime"): datetime,
    ("datetime", "timedelta"): timedelta,
    ("datetime", "timezone"): timezone,
    ("decimal", "Decimal"): Decimal,
}

# What CPython's unpickler and the four types raise on nonsense. Anything else would be a defect of ours.
_LOAD_ERRORS = (
    pickle.UnpicklingError,
    ArithmeticError,
    AttributeError,
    EOFError,
    LookupError,
    MemoryError,
    RecursionError,  # nested tuples that are equal, as keys
    TypeError,
    ValueError,
)


class _Unpickler(pickle.Unpickler):
    def __init__(self, blob: bytes) -> None:
        super().__init__(io.BytesIO(blob))
        self._digits_left = len(blob)

    def find_class(self, module: str, name: str) -> Any:
        allowed = ALLOWED_GLOBALS.get((module, name))
        if allowed is None:
            raise DamagedRecordError(f"the pickle names the forbidden global {printable(f'{module[:80]}.{name[:80]}')}")
        return self._decimal if allowed is Decimal else allowed

    def _decimal(self, text: object) -> Decimal:
        """A Decimal of text, as v1 pickled it. Of one long text a small pickle could otherwise make thousands."""
        if type(text) is not str:
            raise DamagedRecordError(f"the pickle makes a Decimal of {type(text).__name__}, not of text")
        self._digits_left -= len(text)
        if self._digits_left < 0:
            raise DamagedRecordError("the pickle makes more Decimals than it has digits")
        return Decimal(text)


def load(blob: bytes) -> dict[Any, Any]:
    """Read one v1 blob: scan its bytes, load it, walk the result.

    Raises DamagedRecordError, with the reason, for anything but a pickled dict of plain data. Runs no code that
    the blob names, and takes at most 64 MB + 8 × its size and 1 s + 1 s per 10 MB.
    """
    return load_measured(blob)[0]


def load_measured(blob: bytes) -> tuple[dict[Any, Any], int]:
    """The same, and how many bytes of what loading may take are known to be left for the conversion."""
    spare = scan(blob)
    try:
        value = _Unpickler(blob).load()
    except _LOAD_ERRORS as error:
        raise DamagedRecordError(f"the pickle cannot be loaded: {type(error).__name__}: {str(error)[:200]}") from error
    return walk(value, len(blob)), spare
