"""What people are told where no model answers."""

import pytest

from socrates.errors import InvalidValueError
from socrates.llm.briefing import Briefing
from socrates.llm.fallbacks import nothing_to_summarise, static_question, static_suggestions
from socrates.rules.categories import PHASES, PROJECT_TYPES
from tests.support.llm import a_project

GENERAL = "What is the most important thing about your project that is still open, and what would settle it?"


def of(phase: str, project_type: str) -> Briefing:
    return Briefing(a_project(phase=phase, project_type=project_type))


@pytest.mark.parametrize("phase", PHASES)
def test_each_phase_has_five_questions_and_one_to_go_on_with(phase: str) -> None:
    asked = [static_question(phase, count) for count in range(6)]
    assert len(set(asked)) == 6
    assert all(question.endswith("?") for question in asked)
    assert static_question(phase, 6) == static_question(phase, 10**9) == asked[5]
    assert GENERAL not in asked


def test_no_two_phases_share_a_question() -> None:
    assert len({static_question(phase, count) for phase in PHASES for count in range(6)}) == 6 * len(PHASES)


@pytest.mark.parametrize("phase", ["", "testing", "first", "question_of_any_phase"])
def test_any_other_phase_has_a_general_question_and_a_general_suggestion(phase: str) -> None:
    assert static_question(phase, 0) == static_question(phase, 7) == GENERAL
    assert len(static_suggestions(of(phase, "software")).splitlines()) == 1


def test_a_phase_may_be_written_with_capitals_and_blanks() -> None:
    assert static_question(" Design ", 0) == static_question("design", 0)
    assert static_suggestions(of(" Design ", "business")) == static_suggestions(of("design", "business"))


def test_a_negative_count_is_refused() -> None:
    with pytest.raises(InvalidValueError, match="0 or more"):
        static_question("discovery", -1)


@pytest.mark.parametrize("phase", PHASES)
def test_each_phase_has_four_suggestions_in_the_words_of_each_type(phase: str) -> None:
    found = {project_type: static_suggestions(of(phase, project_type)) for project_type in PROJECT_TYPES}
    assert len(set(found.values())) == len(PROJECT_TYPES)
    for text in found.values():
        assert [line[:2] for line in text.splitlines()] == ["- "] * 4
        assert "$" not in text
    for project_type in set(PROJECT_TYPES) - {"software"}:
        assert "program" not in found[project_type]
        assert "librar" not in found[project_type]


def test_an_unknown_type_is_taken_for_software() -> None:
    assert static_suggestions(of("design", "film")) == static_suggestions(of("design", "software"))


def test_a_suggestion_of_each_type_in_full() -> None:
    assert static_suggestions(of("analysis", "research")).splitlines() == [
        "- Split the problem into pieces so small that you could say of each how to solve it.",
        "- Find out which methods and instruments others commonly use for this, and why.",
        "- Go through the demands one by one: how many cases it takes, what ethics ask for, how precise it must be.",
        "- Read about somebody who has made a study like yours: what did they underestimate?",
    ]


def test_a_conversation_without_messages_has_a_summary_that_says_so() -> None:
    assert nothing_to_summarise().startswith("There is nothing to summarise")
