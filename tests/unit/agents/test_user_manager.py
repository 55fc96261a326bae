"""People: registering, logging in, archiving, deleting; who may, what is stored, what is told."""

import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from socrates.agents.contracts.base import Failure
from socrates.drafts import NewMessage
from socrates.errors import ProjectNotFoundError, UserNotFoundError
from socrates.events import EventType
from tests.support.engines import ENGINES, on_engine
from tests.support.systems import Lab, fresh_system, with_people, with_project
from tests.unit.repositories.people import account_rows, put_rows

ADMINISTRATORS = {"administrators": frozenset({"root", "ghost"})}
PASSCODE = "open sesame"


@pytest.fixture
async def people(tmp_path: Path) -> AsyncIterator[Lab]:
    """A system with root, who administrates it, and ada, bob and eve."""
    async with fresh_system(tmp_path, settings=ADMINISTRATORS) as lab:
        await with_people(lab, "root", "ada", "bob", "eve")
        yield lab


@pytest.fixture(params=ENGINES)
async def anywhere(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    """The same, on each of the engines."""
    with on_engine(request):
        async with fresh_system(tmp_path, settings=ADMINISTRATORS) as lab:
            await with_people(lab, "root", "ada", "bob", "eve")
            yield lab


async def manage(lab: Lab, action: str, user: str = "ada", **fields: Any) -> Any:
    return await lab.done("user_manager", action, user, **fields)


async def refused(lab: Lab, action: str, user: str = "ada", **fields: Any) -> Failure:
    return await lab.refused("user_manager", action, user, **fields)


async def told(lab: Lab) -> list[tuple[EventType, dict[str, Any]]]:
    return [(event.type, event.payload.model_dump(exclude={"agent"})) for event in await lab.events()]


async def archive(lab: Lab, username: str) -> None:
    async with lab.store.begin() as unit:
        await unit.users.archive(username)


async def test_somebody_registers_and_logs_in(people: Lab) -> None:
    """D60: v1's way in besides its terminal made people on the tier pro, without a passcode."""
    request = {"action": "create_user", "username": "zoe", "passcode": PASSCODE}
    response = await people.system.process_request("user_manager", request)
    assert response.status == "success", response
    stored = await people.store.users.get("zoe")
    assert (stored.subscription_tier, stored.passcode_hash[:10]) == ("free", "$argon2id$")
    came = await manage(people, "authenticate", "zoe", passcode=PASSCODE)
    assert (came.user.username, came.user.tier) == ("zoe", "free")
    assert await told(people) == [
        (EventType.USER_CREATED, {"username": "zoe"}),
        (EventType.USER_AUTHENTICATED, {"username": "zoe"}),
    ]
    for answer in (response, came):
        assert "argon2" not in answer.model_dump_json()
        assert "passcode" not in answer.model_dump_json()


async def test_a_wrong_passcode_is_refused_and_then_has_to_wait(people: Lab) -> None:
    await manage(people, "create_user", "zoe", passcode=PASSCODE)
    await people.events()
    failures = [await refused(people, "authenticate", "zoe", passcode="x" * 9) for _ in range(6)]
    assert [failure.code for failure in failures] == ["LOGIN_REFUSED"] * 5 + ["THROTTLED"]
    assert failures[-1].details == {"retry_after": 1}
    assert await told(people) == []
    people.clock.move(seconds=2)
    await manage(people, "authenticate", "zoe", passcode=PASSCODE)


async def test_an_unknown_name_and_an_archived_person_are_refused_alike(people: Lab) -> None:
    await archive(people, "eve")
    failures = [await refused(people, "authenticate", name, passcode=PASSCODE) for name in ("nobody", "eve", "ada")]
    assert {(failure.code, failure.message) for failure in failures} == {(failures[0].code, failures[0].message)}
    assert failures[0].code == "LOGIN_REFUSED"


async def test_a_name_that_is_taken_is_refused(people: Lab) -> None:
    failure = await refused(people, "create_user", "ada", passcode=PASSCODE)
    assert failure.code == "ALREADY_EXISTS"
    assert (await people.store.users.get("ada")).passcode_hash == ""
    assert await told(people) == []


@pytest.mark.parametrize(
    ("fields", "field"),
    [({}, "passcode"), ({"passcode": None}, "passcode"), ({"passcode": PASSCODE, "tier": "pro"}, "tier")],
)
async def test_a_bad_registration_is_told_by_its_field_and_not_repeated(
    people: Lab, fields: dict[str, Any], field: str
) -> None:
    """D80: v1 checked nothing."""
    failure = await refused(people, "create_user", "zoe", **fields)
    assert (failure.code, failure.field) == ("INVALID_REQUEST", field)
    assert PASSCODE not in failure.model_dump_json()


async def test_an_empty_passcode_is_none(people: Lab) -> None:
    """D60: v1 stored an empty hash."""
    assert (await refused(people, "create_user", "zoe", passcode="")).code == "INVALID_VALUE"
    with pytest.raises(UserNotFoundError):
        await people.store.users.get("zoe")


async def test_a_passcode_is_changed_by_who_knows_it(people: Lab) -> None:
    await manage(people, "create_user", "zoe", passcode=PASSCODE)
    wrong = await refused(people, "change_passcode", "zoe", old_passcode="no", new_passcode="new")
    assert wrong.code == "LOGIN_REFUSED"
    changed = await manage(people, "change_passcode", "zoe", old_passcode=PASSCODE, new_passcode="new")
    assert changed.username == "zoe"
    assert (await refused(people, "authenticate", "zoe", passcode=PASSCODE)).code == "LOGIN_REFUSED"
    await manage(people, "authenticate", "zoe", passcode="new")


async def test_somebody_leaves(people: Lab) -> None:
    await archive(people, "eve")
    for name in ("ada", "eve"):
        await manage(people, "log_out", name)
    left = [(EventType.USER_LOGGED_OUT, {"username": name}) for name in ("ada", "eve")]
    assert await told(people) == left
    assert (await refused(people, "log_out", "nobody")).code == "USER_NOT_FOUND"


async def test_people_see_what_their_tier_allows_and_what_is_left_of_it(people: Lab) -> None:
    await with_project(people)
    await with_project(people, "p2", "bob", {"ada": "creator"})
    async with people.store.begin() as unit:
        reset = datetime(2026, 4, 1, tzinfo=UTC)
        for _ in range(3):
            await unit.users.use_question("ada", 1000, next_reset=reset, at=people.clock())
    user = (await manage(people, "get_user")).user
    assert (user.tier, user.projects_owned, user.is_archived) == ("pro", 1, False)
    assert user.limits.model_dump() == {
        "max_projects": 10,
        "max_team_members": 5,
        "max_questions_per_month": 1000,
    }
    assert (user.questions_used, user.questions_left, user.questions_reset_at) == (3, 997, reset)
    assert "code_generation" in user.features
    people.clock.move(days=30)
    user = (await manage(people, "get_user")).user
    assert (user.questions_used, user.questions_left) == (0, 1000)
    assert user.questions_reset_at == datetime(2026, 5, 1, tzinfo=UTC)


async def test_an_ended_subscription_shows_the_limits_of_free(people: Lab) -> None:
    """D66: v1 looked neither at the status nor at the end."""
    async with people.store.begin() as unit:
        await unit.users.update("ada", subscription_end=people.clock())
        await unit.users.update("bob", subscription_tier="enterprise")
    user = (await manage(people, "get_user")).user
    assert (user.tier, user.subscription_tier, user.features, user.limits.max_projects) == ("free", "pro", (), 1)
    user = (await manage(people, "get_user", "bob")).user
    assert (user.questions_left, user.limits.max_projects) == (None, None)


async def test_profiles_are_ones_own(people: Lab) -> None:
    """D61: v1 checked no identity."""
    failure = await refused(people, "get_user", "ada", username="bob")
    assert (failure.code, failure.field) == ("INVALID_REQUEST", "username")


async def test_an_administrator_gives_a_subscription(anywhere: Lab) -> None:
    async with anywhere.store.begin() as unit:
        await unit.users.update("ada", subscription_status="expired", subscription_end=anywhere.clock())
    end = anywhere.clock() + timedelta(days=30)
    user = (await manage(anywhere, "set_subscription", "root", username="ada", tier="enterprise", end=end)).user
    assert (user.tier, user.subscription_end, user.subscription_start) == ("enterprise", end, anywhere.clock())
    stored = await anywhere.store.users.get("ada")
    assert (stored.subscription_tier, stored.subscription_status) == ("enterprise", "active")
    anywhere.clock.move(days=30)
    assert (await manage(anywhere, "get_user")).user.tier == "free"


@pytest.mark.parametrize("asker", ["ada", "bob", "ghost"])
async def test_nobody_else_gives_one_not_even_to_themselves(people: Lab, asker: str) -> None:
    """D64: in v1 everybody chose their own tier. The name of ghost is an administrator's, whom there is not."""
    failure = await refused(people, "set_subscription", asker, username="ada", tier="enterprise")
    assert failure.code == ("USER_NOT_FOUND" if asker == "ghost" else "FORBIDDEN")
    assert (await people.store.users.get("ada")).subscription_tier == "pro"


async def test_there_are_three_tiers(people: Lab) -> None:
    failure = await refused(people, "set_subscription", "root", username="ada", tier="gold")
    assert (failure.code, failure.field) == ("INVALID_REQUEST", "tier")
    assert (await refused(people, "set_subscription", "root", username="no", tier="pro")).code == "USER_NOT_FOUND"


async def test_who_archives_themselves_archives_their_projects(anywhere: Lab) -> None:
    await with_project(anywhere, "p1")
    await with_project(anywhere, "p2")
    await with_project(anywhere, "p3", "bob", {"ada": "creator"})
    async with anywhere.store.begin() as unit:
        await unit.projects.archive("p2")
    await manage(anywhere, "archive_user", username="ada")
    assert (await anywhere.store.users.get("ada")).is_archived
    assert [(await anywhere.store.projects.summary(each)).is_archived for each in ("p1", "p3")] == [True, False]
    assert await told(anywhere) == [
        (EventType.USER_ARCHIVED, {"username": "ada"}),
        (EventType.PROJECT_ARCHIVED, {"project_id": "p1", "user_id": "ada"}),
    ]


async def test_projects_stay_where_they_are_if_told_so(people: Lab) -> None:
    await with_project(people)
    await manage(people, "archive_user", username="ada", archive_projects=False)
    assert not (await people.store.projects.summary("p1")).is_archived
    assert await told(people) == [(EventType.USER_ARCHIVED, {"username": "ada"})]
    assert (await refused(people, "archive_user", username="ada")).code == "USER_ARCHIVED"


@pytest.mark.parametrize(
    ("action", "fields"), [("archive_user", {}), ("delete_user_permanently", {"confirmation": "DELETE"})]
)
@pytest.mark.parametrize("target", ["bob", "nobody"])
async def test_people_act_on_themselves_only(people: Lab, action: str, fields: dict[str, Any], target: str) -> None:
    """D62, D61: also administrators; and nobody learns who there is."""
    for asker in ("ada", "root"):
        failure = await refused(people, action, asker, username=target, **fields)
        assert (failure.code, failure.field) == ("FORBIDDEN", "username")
    assert not (await people.store.users.get("bob")).is_archived
    assert await told(people) == []


@pytest.mark.parametrize("asker", ["ada", "root"])
async def test_people_are_restored_by_themselves_and_by_administrators(anywhere: Lab, asker: str) -> None:
    await with_project(anywhere)
    await archive(anywhere, "ada")
    await manage(anywhere, "restore_user", asker, username="ada")
    assert not (await anywhere.store.users.get("ada")).is_archived
    assert (await anywhere.store.projects.summary("p1")).is_archived
    assert [event.type for event in await anywhere.events(EventType.LOG_INFO)] == [EventType.LOG_INFO]


async def test_nobody_else_restores_people(people: Lab) -> None:
    """D61: v1 let any caller restore anybody."""
    for target in ("ada", "nobody"):
        assert (await refused(people, "restore_user", "bob", username=target)).code == "FORBIDDEN"
    await archive(people, "root")
    assert (await refused(people, "restore_user", "root", username="ada")).code == "USER_ARCHIVED"


async def test_what_is_not_archived_is_not_reported_as_restored(people: Lab) -> None:
    """D33: v1 told only that it had failed."""
    assert (await refused(people, "restore_user", "ada", username="ada")).code == "INVALID_VALUE"
    assert (await refused(people, "restore_user", "root", username="nobody")).code == "USER_NOT_FOUND"


async def test_administrators_list_who_is_archived(people: Lab) -> None:
    """D61: v1 listed them for any caller."""
    await with_project(people)
    for name in ("bob", "ada"):
        await archive(people, name)
    first = (await manage(people, "get_archived_users", "root", limit=1)).archived_users
    assert [(each.username, each.project_count) for each in first] == [("ada", 1)]
    rest = (await manage(people, "get_archived_users", "root", after="ada")).archived_users
    assert [each.username for each in rest] == ["bob"]
    for asker, code in (("eve", "FORBIDDEN"), ("ada", "USER_ARCHIVED"), ("nobody", "USER_NOT_FOUND")):
        assert (await refused(people, "get_archived_users", asker)).code == code


async def test_a_deleted_user_leaves_projects_to_the_team_and_nothing_personal(anywhere: Lab) -> None:
    """D08: v1 deleted the user's row only. D02: v1's heir was the first of another list, and no lead."""
    await with_project(anywhere, "p1", "ada", {"eve": "creator", "bob": "analyst"})
    await with_project(anywhere, "p2", "ada")
    await with_project(anywhere, "p3", "bob", {"ada": "creator"})
    async with anywhere.store.begin() as unit:
        await unit.conversations.append_many("p3", [NewMessage("user", "Hello", author="ada")])
        await unit.notes.create("p2", "Hall", "x", note_type="idea", created_by="ada")
    deleted = await manage(anywhere, "delete_user_permanently", username="ada", confirmation="DELETE")
    assert [(each.project_id, each.new_owner) for each in deleted.transferred_projects] == [("p1", "eve")]
    assert (deleted.deleted_projects, deleted.deleted["project_notes"]) == (("p2",), 1)
    with pytest.raises(UserNotFoundError):
        await anywhere.store.users.get("ada")
    with pytest.raises(ProjectNotFoundError):
        await anywhere.store.projects.summary("p2")
    assert (await anywhere.store.projects.summary("p1")).owner == "eve"
    team = {member.username: member.role for member in await anywhere.store.projects.members("p1")}
    assert team == {"eve": "lead", "bob": "analyst"}
    (message,) = await anywhere.store.conversations.last("p3")
    assert message.author not in (None, "ada")
    events = await told(anywhere)
    assert events[:2] == [
        (EventType.PROJECT_DELETED, {"project_id": "p2", "user_id": "ada"}),
        (EventType.PROJECT_UPDATED, {"project_id": "p1", "user_id": "ada", "fields": ("owner", "team_members")}),
    ]
    assert {(kind, each["project_id"], each["username"]) for kind, each in events[2:]} == {
        (EventType.COLLABORATOR_REMOVED, project_id, "ada") for project_id in ("p1", "p3")
    }


async def test_an_archived_person_is_deleted_too(people: Lab) -> None:
    await archive(people, "ada")
    deleted = await manage(people, "delete_user_permanently", username="ada", confirmation="DELETE")
    assert (deleted.remains, deleted.warning) == ((), "")
    failure = await refused(people, "delete_user_permanently", username="ada", confirmation="DELETE")
    assert failure.code == "USER_NOT_FOUND"


@pytest.mark.parametrize("given", ["", "delete", "DELETE!"])
async def test_deleting_for_good_has_to_be_confirmed(people: Lab, given: str) -> None:
    failure = await refused(people, "delete_user_permanently", username="ada", confirmation=given)
    assert (failure.code, failure.field) == ("NOT_CONFIRMED", "confirmation")
    assert (await people.store.users.get("ada")).username == "ada"


async def test_nobody_is_deleted_while_v1s_tables_keep_everything(people: Lab) -> None:
    """D08: a deletion that leaves a copy of everything beside it is none."""
    await put_rows(people.store, account_rows("ada", v1=None))
    request = {"username": "ada", "confirmation": "DELETE"}
    failure = await refused(people, "delete_user_permanently", **request)
    assert (failure.code, failure.field) == ("BACKUP_REMAINS", "keep_v1_backup")
    assert "drop-v1-backup" in failure.message
    assert (await people.store.users.get("ada")).username == "ada"
    assert await told(people) == []
    deleted = await manage(people, "delete_user_permanently", keep_v1_backup=True, **request)
    assert "v1's own tables" in deleted.remains[0].what


async def test_logs_do_not_keep_the_name_of_who_was_deleted(people: Lab, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO", "socrates.agents")
    await manage(people, "delete_user_permanently", username="ada", confirmation="DELETE")
    assert "a user was deleted for good" in caplog.text
    assert "ada" not in caplog.text
    logged = await people.events(EventType.LOG_INFO)
    assert "ada" not in json.dumps([event.payload.model_dump() for event in logged])
