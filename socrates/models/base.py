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
    Double,
    ForeignKey,
    Integer,
    LargeBinary,
    MetaData,
    text,
)
from sqlalchemy.orm import DeclarativeBase, InstrumentedAttribute, Relationship, mapped_column, relationship

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


ARCHIVED_ONLY: dict[str, Any] = {"sqlite_where": text("is_archived = 1"), "postgresql_where": text("is_archived")}
"""For an index of what is archived: on each engine the condition that `.where(Project.is_archived)` compiles to."""


def position_check() -> CheckConstraint:
    """`position` counts from 0."""
    return CheckConstraint("position >= 0", name="position")


def children(*order_by: InstrumentedAttribute[Any]) -> Relationship[Any]:
    """What a parent owns. The database deletes it with the parent; reading it takes a loader option."""
    return relationship(cascade="all, delete-orphan", passive_deletes=True, lazy="raise", order_by=order_by or False)
