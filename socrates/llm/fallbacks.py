"""What people are told where no model is asked, or none answers; the words stand in prompts/fallbacks.toml."""

from string import Template
from typing import Any

from socrates.errors import InvalidValueError
from socrates.llm.briefing import Briefing
from socrates.llm.prompts.composing import texts


def static_question(phase: str, question_count: int) -> str:
    """The question for a tutor without a model, after `question_count` questions of this phase.

    Each phase has five, in their order, and one to go on with when they are used up; for a phase that is none there is
    one for any project. Raises InvalidValueError for a negative count.
    """
    if question_count < 0:
        raise InvalidValueError(f"{question_count} is no number of questions: it takes 0 or more")
    of_phase = _fallbacks()["questions"].get(_plain(phase))
    if of_phase is None:
        return str(_fallbacks()["question_of_any_phase"])
    first = of_phase["first"]
    return str(first[question_count] if question_count < len(first) else of_phase["afterwards"])


def static_suggestions(project: Briefing) -> str:
    """Help for somebody who is stuck: four points for the phase in the words of the project's type, or a sentence."""
    of_phase = _fallbacks()["suggestions"].get(_plain(project.project.phase))
    if of_phase is None:
        return str(_fallbacks()["suggestion_of_any_phase"])
    words = _fallbacks()["words"][project.project_type]
    return "\n".join(f"- {Template(point).substitute(words)}" for point in of_phase)


def nothing_to_summarise() -> str:
    """The summary of a conversation without messages."""
    return str(_fallbacks()["nothing_to_summarise"])


def _fallbacks() -> dict[str, Any]:
    return texts("fallbacks")


def _plain(phase: str) -> str:
    return phase.strip().lower()
