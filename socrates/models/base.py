"""What all tables share: the metadata, the Python-to-column type map and the columns that recur.

Lists and dicts in JSON columns are replaced as a whole, never changed in place, which a session cannot see.
"""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    ColumnElement,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    UnaryExpression,
    text,
)
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Relationship, mapped_column, relationship
from sqlalchemy.sql import operators
from sqlalchemy.sql.compiler import SQLCompiler

from socrates.models.types import CodePointText, ExactDecimal, TaggedJSON, UtcDateTime


class Base(DeclarativeBase):
    """The root of all entities; `Base.metadata` is the schema at head."""

    metadata = MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 (SQLAlchemy declares it as a ClassVar)
        str: CodePointText,
        # Only a column of type INTEGER can be SQLite's own row number, and INTEGER holds 64 bits there.
        int: BigInteger().with_variant(Integer(), "sqlite"),
        float: Double,
        datetime: UtcDateTime,
        Decimal: ExactDecimal,
        bytes: LargeBinary,
    }


ProjectKey = Annotated[str, mapped_column(ForeignKey("projects.id", ondelete="CASCADE"), primary_key=True)]
"""The first part of the key of every child of a project."""

TextList = Annotated[list[str], mapped_column(JSON, default=list)]
"""A list of texts, in order."""

TaggedDict = Annotated[dict[Any, Any], mapped_column(TaggedJSON, default=dict)]
"""A dict of anything that `socrates.tagged_json` can write."""

Extra = Annotated[dict[Any, Any], mapped_column(TaggedJSON, default=dict, server_default=text("'{}'"))]
"""The keys of a v1 record that have no column."""

WITHOUT_ROWID = {"sqlite_with_rowid": False}
"""For children with a composite key: one b-tree in place of two, in which a parent's rows lie together."""


class Sorted(UnaryExpression[Any]):
    """A column in an index, and how PostgreSQL sorts it there, to serve a list that begins or ends with NULL.

    SQLite cannot be told, and need not be: NULL comes before all values, and an index is read both ways.
    """

    inherit_cache = True


@compiles(Sorted, "sqlite")
def _unsorted(element: UnaryExpression[Any], compiler: SQLCompiler, **options: Any) -> str:
    column: ColumnElement[Any] = element
    while isinstance(column, UnaryExpression):
        column = column.element
    return compiler.process(column, **options)


def undated_first(time: InstrumentedAttribute[Any]) -> Sorted:
    """For lists that are oldest first, and begin with what has no time."""
    return Sorted(time.expression, modifier=operators.nulls_first_op)


def undated_last(time: InstrumentedAttribute[Any]) -> Sorted:
    """For lists that are last first, and end with what has no time."""
    return Sorted(time.desc(), modifier=operators.nulls_last_op)


def archive_index(time: InstrumentedAttribute[Any], key: InstrumentedAttribute[Any]) -> Index:
    """The index of what is archived and of nothing else, for a list by time and key that is last first.

    On each engine its condition is what `.where(Project.is_archived)` compiles to.
    """
    return Index(
        None,
        undated_last(time),
        Sorted(key.expression, modifier=operators.desc_op),
        sqlite_where=text("is_archived = 1"),
        postgresql_where=text("is_archived"),
    )


def position_check() -> CheckConstraint:
    """`position` counts from 0."""
    return CheckConstraint("position >= 0", name="position")


def children(*order_by: InstrumentedAttribute[Any]) -> Relationship[Any]:
    """What a parent owns. The database deletes it with the parent; reading it takes a loader option."""
    return relationship(cascade="all, delete-orphan", passive_deletes=True, lazy="raise", order_by=order_by or False)
