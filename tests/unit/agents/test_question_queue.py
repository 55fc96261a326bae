"""Questions to the team: who is asked, who may settle them, what is counted."""

import pytest
from sqlalchemy import update

from socrates.events import EventType
from socrates.models import TeamMember
from tests.support.systems import Lab, with_people, with_project

CODE = "Which code do we build first?"
WHEN = "What does the schedule depend on?"


@pytest.fixture
async def queue(lab: Lab) -> Lab:
    await with_people(lab, "cy", "dan")
    await with_project(lab, members={"bob": "creator", "cy": "analyst", "dan": "creator"})
    await lab.events()
    return lab


async def add(queue: Lab, question: str = CODE, user: str = "ada", **fields: object) -> str:
    added = await queue.done("question_queue", "add_question", user, project_id="p1", question=question, **fields)
    question_id: str = added.question_id
    return question_id


async def test_a_question_goes_to_the_roles_that_its_words_point_to(queue: Lab) -> None:
    added = await queue.done("question_queue", "add_question", project_id="p1", question="Research the CODE's data?")
    assert (added.assigned_to, added.question.id) == (("bob", "cy", "dan"), added.question_id)
    assert added.message == "the question was put to bob, cy, dan"
    (stored,) = await queue.store.projects.pending_questions("p1")
    assert (stored.id, stored.status, stored.phase) == (added.question_id, "pending", "discovery")
    assert (stored.assigned_to_roles, stored.assigned_to_users) == (("creator", "analyst"), ("bob", "cy", "dan"))
    (event,) = await queue.events()
    assert event.type == EventType.PROJECT_UPDATED
    assert event.payload.model_dump() == {
        "agent": "question_queue",
        "project_id": "p1",
        "user_id": "ada",
        "fields": ("pending_questions",),
    }


async def test_a_question_for_nobody_in_particular_goes_to_all_in_the_order_of_the_team(queue: Lab) -> None:
    """D58: v1 took the roles from a set, in another order in every process."""
    for question in ("Why?", WHEN):
        added = await queue.done("question_queue", "add_question", project_id="p1", question=question)
        assert added.question.assigned_to_roles == ("lead", "creator", "analyst")
        assert added.assigned_to == ("ada", "bob", "cy", "dan")


async def test_a_question_is_added_to_a_project_that_was_stored_by_another_process(queue: Lab) -> None:
    """D01: v1 could read no role of a team that it had stored and loaded again."""
    queue.store.cache.clear()
    added = await queue.done("question_queue", "add_question", project_id="p1", question=CODE)
    assert added.question.assigned_to_roles == ("creator",)
    assert added.assigned_to == ("bob", "dan")


async def test_an_owner_who_is_not_in_the_team_leads_it(queue: Lab) -> None:
    """D02: v1 has projects whose owner is not among the members."""
    async with queue.store.begin() as unit:
        await unit.projects._write(update(TeamMember).where(TeamMember.username == "ada").values(is_active=False))
    queue.store.cache.clear()
    added = await queue.done("question_queue", "add_question", project_id="p1", question="Which strategy?")
    assert added.assigned_to == ("ada",)


async def test_a_question_can_belong_to_a_phase_to_come(queue: Lab) -> None:
    await add(queue, phase="design")
    (stored,) = await queue.store.projects.pending_questions("p1")
    assert stored.phase == "design"


async def test_people_see_what_they_have_to_answer(queue: Lab) -> None:
    first, _, third = [await add(queue, text) for text in (CODE, "Which vision?", "Create what?")]
    await queue.done("question_queue", "skip_question", "dan", project_id="p1", question_id=first)
    own = await queue.done("question_queue", "get_user_questions", "bob", project_id="p1")
    assert ([question.id for question in own.questions], own.total, own.username) == ([third], 1, "bob")
    of_ada = await queue.done("question_queue", "get_user_questions", "bob", project_id="p1", username="ada")
    assert [question.question for question in of_ada.questions] == ["Which vision?"]


@pytest.mark.parametrize("user", ["bob", "ada"])
async def test_whom_a_question_is_for_and_the_owner_answer_it(queue: Lab, user: str) -> None:
    question_id = await add(queue)
    await queue.events()
    settled = await queue.done(
        "question_queue", "answer_question", user, project_id="p1", question_id=question_id, answer="The lending."
    )
    (stored,) = await queue.store.projects.pending_questions("p1")
    assert (stored.status, stored.answer, stored.answered_by) == ("answered", "The lending.", user)
    assert (settled.question.status, settled.question.answered_at) == ("answered", stored.answered_at)
    assert settled.message == "the question is answered"
    (event,) = await queue.events()
    assert event.type == EventType.PROJECT_UPDATED


