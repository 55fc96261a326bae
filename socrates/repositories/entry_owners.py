"""Whose entries a statement is about: one project's, or those that everybody knows.

A write says it by `scope` and `project_id` both, so that caches see from the statement which searches it concerns: all
of them, or those of one project. A read says it by `project_id` alone, with which the indexes begin.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, and_, bindparam

from socrates.errors import InvalidValueError
from socrates.models import KnowledgeEntry
from socrates.repositories.base import table

_entries = table(KnowledgeEntry)

_IN_SCOPE = _entries.c.scope == bindparam("in_scope")
_KNOWN_TO_ALL = _entries.c.project_id.is_(None)
_KNOWN_IN_PROJECT = _entries.c.project_id == bindparam("in_project")

OF_ALL = and_(_IN_SCOPE, _KNOWN_TO_ALL)
OF_PROJECT = and_(_IN_SCOPE, _KNOWN_IN_PROJECT)
"""What a write says of its entries."""


class PerOwner:
    """A statement for what everybody knows, and for what one project does; it takes the parameters of `owner`."""

    def __init__(self, statement: Any) -> None:
        self.of_all, self.of_project = (
            statement.where(condition) for condition in _conditions(isinstance(statement, Select))
        )

    def __call__(self, project_id: str | None) -> Any:
        return self.of_all if project_id is None else self.of_project


def owner(project_id: str | None) -> dict[str, Any]:
    """The parameters that say whose entries. Raises InvalidValueError for anything but an id."""
    if project_id is None:
        return {"in_scope": "global"}
    if not isinstance(project_id, str):
        raise InvalidValueError(f"the id of a project is a text, not {type(project_id).__name__}")
    return {"in_scope": "project", "in_project": project_id}


def _conditions(is_read: bool) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    return (_KNOWN_TO_ALL, _KNOWN_IN_PROJECT) if is_read else (OF_ALL, OF_PROJECT)
