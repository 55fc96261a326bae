"""The talk with Socrates: questions, answers, hints, and what stands in when the model fails."""

from typing import Any

from tests.regression.scenes import Scene, scenario
from tests.support.model_server import OVERLOADED
from tests.support.systems import with_people, with_project, with_talk

COUNSELOR = "socratic_counselor"

ANSWERS = (
    "My goal is to lend books to the village. It must work offline.",
    "We will use Python and SQLite. The budget is 500 euros.",
    "We are a team of three people. Children should find books by their pictures.",
    "We need a list of who borrowed what.",
    "Within two weeks a book has to be back.",
)


@scenario()
async def five_questions_and_answers(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob")
    await with_project(scene.lab, members={"bob": "creator"})
    for number, said in enumerate(ANSWERS):
        user = "bob" if number % 2 else "ada"
        do = scene.ask if number < 2 else scene.prepare
        await do(COUNSELOR, "generate_question", user, project_id="p1")
        await do(COUNSELOR, "process_response", user, project_id="p1", response=said)
    loaded = await scene.prepare("project_manager", "load_project", project_id="p1")
    scene.see("the conversation", loaded.project.conversation_history)
    scene.see("what is known now", await scene.store.projects.context("p1"))
    await scene.ask("learning", "get_user_profile")


@scenario()
async def who_does_not_know_states_nothing(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "eve")
    await with_project(scene.lab)
    await scene.prepare(COUNSELOR, "generate_question", project_id="p1")
    await scene.ask(COUNSELOR, "process_response", project_id="p1", response="I don't know.")
    await scene.ask(COUNSELOR, "process_response", project_id="p1", response="Hello there.")
    await scene.ask(COUNSELOR, "process_response", project_id="p1", response="   ")
    await scene.ask(COUNSELOR, "process_response", project_id="p1")
    await scene.ask(COUNSELOR, "process_response", "eve", project_id="p1", response="We need a list.")
    scene.see("the conversation", await scene.store.conversations.last("p1"))


@scenario()
async def an_answer_is_analysed_later(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob")
    await with_project(scene.lab, members={"bob": "creator"})
    await scene.prepare(COUNSELOR, "generate_question", project_id="p1")
    scene.model.by_task["extract_insights"] = OVERLOADED
    await scene.ask(COUNSELOR, "process_response", project_id="p1", response=ANSWERS[0])
    await scene.ask(COUNSELOR, "extract_insights_only", project_id="p1", response=ANSWERS[0])
    scene.model.by_task.clear()
    await scene.ask(COUNSELOR, "process_response", "bob", project_id="p1", answer_position=1)
    await scene.ask(COUNSELOR, "process_response", project_id="p1", answer_position=1)
    await scene.ask(COUNSELOR, "process_response", project_id="p1", answer_position=1)
    await scene.ask(COUNSELOR, "process_response", project_id="p1", answer_position=9)


@scenario()
async def questions_without_a_model(scene: Scene) -> None:
    await with_people(scene.lab, "ada")
    await with_project(scene.lab)
    scene.model.by_task["generate_socratic_question"] = OVERLOADED
    await scene.ask(COUNSELOR, "generate_question", project_id="p1")
    scene.model.by_task.clear()
    await scene.ask(COUNSELOR, "toggle_dynamic_questions", project_id="p1")
    for _ in range(3):
        await scene.ask(COUNSELOR, "generate_question", project_id="p1")
    await scene.ask(COUNSELOR, "toggle_dynamic_questions", project_id="p1")
    await scene.ask(COUNSELOR, "generate_question", project_id="p1")


@scenario(knowledge=True)
async def hints_and_direct_answers(scene: Scene) -> None:
    await with_people(scene.lab, "ada")
    await with_project(scene.lab, goals="Lend books", requirements=["works offline"])
    await scene.ask(COUNSELOR, "provide_hint", project_id="p1")
    await scene.prepare(COUNSELOR, "generate_question", project_id="p1")
    await scene.ask(COUNSELOR, "provide_hint", project_id="p1")
    await scene.ask(COUNSELOR, "provide_hint", project_id="p1", question="What is a catalogue?")
    await scene.ask(COUNSELOR, "answer_directly", project_id="p1", question="What are requirements?")
    scene.model.by_task |= {"generate_suggestions": OVERLOADED, "answer_question": OVERLOADED}
    await scene.ask(COUNSELOR, "provide_hint", project_id="p1")
    await scene.ask(COUNSELOR, "answer_directly", project_id="p1", question="What are requirements?")
    scene.see("the conversation", await scene.store.conversations.last("p1"))


@scenario()
async def messages_page_by_page(scene: Scene) -> None:
    await with_people(scene.lab, "ada")
    await with_project(scene.lab)
    await with_talk(scene.lab, "p1", *(f"said {number}" for number in range(7)))
    pages: list[dict[str, Any]] = [{"messages": 3}, {"messages": 3, "before": 4}, {"messages": 3, "before": 1}]
    for page in (*pages, {"messages": 0}):
        loaded = await scene.prepare("project_manager", "load_project", project_id="p1", **page)
        scene.see(f"{page}", loaded.project.conversation_history)
    scene.see("how many there are", loaded.project.message_count)


@scenario()
async def insights_are_confirmed_before_they_are_stored(scene: Scene) -> None:
    await with_people(scene.lab, "ada")
    await with_project(scene.lab)
    await scene.prepare(COUNSELOR, "generate_question", project_id="p1")
    await scene.ask(COUNSELOR, "extract_insights_only", project_id="p1", response=ANSWERS[1])
    scene.see("messages that are stored", await scene.store.conversations.count("p1"))
    confirmed = {"tech_stack": ["SQLite"], "constraints": ["500 euros"], "colour": "red"}
    answer = {"project_id": "p1", "response": ANSWERS[1]}
    await scene.ask(COUNSELOR, "process_response", **answer, pre_extracted_insights=confirmed)
    await scene.ask(COUNSELOR, "process_response", **answer, pre_extracted_insights={"goals": "x" * 10_001})
    scene.see("what is known now", await scene.store.projects.details("p1"))
