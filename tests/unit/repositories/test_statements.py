"""What every call costs, and that none of them reads a whole table."""

from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import CompoundSelect, Delete, Insert, Select, Update, select

from socrates.drafts import NewMaturityEvent, NewMessage, NewSpec
from socrates.models import Base, Project
from socrates.repositories.projects import ProjectUpdate
from socrates.store import Store, UnitOfWork
from socrates.views import Analytics, CategoryScore
from tests.support.stores import counted, fresh_store, thrown_away
from tests.unit.repositories.plans import scans, settle

CATEGORY = CategoryScore("design", "api", 1.0, 5.0, 0.5, 1, {})  # type: ignore[arg-type]
ANALYTICS = Analytics(1.5, 2, 0.5, ("api",), (), None, {})  # type: ignore[arg-type]


async def _export(store: Store, batch: int) -> list[Any]:
    return [message async for message in store.conversations.export("p", batch)]


async def _paged(store: Store, **options: Any) -> Sequence[Any]:
    return await store.projects.for_user("ada", limit=1, after=await _summary("p"), **options)


_known: dict[str, Any] = {}


async def _summary(project_id: str) -> Any:
    """A summary read before the counting began."""
    return _known[project_id]


READS: dict[str, Callable[[Store], Awaitable[Any]]] = {
    "summary": lambda store: store.projects.summary("p"),
    "details": lambda store: store.projects.details("p"),
    "context": lambda store: store.projects.context("p"),
    "archived, first page": lambda store: store.projects.archived(),
    "count_owned": lambda store: store.projects.count_owned("ada"),
    "count_owned, both kinds": lambda store: store.projects.count_owned("ada", archived=None),
    "members": lambda store: store.projects.members("p"),
    "members, also inactive": lambda store: store.projects.members("p", include_inactive=True),
    "is_member, owner": lambda store: store.projects.is_member("p", "ada"),
    "is_member, nobody": lambda store: store.projects.is_member("p", "eve"),
    "pending_questions": lambda store: store.projects.pending_questions("p"),
    "pending_questions, one status": lambda store: store.projects.pending_questions("p", status="pending"),
    "phase_scores": lambda store: store.projects.phase_scores("p"),
    "category_scores": lambda store: store.projects.category_scores("p"),
    "category_scores, one phase": lambda store: store.projects.category_scores("p", "design"),
    "specs": lambda store: store.projects.specs("p"),
    "specs, one phase": lambda store: store.projects.specs("p", "design"),
    "maturity_events": lambda store: store.projects.maturity_events("p"),
    "analytics": lambda store: store.projects.analytics("p"),
    "last": lambda store: store.conversations.last("p"),
    "before": lambda store: store.conversations.before("p", 2),
    "after": lambda store: store.conversations.after("p", 0),
    "by_phase": lambda store: store.conversations.by_phase("p", "design"),
    "search": lambda store: store.conversations.search("p", "books"),
    "count": lambda store: store.conversations.count("p"),
    "export, one batch": lambda store: _export(store, 1000),
    "archived, next page": lambda store: store.projects.archived(after=_known["dated"]),
    "archived, next page, undated": lambda store: store.projects.archived(after=_known["undated"]),
}
for _sort in ("updated_at", "created_at", "name"):
    for _descending in (False, True):
        for _archived in (False, True, None):
            _options = {"sort": _sort, "descending": _descending, "archived": _archived}
            READS[f"for_user {_options}"] = lambda store, options=_options: store.projects.for_user("ada", **options)
            READS[f"for_user, next page {_options}"] = lambda store, options=_options: _paged(store, **options)

