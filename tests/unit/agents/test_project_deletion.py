"""Projects that are deleted for good. What else is done with projects is in test_project_manager.py."""

from pathlib import Path

import pytest

from socrates.drafts import NewEntry
from tests.support.systems import Lab, fresh_system, with_people, with_project


async def test_the_index_of_knowledge_forgets_deleted_projects_at_once(tmp_path: Path) -> None:
    """D08: v1 left the vectors of deleted projects where they were, those of deleted users too."""
    async with fresh_system(tmp_path, knowledge=True) as lab:
        await with_people(lab, "ada")
        for project_id in ("p1", "p2"):
            await with_project(lab, project_id)
            await lab.system.services.known.add(NewEntry("Children borrow at noon", "habits"), project_id)
        first = await lab.done("project_manager", "delete_project_permanently", project_id="p1", confirmation="DELETE")
        assert (first.warning, await lab.store.index_work.to_remove(10)) == ("", ())
        second = await lab.done("user_manager", "delete_user_permanently", username="ada", confirmation="DELETE")
        assert (second.deleted_projects, second.warning) == (("p2",), "")
        assert await lab.store.index_work.to_remove(10) == ()


@pytest.mark.parametrize("given", ["", "delete", "DELETE ", "YES"])
async def test_deleting_for_good_has_to_be_confirmed(lab: Lab, given: str) -> None:
    await with_project(lab)
    failure = await lab.refused("project_manager", "delete_project_permanently", project_id="p1", confirmation=given)
    assert (failure.code, failure.field) == ("NOT_CONFIRMED", "confirmation")
    assert (await lab.store.projects.summary("p1")).id == "p1"
