"""Column types that SQLAlchemy lacks: exact on both engines, with the same Python values on either."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import JSON, DateTime, Dialect, Numeric, Text
from sqlalchemy.types import TypeDecorator, TypeEngine

from socrates import tagged_json


class UtcDateTime(TypeDecorator[datetime]):
    """An aware time. Any zone goes in, UTC comes out, to the microsecond.

    A naive datetime raises ValueError (inside SQLAlchemy's StatementError): nobody could tell its zone.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"{value!r} has no time zone; give an aware datetime, such as datetime.now(UTC)")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.astimezone(UTC)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None] | None:
        # Times are most of what a list of rows costs to read, and reading SQLite's text with its zone in one go halves
        # that. It is kept without a zone, which is UTC because nothing else is ever bound.
        return _utc_from_text if dialect.name == "sqlite" else super().result_processor(dialect, coltype)


def _utc_from_text(value: str | None) -> datetime | None:
    return None if value is None else datetime.fromisoformat(value + "+00:00")


class ExactDecimal(TypeDecorator[Decimal]):
    """A finite Decimal with every digit: text on SQLite, NUMERIC on PostgreSQL.

    PostgreSQL keeps the value and the scale, but writes an exponent out (1E+2 comes back as 100). On SQLite
    the engine sees text, so sums, comparisons and sorting belong in Python; a number that the engine computed
    itself raises TypeError when read. Binding raises TypeError for anything but a Decimal and ValueError for
    NaN and infinity, for which rule V18 of the v1 format puts NULL.
    """

    impl = Numeric
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        return Text() if dialect.name == "sqlite" else Numeric()

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> Any:
        if value is None:
            return None
        if not isinstance(value, Decimal):
            raise TypeError(f"{value!r} is a {type(value).__name__}; an exact column takes a Decimal")
        if not value.is_finite():
            raise ValueError(f"{value!r} is not finite; store None instead")
        return str(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: Any, dialect: Dialect) -> Decimal | None:
        if value is None or isinstance(value, Decimal):
            return value
        if isinstance(value, str):
            return Decimal(value)
        raise TypeError(f"{value!r} was computed by the engine and is not exact; compute it in Python")

    def compare_values(self, x: Any, y: Any) -> bool:
        # 0.5 == 0.50, yet going from one to the other is a change that the session must write.
        return repr(x) == repr(y)


class TaggedJSON(TypeDecorator[Any]):
    """JSON that also holds times, Decimals, bytes, tuples, sets, NaN and keys that are not text.

    They are written in the `{"$type": …}` forms of the v1 format, chapter 3, and read back as what they were.
    A type without a form raises TypeError (inside SQLAlchemy's StatementError).
    """

    impl = JSON
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> Any:
        return tagged_json.encode(value)

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any] | None:
        write = super().bind_processor(dialect)
        return None if write is None else lambda value: "{}" if value == {} else write(value)

    def process_result_value(self, value: Any, dialect: Dialect) -> Any:
        return tagged_json.decode(value)

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any] | None:
        read = super().result_processor(dialect, coltype)
        if read is None:
            return None

        def process(value: Any) -> Any:
            # Nearly every `extra` is empty, and to parse that is a good part of what a page of messages costs.
            return {} if value == "{}" else read(value)

        return process

    def compare_values(self, x: Any, y: Any) -> bool:
        # By the stored text, because 1 == True == 1.0 and Decimal("0.5") == Decimal("0.50").
        return json.dumps(tagged_json.encode(x)) == json.dumps(tagged_json.encode(y))


class CodePointText(TypeDecorator[str]):
    """Text of any length, compared and ordered by code point on both engines."""

    impl = Text
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        # SQLite's own order (BINARY) is that of the UTF-8 bytes, which is the order of the code points.
        return Text(collation="C") if dialect.name == "postgresql" else Text()
