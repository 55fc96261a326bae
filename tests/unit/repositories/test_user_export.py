"""The export has everything that is held on a person, nothing of anybody else, and no secret."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from socrates.errors import UserNotFoundError
from socrates.models import Base
from socrates.repositories.base import AT_ONCE
from socrates.store import Store
from tests.support.stores import fresh_store
from tests.unit.repositories.people import (
    SECRET,
    account_rows,
    personal_rows,
    put_person,
    put_rows,
    quarantined_rows,
    where_the_name_is,
)
from tests.unit.repositories.rows import put_project, put_users

Tables = dict[str, list[dict[str, Any]]]


async def exported(store: Store, username: str) -> Tables:
    """The tables, as they are once they were written and read."""
    held = json.loads(json.dumps(await store.users.export(username)))
    assert held["username"] == username
    return dict(held["tables"])


async def put_everything(store: Store, name: str) -> None:
    await put_person(store, name)
    await put_rows(store, account_rows(name, v1="v1.db"))
    await put_rows(store, quarantined_rows(name))


@pytest.mark.parametrize("name", ["ada", "", "é/'\"%_\\", "🎈"])
async def test_every_place_that_names_the_person_is_in_it(tmp_path: Path, name: str) -> None:
    async with fresh_store(tmp_path) as store:
        await put_everything(store, name)
        tables = await exported(store, name)
        named = {place.partition(".")[0] for place in await where_the_name_is(store, name)}
    assert named - {"v1_import_runs"} <= tables.keys()
    assert [row["id"] for row in tables["projects"]] == ["kept", "lost", "others"]
    assert len(tables["pending_questions"]) == 2
    assert len(tables["v1_import_notes"]) == 3
    assert len(tables["v1_quarantine"]) == 2


async def test_what_hangs_on_an_owned_project_is_in_it_whoever_wrote_it(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada")
        await put_project(store, "others", "ada", {"username": "bob"})
        await put_rows(store, personal_rows("bob"))
        await put_rows(store, {"project_note_tags": [{"note_id": "n", "position": 0, "tag": "t"}]})
        tables = await exported(store, "ada")
    assert {of: len(rows) for of, rows in tables.items()} == {
        "users": 1,
        "projects": 1,
        "team_members": 2,
        "conversation_messages": 1,
        "pending_questions": 2,
        "project_notes": 1,
        "project_note_tags": 1,
        "knowledge_documents": 1,
        "knowledge_suggestions": 1,
        "project_conflicts": 3,
    }


async def test_nothing_of_anybody_else_is_in_it(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_everything(store, "Ada")
        await put_users(store, "ada")
        assert (await exported(store, "ada")).keys() == {"users"}


async def test_secrets_are_withheld(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_everything(store, "ada")
        tables = await exported(store, "ada")
    text = json.dumps(tables)
    assert SECRET not in text
    assert base64.b64encode(SECRET.encode()).decode() not in text
    assert "hash of ada" not in text
    (user,), (key,), (settings,) = tables["users"], tables["api_keys"], tables["llm_provider_configs"]
    assert (user["passcode_hash"], key["encrypted_key"], key["key_hash"]) == ("withheld",) * 3
    assert settings["settings"] == {"api_key": "withheld", "model": "m"}


async def test_values_are_written_so_that_they_can_be_read_back(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_person(store, "ada")
        tables = await exported(store, "ada")
    (user,), (document,), (effect,) = tables["users"], tables["knowledge_documents"], tables["question_effectiveness"]
    assert user["created_at"] == "2026-01-02T03:04:05.678901+00:00"
    assert base64.b64decode(document["embedding"]) == b"\0\1"
    assert effect["effectiveness_score"] == "0.5"
    (pattern,) = tables["behavior_patterns"]
    assert pattern["pattern_data"] == {"at": {"$datetime": "2026-01-02T03:04:05.678901+00:00"}}
    assert [*user] == [column.name for column in Base.metadata.tables["users"].c]


async def test_it_is_read_in_batches_and_none_is_left_out_between_them(tmp_path: Path) -> None:
    count = 2 * AT_ONCE + 1
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "bob")
        message = {"project_id": "p", "type": "user", "content": "c"}
        rows = [{**message, "position": place, "author": "ada" if place % 2 else None} for place in range(2 * count)]
        await put_rows(store, {"conversation_messages": rows})
        (messages,) = (await exported(store, "ada")).values()
    assert [row["position"] for row in messages] == [*range(1, 2 * count, 2)]


async def test_a_unit_of_work_sees_what_it_wrote(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store, store.begin() as unit:
        await unit.users.create("ada", "hash")
        assert (await unit.users.export("ada"))["tables"].keys() == {"users"}


async def test_who_is_no_user_but_named_is_exported_and_who_is_not_named_is_not_found(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "eve")
        assert (await exported(store, "eve")).keys() == {"projects", "team_members"}
        with pytest.raises(UserNotFoundError):
            await store.users.export("nobody")


async def test_after_a_deletion_nothing_is_left_to_export(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_person(store, "ada")
        async with store.begin() as unit:
            pseudonym = (await unit.users.delete_permanently("ada")).pseudonym
        with pytest.raises(UserNotFoundError):
            await store.users.export("ada")
        assert (await exported(store, pseudonym)).keys() >= {"conversation_messages", "project_notes"}
