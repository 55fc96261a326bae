"""Inserting a record or overwriting the one that is there, in one statement."""

from collections.abc import Iterable

from sqlalchemy import Table
from sqlalchemy.dialects.postgresql import Insert, insert


def upsert(table: Table, keys: Iterable[str], columns: Iterable[str]) -> Insert:
    """An INSERT that, where a row with the same `keys` is there, gives it the new values of `columns` instead.

    The row's other columns stay, and so do the rows that refer to it. `keys` must be the primary key or a unique
    constraint. Values are handed over when it is executed, for one row or many; it can be given a ``returning``.
    """
    # SQLite took the clause over from PostgreSQL. Its compiler reads PostgreSQL's form, but not the other way round.
    statement = insert(table)
    new = statement.excluded
    return statement.on_conflict_do_update(index_elements=list(keys), set_={name: new[name] for name in columns})
