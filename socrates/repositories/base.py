"""What all repositories share: running statements, and turning rows into views.

A repository only composes statements. Those that don't depend on their arguments are constants of its module, because
building one and finding it in SQLAlchemy's cache takes as long as running it. They select columns, not entities.
"""

import asyncio
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import fields, make_dataclass
from datetime import UTC, datetime
from functools import cache, partial
from typing import Any, Generic, TypeVar, cast

from sqlalchemy import JSON, Executable, Result, Row, Select, Table, UpdateBase
from sqlalchemy.orm import InstrumentedAttribute

from socrates.database.failures import READING, WRITING, explained, is_missing_parent
from socrates.database.onehop import WITH_NEXT
from socrates.database.sessions import Parameters, RunsStatements
from socrates.errors import InvalidValueError, ProjectNotFoundError, SocratesError
from socrates.frozen import FrozenDict, freeze, texts
from socrates.models import Base
from socrates.models.types import TaggedJSON

ViewT = TypeVar("ViewT")

_NOTHING_ELSE = FrozenDict()

AT_ONCE = 500
"""Rows that are turned into views, or into parameters, before other tasks get a turn: a few milliseconds."""


class Mapper(Generic[ViewT]):
    """Reads a view from a row: `columns` to select, and calling it with the row.

    A view's fields bear the names of the entity's attributes. Dicts and lists are frozen on the way.
    """

    def __init__(self, view: type[ViewT], entity: type[Base]) -> None:
        self._build = builder(view)
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
            return self._build(*row)
        values = list(row)
        for place, frozen in self._frozen:
            values[place] = frozen(values[place])
        return self._build(*values)


def builder(view: type[ViewT]) -> Callable[..., ViewT]:
    """What makes a view from the values of its fields, in their order, at a quarter of the price of calling it.

    A frozen dataclass sets each of its fields by a call, a good part of what a list of rows costs. Here a class with
    the same slots that is not frozen takes the values, and its object becomes a view.
    """
    names = [field.name for field in fields(view)]  # type: ignore[arg-type]
    draft: Any = make_dataclass(f"{view.__name__}Draft", names, slots=True, eq=False, repr=False)

    def build(*values: Any) -> ViewT:
        made = draft(*values)
        made.__class__ = view
        return cast(ViewT, made)

    return build


def _freeze_dict(value: dict[Any, Any] | None) -> FrozenDict:
    return cast(FrozenDict, freeze(value)) if value else _NOTHING_ELSE


class Repository:
    """Statements on one aggregate, run on the session it is given. It never commits."""

    def __init__(self, session: RunsStatements) -> None:
        self._session = session
        self.cache = session.cache
        """Where the methods that are `cached` keep their results; None inside a unit of work."""

    async def _rows(self, statement: Executable, /, **parameters: Any) -> Sequence[Row[Any]]:
        return await self._collected(iter, statement, parameters)

    async def _views(
        self, read: Callable[[Row[Any]], ViewT], statement: Executable, /, **parameters: Any
    ) -> tuple[ViewT, ...]:
        """What `read` makes of every row."""
        return tuple(await self._collected(partial(map, read), statement, parameters))

    async def _collected(
        self,
        read: Callable[[Sequence[Row[Any]]], Iterable[Any]],
        statement: Executable,
        parameters: Mapping[str, Any],
    ) -> list[Any]:
        """What `read` makes of the rows, batch by batch. They are all here by then, but their values are raw."""
        found: list[Any] = []
        try:
            with self._spoiling():
                result = await self._session.run(statement, parameters)
                while batch := result.fetchmany(AT_ONCE):
                    found += read(batch)
                    if len(batch) < AT_ONCE:
                        break
                    await asyncio.sleep(0)
                return found
        except READING as error:
            failure = explained(error)
        raise failure

    async def _row(self, statement: Executable, /, **parameters: Any) -> Row[Any] | None:
        """The first row, or None."""
        rows = await self._rows(statement, **parameters)
        return rows[0] if rows else None

    async def _record(self, statement: Select[Any], /, **parameters: Any) -> Row[Any] | None:
        """The row of one key, or None. In a unit of work nobody else changes it until the end."""
        if self._session.locks:
            # KEY SHARE goes on, or nobody could add a child of this record meanwhile.
            statement = _locking(statement)
        return await self._row(statement, **parameters)

    async def _value(self, statement: Executable, /, **parameters: Any) -> Any:
        """The first column of the first row, or None."""
        row = await self._row(statement, **parameters)
        return None if row is None else row[0]

    async def _write(self, statement: Executable, /, **parameters: Any) -> int:
        """Run a statement that returns no rows; tell how many rows it touched."""
        return await self._write_with(statement, parameters)

    async def _write_many(self, statement: Executable, parameters: Sequence[Mapping[str, Any]]) -> None:
        """Run it once per set of parameters, in batches; no statement for no parameters.

        How many rows that touched PostgreSQL's driver does not tell.
        """
        with self._spoiling():
            for start in range(0, len(parameters), AT_ONCE):
                await self._execute(statement, parameters[start : start + AT_ONCE])
                if start + AT_ONCE < len(parameters):
                    await asyncio.sleep(0)

    @contextmanager
    def _spoiling(self) -> Iterator[None]:
        """Around what a call does between its statements: if that fails, the first must not be committed alone."""
        try:
            yield
        except BaseException as error:
            self._session.spoil(error)
            raise

    async def _write_to_project(
        self, project_id: str, statement: Executable, parameters: Sequence[Mapping[str, Any]]
    ) -> None:
        """Like `_write_many`, for rows that hang on one project. Raises ProjectNotFoundError."""
        for start in range(0, len(parameters), AT_ONCE):
            await self._execute(statement, parameters[start : start + AT_ONCE], of_project=project_id)

    async def _add_to_project(self, project_id: str, statement: Executable, /, **parameters: Any) -> Sequence[Row[Any]]:
        """Insert one row that hangs on a project; return what the statement returns. Raises ProjectNotFoundError."""
        row = {"project_id": project_id, **parameters}
        return (await self._execute(statement, row, of_project=project_id)).all()

    async def _write_with(self, statement: Executable, parameters: Parameters) -> int:
        result = await self._execute(statement, parameters)
        return int(result.rowcount)  # type: ignore[attr-defined]

    async def _execute(
        self, statement: Executable, parameters: Parameters, of_project: str | None = None
    ) -> Result[Any]:
        failure: SocratesError
        try:
            return await self._session.run(statement, parameters)
        except WRITING as error:
            if of_project is not None and is_missing_parent(error):
                failure = ProjectNotFoundError(of_project)
                failure.__cause__ = error
            else:
                failure = explained(error)
        raise failure


