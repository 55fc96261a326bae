"""Projects come, go, change hands. Lists of them are in test_project_pages.py, updates in test_project_updates.py."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from sqlalchemy import Boolean, Float, Integer, LargeBinary, Table, func, insert, select

from socrates.drafts import NewMessage
from socrates.errors import AlreadyExistsError, InvalidValueError, ProjectNotFoundError
from socrates.models import Base, Project
from socrates.models.types import CodePointText, TaggedJSON, UtcDateTime
from socrates.repositories.base import table
from socrates.store import Store
from socrates.views import Analytics, ProjectSummary
from tests.support.stores import fresh_store

AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


async def make(store: Store, project_id: str = "p", owner: str = "ada", **columns: Any) -> ProjectSummary:
    async with store.begin() as unit:
        return await unit.projects.create("A library", owner, project_id=project_id, **columns)


async def test_a_new_project_has_the_defaults(tmp_path: Path) -> None:
    before = datetime.now(UTC)
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            created = await unit.projects.create("A library", "ada")
        details = await store.projects.details(created.id)
        assert await store.projects.summary(created.id) == created == details.summary
    assert str(UUID(created.id)) == created.id
    assert (created.name, created.owner, created.phase, created.status) == ("A library", "ada", "discovery", "active")
    assert (created.project_type, created.chat_mode, created.progress) == ("software", "socratic", 0)
    assert (created.is_archived, created.archived_at, created.message_count, created.version) == (False, None, 0, 1)
    assert before <= created.created_at == created.updated_at <= datetime.now(UTC)
    assert (details.goals, details.team_structure, details.language_preferences) == ("", "individual", "python")
    assert (details.deployment_target, details.code_style, details.extra) == ("local", "standard", {})
    assert details.requirements == details.tech_stack == details.constraints == details.pending_questions == ()
    assert details.category_scores == details.specs == details.maturity_events == ()


async def test_a_new_project_has_its_owner_as_active_lead_its_phases_and_its_totals(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        created = await make(store)
        details = await store.projects.details("p")
    (lead,) = details.members
    assert (lead.username, lead.role, lead.is_active, lead.position, lead.skills) == ("ada", "lead", True, 0, ())
    assert (lead.joined_at, lead.extra) == (created.created_at, {})
    scores = {score.phase: score.score for score in details.phase_scores}
    assert scores == {"discovery": 0.0, "analysis": 0.0, "design": 0.0, "implementation": 0.0}
    assert details.analytics == Analytics(0.0, 0, 0.0, (), (), None, {})  # type: ignore[arg-type]


async def test_a_new_project_takes_what_it_is_given(tmp_path: Path) -> None:
    columns: dict[str, Any] = {
        "phase": "design",
        "status": "on-hold",
        "project_type": "business",
        "chat_mode": "direct",
        "goals": "123",
        "team_structure": "team",
        "language_preferences": "rust",
        "deployment_target": "cloud",
        "code_style": "documented",
        "progress": 50,
        "extra": {"at": AT, "inner": {"a": (1, 2)}},
    }
    lists = {"requirements": ["b", "a", "b"], "tech_stack": ("SQLite",), "constraints": [""]}
    async with fresh_store(tmp_path) as store:
        created = await make(store, **columns, **lists)
        details = await store.projects.details("p")
    for name, value in columns.items():
        assert getattr(created if hasattr(created, name) else details, name) == value
    assert type(details.goals) is str
    assert details.requirements == ("b", "a", "b")
    assert details.tech_stack == ("SQLite",)
    assert details.constraints == ("",)


@pytest.mark.parametrize("text", ["", "İß😀", "' OR 1=1; --", "0123", "\ufeff x\n", "😀" * 128])
async def test_any_text_is_a_name_an_owner_a_goal_and_an_entry(text: str, tmp_path: Path) -> None:
    await any_text_will_do(text, tmp_path)


@pytest.mark.sqlite
@pytest.mark.parametrize("text", ["a\0b", "x" * 100_000])
async def test_so_is_one_with_nul_or_of_any_length(text: str, tmp_path: Path) -> None:
    await any_text_will_do(text, tmp_path)


async def any_text_will_do(text: str, directory: Path) -> None:
    async with fresh_store(directory) as store:
        async with store.begin() as unit:
            created = await unit.projects.create(text, text, goals=text, requirements=[text])
        details = await store.projects.details(created.id)
    assert (details.summary.name, details.summary.owner, details.goals) == (text, text, text)
    assert details.requirements == (text,)
    assert details.members[0].username == text


async def test_a_taken_id_is_refused_and_leaves_the_other_project_alone(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, requirements=["a"])
        before = await store.projects.details("p")
        with pytest.raises(AlreadyExistsError):
            await make(store, owner="bob", requirements=["other", "entries"])
        assert await store.projects.details("p") == before


async def test_a_duplicate_is_refused_with_all_of_its_unit(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        with pytest.raises(AlreadyExistsError):
            await make_two(store)
        assert (await store.projects.summary("p")).owner == "ada"
        with pytest.raises(ProjectNotFoundError):
            await store.projects.summary("q")


async def make_two(store: Store) -> None:
    async with store.begin() as unit:
        await unit.projects.create("other", "bob", project_id="q")
        await unit.projects.create("again", "bob", project_id="p")


@pytest.mark.parametrize(
    "wrong",
    [
        {"is_archived": True},
        {"version": 5},
        {"message_count": 5},
        {"id": "x"},
        {"created_at": AT},
        {"collaborators": []},
        {"goals": 5},
        {"goals": ["a"]},
        {"goals": None},
        {"goals": "\ud800"},
        {"progress": "50"},
        {"progress": 0.5},
        {"progress": True},
        {"progress": 2**63},
        {"extra": []},
        {"extra": None},
        {"extra": {"x": 1j}},
        {"requirements": "abc"},
        {"requirements": None},
        {"requirements": [1]},
        {"requirements": [None]},
        {"requirements": ["ok", "\ud800"]},
    ],
    ids=ascii,
)
async def test_what_cannot_be_stored_makes_no_project(wrong: dict[str, Any], tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        with pytest.raises(InvalidValueError):
            await make(store, **wrong)
        with pytest.raises(ProjectNotFoundError):
            await store.projects.summary("p")
        assert await store.projects.members("p") == ()


async def test_an_unknown_project_is_not_found(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, "P")
        for read in (store.projects.summary, store.projects.details, store.projects.analytics):
            with pytest.raises(ProjectNotFoundError) as raised:
                await read("p")
            assert raised.value.key == "p"
        async with store.begin() as unit:
            for write in (unit.projects.archive, unit.projects.restore, unit.projects.delete):
                with pytest.raises(ProjectNotFoundError):
                    await write("p")
            with pytest.raises(ProjectNotFoundError):
                await unit.projects.transfer("p", "bob")


@pytest.mark.parametrize("status", ["active", "completed", "on-hold"])
async def test_archiving_and_restoring_keep_the_status(status: str, tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        created = await make(store, status=status)
        before = datetime.now(UTC)
        async with store.begin() as unit:
            archived = await unit.projects.archive("p")
        assert await store.projects.summary("p") == archived
        assert (archived.status, archived.is_archived, archived.version) == (status, True, 2)
        assert archived.archived_at is not None
        assert before <= archived.archived_at <= datetime.now(UTC)
        assert archived.updated_at > created.updated_at
        async with store.begin() as unit:
            restored = await unit.projects.restore("p")
        assert await store.projects.summary("p") == restored
        assert (restored.status, restored.is_archived, restored.archived_at) == (status, False, None)
        assert (restored.version, restored.created_at) == (3, created.created_at)


async def test_archiving_twice_and_restoring_what_is_not_archived_change_nothing(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        created = await make(store)
        async with store.begin() as unit:
            with pytest.raises(InvalidValueError, match="not archived"):
                await unit.projects.restore("p")
        assert await store.projects.summary("p") == created
        async with store.begin() as unit:
            archived = await unit.projects.archive("p")
        async with store.begin() as unit:
            assert await unit.projects.archive("p") == archived
        assert await store.projects.summary("p") == archived


async def test_a_transfer_makes_a_stranger_owner_and_active_lead(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        created = await make(store)
        async with store.begin() as unit:
            moved = await unit.projects.transfer("p", "bob")
        assert (moved.owner, moved.version) == ("bob", 2)
        assert moved.updated_at > created.updated_at
        assert await store.projects.summary("p") == moved
        team = [(member.username, member.role, member.is_active) for member in await store.projects.members("p")]
        assert team == [("ada", "lead", True), ("bob", "lead", True)]
        assert [project.id for project in await store.projects.for_user("ada")] == ["p"]
        assert await store.projects.count_owned("ada") == 0
        assert await store.projects.count_owned("bob") == 1


async def test_a_transfer_to_a_former_member_brings_them_back_and_keeps_what_they_can(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store)
        async with store.begin() as unit:
            joined = await unit.projects.add_member("p", "bob", "analyst", ["sql"])
            await unit.projects.remove_member("p", "bob")
            await unit.projects.transfer("p", "bob")
        _, bob = await store.projects.members("p")
        assert (bob.role, bob.is_active, bob.skills, bob.joined_at) == ("lead", True, ("sql",), joined.joined_at)
        async with store.begin() as unit:
            await unit.projects.remove_member("p", "ada")
        assert [member.username for member in await store.projects.members("p")] == ["bob"]
        assert await store.projects.for_user("ada") == ()


CHILDREN = [
    child
    for child in Base.metadata.sorted_tables
    if any(key.column.table.name in ("projects", "project_notes") for key in child.foreign_keys)
]


CHECKED = {"scope": "project", "status": "pending", "field": "goals", "severity": "low", "choice": None}
"""Columns that take certain texts only."""


def child_row(child: Table, project_id: str) -> dict[str, Any]:
    """A row that hangs on the project, whatever the table."""
    row: dict[str, Any] = {}
    for column in child.columns:
        if column.name in ("project_id", "note_id"):
            row[column.name] = project_id
        elif isinstance(column.type, UtcDateTime):
            row[column.name] = AT
        elif isinstance(column.type, TaggedJSON):
            row[column.name] = {}
        elif isinstance(column.type, Integer | Float):
            row[column.name] = 90
        elif isinstance(column.type, Boolean):
            row[column.name] = True
        elif isinstance(column.type, LargeBinary):
            row[column.name] = b"\0" * 4
        elif column.name in CHECKED:
            row[column.name] = CHECKED[column.name]
        elif isinstance(column.type, CodePointText):
            row[column.name] = project_id
    return row


async def counts(store: Store, project_id: str) -> dict[str, int]:
    async with store._engines.reader.connect() as connection:
        return {
            child.name: (
                await connection.execute(
                    select(func.count()).where(
                        child.c["project_id" if "project_id" in child.c else "note_id"] == project_id
                    )
                )
            ).scalar_one()
            for child in CHILDREN
        }


async def test_deleting_takes_everything_that_hangs_on_the_project_and_nothing_else(tmp_path: Path) -> None:
    assert len(CHILDREN) >= 15
    async with fresh_store(tmp_path) as store:
        for name in ("p", "q"):
            await make(store, name)
            async with store.begin() as unit:
                await unit.conversations.append(name, NewMessage("user", "x"))
                for child in CHILDREN:
                    if child.name == "analytics_metrics":
                        continue  # every project has its row
                    await unit.projects._session.execute(insert(child), child_row(child, name))
        kept = await counts(store, "q")
        assert min(kept.values()) >= 1
        assert min((await counts(store, "p")).values()) >= 1
        async with store.begin() as unit:
            await unit.projects.delete("p")
        assert set((await counts(store, "p")).values()) == {0}
        assert await counts(store, "q") == kept
        with pytest.raises(ProjectNotFoundError):
            await store.projects.summary("p")


async def test_an_id_is_free_again_after_its_project_was_deleted(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await make(store, requirements=["old"])
        async with store.begin() as unit:
            await unit.projects.delete("p")
            await unit.projects.create("new", "bob", project_id="p")
        details = await store.projects.details("p")
        assert (details.requirements, [member.username for member in details.members]) == ((), ["bob"])


async def test_what_a_unit_did_is_seen_inside_it_only_until_it_ends_and_gone_when_it_fails(tmp_path: Path) -> None:
    async def fail(store: Store) -> None:
        async with store.begin() as unit:
            await unit.projects.delete("p")
            with pytest.raises(ProjectNotFoundError):
                await unit.projects.summary("p")
            assert (await store.projects.summary("p")).id == "p"
            raise RuntimeError

    async with fresh_store(tmp_path) as store:
        created = await make(store)
        with pytest.raises(RuntimeError):
            await fail(store)
        assert await store.projects.summary("p") == created


async def test_the_entity_and_the_summary_agree_on_every_column(tmp_path: Path) -> None:
    """A summary read back is what the columns of the table hold, by name."""
    async with fresh_store(tmp_path) as store:
        await make(store, progress=None, status="completed")
        summary = await store.projects.summary("p")
        async with store._engines.reader.connect() as connection:
            row = (await connection.execute(select(table(Project)))).mappings().one()
    for name in ProjectSummary.__dataclass_fields__:
        assert getattr(summary, name) == row[name]
