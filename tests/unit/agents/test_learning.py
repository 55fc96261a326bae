"""What is learned of people, and the documents that they add to a project."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from socrates.events import EventType
from tests.support.engines import ENGINES, on_engine
from tests.support.stores import counted
from tests.support.systems import Lab, fresh_system, with_people, with_project

LEARNING = "learning"


@pytest.fixture(params=ENGINES)
async def on_both(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Lab]:
    with on_engine(request):
        async with fresh_system(tmp_path) as lab:
            await with_people(lab, "ada", "bob")
            yield lab


@pytest.fixture
async def knowing(tmp_path: Path) -> AsyncIterator[Lab]:
    """A system with a knowledge base; ada owns p1 and p2, bob works on p1."""
    async with fresh_system(tmp_path, knowledge=True, settings={"max_document_mb": 0.001}) as lab:
        await with_people(lab, "ada", "bob", "eve")
        await with_project(lab, members={"bob": "creator"})
        await with_project(lab, "p2")
        yield lab


async def track(lab: Lab, question: str = "static:discovery:1", user: str = "ada", **answer: Any) -> Any:
    return await lab.done(LEARNING, "track_question_effectiveness", user, question_template_id=question, **answer)


async def upload(lab: Lab, user: str = "bob", content: str = "Bees winter in a cluster.", **fields: Any) -> Any:
    request = {"project_id": "p1", "filename": "bees.txt", "content": content, **fields}
    return await lab.ask(LEARNING, "upload_knowledge_document", user, **request)


async def test_an_answer_is_counted_stored_and_told(on_both: Lab) -> None:
    """D36: v1 told of it under a text that those who listen to the type did not hear."""
    await track(on_both, role="lead", answer_length=100, specs_extracted=2)
    told = await track(on_both, role="lead", answer_length=50)
    assert (told.effectiveness_score, told.times_asked, told.times_answered_well) == (0.5, 2, 1)
    (stored,) = await on_both.store.learning.effectiveness_of("ada")
    assert (stored.question_template_id, stored.role, stored.times_asked) == ("static:discovery:1", "lead", 2)
    assert stored.average_answer_length == int(0.3 * 50 + 0.7 * int(0.3 * 100))
    assert float(stored.average_spec_extraction_count or 0) == pytest.approx(0.7 * 0.6)
    assert stored.last_asked_at == on_both.clock.now
    _, event = await on_both.events(EventType.LEARNING_METRICS_UPDATED)
    assert event.payload.model_dump() == {
        "agent": LEARNING,
        "user_id": "ada",
        "question_id": "static:discovery:1",
        "effectiveness_score": 0.5,
        "times_asked": 2,
        "times_answered_well": 1,
    }


@pytest.mark.parametrize(
    ("answer", "well"),
    [
        ({"specs_extracted": 1}, 1),
        ({"specs_extracted": 0}, 0),
        ({"specs_extracted": 1, "answer_quality": 0.6}, 0),
        ({"specs_extracted": 0, "answer_quality": 1.0}, 0),
    ],
)
async def test_an_answer_is_good_when_it_gave_something(lab: Lab, answer: dict[str, Any], well: int) -> None:
    """D15: v1 gave every answer a quality that is not enough for a good one."""
    assert (await track(lab, **answer)).times_answered_well == well


async def test_answers_at_once_are_all_counted(on_both: Lab) -> None:
    """D79: of two in v1 that read the same record, one was lost."""
    await asyncio.gather(*(track(on_both, specs_extracted=number % 2) for number in range(6)))
    (stored,) = await on_both.store.learning.effectiveness_of("ada")
    assert (stored.times_asked, stored.times_answered_well) == (6, 3)


async def test_a_habit_is_surer_each_time(lab: Lab) -> None:
    await with_project(lab, "p1")
    await with_project(lab, "p2")
    habit: dict[str, Any] = {"pattern_type": "pace", "confidence": 0.85}
    first = await lab.done(LEARNING, "learn_behavior_pattern", **habit, pattern_data={"a": 1, "b": 1}, project_id="p1")
    again: dict[str, Any] = {"pattern_data": {"b": 2}, "confidence": 0.1}
    second = await lab.done(LEARNING, "learn_behavior_pattern", **habit | again, project_id="p2")
    third = await lab.done(LEARNING, "learn_behavior_pattern", **habit | again, project_id="p2")
    assert [first.confidence, second.confidence, third.confidence] == pytest.approx([0.85, 0.95, 1.0])
    assert first.pattern_id == second.pattern_id == third.pattern_id
    (stored,) = await lab.store.learning.patterns_of("ada")
    assert (stored.id, dict(stored.pattern_data)) == (first.pattern_id, {"a": 1, "b": 2})
    assert stored.learned_from_projects == ("p1", "p2")
    assert await lab.events() == []


async def test_a_habit_learned_at_once_is_one_habit(on_both: Lab) -> None:
    """D79: v1 read and inserted apart, against a key that there is once."""
    one: dict[str, Any] = {"pattern_type": "pace", "confidence": 0.5}
    done = await asyncio.gather(*(on_both.done(LEARNING, "learn_behavior_pattern", **one) for _ in range(4)))
    assert sorted(each.confidence for each in done) == pytest.approx([0.5, 0.6, 0.7, 0.8])
    assert len({each.pattern_id for each in done}) == 1


async def test_nothing_is_learned_from_a_project_of_others(lab: Lab) -> None:
    await with_project(lab, owner="bob")
    failure = await lab.refused(LEARNING, "learn_behavior_pattern", pattern_type="pace", project_id="p1")
    assert failure.code == "PROJECT_NOT_FOUND"
    assert await lab.store.learning.patterns_of("ada") == ()


async def test_the_question_that_worked_best_is_recommended(lab: Lab) -> None:
    """D04: v1 took a question that never worked for one that nobody knows."""
    await track(lab, "never")
    await track(lab, "mostly", specs_extracted=1)
    questions = [{"id": "never"}, {"template_id": "new", "text": "And now?"}, {"id": "other"}]
    unknown = await lab.done(LEARNING, "recommend_next_question", available_questions=questions)
    assert unknown.recommended_question == {"template_id": "new", "text": "And now?"}
    assert (unknown.effectiveness_score, unknown.times_asked) == (0.5, 0)
    assert "50%" in unknown.reason
    best = await lab.done(LEARNING, "recommend_next_question", available_questions=[*questions, {"id": "mostly"}])
    assert (best.recommended_question, best.effectiveness_score, best.times_asked) == ({"id": "mostly"}, 1.0, 1)
    worst = await lab.done(LEARNING, "recommend_next_question", available_questions=questions[:1])
    assert (worst.effectiveness_score, worst.times_asked) == (0.0, 1)


async def test_without_a_question_to_choose_from_none_is_recommended(lab: Lab) -> None:
    """D81: v1 left the score out."""
    none = await lab.done(LEARNING, "recommend_next_question")
    some = await lab.done(LEARNING, "recommend_next_question", available_questions=[{"id": "q"}])
    assert (none.recommended_question, none.effectiveness_score, none.times_asked) == (None, None, 0)
    assert none.model_dump().keys() == some.model_dump().keys()


async def test_the_records_are_read_once_whatever_is_offered(lab: Lab) -> None:
    """D69: v1 went through all records for each question."""
    offered = [{"id": f"q{number}"} for number in range(50)]
    await lab.done(LEARNING, "recommend_next_question", available_questions=offered)
    lab.store.cache.clear()
    with counted(lab.store) as cost:
        await lab.done(LEARNING, "recommend_next_question", available_questions=offered)
    cost.must_be(statements=2, crossings=2)


async def test_what_is_uploaded_is_found_in_its_project_and_told(knowing: Lab) -> None:
    """D22: v1 stored a document that no search ever found."""
    done = await upload(knowing, content_type="text/plain")
    assert (done.filename, done.project_id, done.file_size) == ("bees.txt", "p1", 25)
    (stored,) = await knowing.store.knowledge.documents_of_project("p1")
    assert (stored.id, stored.user_id, stored.content_type) == (done.document_id, "bob", "text/plain")
    (event,) = await knowing.events()
    assert event.type == EventType.DOCUMENT_IMPORTED
    assert event.payload.model_dump() == {
        "agent": LEARNING,
        "project_id": "p1",
        "user_id": "bob",
        "file_name": "bees.txt",
        "words_extracted": 5,
        "chunks_created": 1,
        "entries_added": 1,
    }
    search = knowing.system.services.known.search
    (hit,) = await search("bees winter", project_id="p1", category="imported_document")
    assert hit.entry.content == "Bees winter in a cluster."
    assert await search("bees winter", project_id="p2", category="imported_document") == ()


async def test_without_a_knowledge_base_nothing_is_uploaded(lab: Lab) -> None:
    """D22: v1 took a document in of which nobody was ever to hear again."""
    await with_project(lab)
    failure = await upload(lab, "ada")
    assert failure.code == "CONFIGURATION_ERROR"
    assert await lab.store.knowledge.documents_of_project("p1") == ()


@pytest.mark.parametrize(
    ("content", "code"), [("x" * 1001, "INVALID_VALUE"), ("Bees\0", "DOCUMENT_ERROR"), (" \n", "DOCUMENT_ERROR")]
)
async def test_a_document_that_cannot_be_taken_in_leaves_nothing(knowing: Lab, content: str, code: str) -> None:
    assert (await upload(knowing, content=content)).code == code
    assert await knowing.store.knowledge.documents_of_project("p1") == ()
    assert await knowing.events() == []


async def test_strangers_and_archived_projects_get_no_document(knowing: Lab) -> None:
    assert (await upload(knowing, "eve")).code == "PROJECT_NOT_FOUND"
    async with knowing.store.begin() as unit:
        await unit.projects.archive("p1")
    assert (await upload(knowing)).code == "PROJECT_ARCHIVED"
    assert await knowing.store.knowledge_entries.count("p1") == 0


async def test_a_right_that_is_taken_away_meanwhile_does_not_count(knowing: Lab) -> None:
    async with knowing.store.begin() as unit:
        await unit.projects.remove_member("p1", "bob")
        uploading = asyncio.create_task(upload(knowing))
        # The first look at the right finds what is committed; what is to be stored waits for this unit's end.
        await asyncio.sleep(0.2)
    assert (await uploading).code == "PROJECT_NOT_FOUND"
    assert await knowing.store.knowledge.documents_of_project("p1") == ()
    assert await knowing.events() == []


async def test_a_profile_is_made_of_what_was_learned(on_both: Lab) -> None:
    """D04: v1 read a score of 0 as 0.5, and praised who never gave an answer."""
    await with_project(on_both)
    for question, specs in (("a", 1), ("a", 1), ("b", 0)):
        await track(on_both, question, specs_extracted=specs)
    learned: dict[str, Any] = {"pattern_type": "pace", "pattern_data": {"fast": True}, "project_id": "p1"}
    await on_both.done(LEARNING, "learn_behavior_pattern", **learned)
    await track(on_both, "c", "bob")
    shown = await on_both.done(LEARNING, "get_user_profile")
    assert {each.question_template_id: each.times_asked for each in shown.question_effectiveness} == {"a": 2, "b": 1}
    (pattern,) = shown.behavior_patterns
    assert (pattern.pattern_type, pattern.pattern_data, pattern.learned_from_projects) == (
        "pace",
        {"fast": True},
        ("p1",),
    )
    figures = shown.model_dump(exclude={"behavior_patterns", "question_effectiveness", "personalization_hints"})
    assert figures == {
        "status": "success",
        "user_id": "ada",
        "total_questions_asked": 3,
        "total_answered_well": 2,
        "overall_response_quality": 0.5,
        "engagement_score": 0.03,
        "learning_velocity": 0.33,
        "experience_level": "beginner",
        "topics_explored": 1,
        "projects_completed": 1,
        "success_rate": 0.67,
        "recommendation_confidence": 0.35,
    }
    assert shown.personalization_hints.model_dump()["question_complexity"] == "simple"
    assert json.loads(shown.model_dump_json()) == shown.model_dump(mode="json")


async def test_people_read_and_record_what_is_learned_of_themselves(lab: Lab) -> None:
    """Whom v1's requests named as user is who asks."""
    await lab.system.process_request(
        LEARNING, {"action": "track_question_effectiveness", "user_id": "bob", "question_template_id": "q"}
    )
    (stored,) = await lab.store.learning.effectiveness_of("bob")
    assert stored.times_asked == 1
    assert (await lab.done(LEARNING, "get_user_profile")).question_effectiveness == ()
    failure = await lab.refused(LEARNING, "get_user_profile", "nobody")
    assert failure.code == "USER_NOT_FOUND"


@pytest.mark.parametrize(
    ("action", "fields", "field"),
    [
        ("track_question_effectiveness", {}, "question_template_id"),
        ("track_question_effectiveness", {"question_template_id": "q", "answer_length": -1}, "answer_length"),
        ("track_question_effectiveness", {"question_template_id": "q", "answer_quality": 1.5}, "answer_quality"),
        ("learn_behavior_pattern", {"pattern_type": "pace", "confidence": 2}, "confidence"),
        ("recommend_next_question", {"available_questions": [{"text": "Why?"}]}, "available_questions.0"),
        ("upload_knowledge_document", {"project_id": "p1", "content": "x"}, "filename"),
    ],
)
async def test_a_bad_request_is_told_which_field_is_wrong(
    lab: Lab, action: str, fields: dict[str, Any], field: str
) -> None:
    """D80: v1 failed in the middle, or took it."""
    failure = await lab.refused(LEARNING, action, **fields)
    assert (failure.code, failure.field) == ("INVALID_REQUEST", field)
