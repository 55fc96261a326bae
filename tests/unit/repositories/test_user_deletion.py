from pathlib import Path
from typing import Any

import pytest

from socrates.errors import UserNotFoundError
from socrates.models import (
    APIKey,
    Base,
    BehaviorPattern,
    ConversationMessage,
    KnowledgeDocument,
    LLMProviderConfig,
    LLMUsage,
    Project,
    ProjectNote,
    ProjectNoteTag,
    QuestionEffectiveness,
    TeamMember,
    User,
)
from socrates.personal import DeletedUser
from socrates.store import Store
from tests.support.stores import counted, fresh_store, is_on_sqlite
from tests.unit.repositories.plans import scans
from tests.unit.repositories.rows import THEN, put, put_project, put_users, stored


async def delete(store: Store, username: str = "ada") -> DeletedUser:
    async with store.begin() as unit:
        return await unit.users.delete_permanently(username)


async def test_a_project_goes_to_the_first_active_member_who_becomes_its_lead(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada", "bob", "cyd", "dan")
        gone = {"username": "bob", "is_active": False}
        await put_project(
            store, "p1", "ada", gone, {"username": "dan", "position": 2}, {"username": "cyd", "position": 5}
        )
        outcome = await delete(store)
        assert (outcome.username, outcome.transferred, outcome.deleted_projects) == ("ada", (("p1", "dan"),), ())
        assert await stored(store, TeamMember, "username", "role", "is_active", "position") == [
            ("bob", "creator", False, 1),
            ("cyd", "creator", True, 5),
            ("dan", "lead", True, 2),
        ]
        ((owner, version, updated_at),) = await stored(store, Project, "owner", "version", "updated_at")
        assert (owner, version) == ("dan", 2)
        assert updated_at > THEN


@pytest.mark.parametrize(
    ("collaborators", "heir"),
    [
        (["dan", "cyd"], "dan"),
        (["ada", "eve", "bob", "dan"], "dan"),
        (["eve"], "cyd"),
        ([], "cyd"),
    ],
    ids=["the order v1 kept", "not who left", "nobody active in it", "empty"],
)
async def test_the_order_of_v1s_collaborators_comes_first(tmp_path: Path, collaborators: list[str], heir: str) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada")
        team = [{"username": "bob", "is_active": False}, {"username": "cyd"}, {"username": "dan"}]
        await put_project(store, "p1", "ada", *team, extra={"v1_collaborators": collaborators})
        assert (await delete(store)).transferred == (("p1", heir),)
        assert await stored(store, Project, "owner") == [(heir,)]


async def test_a_project_without_another_active_member_is_deleted_with_all_that_hangs_on_it(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada", "bob")
        await put_project(store, "p2", "ada", {"username": "bob", "is_active": False})
        await put_project(store, "p1", "ada", is_archived=True)
        await put_project(store, "p3", "bob")
        await put_texts(store, "p1", "p2", "p3")
        outcome = await delete(store)
        assert (outcome.transferred, outcome.deleted_projects) == ((), ("p1", "p2"))
        assert await stored(store, Project, "id") == [("p3",)]
        for entity in (ConversationMessage, ProjectNote, KnowledgeDocument):
            assert await stored(store, entity, "project_id") == [("p3",)]
        assert await stored(store, ProjectNoteTag, "note_id") == [("note of p3",)]


async def test_what_was_written_in_other_peoples_projects_gets_a_pseudonym_and_the_membership_goes(
    tmp_path: Path,
) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada", "bob")
        await put_project(store, "p1", "bob", {"username": "ada"}, {"username": "cyd"})
        await put_project(store, "p2", "bob", {"username": "ada", "is_active": False})
        await put_texts(store, "p1")
        outcome = await delete(store)
        assert (outcome.transferred, outcome.deleted_projects) == ((), ())
        assert await stored(store, TeamMember, "project_id", "username") == [
            ("p1", "bob"),
            ("p1", "cyd"),
            ("p2", "bob"),
        ]
        assert await stored(store, ConversationMessage, "author") == [(outcome.pseudonym,)]
        assert await stored(store, ProjectNote, "created_by") == [(outcome.pseudonym,)]
        assert await stored(store, KnowledgeDocument, "user_id") == [(outcome.pseudonym,)]
        assert await stored(store, Project, "id", "owner", "version") == [("p1", "bob", 1), ("p2", "bob", 1)]


PERSONAL: dict[type[Base], dict[str, Any]] = {
    QuestionEffectiveness: {"question_template_id": "t"},
    BehaviorPattern: {"pattern_type": "t"},
    LLMProviderConfig: {"provider": "claude"},
    APIKey: {"provider": "claude", "encrypted_key": "e", "key_hash": "h"},
    LLMUsage: {"provider": "claude", "model": "m"},
}


async def test_personal_rows_go_and_those_of_others_stay(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada", "bob")
        for entity, columns in PERSONAL.items():
            await put(store, entity, *({"id": name, "user_id": name, **columns} for name in ("ada", "bob")))
        await delete(store)
        assert await stored(store, User, "username") == [("bob",)]
        for entity in PERSONAL:
            assert await stored(store, entity, "user_id") == [("bob",)]


async def test_deleting_nobody_changes_nothing_even_where_the_name_owns_projects(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p1", "eve")
        with pytest.raises(UserNotFoundError):
            await delete(store, "eve")
        assert await stored(store, Project, "owner") == [("eve",)]


async def test_a_deletion_costs_the_same_for_any_number_of_projects(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for count in (1, 12):
            await put_users(store, "ada")
            for number in range(count):
                await put_project(store, f"{count} kept {number}", "ada", {"username": "bob"})
                await put_project(store, f"{count} lost {number}", "ada")
            with counted(store) as cost:
                outcome = await delete(store)
            assert (len(outcome.transferred), len(outcome.deleted_projects)) == (count, count)
            cost.must_be(statements=42, crossings=19)
        walked = {step.split()[-1] for step in await scans(store, cost.statements)}
        assert walked <= WITHOUT_AN_INDEX | (set() if is_on_sqlite(store) else WALKED_ON_POSTGRES)


WITHOUT_AN_INDEX = {
    "conversation_messages",
    "knowledge_suggestions",
    "pending_questions",
    "project_conflicts",
    "project_notes",
    "projects",
    "v1_import_notes",
    "v1_import_runs",
    "v1_quarantine",
    "v1_quarantine_releases",
}
"""The tables that a deletion reads as a whole: an index on their authors would burden every message for its sake."""

WALKED_ON_POSTGRES = {"pk_team_members", "pk_v1_import_deletions", "pk_v1_import_digests", "v1_backup_changes"}
"""PostgreSQL takes no two indexes for one OR with a subquery, and does not look into keys run by run."""


async def put_texts(store: Store, *projects: str) -> None:
    """A message, a tagged note and a document of ada's in each project."""
    for key in projects:
        of_project = {"project_id": key, "content": "text"}
        note = {"id": f"note of {key}", "title": "t", "created_by": "ada"} | of_project
        document = {"id": f"document of {key}", "user_id": "ada", "filename": "f"} | of_project
        await put(store, ConversationMessage, {"position": 0, "type": "user", "author": "ada"} | of_project)
        await put(store, ProjectNote, note)
        await put(store, ProjectNoteTag, {"note_id": note["id"], "position": 0, "tag": "t"})
        await put(store, KnowledgeDocument, document)
