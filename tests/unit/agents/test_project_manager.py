"""Projects: what is stored, who may, what is told. Their teams are in test_project_teams.py."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from socrates.agents.contracts.base import Failure
from socrates.drafts import NewMaturityEvent, NewMessage, NewSpec
from socrates.errors import ProjectNotFoundError, UserNotFoundError
from socrates.events import EventType
from tests.support.engines import ENGINES, on_engine
from tests.support.stores import counted
from tests.support.systems import Lab, fresh_system, with_people, with_project, with_talk


@pytest.fixture(params=ENGINES)
async def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    """A system with ada and bob in it, on each of the engines."""
    with on_engine(request):
        async with fresh_system(tmp_path) as lab:
            await with_people(lab, "ada", "bob")
            yield lab


async def manage(lab: Lab, action: str, user: str = "ada", **fields: Any) -> Any:
    return await lab.done("project_manager", action, user, **fields)


async def refused(lab: Lab, action: str, user: str = "ada", **fields: Any) -> Failure:
    return await lab.refused("project_manager", action, user, **fields)


async def told(lab: Lab) -> list[tuple[EventType, dict[str, Any]]]:
    """What was told, without what all events of this agent say."""
    events = [(event.type, event.payload.model_dump()) for event in await lab.events()]
    assert all(payload.pop("agent") == "project_manager" for _, payload in events)
    return events


async def subscribed(lab: Lab, username: str, **columns: Any) -> None:
    async with lab.store.begin() as unit:
        await unit.users.update(username, **columns)


async def test_a_new_project_begins_as_in_v1(anywhere: Lab) -> None:
    shown = (await manage(anywhere, "create_project", project_name="  Reading Room ")).project
    stored = await anywhere.store.projects.details(shown.project_id)
    assert (stored.summary.name, stored.summary.owner, stored.summary.phase) == ("Reading Room", "ada", "discovery")
    assert (stored.summary.project_type, stored.summary.status, stored.summary.progress) == ("software", "active", 0)
    assert (stored.summary.chat_mode, stored.goals, stored.requirements) == ("socratic", "", ())
    assert (stored.team_structure, stored.language_preferences) == ("individual", "python")
    assert (stored.deployment_target, stored.code_style) == ("local", "documented")
    assert [(member.username, member.role) for member in stored.members] == [("ada", "lead")]
    assert shown.phase_maturity_scores == dict.fromkeys(("discovery", "analysis", "design", "implementation"), 0.0)
    assert (shown.code_style, shown.version, shown.team_members[0].is_owner) == ("documented", 1, True)
    assert await told(anywhere) == [
        (EventType.PROJECT_CREATED, {"project_id": shown.project_id, "user_id": "ada"}),
    ]


async def test_an_unknown_owner_is_refused_and_not_made(lab: Lab) -> None:
    """D60: v1 made the user, on the tier pro, with an empty hash."""
    failure = await refused(lab, "create_project", "nobody", project_name="Reading Room")
    assert failure.code == "USER_NOT_FOUND"
    with pytest.raises(UserNotFoundError):
        await lab.store.users.get("nobody")


async def test_an_archived_person_makes_no_project(lab: Lab) -> None:
    async with lab.store.begin() as unit:
        await unit.users.archive("ada")
    assert (await refused(lab, "create_project", project_name="x")).code == "USER_ARCHIVED"


@pytest.mark.parametrize("name", ["", "   ", None, 7, "x" * 501])
async def test_a_project_needs_a_name(lab: Lab, name: object) -> None:
    """D80: v1 checked a few of its fields only."""
    failure = await refused(lab, "create_project", project_name=name)
    assert (failure.code, failure.field) == ("INVALID_REQUEST", "project_name")
    assert await lab.store.projects.count_owned("ada") == 0


async def test_v1s_names_of_who_asks_are_taken(lab: Lab) -> None:
    request = {"action": "create_project", "owner": "ada", "project_name": "Reading Room", "project_type": "garden"}
    response = await lab.system.process_request("project_manager", request)
    assert response.model_dump()["project"]["owner"] == "ada"
    assert response.model_dump()["project"]["project_type"] == "garden"


async def test_the_tier_limits_projects(lab: Lab) -> None:
    await with_people(lab, "fred", tier="free")
    await manage(lab, "create_project", "fred", project_name="One")
    await lab.events()
    failure = await refused(lab, "create_project", "fred", project_name="Two")
    assert failure.code == "PROJECT_LIMIT"
    assert failure.details == {"tier": "free", "sufficient_tier": "pro", "used": 1, "limit": 1}
    assert await told(lab) == []


async def test_projects_of_others_do_not_count(lab: Lab) -> None:
    """D07: v1 counted what somebody else had invited the person to."""
    await with_people(lab, "fred", tier="free")
    await with_project(lab, "p1", members={"fred": "creator"})
    await manage(lab, "create_project", "fred", project_name="My own")


async def test_an_ended_subscription_has_the_limits_of_free(lab: Lab) -> None:
    """D66: v1 looked neither at the status nor at the end."""
    await with_project(lab)
    await subscribed(lab, "ada", subscription_end=lab.clock() - timedelta(seconds=1))
    assert (await refused(lab, "create_project", project_name="Two")).code == "PROJECT_LIMIT"


async def test_requests_at_once_do_not_exceed_the_limit(anywhere: Lab) -> None:
    """D55: v1 counted, and then wrote what it had counted before."""
    for number in range(9):
        await with_project(anywhere, f"p{number}")
    made = await asyncio.gather(
        *(anywhere.ask("project_manager", "create_project", project_name=f"New {number}") for number in range(4))
    )
    assert sorted(response.status for response in made) == ["error", "error", "error", "success"]
    assert {response.code for response in made if isinstance(response, Failure)} == {"PROJECT_LIMIT"}
    assert await anywhere.store.projects.count_owned("ada") == 10


async def test_a_project_is_loaded_whole(lab: Lab) -> None:
    """D70: v1 answered with its live objects. D74: some times had no zone."""
    await with_project(lab, members={"bob": "analyst"}, goals="Lend books", requirements=["by phone"])
    await with_talk(lab, "p1", "Who reads?", "Children.", "Why?")
    async with lab.store.begin() as unit:
        await unit.notes.create("p1", "Hall", "x" * 300, note_type="idea", created_by="bob")
        await unit.projects.add_question("p1", "Who pays?", "discovery", roles=["analyst"])
        await unit.projects.add_specs("p1", "discovery", [NewSpec("goals", "lend", confidence=0.9)])
        event = NewMaturityEvent("discovery", 0.0, 5.0, "answer", details={"at": datetime(2026, 1, 1, tzinfo=UTC)})
        await unit.projects.add_maturity_event("p1", event)
    await lab.events()
    response = await manage(lab, "load_project", "bob", project_id="p1")
    project = response.project
    assert (project.project_id, project.goals, project.requirements) == ("p1", "Lend books", ("by phone",))
    assert [(member.username, member.role, member.is_owner) for member in project.team_members] == [
        ("ada", "lead", True),
        ("bob", "analyst", False),
    ]
    assert [message.content for message in project.conversation_history] == ["Who reads?", "Children.", "Why?"]
    assert [(note.title, len(note.content)) for note in project.notes] == [("Hall", 300)]
    assert [question.question for question in project.pending_questions] == ["Who pays?"]
    assert [spec.content for spec in project.categorized_specs["discovery"]] == ["lend"]
    assert project.maturity_history[0].details == {"at": {"$datetime": "2026-01-01T00:00:00+00:00"}}
    assert project.analytics_metrics.total_qa_sessions == 0
    written = json.loads(response.model_dump_json())["project"]
    assert written["created_at"].endswith("Z")
    assert await told(lab) == [(EventType.PROJECT_LOADED, {"project_id": "p1", "user_id": "bob"})]


async def test_a_long_conversation_is_read_page_by_page(lab: Lab) -> None:
    await with_project(lab)
    async with lab.store.begin() as unit:
        await unit.conversations.append_many("p1", [NewMessage("user", str(number)) for number in range(5)])
    newest = (await manage(lab, "load_project", project_id="p1", messages=2)).project
    assert ([each.content for each in newest.conversation_history], newest.message_count) == (["3", "4"], 5)
    before = newest.conversation_history[0].position
    older = (await manage(lab, "load_project", project_id="p1", messages=2, before=before)).project
    assert [each.content for each in older.conversation_history] == ["1", "2"]
    assert (await manage(lab, "load_project", project_id="p1", messages=0)).project.conversation_history == ()


STRANGERS = [
    ("load_project", {}),
    ("update_project", {"goals": "mine"}),
    ("archive_project", {}),
    ("restore_project", {}),
    ("delete_project_permanently", {"confirmation": "DELETE"}),
    ("transfer_project", {"new_owner": "eve"}),
    ("add_collaborator", {"username": "eve"}),
    ("update_member_role", {"username": "bob", "role": "lead"}),
    ("set_member_skills", {"username": "bob", "skills": ["x"]}),
    ("list_collaborators", {}),
    ("remove_collaborator", {"username": "bob"}),
]


@pytest.mark.parametrize(("action", "fields"), STRANGERS)
async def test_strangers_learn_nothing_of_a_project(lab: Lab, action: str, fields: dict[str, Any]) -> None:
    """D61, D62: v1 checked for few of its actions who asks, and told which ids there are."""
    await with_project(lab, members={"bob": "creator"})
    for project_id in ("p1", "p2"):
        failure = await refused(lab, action, "eve", project_id=project_id, **fields)
        assert (failure.code, failure.message) == ("PROJECT_NOT_FOUND", f"there is no project {project_id!r}")
    assert await told(lab) == []


@pytest.mark.parametrize(
    ("action", "fields"), [each for each in STRANGERS if not each[0].startswith(("load", "update_project", "list"))]
)
async def test_what_the_owner_decides_no_member_does(lab: Lab, action: str, fields: dict[str, Any]) -> None:
    """D62: v1 let anybody change teams, and demote the owner."""
    await with_project(lab, members={"bob": "lead"})
    assert (await refused(lab, action, "bob", project_id="p1", **fields)).code == "FORBIDDEN"
    assert await told(lab) == []


@pytest.mark.parametrize("action", ["update_project", "save_project"])
async def test_members_change_a_project(anywhere: Lab, action: str) -> None:
    await with_project(anywhere, members={"bob": "creator"})
    changes: dict[str, Any] = {
        "name": "Library",
        "goals": "",
        "requirements": ["by phone", "by post"],
        "chat_mode": "direct",
        "progress": 40,
        "project_status": "on-hold",
        "dynamic_questions": False,
    }
    saved = (await manage(anywhere, action, "bob", project_id="p1", **changes)).project
    assert (saved.name, saved.progress, saved.project_status, saved.version) == ("Library", 40, "on-hold", 2)
    stored = await anywhere.store.projects.details("p1")
    assert (stored.requirements, stored.summary.chat_mode) == (("by phone", "by post"), "direct")
    assert stored.dynamic_questions is False
    assert await told(anywhere) == [
        (EventType.PROJECT_UPDATED, {"project_id": "p1", "user_id": "bob", "fields": tuple(changes)}),
        (EventType.PROJECT_SAVED, {"project_id": "p1", "user_id": "bob"}),
    ]


async def test_what_somebody_saved_meanwhile_is_not_overwritten(anywhere: Lab) -> None:
    """D55: v1 wrote the whole project, and the last one won."""
    await with_project(anywhere)
    saves = await asyncio.gather(
        *(
            anywhere.ask("project_manager", "update_project", project_id="p1", expected_version=1, goals=str(number))
            for number in range(3)
        )
    )
    failures = [response for response in saves if isinstance(response, Failure)]
    assert [(failure.code, failure.details) for failure in failures] == [("CONFLICT", {"expected": 1, "actual": 2})] * 2
    assert (await anywhere.store.projects.summary("p1")).version == 2


async def test_changes_of_different_fields_at_once_both_stay(lab: Lab) -> None:
    """D55: in v1 the second one took back the first."""
    await with_project(lab)
    await asyncio.gather(
        manage(lab, "update_project", project_id="p1", goals="Lend books"),
        manage(lab, "update_project", project_id="p1", code_style="terse"),
    )
    stored = await lab.store.projects.details("p1")
    assert (stored.goals, stored.code_style, stored.version) == ("Lend books", "terse", 3)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({}, "name"),
        ({"name": " "}, "name"),
        ({"progress": 101}, "progress"),
        ({"project_status": "gone"}, "project_status"),
        ({"chat_mode": "loud"}, "chat_mode"),
        ({"requirements": "one"}, "requirements"),
        ({"requirements": [""]}, "requirements.0"),
        ({"phase": "design"}, "phase"),
        ({"owner": "bob"}, "owner"),
    ],
)
async def test_a_wrong_change_is_told_by_its_field(lab: Lab, changes: dict[str, Any], field: str) -> None:
    """D80: v1 stored whatever it was given."""
    await with_project(lab)
    failure = await refused(lab, "update_project", project_id="p1", **changes)
    assert (failure.code, failure.field) == ("INVALID_REQUEST", field)
    assert (await lab.store.projects.summary("p1")).version == 1


async def test_an_archived_project_is_read_and_not_changed(lab: Lab) -> None:
    await with_project(lab, members={"bob": "creator"})
    await manage(lab, "archive_project", project_id="p1")
    assert (await refused(lab, "update_project", project_id="p1", goals="x")).code == "PROJECT_ARCHIVED"
    for action, fields in STRANGERS:
        if action in ("add_collaborator", "remove_collaborator", "set_member_skills", "transfer_project"):
            assert (await refused(lab, action, project_id="p1", **fields)).code == "PROJECT_ARCHIVED", action
    assert (await manage(lab, "load_project", "bob", project_id="p1")).project.is_archived


async def test_people_list_what_is_theirs(lab: Lab) -> None:
    """D61: v1 listed the projects of whomever it was asked about, and everybody's archived ones."""
    await with_project(lab, "p1", "ada", {"bob": "creator"})
    await with_project(lab, "p2", "bob")
    await with_project(lab, "p3", "bob")
    await with_project(lab, "p4", "eve", {"bob": "creator"})
    for project_id, owner in (("p3", "bob"), ("p4", "eve")):
        await manage(lab, "archive_project", owner, project_id=project_id)
    listed = (await manage(lab, "list_projects", "bob")).projects
    assert {(each.project_id, each.owner, each.status) for each in listed} == {
        ("p1", "ada", "active"),
        ("p2", "bob", "active"),
    }
    archived = (await manage(lab, "list_archived", "bob")).archived_projects
    assert [(each.project_id, each.status) for each in archived] == [("p3", "archived")]
    assert archived[0].archived_at is not None
    assert (await manage(lab, "get_archived_projects", "ada")).archived_projects == ()
    assert (await refused(lab, "list_projects", "nobody")).code == "USER_NOT_FOUND"


