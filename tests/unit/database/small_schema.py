"""A small schema with every way in which a database changes rows by itself, and a file of it."""

from pathlib import Path
from typing import Any

from sqlalchemy import (
    Executable,
    ForeignKey,
    ForeignKeyConstraint,
    create_engine,
    event,
    insert,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship

from socrates.database.dependencies import Dependencies, Rows, Tag


class Base(DeclarativeBase):
    """A small schema with every way in which the database changes rows by itself."""


class Leaf(Base):
    """Goes with its book."""

    __tablename__ = "leaves"
    id: Mapped[str] = mapped_column(primary_key=True)
    book_id: Mapped[str] = mapped_column(ForeignKey("books.id", ondelete="CASCADE"))
    content: Mapped[int]


class Book(Base):
    """Goes with its shelf; outlives its owner, and follows the owner's name."""

    __tablename__ = "books"
    id: Mapped[str] = mapped_column(primary_key=True)
    shelf_id: Mapped[str] = mapped_column(ForeignKey("shelves.id", ondelete="CASCADE"))
    owner: Mapped[str | None] = mapped_column(ForeignKey("people.name", ondelete="SET NULL", onupdate="CASCADE"))
    lent: Mapped[bool] = mapped_column(default=False)
    pages: Mapped[int] = mapped_column(default=0)
    leaves: Mapped[list[Leaf]] = relationship(cascade="all, delete-orphan", passive_deletes=True)


class Shelf(Base):
    """May stand in another one, and goes with it."""

    __tablename__ = "shelves"
    id: Mapped[str] = mapped_column(primary_key=True)
    within: Mapped[str | None] = mapped_column(ForeignKey("shelves.id", ondelete="CASCADE"))
    label: Mapped[str] = mapped_column("written_on_it", default="")
    books: Mapped[list[Book]] = relationship(cascade="all, delete-orphan", passive_deletes=True)


class Person(Base):
    """Is told apart by a name that can change."""

    __tablename__ = "people"
    name: Mapped[str] = mapped_column(primary_key=True)
    touched: Mapped[str] = mapped_column(default="", onupdate="later")


class Cell(Base):
    """One of a pair of keys, and what hangs on both."""

    __tablename__ = "cells"
    row: Mapped[str] = mapped_column(primary_key=True)
    place: Mapped[str] = mapped_column(primary_key=True)


class Mark(Base):
    """Goes with its cell."""

    __tablename__ = "marks"
    __table_args__ = (ForeignKeyConstraint(["row", "place"], ["cells.row", "cells.place"], ondelete="CASCADE"),)
    id: Mapped[str] = mapped_column(primary_key=True)
    row: Mapped[str]
    place: Mapped[str]


class Apart(Base):
    """On which nothing depends, and nothing hangs."""

    __tablename__ = "apart"
    id: Mapped[str] = mapped_column(primary_key=True)
    value: Mapped[str] = mapped_column(default="")


LEAF, LEAVES = Rows(Leaf.id), Rows(Leaf.book_id)
BOOK, SHELVED, OWNED = Rows(Book.id), Rows(Book.shelf_id), Rows(Book.owner, Book.lent)
SHELF, LABELS = Rows(Shelf.id), Rows(Shelf.id, Shelf.label)
PERSON, TOUCHED = Rows(Person.name), Rows(Person.name, Person.touched)
MARKS, MARK_PLACES = Rows(Mark.row), Rows(Mark.place, Mark.place)
DEPENDENCIES = Dependencies([LEAF, LEAVES, BOOK, SHELVED, OWNED, SHELF, LABELS, PERSON, TOUCHED, MARKS, MARK_PLACES])

books, shelves, leaves, people = Book.__table__, Shelf.__table__, Leaf.__table__, Person.__table__
ALL_LEAVES = {LEAF.any, LEAVES.any}
ALL_BOOKS = {BOOK.any, SHELVED.any, OWNED.any}
ALL_OF_A_SHELF = {SHELF.any, LABELS.any}


def of(rows: Rows, value: str) -> Tag:
    """The tag of one value."""
    return rows(value)[1]


class Library:
    """A file of the small schema, and the tags of what is sent to it."""

    def __init__(self, directory: str | Path) -> None:
        self.engine = create_engine(f"sqlite:///{directory}/library.db", connect_args={"isolation_level": None})
        self.tags: set[Tag] = set()
        event.listen(self.engine, "connect", self._enforce_foreign_keys)
        Base.metadata.create_all(self.engine)
        # The driver's own BEGIN comes too late: a savepoint that is released before it is a commit.
        event.listen(self.engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
        event.listen(self.engine, "before_cursor_execute", self._collect)
        with self.engine.begin() as connection:
            for person in "ab":
                connection.execute(insert(people), {"name": person})
            for shelf, within in (("s", None), ("t", "s"), ("u", None)):
                connection.execute(insert(shelves), {"id": shelf, "within": within})
            for book, shelf, owner in (("1", "s", "a"), ("2", "t", "b"), ("3", "u", None)):
                connection.execute(insert(books), {"id": book, "shelf_id": shelf, "owner": owner})
                connection.execute(insert(leaves), {"id": f"{book}.", "book_id": book, "content": 0})
            for row, place in (("x", "1"), ("x", "2"), ("y", "1")):
                connection.execute(insert(Cell.__table__), {"row": row, "place": place})
                connection.execute(insert(Mark.__table__), {"id": row + place, "row": row, "place": place})
        self.tags.clear()

    @staticmethod
    def _enforce_foreign_keys(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA foreign_keys = ON").close()

    def _collect(self, _connection: Any, _cursor: Any, _sql: Any, _values: Any, context: Any, _many: Any) -> None:
        parameters = context.compiled_parameters if context.compiled else []
        self.tags.update(DEPENDENCIES.touched(context.compiled, parameters))

    def touched(self, statement: Executable, parameters: Any = None) -> set[Tag]:
        """The tags of one statement, run and rolled back."""
        with self.engine.connect() as connection:
            connection.begin()
            self.tags.clear()
            connection.execute(statement, parameters)
            connection.rollback()
        return set(self.tags)
