"""What somebody says about a project, checked and taken in as after an answer."""

from typing import Any

from socrates.agents.base import News
from socrates.agents.statements import Taken, check, take_in
from socrates.llm.answers import Insights
from socrates.llm.briefing import brief
from tests.support.systems import Lab


async def say(lab: Lab, news: News | None = None, user: str = "bob", project_id: str = "p1", **found: Any) -> Taken:
    """Take this into the project; what it has to tell is in `news`."""
    insights = Insights(**found)
    checked = await check(lab.system.services, await brief(lab.store, project_id, messages=0), insights, user)
    async with lab.store.begin() as unit:
        return await take_in(unit, news or News(), project_id, insights, checked, user)