async def test_pages_of_projects_follow_each_other(lab: Lab) -> None:
    for number in range(3):
        await with_project(lab, f"p{number}")
    first = (await manage(lab, "list_projects", limit=2)).projects
    rest = (await manage(lab, "list_projects", after=first[-1].project_id)).projects
    assert [each.project_id for each in (*first, *rest)] == ["p2", "p1", "p0"]
    assert (await refused(lab, "list_projects", "bob", after="p0")).code == "PROJECT_NOT_FOUND"


async def test_a_project_is_archived_once(lab: Lab) -> None:
    await with_project(lab)
    first = (await manage(lab, "archive_project", project_id="p1")).project
    again = (await manage(lab, "archive_project", project_id="p1")).project
    assert first.archived_at == again.archived_at == (await lab.store.projects.summary("p1")).archived_at
    assert await told(lab) == [(EventType.PROJECT_ARCHIVED, {"project_id": "p1", "user_id": "ada"})]


async def test_archiving_reads_no_project_as_a_whole(lab: Lab) -> None:
    """D69: v1 read and unpickled the whole project twice to set one flag."""
    await with_project(lab)
    with counted(lab.store) as cost:
        await manage(lab, "archive_project", project_id="p1")
    assert len(cost.statements) == 4  # who asks, whether they are a member, the project's row, the change


