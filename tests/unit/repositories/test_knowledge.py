import asyncio
from collections.abc import Awaitable, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from socrates.errors import AlreadyExistsError, InvalidValueError, NotFoundError, ProjectNotFoundError
from socrates.models import KnowledgeDocument
from socrates.store import Store, UnitOfWork
from socrates.views import DocumentSummary, Suggestion, SuggestionCounts
from tests.support.stores import another_store, counted, fresh_store
from tests.unit.repositories.plans import query_plan, scans
from tests.unit.repositories.rows import THEN, put, put_project

MINUTE = timedelta(minutes=1)


async def add_document(store: Store, project_id: str = "p1", user_id: str = "ada", **values: Any) -> DocumentSummary:
    async with store.begin() as unit:
        return await unit.knowledge.add_document(project_id, user_id, "a.txt", values.pop("content", "text"), **values)


async def add_suggestion(store: Store, project_id: str = "p1", **values: Any) -> Suggestion:
    async with store.begin() as unit:
        return await unit.knowledge.add_suggestion(project_id, "REST is a style", "api", **values)


async def decide(store: Store, key: str, status: Any, by: str | None = "ada") -> Suggestion:
    async with store.begin() as unit:
        return await unit.knowledge.decide(key, status, by)


async def put_documents(store: Store, *places: tuple[str, datetime | None], **columns: Any) -> None:
    """Documents as v1 may have left them: some without a time."""
    row = {"project_id": "p1", "user_id": "ada", "filename": "f", "content": "c", "extra": {"by": "v1"}} | columns
    await put(store, KnowledgeDocument, *(row | {"id": key, "uploaded_at": at} for key, at in places))


def ids(records: tuple[DocumentSummary, ...] | tuple[Suggestion, ...]) -> list[str]:
    return [record.id for record in records]


async def pages(read: Callable[..., Awaitable[tuple[Any, ...]]], size: int) -> list[str]:
    """The ids of all pages of at most `size`, one after another."""
    found: list[str] = []
    page = await read(limit=size)
    while page:
        assert len(page) <= size
        found += ids(page)
        page = await read(limit=size, after=page[-1])
    return found


