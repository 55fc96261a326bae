"""Questions: what is stored of one, who words it, what it costs, in which order they come."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from time import perf_counter
from typing import Any

import pytest

from socrates.drafts import NewEntry, NewMessage
from socrates.events import EventType
from socrates.llm.demo.answers import demo_reply
from socrates.llm.demo.protocol import Answer, ModelRequest, Reply
from socrates.llm.fallbacks import static_question
from tests.support.engines import ENGINES, on_engine
from tests.support.model_server import OVERLOADED, ScriptedModel, until
from tests.support.systems import Lab, fresh_system, with_people, with_project
from tests.support.talks import COUNSELOR, HeldModel, ask, set_project, talking


@pytest.fixture
def model() -> ScriptedModel:
    return ScriptedModel()


@pytest.fixture
async def talk(tmp_path: Path, model: ScriptedModel) -> AsyncIterator[Lab]:
    async with talking(tmp_path, model) as lab:
        yield lab


@pytest.fixture
def engine(request: pytest.FixtureRequest) -> Iterator[str]:
    with on_engine(request) as name:
        yield name


async def used(lab: Lab, user: str = "ada") -> int | None:
    return (await lab.store.users.get(user)).questions_used_this_month


async def test_a_question_is_stored_and_told(talk: Lab, model: ScriptedModel) -> None:
    """D35: v1 told nobody of a question; D17: it gave none an id."""
    model.script.append(Answer("Who will borrow the books?"))
    asked = await ask(talk)
    (message,) = await talk.store.conversations.last("p1")
    assert (message.type, message.content, message.phase) == ("assistant", "Who will borrow the books?", "discovery")
    assert (message.question_number, message.timestamp) == (1, talk.clock.now)
    assert message.extra == {"question_id": "project:p1:0"}
    (event,) = await talk.events()
    assert event.type == EventType.QUESTION_GENERATED
    assert event.payload.model_dump() == {
        "agent": "socratic_counselor",
        "project_id": "p1",
        "user_id": "ada",
        "question_id": "project:p1:0",
        "phase": "discovery",
        "question_number": 1,
        "question": "Who will borrow the books?",
    }
    assert asked.model_dump() == {
        "status": "success",
        "question": "Who will borrow the books?",
        "question_id": "project:p1:0",
        "phase": "discovery",
        "question_number": 1,
        "position": 0,
        "degraded": False,
        "warning": "",
    }
    assert await used(talk) == 1


async def test_a_question_is_put_to_the_role_of_who_asks(talk: Lab) -> None:
    """D01: v1 failed to put a question in any project with a team that was loaded from its file."""
    await ask(talk, "bob")
    (request,) = talk.server.requests
    assert "bob, creator" in request.user


async def test_a_model_that_fails_is_replaced_by_the_bank_and_that_is_said(talk: Lab, model: ScriptedModel) -> None:
    """D31: v1 passed the model's failure over in silence."""
    model.by_task["generate_socratic_question"] = OVERLOADED
    asked = await ask(talk)
    assert (asked.question, asked.question_id) == (static_question("discovery", 0), "static:discovery:1")
    assert asked.degraded
    assert "from the bank" in asked.warning
    assert await used(talk) == 1


async def test_a_question_that_is_cut_off_is_not_asked(talk: Lab, model: ScriptedModel) -> None:
    model.script.append(Answer("Who of all the people that", stop_reason="max_tokens"))
    asked = await ask(talk)
    assert (asked.question, asked.degraded) == (static_question("discovery", 0), True)


async def test_the_switch_of_one_project_leaves_others_as_they_are(talk: Lab) -> None:
    """D56 and D44: v1 had one switch for every user and project, in the memory of the process."""
    await with_project(talk, "p2", "bob")
    toggled = await talk.done(COUNSELOR, "toggle_dynamic_questions", project_id="p1")
    assert toggled.dynamic_mode is False
    (event,) = await talk.events()
    assert (event.type, event.payload.fields) == (EventType.PROJECT_UPDATED, ("dynamic_questions",))
    asked = await ask(talk)
    assert (asked.question_id, asked.degraded, asked.warning) == ("static:discovery:1", False, "")
    assert talk.server.requests == []
    assert (await ask(talk, "bob", "p2")).question_id == "project:p2:0"
    assert (await talk.done(COUNSELOR, "toggle_dynamic_questions", project_id="p1")).dynamic_mode is True


async def test_the_bank_goes_on_where_it_was_and_starts_anew_in_the_next_phase(talk: Lab) -> None:
    await set_project(talk, dynamic_questions=False)
    first = [(await ask(talk)).question for _ in range(7)]
    assert first == [static_question("discovery", count) for count in range(7)]
    await set_project(talk, phase="analysis")
    asked = await ask(talk)
    assert (asked.question, asked.question_number) == (static_question("analysis", 0), 1)
    assert asked.question_id == "static:analysis:1"


async def test_questions_are_counted_across_many_answers(talk: Lab) -> None:
    await set_project(talk, dynamic_questions=False)
    await ask(talk)
    async with talk.store.begin() as unit:
        await unit.conversations.append_many("p1", [NewMessage("user", "x", phase="discovery") for _ in range(45)])
    assert (await ask(talk)).question_number == 2


async def test_questions_at_once_are_all_asked_of_the_model_at_once_and_keep_their_order(tmp_path: Path) -> None:
    """D47: v1 kept a thread for each question. D55: of two at once the later saved project lost the other's."""
    all_there = threading.Barrier(5)

    def together(request: ModelRequest) -> Reply:
        all_there.wait(timeout=20)
        return demo_reply(request)

    async with talking(tmp_path, together) as lab:
        answers = await asyncio.gather(*(ask(lab) for _ in range(5)))
        assert [answer.question_number for answer in answers] == [1, 2, 3, 4, 5]
        assert [answer.position for answer in answers] == [0, 1, 2, 3, 4]
        stored = await lab.store.conversations.last("p1")
        assert [message.content for message in stored] == [answer.question for answer in answers]
        assert [message.extra["question_id"] for message in stored] == [f"project:p1:{place}" for place in range(5)]


