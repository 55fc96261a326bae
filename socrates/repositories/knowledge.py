"""Documents that people upload to a project, and what agents suggest that its knowledge should hold."""

from datetime import datetime
from functools import lru_cache
from typing import Any, Literal, get_args
from uuid import uuid4

from sqlalchemy import Select, bindparam, delete, func, insert, or_, select, tuple_, update

from socrates.errors import InvalidValueError, NotFoundError
from socrates.models import KnowledgeDocument, KnowledgeEntry, KnowledgeSuggestion
from socrates.repositories.base import Mapper, Repository, now, positive, table, utc
from socrates.repositories.deletions import remember
from socrates.repositories.forgetting import forget_entries
from socrates.views import Document, DocumentSummary, Suggestion, SuggestionCounts

Status = Literal["pending", "approved", "rejected"]
Decision = Literal["approved", "rejected"]

_Owner = Literal["project_id", "user_id"]
_After = Literal["dated", "undated"]

_document = Mapper(DocumentSummary, KnowledgeDocument)
_suggestion = Mapper(Suggestion, KnowledgeSuggestion)
_documents = table(KnowledgeDocument)
_suggestions = table(KnowledgeSuggestion)

_DOCUMENT = select(*_document.columns, KnowledgeDocument.content, KnowledgeDocument.embedding).where(
    KnowledgeDocument.id == bindparam("document_id")
)
_ADD_DOCUMENT = insert(_documents).returning(*_document.columns)
_IS_DOCUMENT = _documents.c.id == bindparam("document_id")
_DELETE_DOCUMENT = delete(_documents).where(_IS_DOCUMENT)
_FORGET_ENTRIES = forget_entries(table(KnowledgeEntry).c.document_id == bindparam("document_id"))
_REMEMBER_DELETION = remember(("knowledge_documents", select(_documents.c.id).where(_IS_DOCUMENT)))

_SUGGESTION = select(*_suggestion.columns).where(KnowledgeSuggestion.id == bindparam("suggestion_id"))
_COUNTS = (
    select(KnowledgeSuggestion.status, func.count().label("number"))
    .where(KnowledgeSuggestion.project_id == bindparam("project_id"))
    .group_by(KnowledgeSuggestion.status)
)
_ADD_SUGGESTION = insert(_suggestions).returning(*_suggestion.columns)
_DECIDE = (
    update(_suggestions)
    .where(_suggestions.c.id == bindparam("suggestion_id"), _suggestions.c.status == "pending")
    .returning(*_suggestion.columns)
)
_CLEAR = delete(_suggestions).where(_suggestions.c.project_id == bindparam("project_id"))
_CLEAR_DECIDED = _CLEAR.where(_suggestions.c.status.in_(get_args(Decision)))


@lru_cache(maxsize=16)
def _documents_of(owner: _Owner, after: _After | None, limited: bool) -> Select[Any]:
    """The list of one project's or user's documents, by its options. Ties in time are ordered by id."""
    uploaded_at, key = KnowledgeDocument.uploaded_at, KnowledgeDocument.id
    statement = select(*_document.columns).where(getattr(KnowledgeDocument, owner) == bindparam("owner"))
    if after == "dated":
        last = tuple_(bindparam("last_at", type_=uploaded_at.type), bindparam("last_id", type_=key.type))
        statement = statement.where(tuple_(uploaded_at, key) > last)
    elif after == "undated":
        statement = statement.where(or_(uploaded_at.is_not(None), key > bindparam("last_id")))
    if limited:
        statement = statement.limit(bindparam("count"))
    return statement.order_by(uploaded_at.asc().nulls_first(), key)


@lru_cache(maxsize=8)
def _suggestions_of(in_status: bool, paged: bool, limited: bool) -> Select[Any]:
    """The list of one project's suggestions, by its options. Ties in time are ordered by id."""
    place = (KnowledgeSuggestion.created_at, KnowledgeSuggestion.id)
    statement = select(*_suggestion.columns).where(KnowledgeSuggestion.project_id == bindparam("project_id"))
    if in_status:
        statement = statement.where(KnowledgeSuggestion.status == bindparam("status"))
    if paged:
        last = (bindparam("last_at", type_=place[0].type), bindparam("last_id", type_=place[1].type))
        statement = statement.where(tuple_(*place) > tuple_(*last))
    if limited:
        statement = statement.limit(bindparam("count"))
    return statement.order_by(*place)


