"""What a deletion does to the name of the person, its figures, and what remains."""

from pathlib import Path

import pytest
from sqlalchemy import select

from socrates.errors import UserNotFoundError
from socrates.frozen import freeze
from socrates.models import ImportNote, ImportRun, PendingQuestion, Project, ProjectNote
from socrates.personal import V1_TABLES, DeletedUser
from socrates.store import Store
from tests.support.stores import fresh_store
from tests.unit.repositories.people import (
    account_rows,
    personal_rows,
    put_person,
    put_rows,
    quarantined_rows,
    where_the_name_is,
)
from tests.unit.repositories.rows import put_project, put_users, stored

ODD_NAMES = ["ada", "", "Ada", "é/'\"%_\\", "🎈", 'x"ada', "1"]
ACCOUNT = {
    "v1_import_digests.source_key",
    "v1_import_deletions.source_key",
    "v1_import_notes.source_key",
    "v1_import_notes.field",
    "v1_import_notes.original",
    "v1_import_runs.report",
}
KEPT = {"v1_quarantine.source_key", "v1_quarantine.row_columns", "v1_quarantine_releases.source_key"}
MENTIONED = {"projects.extra"}
"""Where a text says the name without naming the person: the project's extra "x"."""


async def delete(store: Store, username: str) -> DeletedUser:
    async with store.begin() as unit:
        return await unit.users.delete_permanently(username)


@pytest.mark.parametrize("name", ODD_NAMES)
async def test_no_column_names_the_person_afterwards(tmp_path: Path, name: str) -> None:
    async with fresh_store(tmp_path) as store:
        await put_person(store, name)
        await put_rows(store, account_rows(name, v1="v1.db"))
        assert len(await where_the_name_is(store, name)) > 15
        await delete(store, name)
        assert await where_the_name_is(store, name) <= MENTIONED | {"projects.goals", "pending_questions.id"}  # "", "1"


@pytest.mark.parametrize("other", ["Ada", "ada ", "adá", "ad_", 'a"ada'])
async def test_nobody_else_is_taken_for_the_person(tmp_path: Path, other: str) -> None:
    async with fresh_store(tmp_path) as store:
        await put_person(store, other)
        await put_rows(store, account_rows(other, v1="v1.db"))
        await put_users(store, "ada")
        before = await where_the_name_is(store, other)
        assert (await delete(store, "ada")).erasure.made_pseudonymous == ()
        assert await where_the_name_is(store, other) == before


async def test_one_pseudonym_stands_wherever_the_name_stood(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_person(store, "ada")
        await put_rows(store, account_rows("ada", v1="v1.db"))
        done = await delete(store, "ada")
        extra = (await store.projects.details("others")).extra
        assert extra == freeze({"v1_collaborators": [done.pseudonym, "bob"], "x": "ada"})
        assert await stored(store, PendingQuestion, "id", "answered_by") == [("1", done.pseudonym), ("2", None)]
        first, second = await store.projects.pending_questions("others")
        assert (first.assigned_to_users, second.assigned_to_users) == ((), ("bob", done.pseudonym))
        assert await stored(store, ImportNote, "position", "source_key", "field") == [
            (0, done.pseudonym, "passcode_hash"),
            (1, "others", f"team_members.{done.pseudonym}.role"),
            (2, "others", "x"),
        ]


async def test_each_deletion_has_a_pseudonym_of_its_own_that_tells_nothing(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        found = set()
        for _time in range(2):
            await put_users(store, "zoe")  # no hexadecimal digits, which spell ada now and then
            found.add((await delete(store, "zoe")).pseudonym)
    assert len(found) == 2
    assert all(each.startswith("deleted-user-") and len(each) >= 21 and "zoe" not in each for each in found)


async def test_the_plan_says_what_the_deletion_then_does(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_person(store, "ada")
        await put_rows(store, account_rows("ada", v1="v1.db"))
        await put_rows(store, quarantined_rows("ada"))
        plan = await store.users.erasure_plan("ada")
        done = await delete(store, "ada")
    assert (plan.transferred, plan.deleted_projects) == ((("kept", "bob"),), ("lost",))
    assert (plan.transferred, plan.deleted_projects, plan.erasure) == (
        done.transferred,
        done.deleted_projects,
        done.erasure,
    )
    personal = {*personal_rows("ada")} - {of.partition(".")[0] for of, _rows in done.erasure.made_pseudonymous}
    assert dict(done.erasure.deleted) == {"users": 1, "projects": 1, "team_members": 3, **dict.fromkeys(personal, 1)}
    assert {place.what for place in done.erasure.remains} == KEPT


async def test_what_goes_with_a_project_is_deleted_and_not_made_pseudonymous(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada")
        await put_project(store, "others", "ada", extra={"v1_collaborators": ["ada"]})
        rows = personal_rows("ada")
        tags = {"project_note_tags": [{"note_id": "n", "position": place, "tag": "t"} for place in range(2)]}
        await put_rows(store, rows | tags)
        plan = await store.users.erasure_plan("ada")
        done = await delete(store, "ada")
    assert plan.erasure == done.erasure
    counts = {of: len(each) for of, each in (rows | tags).items()}
    assert dict(done.erasure.deleted) == {"users": 1, "projects": 1, "team_members": 1, **counts}
    assert done.erasure.made_pseudonymous == ()


async def test_while_v1s_tables_are_there_the_account_keeps_the_name_and_is_named(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_person(store, "ada")
        await put_rows(store, account_rows("ada", v1=None))
        done = await delete(store, "ada")
        assert await where_the_name_is(store, "ada") == MENTIONED | ACCOUNT
    remains = {place.what: place.rows for place in done.erasure.remains}
    assert remains == {V1_TABLES: None, **dict.fromkeys(ACCOUNT, 1)}
    assert all("socrates db drop-v1-backup" in place.remedy for place in done.erasure.remains)


async def test_the_figures_of_a_report_and_what_it_says_of_others_stay(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        rows = account_rows("users", v1="users")
        rows["v1_import_runs"][0]["report"]["tables"]["users"]["imported"] = 5
        await put_users(store, "users")
        await put_rows(store, rows)
        done = await delete(store, "users")
        async with store._engines.reader.connect() as connection:
            ((report, options),) = await connection.execute(select(ImportRun.report, ImportRun.options))
    told = {"key": done.pseudonym, "field": "extra", "original": done.pseudonym}
    assert report == {"tables": {"users": {"notes": [told], "reasons": [], "orphans": [], "imported": 5}}}
    assert options == {"v1": "users"}


async def test_there_is_no_plan_for_nobody(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "eve")
        with pytest.raises(UserNotFoundError):
            await store.users.erasure_plan("eve")


async def test_a_plan_changes_nothing(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_person(store, "ada")
        before = await where_the_name_is(store, "ada")
        assert await store.users.erasure_plan("ada") == await store.users.erasure_plan("ada")
        assert await where_the_name_is(store, "ada") == before
        assert await stored(store, Project, "id", "owner") == [("kept", "ada"), ("lost", "ada"), ("others", "bob")]
        assert await stored(store, ProjectNote, "created_by") == [("ada",)]
