"""What a transaction's statements change, as tags: the rows of a table that have one value in one column.

A cached read declares on which `Rows` it depends. The writer's statements are looked at as they are executed, whether
a repository, the ORM's flush or anybody else sends them, and each gives the tags of the rows that it may touch. Where
that cannot be seen from the statement, it gives the tag of all values of the column; where not even the table can, the
tag of everything.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from sqlalchemy import BindParameter, Column, Delete, Insert, Table, Update
from sqlalchemy.orm import InstrumentedAttribute
from sqlalchemy.sql import operators, visitors
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.dml import UpdateBase
from sqlalchemy.sql.elements import BinaryExpression, BooleanClauseList
from sqlalchemy.sql.selectable import SelectBase

from socrates.caching import EVERYTHING

Tag = tuple[str, Any] | str
"""A column and a value of it, or a column and any value."""


class Rows:
    """The rows of a table by the value of one column, as something that cached reads depend on.

    With `moved_by`, of a row with the value only these columns matter, and whether it is there: inserts, deletes, and
    updates of these columns. Without, everything in it does.
    """

    def __init__(self, column: InstrumentedAttribute[Any], *moved_by: InstrumentedAttribute[Any]) -> None:
        self.column: Column[Any] = column.property.columns[0]
        self.moved_by = frozenset(each.key for each in moved_by)
        self.any = " by ".join([f"{self.table.name}.{self.column.name}", *sorted(self.moved_by)])
        """The tag of all values."""

    @property
    def table(self) -> Table:
        return self.column.table

    def __call__(self, value: Any) -> tuple[Tag, Tag]:
        """The tags of a result that depends on the rows with this value."""
        return self.any, (self.any, value)


@dataclass(slots=True)
class _Plan:
    """What one compiled statement touches: `always`, and by the values of parameters."""

    always: set[Tag] = field(default_factory=set)
    by_parameter: list[tuple[str, str]] = field(default_factory=list)

    def tags(self, parameters: Iterable[Mapping[str, Any]]) -> Iterator[Tag]:
        yield from self.always
        for row in parameters:
            for column, name in self.by_parameter:
                value = row.get(name, self)
                if value is self:
                    yield column
                elif isinstance(value, list | tuple | set | frozenset):
                    yield from ((column, each) for each in value)
                else:
                    yield column, value


_ALL = _Plan({EVERYTHING})

_Value = str | None
"""The name of the parameter that has the value; None for one that cannot be told."""


class Dependencies:
    """All `Rows` that cached reads depend on."""

    def __init__(self, rows: Iterable[Rows]) -> None:
        self._rows: defaultdict[str, list[Rows]] = defaultdict(list)
        for each in rows:
            self._rows[each.table.name].append(each)
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
        for inner in visitors.iterate(statement):
            if isinstance(inner, UpdateBase) and inner is not statement:
                plan.always.update(rows.any for rows in self._rows[_table(inner).name])
        if isinstance(statement, Insert):
            self._plan_insert(plan, statement, compiled)
        elif isinstance(statement, Update):
            self._plan_update(plan, statement, compiled)
        elif isinstance(statement, Delete):
            self._plan_delete(plan, _table(statement), _pinned(statement, compiled))
        return plan

    def _plan_insert(self, plan: _Plan, statement: Insert, compiled: SQLCompiler) -> None:
        single = statement.select is None and not statement._multi_values
        conflict = statement._post_values_clause
        for rows in self._rows[_table(statement).name]:
            name = _given(statement, compiled, rows.column) if single else None
            # A row that is there already, and is changed instead, has this value too if it was found by it.
            if conflict is not None and rows.column.name not in _target(conflict):
                name = None
            _add(plan, rows, name)

    def _plan_update(self, plan: _Plan, statement: Update, compiled: SQLCompiler) -> None:
        table = _table(statement)
        pinned = _pinned(statement, compiled)
        changed = {column.key for column in table.c if _sets(statement, compiled, column)}
        for rows in self._rows[table.name]:
            column = rows.column
            if rows.moved_by and not rows.moved_by & changed:
                continue
            _add(plan, rows, pinned.get(column.name))
            if column.key in changed:
                _add(plan, rows, _given(statement, compiled, column))

    def _plan_delete(self, plan: _Plan, table: Table, pinned: Mapping[str, _Value]) -> None:
        for rows in self._rows[table.name]:
            _add(plan, rows, pinned.get(rows.column.name))
        for child in table.metadata.tables.values():
            for key in child.foreign_keys:
                if key.column.table is table and key.ondelete is not None:
                    # The database deletes or changes these rows by itself.
                    own = pinned.get(key.column.name)
                    self._plan_delete(plan, child, {} if own is None else {key.parent.name: own})


def _add(plan: _Plan, rows: Rows, name: _Value) -> None:
    if name is None:
        plan.always.add(rows.any)
    else:
        plan.by_parameter.append((rows.any, name))


def _table(statement: UpdateBase) -> Table:
    return statement.table  # type: ignore[return-value]


def _pinned(statement: Update | Delete, compiled: SQLCompiler) -> dict[str, _Value]:
    """The columns that have one known value, or one of a known list, in every row that the statement touches."""
    found: dict[str, _Value] = {}
    for condition in _conjuncts(statement.whereclause):
        if isinstance(condition, BinaryExpression) and condition.operator in (operators.eq, operators.in_op):
            column, value = condition.left, condition.right
            if isinstance(column, BindParameter):
                column, value = value, column
            of = getattr(column, "table", None)
            if isinstance(value, BindParameter) and isinstance(of, Table) and of.name == _table(statement).name:
                found[column.name] = compiled.bind_names.get(value)
    return found


def _conjuncts(condition: Any) -> Iterator[Any]:
    if isinstance(condition, BooleanClauseList) and condition.operator is operators.and_:
        for part in condition.clauses:
            yield from _conjuncts(part)
    elif condition is not None:
        yield condition


def _given(statement: Insert | Update, compiled: SQLCompiler, column: Column[Any]) -> _Value:
    """The parameter that a column gets its new value from."""
    for target, value in (statement._values or {}).items():
        if getattr(target, "key", target) == column.key:
            return compiled.bind_names.get(value) if isinstance(value, BindParameter) else None
    return column.key


def _sets(statement: Update, compiled: SQLCompiler, column: Column[Any]) -> bool:
    keys = {*(compiled.column_keys or ()), *(getattr(target, "key", target) for target in statement._values or ())}
    return column.key in keys


def _target(conflict: Any) -> set[str]:
    """The columns by which ON CONFLICT finds the row that is there."""
    elements = getattr(conflict, "inferred_target_elements", None) or ()
    return {element if isinstance(element, str) else element.name for element in elements}
