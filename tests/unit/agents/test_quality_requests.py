"""What requests about maturity must be like, and who may make them. What they do is in test_quality_controller.py."""

import json
from typing import Any

import pytest

from tests.support.systems import Lab, with_people, with_project
from tests.unit.agents.quality import QUALITY, REQUESTS, set_project


@pytest.mark.parametrize("action", REQUESTS)
async def test_responses_are_the_same_as_json(quality: Lab, action: str) -> None:
    """D70: v1's responses carried objects."""
    response = await quality.done(QUALITY, action, project_id="p1", **REQUESTS[action])
    assert type(response).model_validate(json.loads(response.model_dump_json())) == response


@pytest.mark.parametrize("action", REQUESTS)
async def test_strangers_learn_nothing_of_a_project(quality: Lab, action: str) -> None:
    """D61: v1 never looked at who asks."""
    for project_id in ("p1", "p2"):
        failure = await quality.refused(QUALITY, action, "eve", project_id=project_id, **REQUESTS[action])
        assert (failure.code, failure.message) == ("PROJECT_NOT_FOUND", f"there is no project {project_id!r}")
    assert quality.server.requests == []
    assert await quality.events() == []


@pytest.mark.parametrize("action", REQUESTS)
async def test_tiers_hold_for_all_who_ask(lab: Lab, action: str) -> None:
    """D64: v1 asked for the tier in its terminal only."""
    await with_people(lab, "fay", tier="free")
    await with_project(lab, owner="fay")
    response = await lab.ask(QUALITY, action, "fay", project_id="p1", **REQUESTS[action])
    if action in ("update_after_response", "verify_advancement"):
        assert response.status == "success"
    else:
        assert response.model_dump()["code"] == "FEATURE_NOT_IN_TIER"
        assert await lab.events() == []


async def test_an_archived_project_is_read_and_not_scored(quality: Lab) -> None:
    async with quality.store.begin() as unit:
        await unit.projects.archive("p1")
    for action, fields in REQUESTS.items():
        response = await quality.ask(QUALITY, action, project_id="p1", **fields)
        is_write = action in ("calculate_maturity", "update_after_response")
        assert response.model_dump().get("code") == ("PROJECT_ARCHIVED" if is_write else None)
    assert quality.server.requests == []


@pytest.mark.parametrize(
    ("action", "fields", "field"),
    [
        ("calculate_maturity", {"phase": "completion"}, "phase"),
        ("verify_advancement", {}, "from_phase"),
        ("update_after_response", {}, "insights"),
        ("update_after_response", {"insights": "Lend books"}, "insights"),
        ("get_history", {"limit": 0}, "limit"),
        ("get_analytics", {"question_count": 11}, "question_count"),
    ],
)
async def test_a_bad_request_is_told_which_field_is_wrong(
    quality: Lab, action: str, fields: dict[str, Any], field: str
) -> None:
    """D80: v1 failed with an attribute error, and D73: it knew a fifth phase."""
    failure = await quality.refused(QUALITY, action, project_id="p1", **fields)
    assert (failure.code, failure.field) == ("INVALID_REQUEST", field)


@pytest.mark.parametrize("action", ["calculate_maturity", "get_readiness", "update_after_response", "get_analytics"])
async def test_a_phase_of_v1_that_there_is_not_is_told(quality: Lab, action: str) -> None:
    await set_project(quality, phase="completion")
    failure = await quality.refused(QUALITY, action, project_id="p1", **REQUESTS[action])
    assert failure.code == "UNKNOWN_PHASE"
