"""The demo's answers: made by rules from what a request says, and always the same for the same request."""

import json
from collections.abc import Callable, Mapping
from typing import Any

from socrates.llm.demo import judgements, writing
from socrates.llm.demo.insights import categorized, extracted
from socrates.llm.demo.protocol import Answer, ModelRequest
from socrates.llm.demo.sampling import sample
from socrates.llm.demo.words import Words

_TEXTS: dict[str, Callable[[Mapping[str, str], Words], str]] = {
    "generate_response": writing.free_text,
    "stream_response": writing.free_text,
    "generate_socratic_question": writing.question,
    "generate_suggestions": writing.suggestions,
    "explain_insights": writing.explanation,
    "answer_question": writing.direct_answer,
    "explain_topic": writing.topic_explanation,
    "summarize_conversation": writing.summary,
    "generate_conflict_resolution_suggestions": writing.resolutions,
    "generate_code": writing.code,
    "generate_business_plan": writing.business_plan,
    "generate_research_protocol": writing.research_protocol,
    "generate_creative_brief": writing.creative_brief,
    "generate_marketing_plan": writing.marketing_plan,
    "generate_curriculum": writing.curriculum,
    "generate_documentation": writing.documentation,
}

_OBJECTS: dict[str, Callable[[Mapping[str, str]], dict[str, Any]]] = {
    "extract_insights": lambda blocks: extracted(blocks.get("answer", "")),
    "interpret_command": judgements.interpretations,
    "categorize_insights": categorized,
    "detect_requirement_conflict": judgements.verdicts,
    "detect_constraint_conflict": judgements.verdicts,
    "detect_goal_conflict": judgements.goal_verdicts,
    "assign_question_roles": judgements.roles,
}


def demo_reply(request: ModelRequest) -> Answer:
    """The answer to the request's task; to an unknown one a value that fits the schema, or a text."""
    if request.task == "test_connection":
        return Answer("OK")
    if request.task in _OBJECTS:
        return Answer(json.dumps(_OBJECTS[request.task](request.blocks)))
    if request.task not in _TEXTS and request.schema is not None:
        return Answer(json.dumps(sample(request.schema)))
    return Answer(_TEXTS.get(request.task, writing.free_text)(request.blocks, Words.read(request.blocks)))
