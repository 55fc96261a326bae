"""That whatever a statement changes in a file it tells: statements at random, and the rows before and after them."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import (
    UpdateBase,
    and_,
    bindparam,
    delete,
    func,
    insert,
    not_,
    or_,
    select,
    update,
)
from sqlalchemy.dialects import sqlite
from sqlalchemy.engine import Connection
from sqlalchemy.exc import IntegrityError

from socrates.caching import EVERYTHING
from socrates.database.dependencies import Rows
from tests.unit.database.small_schema import (
    DEPENDENCIES,
    Base,
    Book,
    Cell,
    Library,
    Shelf,
    books,
    leaves,
    people,
    shelves,
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Nothing that a test writes is committed."""
    found = Library(tmp_path_factory.mktemp("library"))
    yield found
    found.engine.dispose()


_BOOKS_IDS, _OWNERS, _SHELVES = st.sampled_from("1239"), st.sampled_from("abz"), st.sampled_from("stu")
_by_name = {"id": _BOOKS_IDS, "owner": _OWNERS, "shelf_id": _SHELVES}


@st.composite
def _conditions(draw: st.DrawFn) -> Any:
    name = draw(st.sampled_from(sorted(_by_name)))
    own, value = books.c[name], draw(_by_name[name])
    parent = select(shelves.c.id).where(shelves.c.within == draw(_SHELVES))
    simple = st.sampled_from(
        [
            *(own == value, own != value, own.is_(None), own.in_([value, "1"]), own.not_in([value])),
            *(own.like(value), own.collate("NOCASE") == value.upper(), books.c.shelf_id.in_(parent)),
            *(own == books.c.id, bindparam(None, value) == own, books.c.pages < 3, and_(own == value, books.c.lent)),
            own == None,  # noqa: E711
        ]
    )
    first = draw(simple)
    joined: Callable[..., Any] = draw(st.sampled_from([and_, or_, lambda *both: not_(and_(*both)), lambda one, _: one]))
    return joined(first, draw(simple))


_VALUES = {
    "owner": st.sampled_from(["a", "b", None, func.coalesce(books.c.owner, "a"), func.lower("B")]),
    "shelf_id": _SHELVES,
    "lent": st.booleans(),
    "pages": st.sampled_from([1, 2, books.c.pages + 1]),
    "id": st.sampled_from(["7", "1"]),
}


@st.composite
def _statements(draw: st.DrawFn) -> UpdateBase:
    row = {"id": draw(_BOOKS_IDS), "shelf_id": draw(_SHELVES), "owner": draw(st.sampled_from(["a", "b", None]))}
    names = draw(st.lists(st.sampled_from(sorted(_VALUES)), min_size=1, max_size=2, unique=True))
    values = {name: draw(_VALUES[name]) for name in names}
    upserted = sqlite.insert(books).values(row)
    writes: list[UpdateBase] = [
        update(books).where(draw(_conditions())).values(values),
        update(Book).where(draw(_conditions())).values(values),
        update(books).where(draw(_conditions()), books.c.shelf_id == shelves.c.id).values(values),
        delete(books).where(draw(_conditions())),
        delete(shelves).where(shelves.c.id == draw(_SHELVES)),
        delete(people).where(people.c.name == draw(_OWNERS)),
        update(people).where(people.c.name == draw(_OWNERS)).values(name=draw(st.sampled_from("xyz"))),
        update(Shelf).where(Shelf.id == draw(_SHELVES)).values(label="new"),
        insert(books).values(row),
        insert(books).prefix_with(draw(st.sampled_from(["OR REPLACE", "OR IGNORE"]))).values(row),
        insert(books).values([row, {**row, "id": "8"}]),
        upserted.on_conflict_do_nothing(),
        upserted.on_conflict_do_update(index_elements=["id"], set_=values),
        upserted.on_conflict_do_update(index_elements=["id"], set_={name: upserted.excluded[name] for name in row}),
        insert(leaves).from_select(["id", "book_id", "content"], select(books.c.id + "!", books.c.id, books.c.pages)),
        delete(Cell.__table__).where(Cell.row == draw(st.sampled_from("xy")), Cell.place == "1"),
    ]
    return draw(st.sampled_from(writes))


_Contents = dict[str, dict[Any, Mapping[str, Any]]]


def _contents(connection: Connection) -> _Contents:
    """Every table's rows by their key."""
    return {
        each.name: {
            tuple(row[key.name] for key in each.primary_key): row
            for row in map(dict, connection.execute(select(each)).mappings())
        }
        for each in Base.metadata.sorted_tables
    }


def _changed(rows: Rows, before: _Contents, after: _Contents) -> set[Any]:
    """The values whose rows are not what they were, in what matters."""
    name, value = rows.table.name, rows.column.name
    matter = [*rows.moved_by, value] if rows.moved_by else [each.name for each in rows.table.c]

    def shown(contents: _Contents) -> set[tuple[Any, ...]]:
        return {(row[value], key, *(row[each] for each in matter)) for key, row in contents[name].items()}

    return {each[0] for each in shown(before) ^ shown(after)}


@settings(max_examples=60, deadline=None)
@given(statements=st.lists(_statements(), min_size=1, max_size=3))
def test_whatever_a_statement_changes_it_tells(library: Library, statements: list[UpdateBase]) -> None:
    with library.engine.connect() as connection:
        after = _contents(connection)
        for statement in statements:
            before = after
            library.tags.clear()
            with suppress(IntegrityError), connection.begin_nested():
                connection.execute(statement)
            tags = set(library.tags)
            after = _contents(connection)
            for rows in DEPENDENCIES.rows:
                for value in _changed(rows, before, after):
                    assert tags & {EVERYTHING, *rows(value)}, f"{statement}: {rows.any} of {value!r}, not in {tags}"