WRITES: dict[str, tuple[int, int, Callable[[UnitOfWork], Awaitable[Any]]]] = {
    "create": (4, 2, lambda unit: unit.projects.create("new", "ada")),
    "create with lists": (
        7,
        2,
        lambda unit: unit.projects.create("new", "ada", requirements=["a", "b"], tech_stack=["c"], constraints=["d"]),
    ),
    "update a column": (1, 2, lambda unit: unit.projects.update("p", 1, goals="new")),
    "update nothing": (1, 2, lambda unit: unit.projects.update("p", 1)),
    "update a list that stays": (2, 3, lambda unit: unit.projects.update("p", 1, requirements=["a", "b"])),
    "update a list that grows": (3, 3, lambda unit: unit.projects.update("p", 1, requirements=["a", "b", "c", "d"])),
    "update a list that shrinks": (3, 3, lambda unit: unit.projects.update("p", 1, requirements=["a"])),
    "update a list, both": (4, 3, lambda unit: unit.projects.update("p", 1, requirements=["x"])),
    "bulk_update": (2, 3, lambda unit: unit.projects.bulk_update([ProjectUpdate("p", 1, {"goals": "x"})])),
    "bulk_update of nothing": (0, 0, lambda unit: unit.projects.bulk_update([])),
    "archive": (1, 2, lambda unit: unit.projects.archive("p")),
    "archive again": (2, 3, lambda unit: unit.projects.archive("dated")),
    "restore": (1, 2, lambda unit: unit.projects.restore("dated")),
    "delete": (4, 2, lambda unit: unit.projects.delete("p")),
    "transfer": (2, 2, lambda unit: unit.projects.transfer("p", "bob")),
    "add_member": (3, 4, lambda unit: unit.projects.add_member("p", "cid")),
    "update_member to lead": (2, 3, lambda unit: unit.projects.update_member("p", "bob", role="lead")),
    "update_member to another role": (3, 4, lambda unit: unit.projects.update_member("p", "bob", role="analyst")),
    "update_member's skills": (2, 3, lambda unit: unit.projects.update_member("p", "bob", skills=["x"])),
    "remove_member": (2, 3, lambda unit: unit.projects.remove_member("p", "bob")),
    "add_question": (1, 2, lambda unit: unit.projects.add_question("p", "Why?", "design")),
    "answer_question": (1, 2, lambda unit: unit.projects.answer_question("p", "q", "So.", "ada")),
    "skip_question": (1, 2, lambda unit: unit.projects.skip_question("p", "q")),
    "save_phase_scores": (1, 2, lambda unit: unit.projects.save_phase_scores("p", {"design": 1.0, "analysis": 2.0})),
    "save_category_scores": (2, 2, lambda unit: unit.projects.save_category_scores("p", "design", [CATEGORY])),
    "add_specs": (2, 2, lambda unit: unit.projects.add_specs("p", "design", [NewSpec("a", "b"), NewSpec("c", "d")])),
    "add_maturity_event": (
        2,
        2,
        lambda unit: unit.projects.add_maturity_event("p", NewMaturityEvent("design", 1.0, 2.0, "answer")),
    ),
    "save_analytics": (1, 2, lambda unit: unit.projects.save_analytics("p", ANALYTICS)),
    "append": (2, 2, lambda unit: unit.conversations.append("p", NewMessage("user", "x"))),
    "append_many": (2, 2, lambda unit: unit.conversations.append_many("p", [NewMessage("user", "x")] * 50)),
    "append_many of nothing": (0, 0, lambda unit: unit.conversations.append_many("p", [])),
}
LOCKED = {
    *("delete", "transfer"),
    *("add_member", "update_member to lead", "update_member to another role", "update_member's skills"),
    *("remove_member", "add_question", "answer_question", "skip_question"),
    *("save_phase_scores", "save_category_scores", "add_specs", "add_maturity_event", "save_analytics"),
}
"""The writes that take one lock more on PostgreSQL: they decide on rows that may not be there yet."""
"""Statements, crossings with the commit (fewer where writes go along with the next one, or with it), and the call."""


async def fill(store: Store) -> None:
    async with store.begin() as unit:
        await unit.projects.create("p", "ada", project_id="p", requirements=["a", "b"])
        await unit.projects.add_member("p", "bob")
        await unit.projects.add_question("p", "Who?", "design", question_id="q")
        await unit.conversations.append_many("p", [NewMessage("user", "books", phase="design")] * 3)
        for name in ("dated", "undated"):
            await unit.projects.create(name, "ada", project_id=name)
            _known[name] = await unit.projects.archive(name)
        session = unit.projects._session
        await (await session.connection()).exec_driver_sql(  # type: ignore[attr-defined]
            "UPDATE projects SET archived_at = NULL WHERE id = 'undated'"
        )
        for name in ("p", "undated"):
            _known[name] = await unit.projects.summary(name)


