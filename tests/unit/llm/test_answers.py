"""What models answer with, hostile or careless, in the forms that operations read."""

import json
from typing import Any

import pytest

from socrates.errors import LLMError
from socrates.llm.answers import (
    Categorization,
    Insights,
    Interpretation,
    Interpretations,
    Roles,
    Verdict,
    Verdicts,
    texts_of,
)
from socrates.llm.parsing import read_as

NAN, INFINITY = float("nan"), float("inf")


def insights(**answer: Any) -> Insights:
    return read_as(Insights, json.dumps(answer))


@pytest.mark.parametrize(
    ("told", "read"),
    [
        ("Lend books", ("Lend books",)),
        (["  a ", "", " ", "b", "a", None, True, False], ("a", "b")),
        ([1, 2.5, "1"], ("1", "2.5")),
        (7, ("7",)),
        (None, ()),
        ([], ()),
        ("", ()),
        (True, ()),
        ({"a": "b"}, ()),
        ([["a"], {"b": "c"}, "d"], ("d",)),
        ("nul\0 and \ud800", ("nul and ?",)),
        (["x" * 1000] * 10_000, ("x" * 1000,)),
        ([f"{number}" for number in range(50_000)], tuple(f"{number}" for number in range(50_000))),
    ],
    ids=lambda value: repr(value)[:30],
)
def test_a_list_of_texts_holds_texts(told: object, read: tuple[str, ...]) -> None:
    assert insights(goals=told).goals == read
    assert texts_of(told) == read if isinstance(told, list) else True


@pytest.mark.parametrize(("told", "read"), [(" two ", "two"), (2, "2"), (None, ""), (True, ""), ("\0\ud800", "?")])
def test_a_text_is_trimmed_and_fit_to_be_stored(told: object, read: str) -> None:
    assert insights(team_structure=told).team_structure == read


@pytest.mark.parametrize("told", [["two"], {"people": 2}])
def test_what_is_no_text_at_all_does_not_fit(told: object) -> None:
    with pytest.raises(LLMError, match=r"asked for: team_structure$"):
        insights(team_structure=told)


def test_insights_are_given_by_field_without_what_is_empty() -> None:
    found = insights(goals=["a"], constraints=[" "], team_structure="two", budget="much", note="obey me")
    assert found.as_dict() == {"goals": ["a"], "team_structure": "two"}
    assert found.has_statements
    assert not Insights().has_statements
    assert Insights().as_dict() == {}


def test_a_note_is_ours_and_states_nothing() -> None:
    uncertain = Insights.of_somebody_uncertain()
    assert not uncertain.has_statements
    assert set(uncertain.as_dict()) == {"note"}
    assert "note" not in Insights.model_json_schema()["properties"]
    assert insights(note="obey me") == Insights()


@pytest.mark.parametrize(
    ("told", "read"),
    [
        (0.5, 0.5),
        ("0.5", 0.5),
        (" 1 ", 1),
        (7, 1),
        (-3, 0),
        (INFINITY, 1),
        (-INFINITY, 0),
        ("1e999", 1),
        (10**400, None),
        (NAN, None),
        ("high", None),
        (None, None),
        ([0.5], None),
        ({}, None),
    ],
)
def test_a_confidence_is_from_0_to_1_or_else_the_default(told: object, read: float | None) -> None:
    (interpretation,) = interpretations([{"command": "/help", "confidence": told}])
    assert interpretation.confidence == (0 if read is None else read)
    (spec,) = read_as(Categorization, json.dumps([{"content": "a", "confidence": told}])).specs
    assert spec.confidence == (0.9 if read is None else read)


def interpretations(found: object) -> tuple[Interpretation, ...]:
    return read_as(Interpretations, json.dumps({"interpretations": found})).interpretations


def test_what_cannot_be_read_in_a_list_spoils_nothing_else() -> None:
    good = {"command": "/help", "confidence": 0.9, "args": "topic", "more": 1}
    for bad in ({}, {"command": ["/exit"]}, "/exit", 5, None, [], [good], {"command": {"a": "b"}}):
        (found,) = interpretations([bad, good, bad])
        assert (found.command, found.args) == ("/help", ("topic",))
    assert interpretations(good) == interpretations([good])
    assert interpretations(None) == interpretations([]) == interpretations("none") == ()
    assert len(interpretations([good] * 10_000)) == 10_000


def test_arguments_keep_their_places() -> None:
    (found,) = interpretations([{"command": "/move", "args": ["5", " 5 ", "", 7, None, {"a": 1}]}])
    assert found.args == ("5", "5", "", "7", "")


@pytest.mark.parametrize(("told", "read"), [(True, True), ("yes", True), ("False", False), (0, False), (1, True)])
def test_a_verdict_is_yes_or_no(told: object, read: bool) -> None:
    assert read_as(Verdict, json.dumps({"has_conflict": told})).has_conflict is read


@pytest.mark.parametrize("verdict", [{}, {"has_conflict": None}, {"has_conflict": "maybe"}, {"has_conflict": [True]}])
def test_what_says_neither_is_no_verdict(verdict: object) -> None:
    with pytest.raises(LLMError, match=r"asked for: has_conflict$"):
        read_as(Verdict, json.dumps(verdict))
    assert read_as(Verdicts, json.dumps({"verdicts": [verdict]})).verdicts == ()


@pytest.mark.parametrize(
    ("told", "read"),
    [("HIGH ", "high"), ("low", "low"), ("critical", "medium"), (None, "medium"), (3, "medium"), (["high"], "medium")],
)
def test_a_severity_is_one_of_three(told: object, read: str) -> None:
    assert read_as(Verdict, json.dumps({"has_conflict": True, "severity": told})).severity == read


def test_a_bare_list_is_taken_where_the_answer_is_one() -> None:
    assert read_as(Roles, '["lead", "analyst", "lead"]').roles == ("lead", "analyst")
    assert read_as(Categorization, '```json\n[{"content": "a", "category": "goals"}]\n```').specs[0].category == "goals"
    assert read_as(Verdicts, '{"has_conflict": false}').verdicts == (Verdict(has_conflict=False),)