async def test_a_lead_answers_any_question(queue: Lab) -> None:
    question_id = await add(queue)
    async with queue.store.begin() as unit:
        await unit.projects.update_member("p1", "cy", role="lead")
    await queue.done("question_queue", "skip_question", "cy", project_id="p1", question_id=question_id)


async def test_others_settle_no_question(queue: Lab) -> None:
    """v1 did not check who answers (agents, 2.14)."""
    question = {"project_id": "p1", "question_id": await add(queue)}
    for action, fields in (("answer_question", {"answer": "x"}), ("skip_question", {})):
        assert (await queue.refused("question_queue", action, "cy", **question, **fields)).code == "FORBIDDEN"
    (stored,) = await queue.store.projects.pending_questions("p1")
    assert stored.status == "pending"


async def test_a_question_is_settled_once(queue: Lab) -> None:
    """v1 took a second answer in the place of the first (agents, 2.14)."""
    question = {"project_id": "p1", "question_id": await add(queue)}
    await queue.done("question_queue", "answer_question", "bob", **question, answer="first")
    for action, fields in (("answer_question", {"answer": "second"}), ("skip_question", {})):
        failure = await queue.refused("question_queue", action, "dan", **question, **fields)
        assert (failure.code, failure.message[-19:]) == ("INVALID_VALUE", "was answered before")
    (stored,) = await queue.store.projects.pending_questions("p1")
    assert (stored.answer, stored.answered_by) == ("first", "bob")


async def test_an_unknown_question_is_not_found(queue: Lab) -> None:
    failure = await queue.refused("question_queue", "skip_question", project_id="p1", question_id="q_1")
    assert failure.code == "NOT_FOUND"


async def test_the_queue_is_counted(queue: Lab) -> None:
    empty = await queue.done("question_queue", "get_queue_status", "cy", project_id="p1")
    ids = [await add(queue) for _ in range(4)]
    await queue.done("question_queue", "answer_question", "bob", project_id="p1", question_id=ids[0], answer="x")
    await queue.done("question_queue", "skip_question", "bob", project_id="p1", question_id=ids[1])
    status = await queue.done("question_queue", "get_queue_status", "cy", project_id="p1")
    assert (empty.total_questions, empty.completion_rate) == (0, 0.0)
    assert (status.total_questions, status.pending, status.answered, status.skipped) == (4, 2, 1, 1)
    assert status.completion_rate == 25.0


@pytest.mark.parametrize(
    ("action", "fields"),
    [
        ("add_question", {"question": CODE}),
        ("get_user_questions", {}),
        ("answer_question", {"question_id": "q", "answer": "x"}),
        ("skip_question", {"question_id": "q"}),
        ("get_queue_status", {}),
    ],
)
async def test_strangers_learn_nothing_of_a_queue(queue: Lab, action: str, fields: dict[str, object]) -> None:
    for project_id in ("p1", "p2"):
        failure = await queue.refused("question_queue", action, "eve", project_id=project_id, **fields)
        assert failure.code == "PROJECT_NOT_FOUND"
    assert await queue.events() == []


async def test_nothing_is_asked_in_an_archived_project(queue: Lab) -> None:
    question_id = await add(queue)
    async with queue.store.begin() as unit:
        await unit.projects.archive("p1")
    failure = await queue.refused("question_queue", "add_question", project_id="p1", question=CODE)
    settled = await queue.refused("question_queue", "skip_question", project_id="p1", question_id=question_id)
    assert failure.code == settled.code == "PROJECT_ARCHIVED"


@pytest.mark.parametrize(
    ("changes", "field"), [({"question": " "}, "question"), ({"phase": "later"}, "phase"), ({"role": "x"}, "role")]
)
async def test_a_bad_question_is_told_which_field_is_wrong(queue: Lab, changes: dict[str, object], field: str) -> None:
    request = {"project_id": "p1", "question": CODE, **changes}
    failure = await queue.refused("question_queue", "add_question", **request)
    assert (failure.code, failure.field) == ("INVALID_REQUEST", field)
