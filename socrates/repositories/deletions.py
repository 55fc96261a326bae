"""Remembering which imported records were deleted on purpose: `socrates db check` takes any other missing row for lost.

A deletion of ours runs one of these statements before the DELETE, in the same transaction. It writes a row only for
what the import promised (`v1_import_digests`), so in a database that never imported anything it writes nothing.
"""

from typing import Any

from sqlalchemy import ColumnElement, Select, bindparam, exists, func, insert, select, union_all

from socrates.models import ImportDeletion, ImportDigest, ImportRun, KnowledgeDocument, Project, ProjectNote
from socrates.repositories.base import table, with_next

_deletions, _digests, _runs = table(ImportDeletion), table(ImportDigest), table(ImportRun)
_projects, _notes, _documents = table(Project), table(ProjectNote), table(KnowledgeDocument)
_LAST_RUN = select(func.max(_runs.c.id)).scalar_subquery()


def remember(*doomed: tuple[str, Select[Any]]) -> Any:
    """The statement that remembers the imported ones of `doomed`: v1's name of a table, and a query for keys in it.

    It takes the parameter `deleted_at` besides those of the queries. A record that was deleted, made anew and deleted
    again keeps its first time.
    """
    promised = [_promised(source_table, keys) for source_table, keys in doomed]
    source = promised[0] if len(promised) == 1 else union_all(*promised)
    columns = ["run_id", "source_table", "source_key", "deleted_at"]
    return with_next(insert(_deletions).from_select(columns, source))


def remember_projects(are_doomed: ColumnElement[bool], *more: tuple[str, Select[Any]]) -> Any:
    """The same for projects under a condition, with their notes and documents, and for `more`."""
    ids = select(_projects.c.id).where(are_doomed)
    return remember(
        ("projects", ids),
        *((child.name, select(child.c.id).where(child.c.project_id.in_(ids))) for child in (_notes, _documents)),
        *more,
    )


def _promised(source_table: str, keys: Select[Any]) -> Select[Any]:
    return select(
        _digests.c.run_id,
        _digests.c.source_table,
        _digests.c.source_key,
        bindparam("deleted_at", type_=_deletions.c.deleted_at.type),
    ).where(
        _digests.c.run_id == _LAST_RUN,
        _digests.c.source_table == source_table,
        _digests.c.source_key.in_(keys),
        ~_is_remembered(),
    )


def _is_remembered() -> ColumnElement[bool]:
    return exists().where(
        _deletions.c.run_id == _digests.c.run_id,
        _deletions.c.source_table == _digests.c.source_table,
        _deletions.c.source_key == _digests.c.source_key,
    )