@pytest.mark.parametrize("name", READS)
async def test_a_read_is_one_statement_in_one_crossing_and_scans_no_table(name: str, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        await store.health()  # opens a reader
        with counted(store) as cost:
            await READS[name](store)
        cost.must_be(statements=1, crossings=1)
        assert await scans(store, cost.statements) == []


@pytest.mark.parametrize("name", WRITES)
async def test_a_write_is_as_many_statements_as_promised_and_scans_no_table(name: str, tmp_path: Path) -> None:
    statements, crossings, write = WRITES[name]
    async with fresh_store(tmp_path) as store:
        await fill(store)
        with counted(store) as cost:
            async with store.begin() as unit:
                await write(unit)
        cost.must_be(statements, crossings, locks=name in LOCKED)
        assert await scans(store, cost.statements) == []


@pytest.mark.sampled
@pytest.mark.parametrize("name", [*READS, *WRITES])
async def test_no_call_builds_a_statement_anew(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def call(store: Store) -> None:
        if name in READS:
            await READS[name](store)
        else:
            async with store.begin() as unit:
                await WRITES[name][2](unit)

    (tmp_path / "first").mkdir()
    async with fresh_store(tmp_path / "first") as store:
        await fill(store)
        await call(store)
    built: list[object] = []
    for kind in (Select, CompoundSelect, Insert, Update, Delete):

        def spy(self: Any, *arguments: Any, original: Any = kind.__init__, **named: Any) -> None:
            built.append(self)
            original(self, *arguments, **named)

        monkeypatch.setattr(kind, "__init__", spy)
    async with fresh_store(tmp_path) as store:
        await fill(store)
        built.clear()
        await call(store)
        assert built == []
        select(1)
        assert len(built) == 1


async def fill_with_many(store: Store) -> None:
    """Three thousand projects like "p", of a thousand people, every other one archived."""
    rest = ", ".join(column.name for column in Project.__table__.columns if column.name not in FRESH)
    async with store.begin() as unit:
        connection = await unit.projects._session.connection()  # type: ignore[attr-defined]
        await connection.exec_driver_sql(
            f"INSERT INTO projects ({', '.join(FRESH)}, {rest}) SELECT 'p' || i, 'user ' || i % 1000, i % 2 = 0,"
            f" CASE WHEN i % 2 = 0 THEN created_at + i * interval '1 second' END, {rest}"
            " FROM projects, generate_series(1, 3000) AS i WHERE id = 'p'"
        )
        for name in (table.name for table in Base.metadata.sorted_tables if "project_id" in table.columns):
            names = {"id", "username"} & set(Base.metadata.tables[name].columns.keys())
            own = "".join(f", '{each}', template.{each} || projects.{OWN[each]}" for each in names)
            changed = f"jsonb_build_object('project_id', projects.id{own})"
            await connection.exec_driver_sql(
                f"INSERT INTO {name} SELECT (jsonb_populate_record(template, {changed})).*"
                f" FROM {name} AS template, projects WHERE template.project_id = 'p' AND projects.id LIKE 'p_%%'"
            )
        await connection.exec_driver_sql(
            "INSERT INTO project_note_tags (note_id, position, tag) SELECT project_notes.id, position, tag"
            " FROM project_notes, project_note_tags WHERE project_notes.id != 'n'"
        )
    await settle(store)


FRESH = ("id", "owner", "is_archived", "archived_at")
OWN = {"id": "id", "username": "owner"}
EMPTY = (
    "project_tech_stack",
    "project_constraints",
    "knowledge_documents",
    "knowledge_entries",
    "embedding_cache",
    "v1_import_runs",
    "v1_import_digests",
    "v1_import_deletions",
)
"""Tables without a row here, which PostgreSQL reads as they are."""


@pytest.mark.postgres
async def test_among_many_rows_postgres_searches_indexes_by_its_own_choice(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        async with store.begin() as unit:
            await unit.notes.create("p", "title", "text", tags=["a", "b", "c"], note_id="n")
            for name in ("save_category_scores", "add_specs", "add_maturity_event"):
                await WRITES[name][2](unit)
        await fill_with_many(store)
        walks = {}
        for name, read in {**READS, "notes": lambda store: store.notes.search("p", "x", limit=9)}.items():
            with counted(store) as cost:
                await read(store)
            walks[name] = await scans(store, cost.statements, by_choice=True)
        for name, (_, _, write) in WRITES.items():
            async with thrown_away(store) as unit:
                with counted(store) as cost:
                    await write(unit)
            walks[name] = await scans(store, cost.statements, by_choice=True)
    found = {name: [step for step in steps if not step.endswith(EMPTY)] for name, steps in walks.items()}
    assert {name: steps for name, steps in found.items() if steps} == {}


async def test_the_check_of_plans_can_fail(tmp_path: Path, engine: str) -> None:
    mark, whole = ("?", "SCAN") if engine == "sqlite" else ("$1", "Seq Scan")
    async with fresh_store(tmp_path) as store:
        assert await scans(store, [f"SELECT * FROM projects WHERE name = {mark}"]) == [f"{whole} projects"]
        whole_index = await scans(store, [f"SELECT owner FROM projects WHERE updated_at = {mark}"])
    assert len(whole_index) == 1


async def test_an_export_is_a_statement_a_batch(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await fill(store)
        with counted(store) as cost:
            assert len(await _export(store, 2)) == 3
    assert len(cost.statements) == 2


@pytest.mark.parametrize("entries", [1, 10, 300])
async def test_the_size_of_what_hangs_on_a_project_costs_no_statement(entries: int, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        texts = [f"entry {number}" for number in range(entries)]
        with counted(store) as made:
            async with store.begin() as unit:
                created = await unit.projects.create(
                    "n", "ada", requirements=texts, tech_stack=texts, constraints=texts
                )
                await unit.projects.add_specs(created.id, "design", [NewSpec("c", text) for text in texts])
                await unit.conversations.append_many(created.id, [NewMessage("user", text) for text in texts])
        with counted(store) as read:
            details = await store.projects.details(created.id)
    assert len(made.statements) == 7 + 2 + 2
    assert len(read.statements) == 1
    assert details.constraints == tuple(texts)
    assert len(details.specs) == entries
