"""Every read of the store, as ada or somebody who looks at her project makes it, on the databases of bulk.py."""

from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from socrates.store import Store
from tests.performance.bulk import FIRST_MINUTE, HERS
from tests.performance.datasets import ADA

Read = Callable[[Store], Awaitable[Any]]

PAGE = 20
"""Rows of a page."""

_FIRST = datetime.fromtimestamp(FIRST_MINUTE, UTC)
_SPAN = {"since": _FIRST + timedelta(minutes=10), "until": _FIRST + timedelta(minutes=40)}
_KEY = "ada1"
"""What ada's records are called whose row has the number 1."""


async def _export(store: Store) -> object:
    return [message async for message in store.conversations.export(HERS)]


ONES: dict[str, Read] = {
    "projects.summary": lambda store: store.projects.summary(HERS),
    "projects.details": lambda store: store.projects.details(HERS),
    "projects.members": lambda store: store.projects.members(HERS),
    "projects.members, also inactive": lambda store: store.projects.members(HERS, include_inactive=True),
    "projects.is_member": lambda store: store.projects.is_member(HERS, ADA),
    "projects.is_member, nobody": lambda store: store.projects.is_member(HERS, "eve"),
    "projects.pending_questions": lambda store: store.projects.pending_questions(HERS),
    "projects.pending_questions, one status": lambda store: store.projects.pending_questions(HERS, status="pending"),
    "projects.phase_scores": lambda store: store.projects.phase_scores(HERS),
    "projects.category_scores": lambda store: store.projects.category_scores(HERS),
    "projects.category_scores, one phase": lambda store: store.projects.category_scores(HERS, "design"),
    "projects.specs": lambda store: store.projects.specs(HERS),
    "projects.specs, one phase": lambda store: store.projects.specs(HERS, "design"),
    "projects.maturity_events": lambda store: store.projects.maturity_events(HERS),
    "projects.analytics": lambda store: store.projects.analytics(HERS),
    "conversations.count": lambda store: store.conversations.count(HERS),
    "conflicts.get": lambda store: store.conflicts.get(_KEY),
    "users.get": lambda store: store.users.get(ADA),
    "users.exists": lambda store: store.users.exists(ADA),
    "notes.get": lambda store: store.notes.get(_KEY),
    "learning.find_effectiveness": lambda store: store.learning.find_effectiveness(ADA, _KEY),
    "learning.find_pattern": lambda store: store.learning.find_pattern(ADA, _KEY),
    "knowledge.document": lambda store: store.knowledge.document(_KEY),
    "knowledge.suggestion": lambda store: store.knowledge.suggestion(_KEY),
    "knowledge_entries.visible": lambda store: store.knowledge_entries.visible([_KEY], HERS),
    "index_work.waiting": lambda store: store.index_work.waiting(PAGE),
    "index_work.entries": lambda store: store.index_work.entries(_KEY, PAGE),
    "llm.find_config": lambda store: store.llm.find_config(ADA, "provider1"),
    "llm.find_key": lambda store: store.llm.find_key(ADA, "provider1"),
}
"""What takes one record, or what little one project has."""

WHOLES: dict[str, Read] = {
    "projects.count_owned": lambda store: store.projects.count_owned(ADA),
    "projects.count_owned, both kinds": lambda store: store.projects.count_owned(ADA, archived=None),
    "projects.for_user": lambda store: store.projects.for_user(ADA),
    "conversations.search, no hit": lambda store: store.conversations.search(HERS, "nowhere"),
    "conversations.export": _export,
    "conflicts.pending": lambda store: store.conflicts.pending(HERS),
    "conflicts.for_project": lambda store: store.conflicts.for_project(HERS),
    "notes.for_project": lambda store: store.notes.for_project(HERS),
    "notes.for_project, one type": lambda store: store.notes.for_project(HERS, note_type="idea"),
    "notes.for_project, one tag": lambda store: store.notes.for_project(HERS, tag="money"),
    "notes.search": lambda store: store.notes.search(HERS, "pays"),
    "notes.search, no hit": lambda store: store.notes.search(HERS, "nowhere"),
    "notes.count": lambda store: store.notes.count(HERS),
    "learning.effectiveness_of": lambda store: store.learning.effectiveness_of(ADA),
    "learning.patterns_of": lambda store: store.learning.patterns_of(ADA),
    "knowledge.documents_of_project": lambda store: store.knowledge.documents_of_project(HERS),
    "knowledge.documents_of_user": lambda store: store.knowledge.documents_of_user(ADA),
    "knowledge.suggestions": lambda store: store.knowledge.suggestions(HERS),
    "knowledge.suggestion_counts": lambda store: store.knowledge.suggestion_counts(HERS),
    "knowledge_entries.entries": lambda store: store.knowledge_entries.entries(HERS),
    "knowledge_entries.count": lambda store: store.knowledge_entries.count(HERS),
    "knowledge_entries.documents": lambda store: store.knowledge_entries.documents(HERS),
    "llm.configs": lambda store: store.llm.configs(ADA),
    "llm.keys": lambda store: store.llm.keys(ADA),
    "llm.usage_totals": lambda store: store.llm.usage_totals(ADA),
    "llm.usage_totals, a span": lambda store: store.llm.usage_totals(ADA, **_SPAN),
    "llm.usage_by_day": lambda store: store.llm.usage_by_day(ADA, _FIRST, _FIRST + timedelta(days=2)),
    "llm.usage_table": lambda store: store.llm.usage_table(user_id=ADA),
    "llm.spent": lambda store: store.llm.spent(ADA, _FIRST),
    "llm.recent_tokens": lambda store: store.llm.recent_tokens(ADA, 10),
}
"""What grows with what is ada's own, as a whole list, a sum or a search does."""

