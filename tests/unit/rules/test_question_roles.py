"""Roles by the words of a question."""

import pytest

from socrates.rules.question_roles import roles_by_keyword

TEAM = ("coordinator", "analyst", "specialist", "creator", "lead")


@pytest.mark.parametrize(
    ("question", "roles"),
    [
        ("What is your VISION?", ("lead",)),
        ("Who develops it?", ("creator",)),
        ("Which best practice do you follow?", ("specialist",)),
        ("What data do you have?", ("analyst",)),
        ("What does it depend on?", ("coordinator",)),
        ("Which tasks has your plan?", ("lead", "coordinator")),
        ("Why?", TEAM),
        ("", TEAM),
    ],
)
def test_words_point_to_roles(question: str, roles: tuple[str, ...]) -> None:
    assert roles_by_keyword(question, TEAM) == roles


def test_only_roles_that_are_there_are_chosen() -> None:
    assert roles_by_keyword("What is your vision?", ("creator", "analyst")) == ("creator", "analyst")
    assert roles_by_keyword("Which tasks has your plan?", ("coordinator", "juggler")) == ("coordinator",)
