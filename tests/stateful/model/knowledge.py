"""Documents and suggestions: records by id."""

from dataclasses import replace
from datetime import datetime

from socrates.errors import AlreadyExistsError, InvalidValueError, NotFoundError
from socrates.frozen import FrozenDict
from socrates.views import Document, DocumentSummary, Suggestion, SuggestionCounts
from tests.stateful.model.state import BEFORE_ALL, Face, page

_STATUSES = ("pending", "approved", "rejected")


class Knowledge(Face):
    def document(self, document_id: str) -> Document:
        if document_id not in self.state.documents:
            raise NotFoundError("document", document_id)
        return self.state.documents[document_id]

    def documents_of_project(
        self, project_id: str, *, limit: int | None = None, after: DocumentSummary | None = None
    ) -> tuple[DocumentSummary, ...]:
        found = (each.summary for each in self.state.documents.values() if each.summary.project_id == project_id)
        return page(found, _document_place, limit, after)

    def documents_of_user(
        self, user_id: str, *, limit: int | None = None, after: DocumentSummary | None = None
    ) -> tuple[DocumentSummary, ...]:
        found = (each.summary for each in self.state.documents.values() if each.summary.user_id == user_id)
        return page(found, _document_place, limit, after)

    def suggestion(self, suggestion_id: str) -> Suggestion:
        if suggestion_id not in self.state.suggestions:
            raise NotFoundError("suggestion", suggestion_id)
        return self.state.suggestions[suggestion_id]

    def suggestions(
        self,
        project_id: str,
        status: str | None = "pending",
        *,
        limit: int | None = None,
        after: Suggestion | None = None,
    ) -> tuple[Suggestion, ...]:
        if status not in (None, *_STATUSES):
            raise InvalidValueError("status")
        found = (each for each in self._of(project_id) if status in (None, each.status))
        return page(found, lambda each: (each.created_at, each.id), limit, after)

    def suggestion_counts(self, project_id: str) -> SuggestionCounts:
        statuses = [each.status for each in self._of(project_id)]
        return SuggestionCounts(*(statuses.count(status) for status in _STATUSES))

    def add_document(
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
        document_id = self.an_id(document_id)
        if document_id in self.state.documents:
            raise AlreadyExistsError(document_id)
        self.a_project(project_id)
        size = len(content.encode()) if file_size is None else file_size
        at = uploaded_at or self.now
        summary = DocumentSummary(document_id, project_id, user_id, filename, size, content_type, at, FrozenDict())
        self.state.documents[document_id] = Document(summary, content, embedding)
        return summary

    def delete_document(self, document_id: str) -> None:
        self.document(document_id)
        del self.state.documents[document_id]

    def add_suggestion(
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
        suggestion_id = self.an_id(suggestion_id)
        if suggestion_id in self.state.suggestions:
            raise AlreadyExistsError(suggestion_id)
        self.a_project(project_id)
        self.state.suggestions[suggestion_id] = Suggestion(
            id=suggestion_id,
            project_id=project_id,
            content=content,
            category=category,
            topic=category if topic is None else topic,
            difficulty=difficulty,
            reason=reason,
            agent=agent,
            status="pending",
            created_at=created_at or self.now,
            decided_at=None,
            decided_by=None,
            extra=FrozenDict(),
        )
        return self.state.suggestions[suggestion_id]

    def decide(self, suggestion_id: str, status: str, by: str | None = None) -> Suggestion:
        if status not in ("approved", "rejected"):
            raise InvalidValueError("status")
        suggestion = self.suggestion(suggestion_id)
        if suggestion.status != "pending":
            raise InvalidValueError("decided")
        decided = replace(suggestion, status=status, decided_at=self.now, decided_by=by)
        self.state.suggestions[suggestion_id] = decided
        return decided

    def clear_suggestions(self, project_id: str, keep_pending: bool = True) -> int:
        gone = [each.id for each in self._of(project_id) if not (keep_pending and each.status == "pending")]
        for suggestion_id in gone:
            del self.state.suggestions[suggestion_id]
        return len(gone)

    def _of(self, project_id: str) -> list[Suggestion]:
        return [each for each in self.state.suggestions.values() if each.project_id == project_id]


def _document_place(document: DocumentSummary) -> tuple[datetime, str]:
    return document.uploaded_at or BEFORE_ALL, document.id
