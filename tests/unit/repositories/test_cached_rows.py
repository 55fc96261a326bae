"""That cached reads depend on all that they read, and that every write drops what it makes wrong, and little else."""

import inspect
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Column, Table, event
from sqlalchemy.sql import visitors

from socrates.caching import bypassed
from socrates.caching.cache import ABSENT
from socrates.database.dependencies import Rows
from socrates.drafts import NewConflict, NewEntry, NewMaturityEvent, NewMessage, NewSpec
from socrates.errors import NotFoundError
from socrates.frozen import FrozenDict
from socrates.repositories import cached_rows
from socrates.repositories.base import Repository
from socrates.repositories.conflicts import ConflictReads, ConflictRepository
from socrates.repositories.conversations import ConversationReads, ConversationRepository
from socrates.repositories.embeddings import EmbeddingReads, EmbeddingRepository
from socrates.repositories.index_work import IndexWorkReads, IndexWorkRepository
from socrates.repositories.knowledge import KnowledgeReads, KnowledgeRepository
from socrates.repositories.knowledge_entries import Embedded, KnowledgeEntryReads, KnowledgeEntryRepository
from socrates.repositories.learning import LearningReads, LearningRepository
from socrates.repositories.llm import LLMReads, LLMRepository
from socrates.repositories.login_failures import LoginFailureRepository
from socrates.repositories.notes import NoteReads, NoteRepository
from socrates.repositories.projects import ProjectReads, ProjectRepository, ProjectUpdate
from socrates.repositories.users import UserReads, UserRepository
from socrates.store import Store, UnitOfWork
from socrates.views import Analytics, BehaviorPattern, CategoryScore, QuestionEffectiveness, Usage
from tests.support.stores import fresh_store, is_on_sqlite, thrown_away

