"""Insights that somebody hands in."""

from typing import Annotated

from pydantic import AfterValidator

from socrates.llm.answers import Insights

_MOST_STATEMENTS = 1000
_LONGEST_STATEMENT = 10_000
"""Characters; both are far beyond what one answer of a person states."""


def _of_one_answer(insights: Insights) -> Insights:
    texts = [insights.team_structure]
    for field in (insights.goals, insights.requirements, insights.tech_stack, insights.constraints):
        texts.extend(field)
    if len(texts) > _MOST_STATEMENTS or max(map(len, texts)) > _LONGEST_STATEMENT:
        raise ValueError(f"must be at most {_MOST_STATEMENTS} statements of {_LONGEST_STATEMENT} characters each")
    return insights


ConfirmedInsights = Annotated[Insights, AfterValidator(_of_one_answer)]
"""What somebody says that an answer states; it is scored, stored and compared, all of it at once."""
