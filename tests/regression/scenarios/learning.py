"""What is learned of people: which questions work, what habits they have, what they upload."""

from typing import Any

from tests.regression.scenes import Scene, scenario
from tests.support.systems import with_people, with_project

LEARNING = "learning"


@scenario()
async def the_question_that_worked_best_is_recommended(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob")
    for template, count in (("never", 0), ("sometimes", 1), ("sometimes", 0), ("mostly", 3)):
        await scene.ask(
            LEARNING,
            "track_question_effectiveness",
            question_template_id=template,
            role="analyst",
            answer_length=40 * count,
            specs_extracted=count,
        )
    offered = [{"id": "never"}, {"id": "sometimes"}, {"template_id": "new", "text": "And now?"}]
    await scene.ask(LEARNING, "recommend_next_question", available_questions=offered)
    await scene.ask(LEARNING, "recommend_next_question", available_questions=[*offered, {"id": "mostly"}])
    await scene.ask(LEARNING, "recommend_next_question", "bob", available_questions=offered[:1])
    await scene.ask(LEARNING, "recommend_next_question")
    await scene.ask(LEARNING, "recommend_next_question", available_questions=[{"text": "Which?"}])
    await scene.ask(LEARNING, "get_user_profile")
    scene.see("the records in the store", await scene.store.learning.effectiveness_of("ada"))


@scenario()
async def habits_grow_surer_each_time(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "bob")
    await with_project(scene.lab)
    await with_project(scene.lab, "p2")
    await with_project(scene.lab, "p3", "bob")
    pace: dict[str, Any] = {"pattern_type": "pace", "pattern_data": {"fast": True, "minutes": [1.5, 2]}}
    await scene.ask(LEARNING, "learn_behavior_pattern", **pace, confidence=0.3, project_id="p1")
    await scene.ask(LEARNING, "learn_behavior_pattern", **pace, project_id="p2")
    await scene.ask(LEARNING, "learn_behavior_pattern", **pace, project_id="p3")
    await scene.ask(LEARNING, "learn_behavior_pattern", pattern_type="detail", confidence=0.95)
    await scene.ask(LEARNING, "learn_behavior_pattern", pattern_type="detail", confidence=1.5)
    await scene.ask(LEARNING, "learn_behavior_pattern", pattern_type="detail")
    await scene.ask(LEARNING, "get_user_profile")
    await scene.ask(LEARNING, "get_user_profile", "bob")


@scenario(knowledge=True)
async def an_uploaded_document_is_known(scene: Scene) -> None:
    await with_people(scene.lab, "ada", "eve")
    await with_project(scene.lab)
    upload = {"project_id": "p1", "filename": "fees.txt", "content": "Late books cost ten cents a day. Ärgerlich."}
    await scene.ask(LEARNING, "upload_knowledge_document", **upload, content_type="text/plain")
    await scene.ask(LEARNING, "upload_knowledge_document", "eve", **upload)
    await scene.ask(LEARNING, "upload_knowledge_document", **(upload | {"content": "x" * (10 * 1024 * 1024 + 1)}))
    await scene.ask("document_agent", "list_documents", project_id="p1")
    await scene.ask("context_analyzer", "find_similar", project_id="p1", query="late books cost ten cents", top_k=1)
    scene.see("the document in the store", await scene.store.knowledge.documents_of_user("ada"))
