"""What is deleted of an import is remembered, in the deletion's own transaction, and nothing else is."""

import shutil
import sqlite3
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from socrates.errors import NotFoundError
from socrates.models import ImportDeletion, ImportDigest, ImportRun
from socrates.store import Store, UnitOfWork
from socrates.v1.check import Changes, changes_since
from socrates.v1.ledger import last_run
from socrates.v1.target import Target
from tests.concurrency.checks import DRIVERS
from tests.support.migrate import upgrade
from tests.support.postgres import import_file
from tests.support.stores import counted, fresh_store
from tests.support.v1_files import V1File
from tests.unit.repositories.entries import chunk
from tests.unit.repositories.plans import query_plan, steps_of
from tests.unit.repositories.rows import THEN, put, put_project, put_users, stored

Call = Callable[[UnitOfWork], Awaitable[Any]]

PERSONAL = ("question_effectiveness", "behavior_patterns", "llm_provider_configs", "api_keys", "llm_usage")


async def _delete_what_was_read_from_it(unit: UnitOfWork) -> None:
    await unit.knowledge_entries.put([chunk(document_id="document of shared")], "shared")
    await unit.knowledge_entries.delete_source("a.txt", "shared")


DELETIONS: dict[str, tuple[Call, set[tuple[str, str]]]] = {
    "note": (lambda unit: unit.notes.delete("note of shared"), {("project_notes", "note of shared")}),
    "document": (
        lambda unit: unit.knowledge.delete_document("document of shared"),
        {("knowledge_documents", "document of shared")},
    ),
    "source": (_delete_what_was_read_from_it, {("knowledge_documents", "document of shared")}),
    "key": (lambda unit: unit.llm.delete_key("ada", "claude"), {("api_keys", "api_keys of ada")}),
    "project": (
        lambda unit: unit.projects.delete("shared"),
        {
            ("projects", "shared"),
            ("project_notes", "note of shared"),
            ("knowledge_documents", "document of shared"),
        },
    ),
    "user": (
        lambda unit: unit.users.delete_permanently("ada"),
        {
            ("users", "ada"),
            ("projects", "alone"),
            ("project_notes", "note of alone"),
            ("knowledge_documents", "document of alone"),
            *((table, f"{table} of ada") for table in PERSONAL),
        },
    ),
}
"""The calls that delete an imported record, and all that goes with it. ada's project "shared" goes to bob."""


