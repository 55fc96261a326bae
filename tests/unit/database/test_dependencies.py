"""What statements touch, as tags: what is seen of each kind, and what cannot be seen through."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import (
    Executable,
    String,
    alias,
    and_,
    bindparam,
    column,
    delete,
    event,
    func,
    insert,
    not_,
    or_,
    select,
    table,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Mapped, Session, mapped_column

from socrates.caching import EVERYTHING
from socrates.database.dependencies import Rows, Tag
from tests.unit.database.small_schema import (
    ALL_BOOKS,
    ALL_LEAVES,
    ALL_OF_A_SHELF,
    BOOK,
    DEPENDENCIES,
    LABELS,
    LEAF,
    LEAVES,
    MARK_PLACES,
    MARKS,
    OWNED,
    PERSON,
    SHELF,
    SHELVED,
    TOUCHED,
    Apart,
    Base,
    Book,
    Cell,
    Leaf,
    Library,
    Shelf,
    books,
    leaves,
    of,
    people,
    shelves,
)


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Library]:
    """Nothing that a test writes is committed."""
    found = Library(tmp_path_factory.mktemp("library"))
    yield found
    found.engine.dispose()


_BOOK = {"id": "9", "shelf_id": "u", "owner": "b"}
_NINE = {of(BOOK, "9"), of(SHELVED, "u"), of(OWNED, "b")}
_other = books.alias("other")
_ONE = books.c.id == "1"
_upsert = postgresql.insert(books).values(**_BOOK)

PRECISE: dict[str, tuple[Executable, Any, set[Tag]]] = {
    "insert": (insert(books), _BOOK, _NINE),
    "insert of literals": (insert(books).values(**_BOOK), None, _NINE),
    "insert by columns": (insert(books).values({books.c.id: "9", books.c.shelf_id: "u", "owner": "b"}), None, _NINE),
    "insert of many": (insert(books), [_BOOK, {**_BOOK, "id": "8"}], {*_NINE, of(BOOK, "8")}),
    "insert that returns": (insert(books).returning(books.c.id), _BOOK, _NINE),
    "insert that may do nothing": (_upsert.on_conflict_do_nothing(), None, _NINE),
    "insert or update by the key": (
        _upsert.on_conflict_do_update(index_elements=["id"], set_={"pages": 5}),
        None,
        {of(BOOK, "9"), SHELVED.any, OWNED.any},
    ),
    "update": (update(books).where(_ONE).values(pages=5), None, {of(BOOK, "1"), SHELVED.any}),
    "update by the other side": (
        update(books).where(bindparam("which") == books.c.id),
        {"which": "1", "pages": 5},
        {of(BOOK, "1"), SHELVED.any},
    ),
    "update by several": (
        update(books).where(and_(_ONE, and_(books.c.shelf_id == "s", books.c.lent.is_(False)))).values(pages=5),
        None,
        {of(BOOK, "1"), of(SHELVED, "s")},
    ),
    "update of a list": (
        update(books).where(books.c.id.in_(["1", "2"])).values(pages=5),
        None,
        {of(BOOK, "1"), of(BOOK, "2"), SHELVED.any},
    ),
    "update of none": (update(books).where(books.c.id.in_([])).values(pages=5), None, {BOOK.any, SHELVED.any}),
    "update of many": (
        update(books).where(books.c.id == bindparam("which")),
        [{"which": "1", "pages": 5}, {"which": "2", "pages": 6}],
        {of(BOOK, "1"), of(BOOK, "2"), SHELVED.any},
    ),
    "update of what moves": (
        update(books).where(_ONE, books.c.owner == "a").values(lent=True),
        None,
        {of(BOOK, "1"), SHELVED.any, of(OWNED, "a")},
    ),
    "update of the value itself": (
        update(books).where(_ONE, books.c.owner == "a").values(owner="b"),
        None,
        {of(BOOK, "1"), SHELVED.any, of(OWNED, "a"), of(OWNED, "b")},
    ),
    "update of the value by a statement": (
        update(books).where(_ONE, books.c.owner == "a").values(owner=func.lower("B")),
        None,
        {of(BOOK, "1"), SHELVED.any, of(OWNED, "a"), OWNED.any},
    ),
    "update of the key": (
        update(leaves).where(leaves.c.id == "1.").values(id="9."),
        None,
        {of(LEAF, "1."), of(LEAF, "9."), LEAVES.any},
    ),
    "update in an order": (
        update(books).where(_ONE, books.c.owner == "a").ordered_values((books.c.lent, True), ("pages", 1)),
        None,
        {of(BOOK, "1"), SHELVED.any, of(OWNED, "a")},
    ),
    "update from elsewhere": (
        update(books).where(_ONE, books.c.shelf_id == shelves.c.id, shelves.c.id == "s").values(pages=5),
        None,
        {of(BOOK, "1"), SHELVED.any},
    ),
    "update by a query": (
        update(books).where(_ONE, select(_other.c.id).where(_other.c.owner == books.c.owner).exists()).values(pages=5),
        None,
        {of(BOOK, "1"), SHELVED.any},
    ),
    "update through the ORM": (
        update(Book).where(Book.id == "1", Book.owner == "a").values(lent=True),
        None,
        {of(BOOK, "1"), SHELVED.any, of(OWNED, "a")},
    ),
    "update by itself of a column": (
        update(people).where(people.c.name == "a").values(name="c"),
        None,
        {of(PERSON, "a"), of(PERSON, "c"), of(TOUCHED, "a"), of(TOUCHED, "c"), *ALL_BOOKS, *ALL_LEAVES},
    ),
    "delete": (delete(books).where(_ONE), None, {of(BOOK, "1"), SHELVED.any, OWNED.any, LEAF.any, of(LEAVES, "1")}),
    "delete through two tables": (
        delete(shelves).where(shelves.c.id == "t"),
        None,
        {of(SHELF, "t"), of(LABELS, "t"), of(SHELVED, "t"), *ALL_OF_A_SHELF, *ALL_BOOKS, *ALL_LEAVES},
    ),
    "delete by a key of two": (
        delete(Cell.__table__).where(Cell.row == "x", Cell.place == "2"),
        None,
        {of(MARKS, "x"), of(MARK_PLACES, "2")},
    ),
    "delete that leaves rows behind": (
        delete(people).where(people.c.name == "a"),
        None,
        {of(PERSON, "a"), of(TOUCHED, "a"), *ALL_BOOKS, *ALL_LEAVES},
    ),
    "where nothing depends": (insert(Apart.__table__), {"id": "1"}, set()),
    "select": (select(books).where(_ONE), None, set()),
}

OPAQUE: dict[str, tuple[Executable, set[Tag]]] = {
    "insert of several at once": (insert(books).values([_BOOK, {**_BOOK, "id": "8"}]), ALL_BOOKS),
    "insert from a select": (
        insert(books).from_select(["id", "shelf_id"], select(books.c.id + "9", books.c.shelf_id)),
        ALL_BOOKS,
    ),
    "insert or update by what cannot be seen": (
        sqlite.insert(books).values(**_BOOK).on_conflict_do_update(index_elements=[text("id")], set_={"pages": 5}),
        ALL_BOOKS,
    ),
    "insert or update of the key": (
        _upsert.on_conflict_do_update(index_elements=["id"], set_={"id": "7"}),
        ALL_BOOKS,
    ),
    "insert of a statement": (insert(books).values({**_BOOK, "id": func.lower("9")}), {BOOK.any}),
    "or": (update(books).where(or_(_ONE, books.c.id == "2")).values(pages=5), {BOOK.any}),
    "one, or": (
        update(books).where(or_(_ONE, books.c.pages == 0), books.c.lent.is_(False)).values(pages=5),
        {BOOK.any},
    ),
    "not": (update(books).where(not_(_ONE)).values(pages=5), {BOOK.any}),
    "not in": (update(books).where(books.c.id.not_in(["1"])).values(pages=5), {BOOK.any}),
    "not one of two": (update(books).where(not_(and_(_ONE, books.c.owner == "a"))).values(pages=5), {BOOK.any}),
    "null": (update(books).where(books.c.owner == None).values(lent=True), {BOOK.any, OWNED.any}),  # noqa: E711
    "like": (update(books).where(books.c.id.like("1")).values(pages=5), {BOOK.any}),
    "in another collation": (update(books).where(books.c.id.collate("NOCASE") == "1").values(pages=5), {BOOK.any}),
    "in a query": (update(books).where(books.c.id.in_(select(leaves.c.book_id))).values(pages=5), {BOOK.any}),
    "of another table": (
        update(books).where(leaves.c.book_id == books.c.id, leaves.c.id == "1.").values(pages=5),
        {BOOK.any},
    ),
    "text for a condition": (update(books).where(text("id = '1'")).values(pages=5), {BOOK.any}),
    "all": (delete(books), {*ALL_BOOKS, *ALL_LEAVES}),
    "an attribute of another name": (update(Shelf).where(Shelf.id == "s").values(label="x"), {of(SHELF, "s")}),
    "under another name": (update(alias(books, "b")).values(pages=5), {EVERYTHING}),
    "a table without its columns": (update(table("books", column("pages"))).values(pages=5), {BOOK.any, SHELVED.any}),
    "a table that is not known": (update(table("BOOKS", column("pages"))).values(pages=5), {EVERYTHING}),
    "replace": (insert(books).prefix_with("OR REPLACE").values(**_BOOK), {EVERYTHING}),
    "text": (text("UPDATE books SET pages = 5"), {EVERYTHING}),
    "text with columns": (text("DELETE FROM leaves RETURNING id").columns(leaves.c.id), {EVERYTHING}),
}


@pytest.mark.parametrize(("statement", "parameters", "expected"), PRECISE.values(), ids=PRECISE)
def test_a_statement_gives_the_values_that_it_names(
    library: Library, statement: Executable, parameters: Any, expected: set[Tag]
) -> None:
    assert library.touched(statement, parameters) == expected


@pytest.mark.parametrize(("statement", "expected"), OPAQUE.values(), ids=OPAQUE)
def test_what_cannot_be_seen_through_gives_all_values(
    library: Library, statement: Executable, expected: set[Tag]
) -> None:
    assert library.touched(statement) >= expected


def test_text_that_goes_past_the_compiler_gives_everything(library: Library) -> None:
    with library.engine.connect() as connection:
        connection.begin()
        library.tags.clear()
        connection.exec_driver_sql("DELETE FROM leaves")
    assert library.tags == {EVERYTHING}


@pytest.mark.parametrize(
    ("write", "expected"),
    [
        (delete(books).where(_ONE).returning(books.c.id), {*ALL_BOOKS, *ALL_LEAVES}),
        (insert(leaves).values(id="9", book_id="1", content=0).returning(leaves.c.id), ALL_LEAVES),
        (update(people).values(name="c").returning(people.c.name), {PERSON.any, TOUCHED.any, *ALL_BOOKS}),
    ],
    ids=["delete", "insert", "update"],
)
def test_a_write_inside_a_select_gives_all_values_of_what_it_reaches(write: Any, expected: set[Tag]) -> None:
    """As PostgreSQL takes it."""
    gone = write.cte("gone")
    for statement in (
        select(gone),
        select(shelves.c.id).add_cte(gone),
        update(shelves).values(written_on_it="x").add_cte(gone),
    ):
        compiled = statement.compile(dialect=postgresql.dialect())
        assert set(DEPENDENCIES.touched(compiled, [compiled.params])) >= expected


def test_a_statement_that_is_compiled_once_gives_the_values_of_each_time(library: Library) -> None:
    compiled = set()

    def note(*given: Any) -> None:
        if given[4].compiled:
            compiled.add(given[4].compiled)

    event.listen(library.engine, "before_cursor_execute", note)
    for name in "12":
        assert library.touched(update(books).where(books.c.id == name).values(pages=1)) == {of(BOOK, name), SHELVED.any}
    event.remove(library.engine, "before_cursor_execute", note)
    assert len(compiled) == 1


def test_a_flush_gives_the_rows_that_it_writes(library: Library) -> None:
    with Session(library.engine) as session:
        session.connection()
        library.tags.clear()
        session.add(Book(**_BOOK, leaves=[Leaf(id="9.", content=1)]))
        session.flush()
        assert library.tags == {*_NINE, of(LEAF, "9."), of(LEAVES, "9")}
        library.tags.clear()
        first = session.get_one(Book, "1")
        first.pages = 7
        session.flush()
        assert library.tags == {of(BOOK, "1"), SHELVED.any}
        library.tags.clear()
        second = session.get_one(Book, "2")
        second.leaves.clear()
        session.flush()
        assert library.tags == {of(LEAF, "2."), LEAVES.any}
        library.tags.clear()
        session.delete(session.get_one(Shelf, "u"))
        session.flush()
        assert library.tags >= {of(SHELF, "u"), *ALL_BOOKS, *ALL_LEAVES}


def test_values_that_a_column_of_texts_takes_for_one_have_one_tag() -> None:
    class Name(str):
        def __repr__(self) -> str:
            return "a name"

    assert BOOK(Name("1")) == BOOK("1") == BOOK(1) == BOOK(True)
    assert repr(BOOK(Name("1"))) == repr(BOOK("1"))
    assert BOOK("1") != BOOK("01")


@pytest.mark.parametrize("unfit", [Book.pages, Book.lent])
def test_rows_are_told_apart_by_texts_only(unfit: Any) -> None:
    with pytest.raises(TypeError, match="cannot tell rows apart"):
        Rows(unfit)


def test_a_column_that_takes_one_text_for_another_is_refused() -> None:
    class Careless(Base):
        __tablename__ = "careless"
        __table_args__ = {"keep_existing": True}  # noqa: RUF012
        id: Mapped[str] = mapped_column(String(collation="NOCASE"), primary_key=True)

    with pytest.raises(TypeError, match="without a collation"):
        Rows(Careless.id)
    Base.metadata.remove(Careless.__table__)  # type: ignore[arg-type]
