"""Pages of lists that are last first, and end with what has no time."""

from typing import Any

from sqlalchemy import BindParameter, ColumnElement, CompoundSelect, Select, bindparam, desc, select, union_all

Order = tuple[ColumnElement[Any], ...]
"""What a list is ordered by; columns are named by their labels, so that it orders a union too."""


def last_first(time: str, key: str) -> Order:
    """By time and then by key, the last first; what has no time comes at the end."""
    return desc(time).nulls_last(), desc(key)


def merged(dated: Select[Any], undated: Select[Any], order: Order) -> CompoundSelect[Any]:
    """The first `count` rows (a parameter) of both in one order.

    One condition for both would read all that is later than the page. Two are two ranges of an index, each read to the
    page's end; of a plain union PostgreSQL would sort all there is.
    """
    count: BindParameter[int] = bindparam("count")
    branches = (
        branch.order_by(*order).limit(count).subquery(name) for name, branch in (("dated", dated), ("undated", undated))
    )
    return union_all(*map(select, branches)).order_by(*order).limit(count)
