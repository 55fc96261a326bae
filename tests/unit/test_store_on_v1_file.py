"""From end to end: a file that v1 wrote, upgraded, opened, read and written to."""

import shutil
from pathlib import Path

import pytest

from socrates.drafts import NewMessage
from socrates.errors import NotRecognisedError
from socrates.store import Store
from tests.concurrency.checks import DRIVERS, assert_sound
from tests.support.expected_rows import expected_tables
from tests.support.expected_values import Row
from tests.support.migrate import REPOSITORY, upgrade

SAMPLES = REPOSITORY / "tests" / "support" / "v1_samples"


def of(rows: list[Row], project_id: str) -> list[Row]:
    return sorted((row for row in rows if row["project_id"] == project_id), key=lambda row: row.get("position", 0))


@pytest.mark.parametrize("driver", DRIVERS)
@pytest.mark.parametrize("sample", ["nine-tables.db", "three-tables.db"])
async def test_all_that_v1_wrote_is_there_and_the_dialogue_goes_on(
    tmp_path: Path, sample: str, driver: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCRATES_SQLITE_DRIVER", driver)
    expected, path = expected_tables(SAMPLES / sample), tmp_path / "projects.db"
    shutil.copyfile(SAMPLES / sample, path)
    with pytest.raises(NotRecognisedError, match="socrates db upgrade"):
        await Store.open(path)
    upgrade(path)
    async with Store.open(path) as store:
        assert expected["projects"]
        for project in expected["projects"]:
            details = await store.projects.details(project["id"])
            assert (details.summary.name, details.summary.owner, details.summary.phase) == (
                project["name"],
                project["owner"],
                project["phase"],
            )
            assert details.goals == project["goals"]
            for name in ("requirements", "tech_stack", "constraints"):
                assert list(getattr(details, name)) == [
                    row["value"] for row in of(expected[f"project_{name}"], project["id"])
                ]
            assert {member.username: member.role for member in details.members} == {
                row["username"]: row["role"] for row in of(expected["team_members"], project["id"])
            }
            assert {score.phase: score.score for score in details.phase_scores} == {
                row["phase"]: row["score"] for row in of(expected["phase_maturity_scores"], project["id"])
            }
            assert len(details.specs) == len(of(expected["categorized_specs"], project["id"]))
            assert len(details.maturity_events) == len(of(expected["maturity_events"], project["id"]))
            dialogue = [(row["type"], row["content"]) for row in of(expected["conversation_messages"], project["id"])]
            exported = [(found.type, found.content) async for found in store.conversations.export(project["id"])]
            assert exported == dialogue
            listed = await store.projects.for_user(project["owner"], archived=None)
            assert project["id"] in {summary.id for summary in listed}
            async with store.begin() as unit:
                added = await unit.conversations.append(project["id"], NewMessage("user", "Let us go on."))
            assert added.position == len(dialogue)
            assert (await store.conversations.last(project["id"], 1))[0] == added
            assert (await store.projects.summary(project["id"])).message_count == len(dialogue) + 1
        for user in expected["users"]:
            found = await store.users.get(user["username"])
            assert found.passcode_hash == user["passcode_hash"]
            assert found.subscription_tier == user["subscription_tier"]
    assert_sound(path)
