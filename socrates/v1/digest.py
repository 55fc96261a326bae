"""The digest of a v1 row's converted form: what the import promises, and a later check compares with."""

import hashlib
import json
from collections.abc import Sequence
from decimal import Decimal, InvalidOperation
from functools import cache

from socrates.v1.layout import Kind, Row, Rows, Table

DIGEST_BYTES = 16
_ENCODER = json.JSONEncoder(default=bytes.hex)
# PostgreSQL: up to 131,072 digits before the point. More is not imported there, and need not be written out.
_PLAIN_DIGITS = 131_072


def digest(rows: Rows, tables: Sequence[Table]) -> bytes:
    """The digest of the rows that one v1 row became: BLAKE2b over their JSON, table by table.

    It is the same on every engine, and depends on nothing but the values.
    """
    content = [_settled(rows.get(table.name, []), table) for table in tables]
    return hashlib.blake2b(_ENCODER.encode(content).encode("ascii"), digest_size=DIGEST_BYTES).digest()


def _settled(rows: list[Row], table: Table) -> list[Row]:
    """`rows` with their decimals in the one form that every engine gives back."""
    decimals = decimals_of(table)
    if not decimals:
        return rows
    return [tuple(settled_decimal(v) if i in decimals else v for i, v in enumerate(row)) for row in rows]


@cache
def decimals_of(table: Table) -> tuple[int, ...]:
    """The indices of the columns that hold decimals."""
    return tuple(index for index, (_, kind) in enumerate(table.columns) if kind is Kind.DECIMAL)


def settled_decimal(value: object) -> object:
    """A decimal as every engine writes it: PostgreSQL gives 100 for 1E+2, and 0 for -0.

    What is no decimal, because somebody else wrote it there, comes back as it is.
    """
    try:
        number = Decimal(str(value))
    except InvalidOperation:
        return value
    exponent = number.as_tuple().exponent
    if not isinstance(exponent, int):
        return str(number)
    if not number:
        number, exponent = abs(number), min(exponent, 0)
        return str(number if number.as_tuple().exponent == exponent else Decimal(0))
    return format(number, "f") if 0 < exponent <= _PLAIN_DIGITS else str(number)