async def test_a_new_document_is_measured_stamped_and_found(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        before = datetime.now(UTC)
        summary = await add_document(store, content="größer €")
        assert summary.file_size == len("größer €".encode()) == 12
        assert summary.uploaded_at is not None
        assert before <= summary.uploaded_at <= datetime.now(UTC)
        assert (summary.content_type, summary.extra) == (None, {})
        document = await store.knowledge.document(summary.id)
        assert (document.summary, document.content, document.embedding) == (summary, "größer €", None)


async def test_a_new_document_takes_what_it_is_given(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        given = {"content_type": "text/plain", "file_size": 0, "document_id": "d1", "uploaded_at": THEN}
        summary = await add_document(store, embedding=b"\x00\x01", **given)
        assert summary == DocumentSummary("d1", "p1", "ada", "a.txt", 0, "text/plain", THEN, summary.extra)
        document = await store.knowledge.document("d1")
        assert (document.summary, document.embedding) == (summary, b"\x00\x01")
        assert "x01" not in repr(document)


async def test_a_document_needs_a_project_and_an_id_of_its_own(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        with pytest.raises(ProjectNotFoundError) as missing:
            await add_document(store, "nowhere")
        assert missing.value.key == "nowhere"
        await put_project(store, "p1", "ada")
        await add_document(store, document_id="d1", content="first")
        with pytest.raises(AlreadyExistsError):
            await add_document(store, document_id="d1", content="second")
        assert (await store.knowledge.document("d1")).content == "first"


@pytest.mark.parametrize(
    "values",
    [{"content": "\ud800"}, {"file_size": 2**63}, {"uploaded_at": datetime(2026, 1, 1)}],
    ids=["surrogate", "too large", "naive"],
)
async def test_a_document_that_cannot_be_stored_is_refused(tmp_path: Path, values: dict[str, Any]) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        with pytest.raises(InvalidValueError):
            await add_document(store, **values)
        assert await store.knowledge.documents_of_project("p1") == ()


async def test_documents_are_listed_oldest_first_with_those_without_a_time_before_all(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await put_project(store, "p2", "bob")
        await put_documents(store, ("d", THEN), ("c", THEN + MINUTE), ("b", THEN), ("z", None), ("y", None))
        await put_documents(store, ("other", THEN), project_id="p2", user_id="bob")
        await put_documents(store, ("mine elsewhere", THEN - MINUTE), project_id="p2")
        assert ids(await store.knowledge.documents_of_project("p1")) == ["y", "z", "b", "d", "c"]
        assert ids(await store.knowledge.documents_of_user("ada")) == ["y", "z", "mine elsewhere", "b", "d", "c"]
        assert ids(await store.knowledge.documents_of_user("bob")) == ["other"]
        assert await store.knowledge.documents_of_project("p3") == ()
        (first, *_) = await store.knowledge.documents_of_project("p1")
        assert first.extra == {"by": "v1"}


@pytest.mark.parametrize("size", [1, 2, 3, 4, 50])
async def test_pages_of_documents_hold_each_one_once(tmp_path: Path, size: int) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        places = [(f"u{n}", None) for n in range(3)]
        places += [(f"d{n}", THEN + n // 3 * timedelta(microseconds=1)) for n in range(8)]
        await put_documents(store, *reversed(places))
        expected = [key for key, _ in places]
        assert await pages(lambda **page: store.knowledge.documents_of_project("p1", **page), size) == expected
        assert await pages(lambda **page: store.knowledge.documents_of_user("ada", **page), size) == expected


async def test_a_page_holds_at_least_one(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for read in (store.knowledge.documents_of_project, store.knowledge.documents_of_user):
            with pytest.raises(InvalidValueError):
                await read("x", limit=0)
        with pytest.raises(InvalidValueError):
            await store.knowledge.suggestions("p1", limit=-1)


async def test_a_deleted_document_is_gone_and_cannot_be_deleted_again(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await put_documents(store, ("d1", THEN), ("d2", THEN))
        async with store.begin() as unit:
            await unit.knowledge.delete_document("d1")
        assert ids(await store.knowledge.documents_of_project("p1")) == ["d2"]
        with pytest.raises(NotFoundError) as read:
            await store.knowledge.document("d1")
        assert (read.value.kind, read.value.key) == ("document", "d1")
        with pytest.raises(NotFoundError):
            async with store.begin() as unit:
                await unit.knowledge.delete_document("d1")


async def test_a_new_suggestion_is_pending_with_v1s_defaults(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        added = await add_suggestion(store)
        assert (added.topic, added.difficulty, added.reason) == ("api", "intermediate", "insufficient_context")
        assert (added.agent, added.status, added.decided_at, added.decided_by) == ("unknown", "pending", None, None)
        assert abs(datetime.now(UTC) - added.created_at) < MINUTE
        assert await store.knowledge.suggestion(added.id) == added
        with pytest.raises(ProjectNotFoundError):
            await add_suggestion(store, "nowhere")
        with pytest.raises(AlreadyExistsError):
            await add_suggestion(store, suggestion_id=added.id)
        with pytest.raises(NotFoundError):
            await store.knowledge.suggestion("nothing")


async def test_a_new_suggestion_takes_what_it_is_given(tmp_path: Path) -> None:
    given = {"topic": "t", "difficulty": "hard", "reason": "r", "agent": "a", "created_at": THEN}
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        added = await add_suggestion(store, suggestion_id="s1", **given)
        assert {name: getattr(added, name) for name in given} == given
        assert added.id == "s1"


async def test_suggestions_are_there_for_another_store(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        added = await add_suggestion(store)
        async with another_store(store) as other:
            assert await other.knowledge.suggestions("p1") == (added,)


async def test_suggestions_are_listed_by_status_oldest_first(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await put_project(store, "p2", "ada")
        for key, minutes in (("c", 0), ("a", 2), ("b", 0), ("d", 1)):
            await add_suggestion(store, suggestion_id=key, created_at=THEN + minutes * MINUTE)
        await add_suggestion(store, "p2", suggestion_id="other")
        await decide(store, "b", "rejected")
        await decide(store, "a", "approved")
        assert ids(await store.knowledge.suggestions("p1")) == ["c", "d"]
        assert ids(await store.knowledge.suggestions("p1", "approved")) == ["a"]
        assert ids(await store.knowledge.suggestions("p1", "rejected")) == ["b"]
        assert ids(await store.knowledge.suggestions("p1", None)) == ["b", "c", "d", "a"]
        assert await store.knowledge.suggestions("nowhere", None) == ()
        with pytest.raises(InvalidValueError):
            await store.knowledge.suggestions("p1", "all")  # type: ignore[arg-type]


@pytest.mark.parametrize("status", ["pending", None])
async def test_pages_of_suggestions_hold_each_one_once(tmp_path: Path, status: Any) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        for n in reversed(range(7)):
            at = THEN + n // 3 * timedelta(microseconds=1)
            await add_suggestion(store, suggestion_id=f"s{n}", created_at=at)
        for size in (1, 2, 3, 50):
            found = await pages(lambda **page: store.knowledge.suggestions("p1", status, **page), size)
            assert found == [f"s{n}" for n in range(7)]


async def test_a_decision_is_kept_with_its_maker_and_time(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await add_suggestion(store, suggestion_id="s1")
        await add_suggestion(store, suggestion_id="s2")
        decided = await decide(store, "s1", "approved")
        assert (decided.status, decided.decided_by) == ("approved", "ada")
        assert decided.decided_at is not None
        assert abs(datetime.now(UTC) - decided.decided_at) < MINUTE
        assert await store.knowledge.suggestion("s1") == decided
        assert (await store.knowledge.suggestion("s2")).status == "pending"
        assert (await decide(store, "s2", "rejected", None)).decided_by is None


@pytest.mark.parametrize("first", ["approved", "rejected"])
@pytest.mark.parametrize("second", ["approved", "rejected"])
async def test_a_suggestion_is_decided_once(tmp_path: Path, first: str, second: str) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await add_suggestion(store, suggestion_id="s1")
        decided = await decide(store, "s1", first)
        with pytest.raises(InvalidValueError, match=first):
            await decide(store, "s1", second, "bob")
        assert await store.knowledge.suggestion("s1") == decided


async def test_of_many_decisions_at_once_one_succeeds(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await add_suggestion(store, suggestion_id="s1")
        names = [f"u{n}" for n in range(10)]
        outcomes = await asyncio.gather(
            *(decide(store, "s1", "approved", name) for name in names), return_exceptions=True
        )
        winners = [outcome for outcome in outcomes if isinstance(outcome, Suggestion)]
        assert [await store.knowledge.suggestion("s1")] == winners
        assert [type(outcome) for outcome in outcomes].count(InvalidValueError) == 9


async def test_decisions_that_make_no_sense_are_refused(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await add_suggestion(store, suggestion_id="s1")
        with pytest.raises(NotFoundError):
            await decide(store, "nothing", "approved")
        with pytest.raises(InvalidValueError):
            await decide(store, "s1", "pending")
        assert (await store.knowledge.suggestion("s1")).status == "pending"


async def test_suggestions_are_counted_and_cleared_by_status(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await put_project(store, "p2", "ada")
        for n in range(6):
            await add_suggestion(store, suggestion_id=f"s{n}")
        await add_suggestion(store, "p2", suggestion_id="other")
        assert await store.knowledge.suggestion_counts("p1") == SuggestionCounts(pending=6, approved=0, rejected=0)
        await decide(store, "s0", "approved")
        await decide(store, "s1", "approved")
        await decide(store, "s2", "rejected")
        assert await store.knowledge.suggestion_counts("p1") == SuggestionCounts(pending=3, approved=2, rejected=1)
        async with store.begin() as unit:
            assert await unit.knowledge.clear_suggestions("p1") == 3
        assert ids(await store.knowledge.suggestions("p1", None)) == ["s3", "s4", "s5"]
        async with store.begin() as unit:
            assert await unit.knowledge.clear_suggestions("p1", keep_pending=False) == 3
            assert await unit.knowledge.clear_suggestions("p1", keep_pending=False) == 0
        assert await store.knowledge.suggestion_counts("p1") == SuggestionCounts(0, 0, 0)
        assert await store.knowledge.suggestion_counts("nowhere") == SuggestionCounts(0, 0, 0)
        assert ids(await store.knowledge.suggestions("p2")) == ["other"]


async def test_every_read_is_one_statement_through_an_index(tmp_path: Path, engine: str) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await put_documents(store, ("d0", None), ("d1", THEN), ("d2", THEN))
        for key in ("s1", "s2"):
            await add_suggestion(store, suggestion_id=key)
        undated, dated, _ = await store.knowledge.documents_of_project("p1")
        first, _ = await store.knowledge.suggestions("p1")
        by_project, by_user = store.knowledge.documents_of_project, store.knowledge.documents_of_user
        by_time = "ix_knowledge_documents_project_id_uploaded_at (project_id=?"
        of_user = "ix_knowledge_documents_user_id_uploaded_at (user_id=?"
        in_state = "ix_knowledge_suggestions_project_id_status_created_at (project_id=?"
        reads: list[tuple[str, Callable[[], Awaitable[Any]]]] = [
            ("sqlite_autoindex_knowledge_documents_1 (id=?)", lambda: store.knowledge.document("d1")),
            (by_time, lambda: by_project("p1")),
            (by_time, lambda: by_project("p1", limit=5, after=undated)),
            (by_time + " AND uploaded_at>?", lambda: by_project("p1", limit=5, after=dated)),
            (of_user, lambda: by_user("ada")),
            (of_user, lambda: by_user("ada", limit=5, after=undated)),
            (of_user + " AND uploaded_at>?", lambda: by_user("ada", limit=5, after=dated)),
            ("sqlite_autoindex_knowledge_suggestions_1 (id=?)", lambda: store.knowledge.suggestion("s1")),
            (in_state + " AND status=?)", lambda: store.knowledge.suggestions("p1")),
            (in_state + " AND status=? AND created_at>?", lambda: store.knowledge.suggestions("p1", after=first)),
            (in_state, lambda: store.knowledge.suggestions("p1", None, limit=5)),
            (in_state, lambda: store.knowledge.suggestion_counts("p1")),
        ]
        for index, read in reads:
            with counted(store) as cost:
                assert await read()
            cost.must_be(1, 1)
            assert await scans(store, cost.statements) == []
            if engine == "sqlite":
                assert index in await query_plan(store, cost.statements)


async def test_lists_of_documents_leave_texts_and_vectors_where_they_are(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await store.knowledge.documents_of_project("p1")
        with counted(store) as cost:
            await store.knowledge.documents_of_project("p1")
            await store.knowledge.documents_of_user("ada")
        for statement in cost.statements:
            assert "knowledge_documents.content," not in statement
            assert "embedding" not in statement


GOES_ALONG = ("v1_import_deletions", "knowledge_removals", "embedding_cache")
"""What a deletion of a document writes besides, in the same crossing."""


async def test_every_write_is_one_statement_and_what_a_deletion_remembers_goes_along_with_it(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "ada")
        await put_documents(store, ("d1", THEN))
        await add_suggestion(store, suggestion_id="s1")
        writes: list[Callable[[UnitOfWork], Awaitable[Any]]] = [
            lambda unit: unit.knowledge.add_document("p1", "ada", "f", "c"),
            lambda unit: unit.knowledge.delete_document("d1"),
            lambda unit: unit.knowledge.add_suggestion("p1", "c", "api"),
            lambda unit: unit.knowledge.decide("s1", "approved", "ada"),
            lambda unit: unit.knowledge.clear_suggestions("p1"),
            lambda unit: unit.knowledge.clear_suggestions("p1", keep_pending=False),
        ]
        for write in writes:
            with counted(store) as cost:
                async with store.begin() as unit:
                    await write(unit)
            along = [text for text in cost.statements if any(table in text for table in GOES_ALONG)]
            cost.must_be(1 + len(along), 2)
            assert await scans(store, cost.statements) == []
