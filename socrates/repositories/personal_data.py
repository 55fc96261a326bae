"""Where the database holds the names of people, and what becomes of each place when a person is deleted for good.

`PLACES` is the one list of it: the export, the deletion and the plan of a deletion all follow it. A column that names
people has to be put there. Texts that merely mention somebody, such as what a message says, name nobody here.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from sqlalchemy import Column, ColumnElement, ForeignKey, Select, Table, bindparam, exists, false, or_, select, true

from socrates.models import (
    APIKey,
    Base,
    BehaviorPattern,
    ConversationMessage,
    ImportDeletion,
    ImportDigest,
    ImportNote,
    ImportRun,
    KnowledgeDocument,
    KnowledgeSuggestion,
    LLMProviderConfig,
    LLMUsage,
    LoginFailure,
    PendingQuestion,
    Project,
    ProjectConflict,
    ProjectNote,
    QuarantinedRow,
    QuarantineRelease,
    QuestionEffectiveness,
    TeamMember,
    User,
)
from socrates.models.types import CodePointText
from socrates.repositories.base import table

Renaming = Callable[[Any, str, str], Any]
"""(value, name, pseudonym) → the value with the pseudonym wherever it names the person."""


class Fate(Enum):
    """What becomes of a place that names somebody who is deleted for good."""

    DELETED = "the row is deleted"
    OWNED = "the project is handed over or deleted, with all that hangs on it"
    PSEUDONYM = "a pseudonym takes the place of the name"
    ACCOUNT = "the same, once v1's own tables are dropped: until then a check needs the name to compare with them"
    KEPT = "it stays: the only copy of what could not be imported"


@dataclass(frozen=True, eq=False)
class Place:
    """A column that names people: by its whole value, or somewhere within it, where `renaming` knows."""

    column: Column[Any]
    fate: Fate
    renaming: Renaming | None = None
    within: ColumnElement[bool] = field(default_factory=true)
    """Which of the table's rows name people in this column."""

    @property
    def table(self) -> Table:
        return self.column.table

    @property
    def name(self) -> str:
        return f"{self.table.name}.{self.column.name}"

    @property
    def is_text(self) -> bool:
        """Whether the column holds text, and not JSON."""
        return isinstance(self.column.type, CodePointText)

    @property
    def is_the_name(self) -> ColumnElement[bool]:
        """For a column without `renaming`: that it names the person of the parameter `username`."""
        return self.within & (self.column == bindparam("username"))

    def names(self, value: Any, username: str) -> bool:
        """Whether `value`, of a column with `renaming`, names the person."""
        return self.renaming is not None and self.renaming(value, username, f"not {username}") != value


def _in_list(names: Any, old: str, new: str) -> Any:
    return [new if name == old else name for name in names] if isinstance(names, list) else names


def _in_collaborators(extra: Any, old: str, new: str) -> Any:
    """The order of v1's list of collaborators, which the import keeps."""
    key = "v1_collaborators"
    return {**extra, key: _in_list(extra[key], old, new)} if key in extra else extra


def _anywhere(value: Any, old: str, new: str) -> Any:
    """Every text that is the name, however deep."""
    if isinstance(value, dict):
        return {key: _anywhere(item, old, new) for key, item in value.items()}
    if isinstance(value, list):
        return [_anywhere(item, old, new) for item in value]
    return new if value == old else value


def _in_field(field: str, old: str, new: str) -> str:
    """The way to a member's field, as the import notes it."""
    return f"team_members.{new}.role" if field == f"team_members.{old}.role" else field


def _in_report(report: Any, old: str, new: str) -> Any:
    """The rows that a report tells of. Its figures, and the names of v1's tables, are no people."""
    tables = report.get("tables", {})
    told = {name: _in_table_report(of_table, name == "users", old, new) for name, of_table in tables.items()}
    return {**report, "tables": told}


def _in_table_report(of_table: dict[str, Any], of_users: bool, old: str, new: str) -> dict[str, Any]:
    lists = [name for name in ("notes", "reasons", "orphans") if name in of_table]
    told: dict[str, Any] = {name: [_in_told_row(row, of_users, old, new) for row in of_table[name]] for name in lists}
    return {**of_table, **told}


def _in_told_row(row: dict[str, Any], of_users: bool, old: str, new: str) -> dict[str, Any]:
    renamings: dict[str, Renaming] = {"field": _in_field, "original": _anywhere}
    if of_users:
        renamings["key"] = _anywhere
    return {name: renamings[name](value, old, new) if name in renamings else value for name, value in row.items()}


