"""A project whose answers are scored, and the requests to the agent that scores them."""

import json
from typing import Any

from socrates.llm.demo.protocol import Answer
from tests.support.systems import Lab, with_people, with_project

QUALITY = "quality_controller"

ANSWER = {"goals": ["Lend books"], "constraints": ["500 euros"], "colour": "red"}

SORTED = Answer(
    json.dumps(
        {
            "specs": [
                {"content": "Lend books", "category": "problem_definition", "confidence": 1.0},
                {"content": "500 euros", "category": "constraints", "confidence": 0.5},
            ]
        }
    )
)

REQUESTS: dict[str, dict[str, Any]] = {
    "calculate_maturity": {},
    "get_readiness": {},
    "update_after_response": {"insights": ANSWER},
    "get_maturity_summary": {},
    "verify_advancement": {"from_phase": "discovery"},
    "get_history": {},
    "get_analytics": {},
}


async def ready(lab: Lab, **columns: Any) -> Lab:
    await with_people(lab, "ada", "bob", "eve")
    await with_project(lab, members={"bob": "creator"}, **columns)
    return lab


async def set_project(lab: Lab, **changes: Any) -> None:
    async with lab.store.begin() as unit:
        await unit.projects.update("p1", (await unit.projects.summary("p1")).version, **changes)