async def test_no_more_questions_than_the_tier_allows_however_many_ask_at_once(talk: Lab) -> None:
    """D78: v1 compared with the limit first and counted after the model had answered."""
    async with talk.store.begin() as unit:
        await unit.users.update(
            "ada",
            subscription_tier="free",
            questions_used_this_month=98,
            usage_reset_date=talk.clock.now.replace(month=4, day=1, hour=0),
        )
    asked = [talk.ask(COUNSELOR, "generate_question", project_id="p1") for _ in range(5)]
    answers = await asyncio.gather(*asked)
    assert sorted(answer.status for answer in answers) == ["error"] * 3 + ["success"] * 2
    assert len(talk.server.requests) == 2
    failure = await talk.refused(COUNSELOR, "generate_question", project_id="p1")
    assert (failure.code, failure.details["used"], failure.details["limit"]) == ("QUESTION_LIMIT", 100, 100)
    talk.clock.move(days=31)
    await ask(talk)
    assert await used(talk) == 1


async def test_a_question_that_was_not_stored_is_given_back(tmp_path: Path) -> None:
    """D78: it is counted before the model is asked, so what goes wrong afterwards must not cost one."""
    model = HeldModel()
    async with talking(tmp_path, model) as lab:
        question = asyncio.create_task(lab.refused(COUNSELOR, "generate_question", project_id="p1"))
        await until(model.asked.is_set)
        assert await used(lab) == 1
        async with lab.store.begin() as unit:
            await unit.projects.archive("p1")
        model.go_on.set()
        assert (await question).code == "PROJECT_ARCHIVED"
        assert await used(lab) == 0
        assert await lab.store.conversations.count("p1") == 0


async def test_a_question_that_took_too_long_is_given_back(talk: Lab, model: ScriptedModel) -> None:
    model.by_task["generate_socratic_question"] = Answer("Late?", delay=3)
    failure: Any = await talk.system.process_request(
        COUNSELOR, {"action": "generate_question", "current_user": "ada", "project_id": "p1"}, timeout=0.3
    )
    assert failure.status == "error"
    assert failure.code == "TIMEOUT"
    assert await used(talk) == 0
    assert await talk.store.conversations.count("p1") == 0


async def test_a_question_for_a_phase_that_is_over_is_not_asked(tmp_path: Path) -> None:
    model = HeldModel()
    async with talking(tmp_path, model) as lab:
        question = asyncio.create_task(ask(lab))
        await until(model.asked.is_set)
        await set_project(lab, phase="analysis")
        model.go_on.set()
        answer = await question
        assert (answer.question_id, answer.phase, answer.degraded) == ("static:analysis:1", "analysis", True)
        assert "another phase" in answer.warning


async def test_questions_show_nothing_that_only_another_project_knows(tmp_path: Path) -> None:
    """D46: v1 searched what was known of all projects for the prompts of each."""
    async with fresh_system(tmp_path, knowledge=True) as lab:
        await with_people(lab, "ada", "bob")
        await with_project(lab, goals="lend books")
        await with_project(lab, "p2", "bob", goals="lend books")
        known = lab.system.services.known
        await known.add(NewEntry("lend books: everybody's rules", "law"))
        await known.add(NewEntry("lend books: bob's secret plan", "plan"), "p2")
        await ask(lab)
        await lab.done(COUNSELOR, "provide_hint", project_id="p1")
        direct = await lab.done(COUNSELOR, "answer_directly", project_id="p1", question="lend books")
        assert len(direct.sources) > 0
        assert len(lab.server.requests) == 3
        for request in lab.server.requests:
            assert "secret plan" not in request.text


@pytest.mark.parametrize("engine", ENGINES, indirect=True)
async def test_questions_are_numbered_on_both_engines(engine: str, tmp_path: Path) -> None:
    async with fresh_system(tmp_path) as lab:
        await with_people(lab, "ada", "bob", tier="free")
        await with_project(lab, members={"bob": "lead"})
        answers = await asyncio.gather(*(ask(lab, user) for user in ("ada", "bob", "ada")))
        assert sorted(answer.question_number for answer in answers) == [1, 2, 3]
        assert (await used(lab, "ada"), await used(lab, "bob")) == (2, 1)
        left = await lab.done(COUNSELOR, "advance_phase", "bob", project_id="p1", confirm=True)
        assert left.new_phase == "analysis"
        assert (await lab.done(COUNSELOR, "toggle_dynamic_questions", project_id="p1")).dynamic_mode is False
        assert (await ask(lab)).question_id == "static:analysis:1"


async def test_five_questions_at_once_take_little_longer_than_one(tmp_path: Path) -> None:
    """D47: in v1 one waited for another, ten seconds for what the plan allows four."""
    slow = {"generate_socratic_question": Answer("Why?", delay=2.0)}
    async with fresh_system(tmp_path, by_task=slow) as lab:
        await with_people(lab, "ada")
        for number in range(5):
            await with_project(lab, f"p{number}")
        await lab.system.services.llm.test_connection_async()  # loads the vendor's library
        began = perf_counter()
        asking = [lab.done("socratic_counselor", "generate_question", project_id=f"p{number}") for number in range(5)]
        asked = await asyncio.gather(*asking)
        assert perf_counter() - began < 4
    assert not any(each.degraded for each in asked)