_questions, _notes, _quarantine, _releases = map(
    table, (PendingQuestion, ImportNote, QuarantinedRow, QuarantineRelease)
)
_deletions, _digests = table(ImportDeletion), table(ImportDigest)
_projects, _runs, _conflicts = table(Project), table(ImportRun), table(ProjectConflict)
_of_users = select(_quarantine.c.id).where(_quarantine.c.source_table == "users")

PERSONAL = tuple(map(table, (QuestionEffectiveness, BehaviorPattern, LLMProviderConfig, APIKey, LLMUsage)))
"""The tables of what belongs to one person alone, by `user_id`."""

PLACES = (
    Place(table(User).c.username, Fate.DELETED),
    Place(_projects.c.owner, Fate.OWNED),
    Place(_projects.c.extra, Fate.PSEUDONYM, _in_collaborators),
    Place(table(TeamMember).c.username, Fate.DELETED),
    Place(_questions.c.answered_by, Fate.PSEUDONYM),
    Place(_questions.c.assigned_to_users, Fate.PSEUDONYM, _in_list),
    Place(table(ConversationMessage).c.author, Fate.PSEUDONYM),
    Place(table(ProjectNote).c.created_by, Fate.PSEUDONYM),
    Place(table(KnowledgeDocument).c.user_id, Fate.PSEUDONYM),
    Place(table(KnowledgeSuggestion).c.decided_by, Fate.PSEUDONYM),
    *(Place(_conflicts.c[name], Fate.PSEUDONYM) for name in ("existing_author", "new_author", "resolved_by")),
    *(Place(own.c.user_id, Fate.DELETED) for own in PERSONAL),
    Place(table(LoginFailure).c.username, Fate.DELETED),
    *(
        # The runs are few, and named so that the primary key is searched.
        Place(
            key.c.source_key,
            Fate.ACCOUNT,
            within=key.c.run_id.in_(select(_runs.c.id)) & (key.c.source_table == "users"),
        )
        for key in (_digests, _deletions)
    ),
    Place(_notes.c.source_key, Fate.ACCOUNT, within=_notes.c.source_table == "users"),
    Place(_notes.c.field, Fate.ACCOUNT, _in_field),
    Place(_notes.c.original, Fate.ACCOUNT, _anywhere),
    Place(_runs.c.report, Fate.ACCOUNT, _in_report),
    Place(_quarantine.c.source_key, Fate.KEPT, within=_quarantine.c.source_table == "users"),
    Place(_quarantine.c.row_columns, Fate.KEPT, _anywhere),
    Place(_releases.c.source_key, Fate.KEPT, within=_releases.c.quarantine_id.in_(_of_users)),
    Place(_releases.c.correction, Fate.KEPT, _anywhere),
)
"""Every place of the schema that names people."""

_owned, _others = _projects.alias("owned"), table(TeamMember).alias("others")
OWNED = select(_owned.c.id).where(_owned.c.owner == bindparam("username"))
"""The ids of the projects that the person owns."""

DOOMED = OWNED.where(
    ~exists().where(
        _others.c.project_id == _owned.c.id, _others.c.is_active, _others.c.username != bindparam("username")
    )
)
"""The ids of those among them that have no other active member, and go with their owner."""

TABLES = tuple(Base.metadata.sorted_tables)
"""All tables, parents first."""


def places_in(of: Table, *fates: Fate) -> list[Place]:
    """The places in one table; with fates, only those of one of them."""
    return [place for place in PLACES if place.table is of and (not fates or place.fate in fates)]


def hangs_on(part: Table, projects: Select[Any]) -> ColumnElement[bool]:
    """That a row is one of these projects, or goes with one when it is deleted."""
    if part is _projects:
        return _projects.c.id.in_(projects)
    ways = [key.parent.in_(_among(key.column, projects)) for key in _keys_to_owners(part)]
    return or_(*ways) if ways else false()


def _among(column: Any, projects: Select[Any]) -> Select[Any]:
    return projects if column.table is _projects else select(column).where(hangs_on(column.table, projects))


def is_part_of_a_project(part: Any) -> bool:
    """Whether rows of the table go with a project when it is deleted."""
    return part is _projects or bool(_keys_to_owners(part))


def _keys_to_owners(part: Any) -> list[ForeignKey]:
    keys = [key for key in part.foreign_keys if key.ondelete == "CASCADE" and is_part_of_a_project(key.column.table)]
    # What says its project itself, and hangs on a part of a project too, hangs on one of the same.
    return [key for key in keys if key.column.table is _projects] or keys