@cache
def _locking(statement: Select[Any]) -> Select[Any]:
    """The statement that also locks the rows; made once, as all statements are."""
    return statement.with_for_update(key_share=True)


def with_next(statement: UpdateBase) -> Any:
    """The same write, whose outcome nobody needs: on SQLite it goes to the database with the next one, or the commit.

    A failure is raised there, and spoils the unit of work as it would here. How many rows it touched stays unknown.
    """
    return statement.execution_options(**{WITH_NEXT: True})


def table(entity: type[Base]) -> Table:
    """The entity's table, for statements that write. SQLAlchemy types it as anything one can select from."""
    return cast(Table, entity.__table__)


def now() -> datetime:
    """The current time, aware, UTC."""
    return datetime.now(UTC)


def utc(moment: datetime | None) -> datetime | None:
    """The same moment in UTC. Raises InvalidValueError for one without a zone, or of a year that UTC doesn't have."""
    if moment is None:
        return None
    if moment.utcoffset() is None:
        raise InvalidValueError(f"{moment!r} has no time zone; give an aware datetime, such as datetime.now(UTC)")
    try:
        return moment.astimezone(UTC)
    except OverflowError:
        raise InvalidValueError(f"{moment!r} is not within the years 1 to 9999 in UTC") from None


def text_list(name: str, values: Iterable[str]) -> list[str]:
    """`values` as a list. Raises InvalidValueError for anything but texts, also for one text in place of a list."""
    found = list(values) if isinstance(values, Iterable) and not isinstance(values, str) else None
    if found is None or not all(isinstance(value, str) for value in found):
        raise InvalidValueError(f"{name} takes a list of texts")
    return found


def folded(text: str) -> str:
    """The text to search for, as SQL's `contains_folded` takes it. Raises InvalidValueError for a blank one."""
    if not isinstance(text, str) or not text.strip():
        raise InvalidValueError("the text to search for is empty")
    return text.casefold()


def plain_dict(name: str, value: Mapping[Any, Any]) -> dict[Any, Any]:
    """`value` as a dict. Raises InvalidValueError for anything but a mapping."""
    if not isinstance(value, Mapping):
        raise InvalidValueError(f"{name} takes a dict, not {type(value).__name__}")
    return dict(value)


def only_known(kind: str, changes: Mapping[str, Any], known: Iterable[str]) -> None:
    """Raise InvalidValueError for a change to something that is not one of `known`."""
    unknown = sorted(set(changes) - set(known))
    if unknown:
        there_are = ", ".join(known)
        raise InvalidValueError(f"a {kind} has no {', '.join(unknown)} that can be changed; there are {there_are}")


def positive(name: str, number: int) -> int:
    """`number`, or InvalidValueError when it is below 1."""
    if not isinstance(number, int) or number < 1:
        raise InvalidValueError(f"{name} must be an integer of at least 1, not {number!r}")
    return number