PROJECTS = ("p", "q", "new")
USERS = ("ada", "eve", "new")
NOTES = ("n", "m", "new")
NEXT = datetime(2100, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Read:
    """One call of a cached method, by the name in the cache's statistics."""

    name: str
    arguments: tuple[Any, ...]
    named: tuple[tuple[str, Any], ...] = ()

    def __str__(self) -> str:
        return f"{self.name} {self.arguments[0]}"

    async def outcome(self, store: Store) -> Any:
        """What it returns, or whom it did not find."""
        face, method = CACHED[self.name]
        try:
            return await getattr(getattr(store, face), method)(*self.arguments, **dict(self.named))
        except NotFoundError as error:
            return str(error)

    def is_kept(self, store: Store) -> bool:
        face, method = CACHED[self.name]
        of = getattr(store, face)
        return getattr(type(of), method).kept(of, *self.arguments, **dict(self.named)) is not ABSENT

    def tags(self, store: Store, result: Any) -> Iterator[Any]:
        face, method = CACHED[self.name]
        tags = inspect.getclosurevars(getattr(type(getattr(store, face)), method)).nonlocals["tags"]
        yield from tags(result, *self.arguments, **dict(self.named))


FACES: dict[str, tuple[type[Repository], type[Repository]]] = {
    "projects": (ProjectReads, ProjectRepository),
    "conversations": (ConversationReads, ConversationRepository),
    "conflicts": (ConflictReads, ConflictRepository),
    "users": (UserReads, UserRepository),
    "notes": (NoteReads, NoteRepository),
    "learning": (LearningReads, LearningRepository),
    "knowledge": (KnowledgeReads, KnowledgeRepository),
    "knowledge_entries": (KnowledgeEntryReads, KnowledgeEntryRepository),
    "index_work": (IndexWorkReads, IndexWorkRepository),
    "embeddings": (EmbeddingReads, EmbeddingRepository),
    "llm": (LLMReads, LLMRepository),
    "login_failures": (Repository, LoginFailureRepository),
}
"""What reads of each face of the store, and what writes."""

CACHED = {
    inspect.getclosurevars(function).nonlocals["name"]: (face, method)
    for face, (reads, _) in FACES.items()
    for method, function in inspect.getmembers(reads, lambda member: hasattr(member, "kept"))
}
"""Where the cached methods are, by their names in the statistics."""

OF_PROJECT = (
    *(
        "projects.summary",
        "projects.details",
        "projects.context",
        "projects.pending_questions",
        "projects.phase_scores",
    ),
    *("projects.category_scores", "projects.specs", "projects.maturity_events", "projects.analytics"),
    *("conversations.last", "conversations.count", "conflicts.pending", "notes.for_project"),
)
OF_USER = (
    *("users.get", "users.subscription", "users.exists"),
    *("learning.effectiveness_of", "learning.patterns_of", "llm.configs"),
)
READS = [
    *(Read(name, (project,)) for name in OF_PROJECT for project in PROJECTS),
    *(Read(name, (user,)) for name in OF_USER for user in USERS),
    *(Read("notes.get", (note,)) for note in NOTES),
    *(Read("projects.is_member", (project, user)) for project in PROJECTS for user in USERS),
    *(
        Read("projects.members", (project,), (("include_inactive", also),))
        for project in PROJECTS
        for also in (True, False)
    ),
    *(Read("projects.pending_questions", (project,), (("status", "pending"),)) for project in PROJECTS),
    *(
        Read("projects.for_user", (user,), (("archived", archived), ("sort", "name")))
        for user in USERS
        for archived in (True, False, None)
    ),
    *(Read("projects.count_owned", (user,), (("archived", archived),)) for user in USERS for archived in (True, None)),
    *(Read("learning.find_effectiveness", (user, "t")) for user in USERS),
    *(Read("learning.find_pattern", (user, "t")) for user in USERS),
    *(Read("llm.find_config", (user, "claude")) for user in USERS),
    *(Read("index_work.vectors", (project, "m", 100)) for project in PROJECTS),
]

Write = Callable[[UnitOfWork], Awaitable[Any]]
_MESSAGE, _SPEC, _EVENT = NewMessage("user", "x"), NewSpec("api", "x"), NewMaturityEvent("design", 1.0, 2.0, "x")
_CONFLICT = NewConflict("goals", "slow", "fast", "high")
_CATEGORY = CategoryScore("design", "api", 1.0, 5.0, 0.5, 1, FrozenDict())
_ANALYTICS = Analytics(1.5, 2, 0.5, ("api",), (), None, FrozenDict())


def _effectiveness(user: str, asked: int) -> QuestionEffectiveness:
    nothing = (None,) * 7
    return QuestionEffectiveness(f"of {user}", user, "t", None, asked, *nothing, FrozenDict())


def _pattern(user: str) -> BehaviorPattern:
    return BehaviorPattern(f"of {user}", user, "t", FrozenDict({"a": 1}), None, (), None, None, FrozenDict())


def _usage(key: str) -> Usage:
    return Usage(key, "ada", "claude", "m", None, 1, 1, 2, 0.5, None, True, None, None, FrozenDict())


_CHUNK = Embedded(NewEntry("text", "imported_document", source="f"), b"\0" * 4, "m")
_OTHER = Embedded(NewEntry("text", "other", id="e"), b"\0" * 4, "m")


async def _embed_again(unit: UnitOfWork) -> None:
    texts = await unit.index_work.of_other_models("n", 9)
    await unit.index_work.embed([(text, b"\1" * 4) for text in texts], "n")


async def _say_indexed(unit: UnitOfWork) -> None:
    await unit.index_work.say_indexed(await unit.index_work.waiting(9))


async def _version(unit: UnitOfWork, project: str) -> int:
    return (await unit.projects.summary(project)).version


async def _rename(unit: UnitOfWork) -> None:
    await unit.projects.update("p", await _version(unit, "p"), name="Zoo", requirements=["b"], tech_stack=["c", "d"])


async def _rename_both(unit: UnitOfWork) -> None:
    shares = [ProjectUpdate(project, await _version(unit, project), {"name": "Both"}) for project in "pq"]
    await unit.projects.bulk_update(shares)


WRITES: dict[str, Write] = {
    "users.create": lambda unit: unit.users.create("new", "hash"),
    "users.update": lambda unit: unit.users.update("ada", subscription_tier="pro"),
    "users.use_question": lambda unit: unit.users.use_question("ada", 5, next_reset=NEXT),
    "conversations.append": lambda unit: unit.conversations.append("p", _MESSAGE),
    "conversations.append_many": lambda unit: unit.conversations.append_many("p", [_MESSAGE, _MESSAGE]),
    "conflicts.add": lambda unit: unit.conflicts.add("p", [_CONFLICT]),
    "conflicts.settle": lambda unit: unit.conflicts.settle("p", "of p", "keep", None, "eve"),
    "projects.create": lambda unit: unit.projects.create("New", "new", project_id="new", constraints=["x"]),
    "projects.update": _rename,
    "projects.bulk_update": _rename_both,
    "projects.add_member": lambda unit: unit.projects.add_member("p", "eve"),
    "projects.update_member": lambda unit: unit.projects.update_member("p", "eve", role="tester"),
    "projects.remove_member": lambda unit: unit.projects.remove_member("p", "eve"),
    "projects.add_question": lambda unit: unit.projects.add_question("p", "?", "design", question_id="2"),
    "projects.answer_question": lambda unit: unit.projects.answer_question("p", "1", "yes", "eve"),
    "projects.skip_question": lambda unit: unit.projects.skip_question("p", "2"),
    "projects.save_phase_scores": lambda unit: unit.projects.save_phase_scores("p", {"design": 7.0, "more": 1.0}),
    "projects.save_category_scores": lambda unit: unit.projects.save_category_scores("p", "design", [_CATEGORY]),
    "projects.add_specs": lambda unit: unit.projects.add_specs("p", "design", [_SPEC, _SPEC]),
    "projects.add_maturity_event": lambda unit: unit.projects.add_maturity_event("p", _EVENT),
    "projects.save_analytics": lambda unit: unit.projects.save_analytics("p", _ANALYTICS),
    "notes.create": lambda unit: unit.notes.create("p", "t", "c", note_id="new", tags=["a", "b"]),
    "notes.update": lambda unit: unit.notes.update("n", title="other", tags=["c"]),
    "notes.delete": lambda unit: unit.notes.delete("n"),
    "learning.save_effectiveness": lambda unit: unit.learning.save_effectiveness(_effectiveness("ada", 2)),
    "learning.save_pattern": lambda unit: unit.learning.save_pattern(_pattern("ada")),
    "llm.save_config": lambda unit: unit.llm.save_config("ada", "openai", is_default=True),
    "llm.set_default": lambda unit: unit.llm.set_default("ada", "claude"),
    "llm.save_key": lambda unit: unit.llm.save_key("ada", "claude", "encrypted", "hash"),
    "llm.touch_key": lambda unit: unit.llm.touch_key("ada", "claude"),
    "llm.delete_key": lambda unit: unit.llm.delete_key("ada", "claude"),
    "llm.record_usage": lambda unit: unit.llm.record_usage("ada", "claude", "m"),
    "llm.record_usages": lambda unit: unit.llm.record_usages([]),
    "knowledge.add_document": lambda unit: unit.knowledge.add_document("p", "ada", "f", "c", document_id="d"),
    "knowledge.delete_document": lambda unit: unit.knowledge.delete_document("d"),
    "knowledge.add_suggestion": lambda unit: unit.knowledge.add_suggestion("p", "c", "c", suggestion_id="s"),
    "knowledge.decide": lambda unit: unit.knowledge.decide("s", "approved"),
    "knowledge.clear_suggestions": lambda unit: unit.knowledge.clear_suggestions("p"),
    "knowledge_entries.put": lambda unit: unit.knowledge_entries.put([_CHUNK, _OTHER], "p"),
    "index_work.embed": _embed_again,
    "index_work.say_indexed": _say_indexed,
    "index_work.say_lost": lambda unit: unit.index_work.say_lost(["k"]),
    "index_work.say_removed": lambda unit: unit.index_work.say_removed(["k"]),
    "embeddings.keep": lambda unit: unit.embeddings.keep("m", {"h": b"\0" * 4}),
    "embeddings.prune": lambda unit: unit.embeddings.prune(NEXT),
    "knowledge_entries.delete": lambda unit: unit.knowledge_entries.delete("e", "p"),
    "knowledge_entries.keep_only": lambda unit: unit.knowledge_entries.keep_only("g", set(), "p"),
    "knowledge_entries.delete_source": lambda unit: unit.knowledge_entries.delete_source("f", "p"),
    "knowledge_entries.delete_all": lambda unit: unit.knowledge_entries.delete_all("p"),
    "login_failures.count": lambda unit: unit.login_failures.count("ada", datetime.now(UTC)),
    "login_failures.clear": lambda unit: unit.login_failures.clear("ada"),
    "projects.archive": lambda unit: unit.projects.archive("p"),
    "projects.restore": lambda unit: unit.projects.restore("p"),
    "projects.transfer": lambda unit: unit.projects.transfer("p", "eve"),
    "projects.delete": lambda unit: unit.projects.delete("new"),
    "users.archive": lambda unit: unit.users.archive("eve"),
    "users.restore": lambda unit: unit.users.restore("eve"),
    "users.delete_permanently": lambda unit: unit.users.delete_permanently("eve"),
}
"""Every method that writes, in an order in which each finds what it needs."""


@asynccontextmanager
async def filled(directory: Path) -> AsyncIterator[Store]:
    """A store on which `WRITES` can run."""
    async with fresh_store(directory) as store:
        async with store.begin() as unit:
            for user, project, note in (("ada", "p", "n"), ("eve", "q", "m")):
                await unit.users.create(user, "hash")
                await unit.projects.create(project, user, project_id=project, requirements=["a"], tech_stack=["b"])
                await unit.projects.add_member(project, "new")
                await unit.projects.add_question(project, "?", "design", question_id="1")
                await unit.projects.save_category_scores(project, "design", [replace(_CATEGORY, category="old")])
                await unit.projects.add_specs(project, "design", [_SPEC])
                await unit.projects.add_maturity_event(project, _EVENT)
                await unit.conversations.append(project, _MESSAGE)
                await unit.conflicts.add(project, [replace(_CONFLICT, id=f"of {project}", new_author="eve")])
                await unit.notes.create(project, "t", "c", note_id=note, tags=["a"])
                await unit.learning.save_effectiveness(_effectiveness(user, 1))
                await unit.learning.save_pattern(_pattern(user))
                await unit.llm.save_config(user, "claude")
        yield store


async def fill(store: Store) -> set[Read]:
    """Read everything; returns what is kept of it."""
    for read in READS:
        await read.outcome(store)
    return {read for read in READS if read.is_kept(store)}


def test_every_cached_read_is_looked_at() -> None:
    assert {read.name for read in READS} == set(CACHED)


def test_every_write_is_looked_at() -> None:
    written = {
        f"{face}.{method}"
        for face, (reads, writes) in FACES.items()
        for method, _ in inspect.getmembers(writes, inspect.isfunction)
        if not method.startswith("_") and not hasattr(reads, method)
    }
    assert set(WRITES) == written


def test_whatever_a_cached_read_may_depend_on_is_looked_for_in_writes() -> None:
    declared = {value for value in vars(cached_rows).values() if isinstance(value, Rows)}
    assert declared == cached_rows.DEPENDENCIES.rows


@pytest.mark.sqlite
async def test_a_cached_read_depends_on_every_table_and_column_that_it_reads(tmp_path: Path) -> None:
    by_tag = {rows.any: rows for rows in cached_rows.DEPENDENCIES.rows}
    sent: list[Any] = []
    async with filled(tmp_path) as store:
        event.listen(
            store._engines.reader.sync_engine,
            "before_cursor_execute",
            lambda *given: sent.append(given[4].compiled.statement),
        )
        for name in CACHED:
            sent.clear()
            depended: set[Rows] = set()
            for read in (read for read in READS if read.name == name):
                with bypassed():
                    result = await read.outcome(store)
                if not isinstance(result, str):
                    depended |= {by_tag[tag] for tag in read.tags(store, result) if isinstance(tag, str)}
            parts = [part for statement in sent for part in visitors.iterate(statement)]
            tables = {part.name for part in parts if isinstance(part, Table)}
            assert tables, name
            assert tables <= {rows.table.name for rows in depended}, name
            for column in (part for part in parts if isinstance(part, Column) and isinstance(part.table, Table)):
                assert any(_covers(rows, column) for rows in depended), f"{name} does not depend on {column}"


def _covers(rows: Rows, column: Column[Any]) -> bool:
    """Whether a change of this column is told; that of a key is none, but another row."""
    if rows.table.name != column.table.name:
        return False
    return not rows.moved_by or column.name in rows.moved_by or column.primary_key


async def test_no_write_leaves_anything_wrong_behind(tmp_path: Path) -> None:
    async with filled(tmp_path) as store:
        looked_at = 0
        await fill(store)
        # What is collected is the same on both engines; how the cache is told of it is not.
        together = 1 if is_on_sqlite(store) else 4
        names = iter(WRITES)
        while some := list(islice(names, together)):
            async with store.begin() as unit:
                for name in some:
                    await WRITES[name](unit)
            for read in [read for read in READS if read.is_kept(store)]:
                looked_at += 1
                with bypassed():
                    true = await read.outcome(store)
                assert await read.outcome(store) == true, f"{read}, after {some}"
            await fill(store)
        # Without this nothing was proved.
        assert looked_at > len(READS) * len(WRITES) / together / 2


_OWN = {"projects.summary p", "projects.details p", "projects.for_user ada", "projects.for_user new"}

DROPPED: dict[str, set[str]] = {
    "users.update": {"users.get ada", "users.exists ada", "users.subscription ada"},
    "users.use_question": {"users.get ada", "users.exists ada"},
    "conversations.append": {*_OWN, "conversations.last p", "conversations.count p"},
    "conflicts.add": {"conflicts.pending p"},
    "conflicts.settle": {"conflicts.pending p"},
    "projects.update": {*_OWN, "projects.context p", "conversations.count p"},
    "projects.save_phase_scores": {"projects.phase_scores p", "projects.details p"},
    "projects.add_specs": {"projects.specs p", "projects.details p"},
    "projects.answer_question": {"projects.pending_questions p", "projects.details p"},
    "notes.update": {"notes.get n", "notes.for_project p"},
    "notes.create": {"notes.for_project p"},
    "learning.save_pattern": {"learning.find_pattern ada", "learning.patterns_of ada"},
    "llm.set_default": {"llm.configs ada", "llm.find_config ada"},
    "llm.record_usage": set(),
    "knowledge.add_document": set(),
    "knowledge_entries.put": {"index_work.vectors p"},
    "login_failures.count": set(),
}
"""What a write drops, of all that is read."""


async def test_a_write_drops_little_else(tmp_path: Path) -> None:
    async with filled(tmp_path) as store:
        for name, dropped in DROPPED.items():
            before = await fill(store)
            async with store.begin() as unit:
                await WRITES[name](unit)
            assert {str(read) for read in before if not read.is_kept(store)} == dropped, name


@pytest.mark.sqlite
async def test_a_unit_that_is_rolled_back_drops_nothing(tmp_path: Path) -> None:
    async with filled(tmp_path) as store:
        before = await fill(store)
        async with thrown_away(store) as unit:
            for write in WRITES.values():
                await write(unit)
        assert {read for read in READS if read.is_kept(store)} == before


@pytest.mark.sqlite
async def test_what_a_text_and_a_number_find_is_dropped_for_both(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            await unit.projects.create("One", "ada", project_id="1")
        wrong: Any = 1
        assert await store.conversations.count(wrong) == 0
        async with store.begin() as unit:
            await unit.conversations.append("1", _MESSAGE)
        assert await store.conversations.count(wrong) == 1
