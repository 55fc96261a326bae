"""The plain lists of a project: requirements, tech stack, constraints."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import bindparam, delete, insert, select

from socrates.models import ProjectConstraint, ProjectRequirement, ProjectTechnology
from socrates.repositories.base import table, text_list, with_next
from socrates.repositories.upsert import upsert

LISTS = {
    "requirements": table(ProjectRequirement),
    "tech_stack": table(ProjectTechnology),
    "constraints": table(ProjectConstraint),
}
"""The table of each list."""

_SELECT = {
    name: select(items.c.value).where(items.c.project_id == bindparam("project_id")).order_by(items.c.position)
    for name, items in LISTS.items()
}
_INSERT = {name: with_next(insert(items)) for name, items in LISTS.items()}
_SAVE = {name: with_next(upsert(items, ("project_id", "position"), ("value",))) for name, items in LISTS.items()}
_CUT = {
    name: with_next(
        delete(items).where(items.c.project_id == bindparam("project_id"), items.c.position >= bindparam("length"))
    )
    for name, items in LISTS.items()
}


class ListChange:
    """The new values of one list, and the statements that store them."""

    def __init__(self, name: str, values: Sequence[str]) -> None:
        self.values = text_list(name, values)
        self.select, self.insert, self.save, self.cut = _SELECT[name], _INSERT[name], _SAVE[name], _CUT[name]

    def rows(self, project_id: str) -> list[dict[str, Any]]:
        """Every entry, as a row."""
        return self.changed_rows(project_id, ())

    def changed_rows(self, project_id: str, stored: Sequence[str]) -> list[dict[str, Any]]:
        """The entries that are not stored at their place."""
        return [
            {"project_id": project_id, "position": position, "value": value}
            for position, value in enumerate(self.values)
            if position >= len(stored) or stored[position] != value
        ]
