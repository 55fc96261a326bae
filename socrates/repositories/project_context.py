"""What prompts show of a project, in one statement: its own row, joined with its plain lists."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import fields
from typing import Any

from sqlalchemy import Row, bindparam, literal, select, union_all

from socrates.models import Project
from socrates.repositories.project_lists import LISTS
from socrates.views import ProjectContext

_PROJECT_ID = bindparam("project_id", type_=Project.id.type)
OWN_COLUMNS = [getattr(Project, field.name) for field in fields(ProjectContext) if field.name not in LISTS]
"""The columns of the project's own row."""

# Each branch names the project: joined alone, SQLite would first gather everybody's.
_items = union_all(
    *(
        select(literal(name).label("list"), items.c.position, items.c.value).where(items.c.project_id == _PROJECT_ID)
        for name, items in LISTS.items()
    )
).subquery("items")

CONTEXT = (
    select(_items.c.list, _items.c.value, *OWN_COLUMNS)
    .join_from(Project, _items, literal(True), isouter=True)
    .where(Project.id == _PROJECT_ID)
    .order_by(_items.c.list, _items.c.position)
)
"""Takes `project_id`; gives a row for each entry of a list, or one without."""


def context_from(rows: Sequence[Row[Any]]) -> ProjectContext | None:
    """The project of these rows, or None when there are none."""
    if not rows:
        return None
    lists: defaultdict[str | None, list[str]] = defaultdict(list)
    for row in rows:
        lists[row.list].append(row.value)
    values: dict[str, Any] = {column.key: rows[0][place] for place, column in enumerate(OWN_COLUMNS, start=2)}
    values |= {name: tuple(lists[name]) for name in LISTS}
    return ProjectContext(**values)