async def test_a_project_is_restored(lab: Lab) -> None:
    await with_project(lab)
    await manage(lab, "archive_project", project_id="p1")
    await lab.events()
    assert (await manage(lab, "restore_project", project_id="p1")).project.status == "active"
    assert not (await lab.store.projects.summary("p1")).is_archived
    assert await told(lab) == [(EventType.PROJECT_RESTORED, {"project_id": "p1", "user_id": "ada"})]


async def test_what_is_not_archived_is_not_reported_as_restored(lab: Lab) -> None:
    """D33: v1 gave no reason, only that it had failed."""
    await with_project(lab)
    assert (await refused(lab, "restore_project", project_id="p1")).code == "INVALID_VALUE"
    assert await told(lab) == []


async def test_restoring_needs_room_in_the_subscription(lab: Lab) -> None:
    """D63: v1 let archive and restore go round the limit."""
    await with_people(lab, "fred", tier="free")
    await with_project(lab, "p1", "fred")
    await manage(lab, "archive_project", "fred", project_id="p1")
    await manage(lab, "create_project", "fred", project_name="Two")
    assert (await refused(lab, "restore_project", "fred", project_id="p1")).code == "PROJECT_LIMIT"
    assert (await lab.store.projects.summary("p1")).is_archived


async def test_a_deleted_project_leaves_nothing(anywhere: Lab) -> None:
    """D08: v1 deleted the project's row only."""
    await with_project(anywhere, members={"bob": "creator"})
    await with_talk(anywhere, "p1", "Who reads?")
    async with anywhere.store.begin() as unit:
        note = await unit.notes.create("p1", "Hall", "x", note_type="idea", created_by="bob")
    await manage(anywhere, "archive_project", project_id="p1")
    await anywhere.events()
    deleted = await manage(anywhere, "delete_project_permanently", project_id="p1", confirmation="DELETE")
    assert (deleted.project_id, deleted.warning) == ("p1", "")
    with pytest.raises(ProjectNotFoundError):
        await anywhere.store.projects.summary("p1")
    assert note.id not in {each.id for each in await anywhere.store.notes.for_project("p1")}
    assert await anywhere.store.conversations.last("p1") == ()
    assert await told(anywhere) == [(EventType.PROJECT_DELETED, {"project_id": "p1", "user_id": "ada"})]


@pytest.mark.parametrize(
    ("action", "field"),
    [("load_project", "before"), ("update_project", "expected_version"), ("load_project", "messages")],
)
async def test_a_number_that_no_database_holds_is_refused_by_name(lab: Lab, action: str, field: str) -> None:
    """PostgreSQL's driver refuses it later, and nobody could say of which field."""
    await with_project(lab)
    fields = {"project_id": "p1", field: 2**63} | ({"goals": "Other"} if action == "update_project" else {})
    failure = await lab.refused("project_manager", action, **fields)
    assert (failure.code, failure.field) == ("INVALID_REQUEST", field)
