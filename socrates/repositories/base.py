"""What all repositories share: running statements, and turning rows into views.

A repository only composes statements. Those that don't depend on their arguments are constants of its module, because
building one and finding it in SQLAlchemy's cache takes as long as running it. They select columns, not entities.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import fields
from datetime import UTC, datetime
from functools import cache
from math import isfinite
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import JSON, Executable, Float, Insert, Integer, Result, Row, Table, Update
from sqlalchemy.orm import InstrumentedAttribute

from socrates.database.failures import READING, WRITING, explained, is_missing_parent
from socrates.database.sessions import ReadsFrom
from socrates.errors import InvalidValueError, ProjectNotFoundError
from socrates.frozen import FrozenDict, freeze, texts
from socrates.models import Base
from socrates.models.types import CodePointText, TaggedJSON

ViewT = TypeVar("ViewT")

_NOTHING_ELSE = FrozenDict()

_TAKES: tuple[tuple[type[Any], tuple[type[Any], ...]], ...] = (
    (CodePointText, (str,)),
    (Integer, (int,)),
    (Float, (float, int)),
    (TaggedJSON, (dict,)),
)


class Mapper(Generic[ViewT]):
    """Reads a view from a row: `columns` to select, and calling it with the row.

    A view's fields bear the names of the entity's attributes. Dicts and lists are frozen on the way.
    """

    def __init__(self, view: type[ViewT], entity: type[Base]) -> None:
        self._view = view
        self.columns: list[InstrumentedAttribute[Any]] = [
            getattr(entity, field.name)
            for field in fields(view)  # type: ignore[arg-type]
        ]
        self._frozen = [
            (place, _freeze_dict if isinstance(column.type, TaggedJSON) else texts)
            for place, column in enumerate(self.columns)
            if isinstance(column.type, TaggedJSON | JSON)
        ]

    def __call__(self, row: Sequence[Any]) -> ViewT:
        if not self._frozen:
            return self._view(*row)
        values = list(row)
        for place, frozen in self._frozen:
            values[place] = frozen(values[place])
        return self._view(*values)


def _freeze_dict(value: dict[Any, Any] | None) -> FrozenDict:
    return cast(FrozenDict, freeze(value)) if value else _NOTHING_ELSE


class Repository:
    """Statements on one aggregate, run on the session it is given. It never commits."""

    def __init__(self, session: ReadsFrom) -> None:
        self._session = session

    async def _rows(self, statement: Executable, /, **parameters: Any) -> Sequence[Row[Any]]:
        refuse_misfits(statement, parameters)
        try:
            return (await self._session.execute(statement, parameters)).all()
        except READING as error:
            raise explained(error) from error

    async def _row(self, statement: Executable, /, **parameters: Any) -> Row[Any] | None:
        """The first row, or None."""
        rows = await self._rows(statement, **parameters)
        return rows[0] if rows else None

    async def _value(self, statement: Executable, /, **parameters: Any) -> Any:
        """The first column of the first row, or None."""
        row = await self._row(statement, **parameters)
        return None if row is None else row[0]

    async def _write(self, statement: Executable, /, **parameters: Any) -> int:
        """Run a statement that returns no rows; tell how many rows it touched."""
        return await self._write_with(statement, parameters)

    async def _write_many(self, statement: Executable, parameters: Sequence[Mapping[str, Any]]) -> int:
        """Run it once per set of parameters, in one batch; no statement for no parameters."""
        return await self._write_with(statement, parameters) if parameters else 0

    async def _write_to_project(
        self, project_id: str, statement: Executable, parameters: Sequence[Mapping[str, Any]]
    ) -> None:
        """Like `_write_many`, for rows that hang on one project. Raises ProjectNotFoundError."""
        if parameters:
            await self._execute_on_project(project_id, statement, parameters)

    async def _add_to_project(self, project_id: str, statement: Executable, /, **parameters: Any) -> Sequence[Row[Any]]:
        """Insert one row that hangs on a project; return what the statement returns. Raises ProjectNotFoundError."""
        return (await self._execute_on_project(project_id, statement, {"project_id": project_id, **parameters})).all()

    async def _execute_on_project(
        self, project_id: str, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    ) -> Result[Any]:
        refuse_misfits(statement, parameters)
        try:
            return await self._session.execute(statement, parameters)
        except WRITING as error:
            if is_missing_parent(error):
                raise ProjectNotFoundError(project_id) from error
            raise explained(error) from error

    async def _write_with(
        self, statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]]
    ) -> int:
        refuse_misfits(statement, parameters)
        try:
            result = await self._session.execute(statement, parameters)
        except WRITING as error:
            raise explained(error) from error
        return int(result.rowcount)  # type: ignore[attr-defined]


def table(entity: type[Base]) -> Table:
    """The entity's table, for statements that write. SQLAlchemy types it as anything one can select from."""
    return cast(Table, entity.__table__)


def now() -> datetime:
    """The current time, aware, UTC."""
    return datetime.now(UTC)


def utc(moment: datetime | None) -> datetime | None:
    """The same moment in UTC. Raises InvalidValueError for a time without a zone."""
    if moment is None:
        return None
    if moment.utcoffset() is None:
        raise InvalidValueError(f"{moment!r} has no time zone; give an aware datetime, such as datetime.now(UTC)")
    return moment.astimezone(UTC)


def refuse_misfits(statement: Executable, parameters: Mapping[str, Any] | Sequence[Mapping[str, Any]]) -> None:
    """Raise InvalidValueError for a value to be written that its column is not made for.

    SQLite would store it all the same, or turn it into another one: 5 into "5", NaN into NULL.
    """
    if not isinstance(statement, Insert | Update):
        return
    kinds = _kinds(cast(Table, statement.table))
    for row in (parameters,) if isinstance(parameters, Mapping) else parameters:
        for name, value in row.items():
            taken = kinds.get(name)
            if taken is not None and not _fits(value, taken):
                wrong = value if isinstance(value, float) else type(value).__name__
                raise InvalidValueError(f"{statement.table}.{name} takes {taken[0].__name__}, not {wrong}")


@cache
def _kinds(written: Table) -> dict[str, tuple[type[Any], ...]]:
    """What the columns take, save those whose type sees to it itself."""
    return {column.name: taken for column in written.c for kind, taken in _TAKES if isinstance(column.type, kind)}


def _fits(value: object, taken: tuple[type[Any], ...]) -> bool:
    if value is None:
        return taken != (dict,)  # a JSON column takes None for JSON's null, past NOT NULL
    return isinstance(value, taken) and not isinstance(value, bool) and (type(value) is not float or isfinite(value))


def text_list(name: str, values: Iterable[str]) -> list[str]:
    """`values` as a list. Raises InvalidValueError for anything but texts, also for one text in place of a list."""
    found = list(values) if isinstance(values, Iterable) and not isinstance(values, str) else None
    if found is None or not all(isinstance(value, str) for value in found):
        raise InvalidValueError(f"{name} takes a list of texts")
    return found


def only_known(kind: str, changes: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise InvalidValueError for a change to something that is not one of `known`."""
    unknown = sorted(set(changes) - set(known))
    if unknown:
        there_are = ", ".join(known)
        raise InvalidValueError(f"a {kind} has no {', '.join(unknown)} that can be changed; there are {there_are}")


def positive(name: str, number: int) -> int:
    """`number`, or InvalidValueError when it is below 1."""
    if number < 1:
        raise InvalidValueError(f"{name} must be at least 1, not {number}")
    return number