@pytest.fixture(scope="module")
def v1_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file that v1 wrote: two users who share a project and have one each, and all kinds of records."""
    with V1File(tmp_path_factory.mktemp("deletions") / "projects.db") as v1:
        v1.add_project(project_id="shared", collaborators=["bob"])
        v1.add_project(project_id="alone", collaborators=[], team_members=[])
        v1.add_project(project_id="bob's", owner="bob", collaborators=["ada"])
        for key in ("shared", "alone", "bob's"):
            v1.add_note(note_id=f"note of {key}", project_id=key)
            v1.add_document(id=f"document of {key}", project_id=key)
        v1.add_user("shared")  # a key like that of a project
        for name in ("ada", "bob"):
            v1.add_user(name)
            v1.add_effectiveness(id=f"question_effectiveness of {name}", user_id=name)
            v1.add_pattern(id=f"behavior_patterns of {name}", user_id=name)
            v1.add_llm_config(id=f"llm_provider_configs of {name}", user_id=name)
            v1.add_api_key(id=f"api_keys of {name}", user_id=name, provider="claude")
            v1.add_usage(id=f"llm_usage of {name}", user_id=name)
    return v1.path


@pytest.fixture(scope="module")
def imported(v1_file: Path) -> Path:
    """That file, upgraded."""
    upgraded = Path(shutil.copyfile(v1_file, v1_file.with_name("imported.db")))
    upgrade(upgraded)
    return upgraded


@pytest.fixture
def imported_there(v1_file: Path, postgres_url: str) -> str:
    """A PostgreSQL database into which that file was imported."""
    import_file(postgres_url, v1_file)
    return postgres_url


@pytest.fixture
def path(imported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(imported, tmp_path / "projects.db"))


async def run(store: Store, *calls: Call) -> None:
    async with store.begin() as unit:
        for call in calls:
            await call(unit)


async def remembered(store: Store) -> set[tuple[str, str]]:
    return {(table, key) for table, key in await stored(store, ImportDeletion, "source_table", "source_key")}


def changes(path: Path) -> Changes:
    with closing(sqlite3.connect(path)) as connection:
        target = Target(connection)
        return changes_since(target, last_run(target))


# What is remembered


@pytest.mark.sqlite
@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("what", DELETIONS)
async def test_a_deletion_is_remembered_with_all_that_goes_with_it(
    what: str, driver: str, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCRATES_SQLITE_DRIVER", driver)
    delete, expected = DELETIONS[what]
    async with Store.open(path) as store:
        await run(store, delete)
        assert await remembered(store) == expected
    found = changes(path)
    assert set(found.deleted.first) == {f"{table} {key!r}" for table, key in expected}
    assert found.missing.count == 0


@pytest.mark.postgres
async def test_deletions_are_remembered_on_postgres(imported_there: str) -> None:
    everything = set.union(*(gone for _, gone in DELETIONS.values()))
    async with Store.open(imported_there) as store:
        await run(store, *(DELETIONS[what][0] for what in ("note", "document", "key", "project")))
        async with store.begin() as unit:
            pseudonym = (await unit.users.delete_permanently("ada")).pseudonym
        # Where v1's own tables are not, the account of the import keeps no name of a deleted user.
        assert await remembered(store) == everything - {("users", "ada")} | {("users", pseudonym)}


@pytest.mark.sqlite
async def test_a_project_that_is_handed_over_is_not_deleted(path: Path) -> None:
    async with Store.open(path) as store:
        await run(store, DELETIONS["user"][0])
        assert (await store.projects.summary("shared")).owner == "bob"
    found = changes(path)
    assert found.missing.count == 0
    assert set(found.changed.first) == {
        'projects "bob\'s"',
        "projects 'shared'",
        "knowledge_documents 'document of shared'",  # under a pseudonym, as what ada wrote in "bob's"
        'knowledge_documents "document of bob\'s"',
    }


@pytest.mark.sqlite
async def test_one_unit_may_delete_many_records(path: Path) -> None:
    names = ("note", "document", "project")
    async with Store.open(path) as store:
        await run(store, *(DELETIONS[name][0] for name in names))
        assert await remembered(store) == set.union(*(DELETIONS[name][1] for name in names))


@pytest.mark.sqlite
async def test_a_record_that_is_deleted_again_keeps_its_first_time(path: Path) -> None:
    key = "note of shared"
    async with Store.open(path) as store:
        await run(store, lambda unit: unit.notes.delete(key))
        first = await stored(store, ImportDeletion, "source_table", "source_key", "deleted_at")
        await run(store, lambda unit: unit.notes.create("shared", "anew", "", note_id=key))
        assert changes(path).changed.first == [f"project_notes {key!r}"]
        await run(store, lambda unit: unit.notes.delete(key))
        assert await stored(store, ImportDeletion, "source_table", "source_key", "deleted_at") == first
    ((_, _, deleted_at),) = first
    assert deleted_at > THEN
    assert changes(path).deleted.first == [f"project_notes {key!r}"]


@pytest.mark.sqlite
async def test_only_the_last_import_promises_anything(path: Path) -> None:
    async with Store.open(path) as store:
        earlier = {"source": "", "started_at": THEN, "timezone": "UTC", "options": {}, "report": {}}
        digest = {"run_id": 0, "source_table": "project_notes", "source_key": "note of shared", "digest": b""}
        await put(store, ImportRun, {"id": 0} | earlier)
        await put(store, ImportDigest, digest)
        await run(store, DELETIONS["note"][0])
        assert await stored(store, ImportDeletion, "run_id", "source_key") == [(1, "note of shared")]


# What is not


@pytest.mark.sqlite
async def test_a_record_that_was_never_imported_leaves_nothing(path: Path) -> None:
    async with Store.open(path) as store:
        await put_users(store, "eve")
        await put_project(store, "new", "eve")
        await run(
            store,
            lambda unit: unit.notes.create("shared", "t", "c", note_id="n"),
            lambda unit: unit.notes.create("new", "t", "c", note_id="of new"),
            lambda unit: unit.knowledge.add_document("new", "eve", "f", "c", document_id="d"),
            lambda unit: unit.llm.save_key("eve", "claude", "e", "h"),
        )
        await run(
            store,
            lambda unit: unit.notes.delete("n"),
            lambda unit: unit.knowledge.delete_document("d"),
            lambda unit: unit.llm.delete_key("eve", "claude"),
            lambda unit: unit.users.delete_permanently("eve"),
        )
        assert await remembered(store) == set()
    assert not changes(path).any


@pytest.mark.parametrize("what", DELETIONS)
async def test_in_a_database_without_an_import_nothing_is_remembered(what: str, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada")
        await put_project(store, "shared", "ada")
        await run(
            store,
            lambda unit: unit.notes.create("shared", "t", "c", note_id="note of shared"),
            lambda unit: unit.knowledge.add_document("shared", "ada", "f", "c", document_id="document of shared"),
            lambda unit: unit.llm.save_key("ada", "claude", "e", "h"),
        )
        await run(store, DELETIONS[what][0])
        assert await remembered(store) == set()


MISTAKEN: dict[str, Call] = {
    "note": lambda unit: unit.notes.delete("note of nothing"),
    "document": lambda unit: unit.knowledge.delete_document("note of shared"),
    "key": lambda unit: unit.llm.delete_key("ada", "another"),
    "project": lambda unit: unit.projects.delete("bob"),
    "user": lambda unit: unit.users.delete_permanently("alone"),
}


@pytest.mark.sqlite
@pytest.mark.parametrize("what", MISTAKEN)
async def test_what_is_not_there_is_not_remembered_even_if_the_unit_goes_on(what: str, path: Path) -> None:
    async with Store.open(path) as store:
        async with store.begin() as unit:
            with pytest.raises(NotFoundError):
                await MISTAKEN[what](unit)
            await unit.projects.update("shared", 1, goals="committed all the same")
        assert await remembered(store) == set()


@pytest.mark.sqlite
async def test_who_is_gone_already_is_not_remembered_twice(path: Path) -> None:
    async with Store.open(path) as store:
        await run(store, DELETIONS["user"][0])
        before = await stored(store, ImportDeletion, "source_table", "source_key", "deleted_at")
        with pytest.raises(NotFoundError):
            await run(store, DELETIONS["user"][0])
        assert await stored(store, ImportDeletion, "source_table", "source_key", "deleted_at") == before


@pytest.mark.sqlite
@pytest.mark.parametrize("what", DELETIONS)
async def test_a_deletion_that_is_rolled_back_is_forgotten(what: str, path: Path) -> None:
    class Thrown(Exception):
        pass

    async def throw(_unit: UnitOfWork) -> None:
        raise Thrown

    async with Store.open(path) as store:
        with pytest.raises(Thrown):
            await run(store, DELETIONS[what][0], throw)
        assert await remembered(store) == set()
    assert not changes(path).any


@pytest.mark.sqlite
async def test_what_another_program_deletes_is_missing_and_not_excused(path: Path) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM projects WHERE id = 'alone'")
    found = changes(path)
    assert found.deleted.count == 0
    assert set(found.missing.first) == {
        "projects 'alone'",
        "project_notes 'note of alone'",
        "knowledge_documents 'document of alone'",
    }


async def promise(store: Store, count: int) -> None:
    """Pretend that so many notes were imported, besides."""
    rows = [
        {"run_id": 1, "source_table": "project_notes", "source_key": f"{number} of many", "digest": b"\0" * 16}
        for number in range(count)
    ]
    async with store.begin() as unit:
        await unit.notes._write_many(ImportDigest.__table__.insert(), rows)  # type: ignore[attr-defined]


@pytest.mark.sqlite
@pytest.mark.parametrize("what", DELETIONS)
async def test_remembering_searches_every_table_it_reads(what: str, path: Path) -> None:
    assert "SCAN" not in await plan_of_remembering(path, what)


@pytest.mark.sqlite
@pytest.mark.parametrize("what", ["project", "user"])
async def test_statistics_do_not_mislead_it_to_read_all_digests(what: str, path: Path) -> None:
    async with Store.open(path) as store:
        await promise(store, 20_000)
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("ANALYZE")  # SQLite learns that the other tables hold a handful of rows
    assert "SCAN v1_import_digests" not in await plan_of_remembering(path, what)


async def plan_of_remembering(path: Path, what: str) -> str:
    async with Store.open(path) as store:
        with counted(store) as cost:
            await run(store, DELETIONS[what][0])
        remembering = [each for each in cost.statements if each.startswith("INSERT INTO v1_import_deletions")]
        assert remembering
        plan = await query_plan(store, remembering)
    assert "SEARCH v1_import_digests USING PRIMARY KEY (run_id=? AND source_table=? AND source_key=?)" in plan
    return plan


async def steps_to_delete(path: Path, what: str, promised: int) -> int:
    async with Store.open(path) as store:
        await promise(store, promised)
    async with Store.open(path) as store:
        return await steps_of(store, lambda unit: unit.projects.summary("shared"), DELETIONS[what][0])


@pytest.mark.sqlite
@pytest.mark.parametrize("what", DELETIONS)
async def test_a_deletion_costs_the_same_after_a_large_import(what: str, imported: Path, tmp_path: Path) -> None:
    steps = [
        await steps_to_delete(Path(shutil.copyfile(imported, tmp_path / f"{count}.db")), what, count)
        for count in (1, 20_000)
    ]
    assert steps[1] < steps[0] * 1.2
