"""What a transaction's statements change, as tags: the rows of a table that have one value in one column.

A cached read declares on which `Rows` it depends. The writer's statements are looked at as they are executed, whether
a repository, the ORM's flush or anybody else sends them, and each gives the tags of the rows that it may touch. Where
that cannot be seen from the statement, it gives the tag of all values of the column; where not even the table can, the
tag of everything.

The schema is known from the tables' metadata, with what foreign keys do by themselves. What only the database knows of,
such as a trigger that writes, would be missed.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count, takewhile
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import (
    BindParameter,
    Column,
    Delete,
    ForeignKeyConstraint,
    Insert,
    String,
    Table,
    TableClause,
    TextualSelect,
    Update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList
from sqlalchemy.sql.selectable import SelectBase

from socrates.caching import EVERYTHING

Tag = tuple[str, Any] | str
"""A column and a value of it, or a column and any value."""

_DO_NOTHING = (postgresql.dml.OnConflictDoNothing, sqlite.dml.OnConflictDoNothing)
_DO_UPDATE = (postgresql.dml.OnConflictDoUpdate, sqlite.dml.OnConflictDoUpdate)


class Rows:
    """The rows of a table by the value of one column, as something that cached reads depend on.

    With `moved_by`, of a row with the value only this column and these matter, and whether it is there: inserts,
    deletes, and updates of these columns. Without, everything in it does. With `is_shared`, reads of other values may
    be waiting for such a row, which they leave out as it is: an update of these columns is told to all.

    The column holds texts and compares them character by character. Raises TypeError for any other.
    """

    def __init__(
        self, column: InstrumentedAttribute[Any], *moved_by: InstrumentedAttribute[Any], is_shared: bool = False
    ) -> None:
        self.column: Column[Any] = column.property.columns[0]
        stored: Any = getattr(self.column.type, "impl", self.column.type)
        if not isinstance(stored, String) or stored.collation is not None:
            raise TypeError(f"{column} cannot tell rows apart: it must hold texts, without a collation of its own")
        self.moved_by = frozenset(each.property.columns[0].name for each in (column, *moved_by) if moved_by)
        self.is_shared = is_shared
        self.any = " by ".join([f"{self.table.name}.{self.column.name}", *sorted(self.moved_by)])
        """The tag of all values."""

    @property
    def table(self) -> Table:
        return self.column.table

    def __call__(self, value: Any) -> tuple[Tag, Tag]:
        """The tags of a result that depends on the rows with this value."""
        return self.any, (self.any, _as_text(value))


def _as_text(value: Any) -> Any:
    """The text that the column compares with: SQLite finds the row "1" by the number 1 and by True as well."""
    if isinstance(value, str):
        # Of a class of its own it may look like another: caches compare tags by what they look like.
        return str.__str__(value)
    if isinstance(value, int):
        return int.__repr__(value)
    return repr(value) if isinstance(value, float) else value


@dataclass(frozen=True, slots=True)
class _Parameter:
    """The parameter of a statement that has a value; or, for IN, a list of values."""

    name: str
    is_list: bool = False

    def values(self, row: Mapping[str, Any]) -> list[Any]:
        """What it has in one row of parameters; nothing where that cannot be told."""
        if not self.is_list:
            return [row[self.name]] if self.name in row else []
        # SQLAlchemy writes a list out, and numbers what is in it from 1.
        names = takewhile(row.__contains__, (f"{self.name}_{number}" for number in count(1)))
        return [row[name] for name in names]


_Pinned = Mapping[str, _Parameter]
"""By column, what is known of all rows that a statement touches: where they have one value, or one of a list."""


@dataclass(slots=True)
class _Plan:
    """What one compiled statement touches: `always`, and by the values of parameters."""

    always: set[Tag] = field(default_factory=set)
    by_parameter: set[tuple[str, _Parameter]] = field(default_factory=set)

    def add(self, rows: Rows, parameter: _Parameter | None) -> None:
        """Rows with the value of this parameter; with any where it is None."""
        if parameter is None:
            self.always.add(rows.any)
        else:
            self.by_parameter.add((rows.any, parameter))

    def tags(self, parameters: Iterable[Mapping[str, Any]]) -> Iterator[Tag]:
        yield from self.always
        for row in parameters:
            for column, parameter in self.by_parameter:
                values = parameter.values(row)
                if values:
                    yield from ((column, _as_text(value)) for value in values)
                else:
                    yield column


_ALL = _Plan({EVERYTHING})


class Dependencies:
    """All `Rows` that cached reads depend on."""

    def __init__(self, rows: Iterable[Rows]) -> None:
        self.rows = frozenset(rows)
        self._rows: defaultdict[str, list[Rows]] = defaultdict(list)
        self._tables: dict[str, Table] = {}
        self._keys: defaultdict[str, list[ForeignKeyConstraint]] = defaultdict(list)
        for each in self.rows:
            self._rows[each.table.name].append(each)
            self._tables |= {table.name: table for table in each.table.metadata.tables.values()}
        for table in self._tables.values():
            for key in table.foreign_key_constraints:
                self._keys[key.referred_table.name].append(key)
        self._plans: WeakKeyDictionary[SQLCompiler, _Plan] = WeakKeyDictionary()

    def touched(self, compiled: SQLCompiler | None, parameters: Iterable[Mapping[str, Any]]) -> Iterator[Tag]:
        """The tags of what a statement touches; `compiled` is None for one that was sent as text."""
        if compiled is None:
            return iter(_ALL.always)
        plan = self._plans.get(compiled)
        if plan is None:
            plan = self._plans[compiled] = self._plan(compiled)
        return plan.tags(parameters)

    def _plan(self, compiled: SQLCompiler) -> _Plan:
        statement = compiled.statement
        if not isinstance(statement, SelectBase | UpdateBase):
            return _ALL
        plan = _Plan()
        for part in visitors.iterate(statement):
            if isinstance(part, TextualSelect):
                return _ALL
            if isinstance(part, UpdateBase):
                table = self._table(part)
                if table is None:
                    return _ALL
                if part is statement:
                    self._plan_statement(plan, table, part, compiled)
                else:
                    self._plan_loss(plan, table, {})
        return plan

    def _table(self, statement: UpdateBase) -> Table | None:
        """The table that is written; None where that cannot be told, or what is done to it cannot."""
        target: Any = statement.table
        # INSERT OR REPLACE for instance, which deletes other rows.
        if statement._prefixes or not isinstance(target, TableClause) or target.schema is not None:
            return None
        return self._tables.get(target.name)

    def _plan_statement(self, plan: _Plan, table: Table, statement: UpdateBase, compiled: SQLCompiler) -> None:
        if isinstance(statement, Insert):
            self._plan_insert(plan, table, statement, _Assignment(table, statement, compiled))
        elif isinstance(statement, Update):
            self._plan_update(plan, table, _Assignment(table, statement, compiled), _pinned(statement, compiled))
        elif isinstance(statement, Delete):
            self._plan_loss(plan, table, _pinned(statement, compiled))
        else:
            plan.always.add(EVERYTHING)

    def _plan_insert(self, plan: _Plan, table: Table, statement: Insert, assignment: "_Assignment") -> None:
        changed: set[str] = set()
        found_by = {column.name for column in table.c}
        conflict = statement._post_values_clause
        if isinstance(conflict, _DO_UPDATE):
            changed, found_by = _set_by(conflict, table), _target_of(conflict)
        elif conflict is not None and not isinstance(conflict, _DO_NOTHING):
            changed = found_by
        for rows in self._rows[table.name]:
            # A row that is there already, and is changed instead, has this value too if it was found by it.
            is_told = rows.column.name in found_by and rows.column.name not in changed
            plan.add(rows, assignment.parameter_of(rows.column) if is_told else None)
        self._plan_new_keys(plan, table, changed)

    def _plan_update(self, plan: _Plan, table: Table, assignment: "_Assignment", pinned: _Pinned) -> None:
        for rows in self._rows[table.name]:
            if rows.moved_by and not rows.moved_by & assignment.changed:
                continue
            plan.add(rows, None if rows.is_shared else pinned.get(rows.column.name))
            if rows.column.name in assignment.changed:
                plan.add(rows, assignment.parameter_of(rows.column))
        self._plan_new_keys(plan, table, assignment.changed)

    def _plan_new_keys(self, plan: _Plan, table: Table, changed: set[str]) -> None:
        """The rows elsewhere into which the database carries the new value of a key by itself."""
        for key in self._keys[table.name]:
            if key.onupdate is not None and changed & {element.column.name for element in key.elements}:
                self._plan_loss(plan, key.table, {})

    def _plan_loss(self, plan: _Plan, table: Table, pinned: _Pinned) -> None:
        """The rows that go, and those elsewhere that the database deletes or changes with them by itself."""
        waiting, seen = [(table, dict(pinned))], []
        while waiting:
            lost = waiting.pop()
            if lost in seen:
                continue
            seen.append(lost)
            parent, known = lost
            for rows in self._rows[parent.name]:
                plan.add(rows, known.get(rows.column.name))
            waiting += [(key.table, _known_below(key, known)) for key in self._keys[parent.name] if _acts(key)]


class _Assignment:
    """Which columns an INSERT or UPDATE sets, and from which parameters."""

    def __init__(self, table: Table, statement: Insert | Update, compiled: SQLCompiler) -> None:
        self._compiled = compiled
        self._values: dict[str, Any] = {}
        self._is_plain = True
        if isinstance(statement, Insert):
            self._is_plain = statement.select is None and not statement._multi_values
        for target, value in dict(statement._values or {}).items():
            name = target if isinstance(target, str) else target.name
            self._is_plain &= name in table.c
            self._values[name] = value
        self._given = {*(compiled.column_keys or ())}
        if self._is_plain:
            # Those that Python has a default for are handed over too.
            self._given |= {column.key for column in (*compiled.insert_prefetch, *compiled.update_prefetch)}
        self.changed = {column.name for column in table.c if not self._is_plain or self._sets(column)}
        """The names of all columns whose values change; for an UPDATE."""

    def parameter_of(self, column: Column[Any]) -> _Parameter | None:
        """The parameter that a column gets its new value from; None where that cannot be told."""
        if not self._is_plain:
            return None
        if column.name in self._values:
            return _parameter(self._values[column.name], self._compiled)
        return _Parameter(column.key) if column.key in self._given else None

    def _sets(self, column: Column[Any]) -> bool:
        by_itself = (column.onupdate, column.server_onupdate, column.computed)
        return column.name in self._values or column.key in self._given or any(each is not None for each in by_itself)


def _parameter(value: Any, compiled: SQLCompiler, is_list: bool = False) -> _Parameter | None:
    if not isinstance(value, BindParameter):
        return None
    # By key: the compiler makes copies, to give them a type for instance.
    return next(
        (_Parameter(name, is_list) for bind, name in compiled.bind_names.items() if bind.key == value.key), None
    )


def _pinned(statement: Update | Delete, compiled: SQLCompiler) -> dict[str, _Parameter]:
    """The columns that have one known value, or one of a known list, in every row that the statement touches."""
    found: dict[str, _Parameter] = {}
    for condition in _conjuncts(statement.whereclause):
        if isinstance(condition, BinaryExpression) and condition.operator in (operators.eq, operators.in_op):
            column, value = condition.left, condition.right
            if isinstance(column, BindParameter):
                column, value = value, column
            of = getattr(column, "table", None)
            parameter = _parameter(value, compiled, condition.operator is operators.in_op)
            if parameter is not None and _is_same(of, statement.table):
                found[column.name] = parameter
    return found


def _is_same(one: Any, other: Any) -> bool:
    # By name, because the ORM's tables are copies.
    return isinstance(one, TableClause) and isinstance(other, TableClause) and one.name == other.name


def _conjuncts(condition: Any) -> Iterator[Any]:
    if isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
        for part in condition.clauses:
            yield from _conjuncts(part)
    elif condition is not None:
        yield condition


def _acts(key: ForeignKeyConstraint) -> bool:
    return key.ondelete is not None or key.onupdate is not None


def _known_below(key: ForeignKeyConstraint, known: _Pinned) -> dict[str, _Parameter]:
    """What is known of the rows that go with those of which `known` is."""
    if (key.ondelete or "").upper() != "CASCADE":
        return {}  # they stay, and get another value
    return {each.parent.name: known[each.column.name] for each in key.elements if each.column.name in known}


def _target_of(conflict: Any) -> set[str]:
    """The columns by which ON CONFLICT finds the row that is there."""
    elements = conflict.inferred_target_elements or ()
    return {each if isinstance(each, str) else each.name for each in elements if isinstance(each, str | Column)}


def _set_by(conflict: Any, table: Table) -> set[str]:
    """The columns that ON CONFLICT changes in the row that is there."""
    names = {target if isinstance(target, str) else target.name for target in dict(conflict.update_values_to_set)}
    columns = {column.name for column in table.c}
    return names if names <= columns else columns