Paged = Callable[[Store, int, Any], Awaitable[Any]]

PAGES: dict[str, Paged] = {
    "projects.archived": lambda store, limit, after: store.projects.archived(limit, after),
    "users.archived": lambda store, limit, after: store.users.archived(after, limit),
    "conflicts.for_project": lambda store, limit, after: store.conflicts.for_project(HERS, limit=limit, after=after),
    "notes.for_project": lambda store, limit, after: store.notes.for_project(HERS, limit=limit, after=after),
    "notes.for_project, one type": lambda store, limit, after: store.notes.for_project(
        HERS, note_type="idea", limit=limit, after=after
    ),
    "notes.for_project, one tag": lambda store, limit, after: store.notes.for_project(
        HERS, tag="money", limit=limit, after=after
    ),
    "notes.search": lambda store, limit, after: store.notes.search(HERS, "pays", limit=limit, after=after),
    "knowledge.documents_of_project": lambda store, limit, after: store.knowledge.documents_of_project(
        HERS, limit=limit, after=after
    ),
    "knowledge.documents_of_user": lambda store, limit, after: store.knowledge.documents_of_user(
        ADA, limit=limit, after=after
    ),
    "knowledge.suggestions": lambda store, limit, after: store.knowledge.suggestions(HERS, limit=limit, after=after),
    "knowledge.suggestions, every status": lambda store, limit, after: store.knowledge.suggestions(
        HERS, None, limit=limit, after=after
    ),
    "knowledge_entries.entries": lambda store, limit, after: store.knowledge_entries.entries(
        HERS, limit=limit, after=after
    ),
    "llm.usage": lambda store, limit, after: store.llm.usage(ADA, limit=limit, after=after),
    "llm.usage, one provider": lambda store, limit, after: store.llm.usage(
        ADA, provider="claude", limit=limit, after=after
    ),
    "llm.usage, until": lambda store, limit, after: store.llm.usage(
        ADA, until=_FIRST + timedelta(days=1), limit=limit, after=after
    ),
    "conversations.last": lambda store, limit, after: store.conversations.last(HERS, limit),
    "conversations.before": lambda store, limit, after: store.conversations.before(HERS, 100, limit),
    "conversations.after": lambda store, limit, after: store.conversations.after(HERS, _place(after), limit),
    "conversations.by_phase": lambda store, limit, after: store.conversations.by_phase(
        HERS, "design", _place(after), limit
    ),
    "conversations.search": lambda store, limit, after: store.conversations.search(HERS, "books", count=limit),
}
"""Lists that are read a page at a time: how many, and the last record of the page before, or None."""


def _place(after: Any) -> int:
    return -1 if after is None else int(after.position)


def _of_ada(**options: Any) -> Paged:
    return lambda store, limit, after: store.projects.for_user(ADA, limit=limit, after=after, **options)


for _sort in ("updated_at", "created_at", "name"):
    for _descending in (True, False):
        for _archived in (False, True, None):
            _name = f"projects.for_user, {_sort} {'down' if _descending else 'up'}, archived {_archived}"
            PAGES[_name] = _of_ada(sort=_sort, descending=_descending, archived=_archived)