class KnowledgeReads(Repository):
    """Reads of documents and suggestions. An unknown project or user has none."""

    async def document(self, document_id: str) -> Document:
        """One document with its text. Raises NotFoundError."""
        row = await self._row(_DOCUMENT, document_id=document_id)
        if row is None:
            raise NotFoundError("document", document_id)
        return Document(_document(row[:-2]), row.content, row.embedding)

    async def documents_of_project(
        self, project_id: str, *, limit: int | None = None, after: DocumentSummary | None = None
    ) -> tuple[DocumentSummary, ...]:
        """A project's documents, without their texts, oldest first; those without a time come before all others.

        For the next page give the last document of this one as `after`.
        """
        return await self._documents_of("project_id", project_id, limit, after)

    async def documents_of_user(
        self, user_id: str, *, limit: int | None = None, after: DocumentSummary | None = None
    ) -> tuple[DocumentSummary, ...]:
        """What one user uploaded to any project, in the order of `documents_of_project`."""
        return await self._documents_of("user_id", user_id, limit, after)

    async def suggestion(self, suggestion_id: str) -> Suggestion:
        """One suggestion. Raises NotFoundError."""
        row = await self._row(_SUGGESTION, suggestion_id=suggestion_id)
        if row is None:
            raise NotFoundError("suggestion", suggestion_id)
        return _suggestion(row)

    async def suggestions(
        self,
        project_id: str,
        status: Status | None = "pending",
        *,
        limit: int | None = None,
        after: Suggestion | None = None,
    ) -> tuple[Suggestion, ...]:
        """A project's suggestions, oldest first; None takes those of every status.

        For the next page give the last suggestion of this one as `after`.
        """
        parameters: dict[str, Any] = {"project_id": project_id}
        if status is not None:
            parameters["status"] = _one_of(get_args(Status), status)
        if limit is not None:
            parameters["count"] = positive("limit", limit)
        if after is not None:
            parameters |= {"last_at": after.created_at, "last_id": after.id}
        statement = _suggestions_of(status is not None, after is not None, limit is not None)
        return await self._views(_suggestion, statement, **parameters)

    async def suggestion_counts(self, project_id: str) -> SuggestionCounts:
        """How many of a project's suggestions are pending, approved and rejected."""
        counts = {row.status: row.number for row in await self._rows(_COUNTS, project_id=project_id)}
        return SuggestionCounts(**{status: counts.get(status, 0) for status in get_args(Status)})

    async def _documents_of(
        self, owner: _Owner, key: str, limit: int | None, after: DocumentSummary | None
    ) -> tuple[DocumentSummary, ...]:
        parameters: dict[str, Any] = {"owner": key}
        if limit is not None:
            parameters["count"] = positive("limit", limit)
        place: _After | None = None
        if after is not None:
            parameters["last_id"] = after.id
            place = "undated"
            if after.uploaded_at is not None:
                parameters["last_at"] = after.uploaded_at
                place = "dated"
        statement = _documents_of(owner, place, limit is not None)
        return await self._views(_document, statement, **parameters)


class KnowledgeRepository(KnowledgeReads):
    """Reads and writes of documents and suggestions, inside a unit of work."""

    async def add_document(
        self,
        project_id: str,
        user_id: str,
        filename: str,
        content: str,
        *,
        content_type: str | None = None,
        file_size: int | None = None,
        embedding: bytes | None = None,
        document_id: str | None = None,
        uploaded_at: datetime | None = None,
    ) -> DocumentSummary:
        """Add a document to a project. Raises ProjectNotFoundError, and AlreadyExistsError for a known `document_id`.

        By default `file_size` is the length of `content` in UTF-8, in bytes, `document_id` a UUID and `uploaded_at` the
        current time.
        """
        (row,) = await self._add_to_project(
            project_id,
            _ADD_DOCUMENT,
            id=str(uuid4()) if document_id is None else document_id,
            user_id=user_id,
            filename=filename,
            file_size=_size(content) if file_size is None else file_size,
            content_type=content_type,
            content=content,
            embedding=embedding,
            uploaded_at=utc(uploaded_at) or now(),
            extra={},
        )
        return _document(row)

    async def delete_document(self, document_id: str) -> None:
        """Delete one document, and the entries that were made of it. Raises NotFoundError."""
        for statement in (_REMEMBER_DELETION, *_FORGET_ENTRIES):
            await self._write(statement, document_id=document_id, deleted_at=now())
        if not await self._write(_DELETE_DOCUMENT, document_id=document_id):
            raise NotFoundError("document", document_id)

    async def add_suggestion(
        self,
        project_id: str,
        content: str,
        category: str,
        *,
        topic: str | None = None,
        difficulty: str = "intermediate",
        reason: str = "insufficient_context",
        agent: str = "unknown",
        suggestion_id: str | None = None,
        created_at: datetime | None = None,
    ) -> Suggestion:
        """Add a suggestion, pending. Raises ProjectNotFoundError, and AlreadyExistsError for a known `suggestion_id`.

        By default `topic` is the category, `suggestion_id` a UUID and `created_at` the current time.
        """
        (row,) = await self._add_to_project(
            project_id,
            _ADD_SUGGESTION,
            id=str(uuid4()) if suggestion_id is None else suggestion_id,
            content=content,
            category=category,
            topic=category if topic is None else topic,
            difficulty=difficulty,
            reason=reason,
            agent=agent,
            status="pending",
            created_at=utc(created_at) or now(),
            extra={},
        )
        return _suggestion(row)

    async def decide(self, suggestion_id: str, status: Decision, by: str | None = None) -> Suggestion:
        """Approve or reject a pending suggestion; `by` is None for a decision that a program made.

        Each is decided once: of several at the same time one succeeds. Raises InvalidValueError for one that is decided
        already, and NotFoundError.
        """
        row = await self._row(
            _DECIDE,
            suggestion_id=suggestion_id,
            status=_one_of(get_args(Decision), status),
            decided_at=now(),
            decided_by=by,
        )
        if row is None:
            decided = await self.suggestion(suggestion_id)
            raise InvalidValueError(f"the suggestion {suggestion_id!r} is {decided.status} already")
        return _suggestion(row)

    async def clear_suggestions(self, project_id: str, keep_pending: bool = True) -> int:
        """Delete a project's decided suggestions, or all of them; tell how many they were."""
        return await self._write(_CLEAR_DECIDED if keep_pending else _CLEAR, project_id=project_id)


def _one_of(allowed: tuple[str, ...], status: str) -> str:
    if status not in allowed:
        raise InvalidValueError(f"a status is one of {', '.join(allowed)} here, not {status!r}")
    return status


def _size(content: str) -> int:
    # Lone surrogates pass here: the database refuses them, with an error of ours.
    return len(content.encode("utf-8", "surrogatepass"))
