"""What verdicts tell of new statements."""

from typing import Any

import pytest

from socrates.llm.answers import Verdict
from socrates.llm.conflicts import ConflictCheck, NoVerdict, checked, statements, unsettled
from socrates.rules.conflicts import FoundConflict

STANDING = ("must work offline", "must be free")


def judged(*verdicts: dict[str, Any], asked: tuple[str, ...] = ("A", "B"), told_all: bool = True) -> ConflictCheck:
    found = [Verdict.model_validate(verdict) for verdict in verdicts]
    return checked("requirements", asked, STANDING, found, told_all)


def yes(new: str = "", **more: Any) -> dict[str, Any]:
    return {"new": new, "has_conflict": True, **more}


def no(new: str = "") -> dict[str, Any]:
    return {"new": new, "has_conflict": False}


def test_nothing_is_asked_where_nothing_stands_or_it_stands_already() -> None:
    assert unsettled(("A",), ()) == ()
    assert unsettled((), STANDING) == ()
    assert unsettled((" MUST  work\nOffline ",), STANDING) == ()
    assert unsettled(("A", "must be free", "a", "B"), STANDING) == ("a", "B")


def test_one_statement_is_a_list_of_one() -> None:
    assert statements(" A and B ") == statements(["A and B", "", " ", "A and B"]) == ("A and B",)
    assert statements("") == statements([]) == ()


@pytest.mark.parametrize(
    ("named", "against"),
    [
        ("must be free", "must be free"),
        (" MUST be\nfree ", "must be free"),
        ("", "must work offline"),
        ("must be cheap", "must work offline"),
    ],
)
def test_a_conflict_is_with_something_that_stands(named: str, against: str) -> None:
    check = judged(yes("A", conflicting_with=named, severity="HIGH"), no("B"))
    assert check == ConflictCheck((FoundConflict("requirements", against, "A", "high"),))


def test_a_verdict_on_what_was_not_asked_is_dropped() -> None:
    assert judged(no("a"), no(" b "), yes("C"), yes("A B")) == ConflictCheck()


def test_what_the_model_left_out_has_no_verdict() -> None:
    assert judged(no("A")).without_verdict == (NoVerdict("requirements", ("B",)),)
    assert judged().without_verdict == (NoVerdict("requirements", ("A", "B")),)
    assert judged(yes(), no()).without_verdict == (NoVerdict("requirements", ("A", "B")),)


def test_of_one_statement_alone_the_verdict_need_not_name_it() -> None:
    assert judged(no(), asked=("A",)) == ConflictCheck()
    assert [conflict.new for conflict in judged(yes(), asked=("A",)).conflicts] == ["A"]
    assert judged(no("B"), asked=("A",)).without_verdict == (NoVerdict("requirements", ("A",)),)


def test_several_verdicts_on_one_statement_are_one_conflict() -> None:
    check = judged(no("A"), yes("A", explanation="first"), yes("A", explanation="second"), no("B"))
    assert [conflict.explanation for conflict in check.conflicts] == ["first"]


def test_a_model_that_was_not_told_everything_can_find_conflicts_but_not_exclude_them() -> None:
    check = judged(yes("A"), no("B"), told_all=False)
    assert [conflict.new for conflict in check.conflicts] == ["A"]
    assert check.without_verdict == (NoVerdict("requirements", ("B",)),)
