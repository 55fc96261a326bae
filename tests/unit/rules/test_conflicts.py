"""Deciding conflicts: what is stored before a decision, and what after it."""

import random
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socrates.errors import InvalidValueError, NotFoundError
from socrates.rules.conflicts import (
    CHOICES,
    Choice,
    Decided,
    Field,
    FoundConflict,
    Resolution,
    Severity,
    Statements,
    accepted,
    decided,
    goals_text,
    is_blocking,
    pending,
    statements_of,
    updated,
)
from socrates.rules.tech_conflicts import tech_conflicts
from socrates.views import ProjectContext

KNOWN: Statements = {
    "goals": ("teach algebra",),
    "requirements": ("works offline", "fast"),
    "tech_stack": ("React", "Python"),
    "constraints": ("no budget",),
}
BY_FIELD: dict[Field, tuple[str, str]] = {
    "goals": ("teach algebra", "teach history"),
    "requirements": ("works offline", "always online"),
    "tech_stack": ("React", "Vue"),
    "constraints": ("no budget", "100 000 a year"),
}
"""What stands, and what is said against it."""


def conflict(field: Field = "tech_stack", severity: Severity = "medium") -> FoundConflict:
    return FoundConflict(field, *BY_FIELD[field], severity)


def choose(choice: Choice, conflict: FoundConflict, known: Statements = KNOWN, value: str | None = None) -> Decided:
    return decided(known, {"c": conflict}, [Resolution("c", choice, value)])


def project(goals: str) -> ProjectContext:
    return ProjectContext(
        "p", "P", "ada", "discovery", "active", "software", "socratic", goals, "", "", "", "", ("r",), ("t",), ("c",)
    )


every_field = pytest.mark.parametrize("field", list(BY_FIELD))


class TestTheFirstStep:
    def test_what_is_not_disputed_is_taken_in(self) -> None:
        found = {"requirements": ["fast", "Fast", "secure"], "tech_stack": ["Redis"], "team_structure": ["two"]}
        assert updated(KNOWN, found) == {
            **KNOWN,
            "requirements": ("works offline", "fast", "Fast", "secure"),
            "tech_stack": ("React", "Python", "Redis"),
        }

    def test_new_goals_take_the_place_of_the_old_ones(self) -> None:
        assert updated(KNOWN, {"goals": ["a goal", "another"]})["goals"] == ("a goal", "another")
        assert updated(KNOWN, {"goals": []})["goals"] == KNOWN["goals"]

    @every_field
    def test_what_is_disputed_waits(self, field: Field) -> None:
        """D12: v1 stored it, and called the conflict resolved."""
        found = {field: [BY_FIELD[field][1].upper(), "harmless"]}
        assert updated(KNOWN, found, [conflict(field)])[field] == (*KNOWN[field], "harmless")
        assert accepted(found, [conflict(field)])[field] == ("harmless",)
        assert pending({"c": conflict(field)}) == ("c",)

    @every_field
    def test_a_question_of_low_severity_holds_nothing_back(self, field: Field) -> None:
        """D26: v1 stopped at any two languages or databases."""
        asked = conflict(field, "low")
        assert not is_blocking(asked)
        assert updated(KNOWN, {field: [asked.new]}, [asked])[field] == (*KNOWN[field], asked.new)
        assert pending({"c": asked}) == ()

    @pytest.mark.parametrize(("new", "stored"), [("PHP", True), ("Vue", False), ("Google Maps", True)])
    def test_what_the_rules_on_technologies_find_can_be_given(self, new: str, stored: bool) -> None:
        """D26: of two languages both are mostly meant, of two user interfaces one."""
        found = tech_conflicts([new], KNOWN["tech_stack"])
        assert (new in updated(KNOWN, {"tech_stack": [new]}, found)["tech_stack"]) is stored


class TestTheSecondStep:
    @every_field
    @pytest.mark.parametrize(("choice", "severity"), [("keep", "low"), ("keep", "high"), ("skip", "high")])
    def test_what_is_rejected_is_not_stored(self, field: Field, choice: Choice, severity: Severity) -> None:
        """D11, and llm-client 10.23: v1 added it all the same, and goals it put in the place of the kept ones."""
        disputed = conflict(field, severity)
        first = updated(KNOWN, {field: [disputed.new]}, [disputed])
        assert choose(choice, disputed, first).statements == KNOWN

    def test_a_question_that_is_left_leaves_both_statements(self) -> None:
        """D26: two databases are mostly both meant."""
        asked = conflict("tech_stack", "low")
        first = updated(KNOWN, {"tech_stack": [asked.new]}, [asked])
        assert choose("skip", asked, first).statements == first

    @every_field
    def test_a_replaced_statement_goes(self, field: Field) -> None:
        existing, new = BY_FIELD[field]
        result = choose("replace", conflict(field))
        assert result.statements[field] == (*(text for text in KNOWN[field] if text != existing), new)
        assert (result.added[field], result.removed[field]) == ((new,), (existing,))

    @every_field
    @pytest.mark.parametrize("severity", ["low", "high"])
    def test_a_value_of_ones_own_replaces_both(self, field: Field, severity: Severity) -> None:
        """D11: v1 asked for the value, and stored the disputed one."""
        disputed = conflict(field, severity)
        first = updated(KNOWN, {field: [disputed.new]}, [disputed])
        result = choose("manual", disputed, first, "  something between ")
        assert result.statements[field] == (*(t for t in KNOWN[field] if t != disputed.existing), "something between")
        assert result.added[field] == ("something between",)

    def test_a_decision_changes_the_field_of_its_conflict_and_no_other(self) -> None:
        result = choose("replace", conflict("tech_stack"))
        assert {**result.statements, "tech_stack": KNOWN["tech_stack"]} == KNOWN

    def test_what_was_let_in_already_is_not_added_twice(self) -> None:
        """So that it is not scored twice either."""
        asked = conflict(severity="low")
        first = updated(KNOWN, {"tech_stack": ["Vue"]}, [asked])
        result = choose("replace", asked, first)
        assert (result.statements["tech_stack"], result.added["tech_stack"]) == (("Python", "Vue"), ())

    def test_case_and_blanks_hide_nothing_from_removal(self) -> None:
        known = {**KNOWN, "tech_stack": ("  react", "Python")}
        assert choose("replace", conflict(), known).statements["tech_stack"] == ("Python", "Vue")

    def test_what_has_left_the_project_meanwhile_is_not_brought_back(self) -> None:
        known = {**KNOWN, "tech_stack": ("Python",)}
        assert choose("keep", conflict(), known).statements == known
        assert choose("replace", conflict(), known).statements["tech_stack"] == ("Python", "Vue")

    def test_a_new_goal_replaces_all_that_it_was_compared_with(self) -> None:
        known = {**KNOWN, "goals": ("teach algebra", "for free", "said since")}
        disputed = FoundConflict("goals", "teach algebra\nfor free", "teach history", "high")
        assert choose("replace", disputed, known).statements["goals"] == ("said since", "teach history")

    def test_what_is_not_decided_stays_pending(self) -> None:
        conflicts = {"a": conflict("tech_stack"), "b": conflict("goals"), "c": conflict("constraints", "low")}
        resolutions = [Resolution("a", "replace")]
        result = decided(KNOWN, conflicts, resolutions)
        assert result.statements == {**KNOWN, "tech_stack": ("Python", "Vue")}
        assert pending(conflicts, resolutions) == ("b",)

    @settings(max_examples=40, deadline=None)
    @given(
        choices=st.lists(st.sampled_from(["keep", "replace", "skip", "manual"]), min_size=4, max_size=4),
        seed=st.integers(0, 100),
    )
    def test_the_order_of_the_decisions_decides_nothing(self, choices: Sequence[Choice], seed: int) -> None:
        conflicts = {
            "a": FoundConflict("tech_stack", "React", "Vue", "medium"),
            "b": FoundConflict("tech_stack", "React", "Angular", "medium"),
            "c": FoundConflict("tech_stack", "Python", "Rust", "low"),
            "d": FoundConflict("requirements", "fast", "thorough", "high"),
        }
        resolutions = [
            Resolution(key, choice, "React" if choice == "manual" else None)
            for key, choice in zip(conflicts, choices, strict=True)
        ]
        shuffled = random.Random(seed).sample(resolutions, len(resolutions))
        one, other = (decided(KNOWN, conflicts, order).statements for order in (resolutions, shuffled))
        assert {field: sorted(texts) for field, texts in one.items()} == {
            field: sorted(texts) for field, texts in other.items()
        }
        assert all(len(set(texts)) == len(texts) for texts in one.values())


class TestResolutions:
    def test_each_choice_is_explained(self) -> None:
        assert list(CHOICES) == ["keep", "replace", "skip", "manual"]
        assert all(CHOICES.values())

    @pytest.mark.parametrize(
        ("choice", "value"), [("manual", None), ("manual", "  "), ("keep", "x"), ("replace", ""), ("perhaps", None)]
    )
    def test_a_choice_that_makes_no_sense_is_refused(self, choice, value: str | None) -> None:
        with pytest.raises(InvalidValueError, match=choice):
            Resolution("c", choice, value)

    def test_a_conflict_that_is_not_there_is_not_found(self) -> None:
        """D13: v1 reported success for whatever it was given."""
        with pytest.raises(NotFoundError, match="conflict 'x'"):
            decided(KNOWN, {"c": conflict()}, [Resolution("x", "keep")])

    def test_two_resolutions_of_one_conflict_are_refused(self) -> None:
        with pytest.raises(InvalidValueError, match="two resolutions"):
            decided(KNOWN, {"c": conflict()}, [Resolution("c", "keep"), Resolution("c", "replace")])


class TestStatementsOfAProject:
    def test_each_line_of_the_goals_is_one(self) -> None:
        """D16: v1 counted the characters of one text."""
        found = statements_of(project("teach algebra \n\n for free"))
        assert found == {
            "goals": ("teach algebra", "for free"),
            "requirements": ("r",),
            "tech_stack": ("t",),
            "constraints": ("c",),
        }
        assert statements_of(project(""))["goals"] == ()

    def test_goals_come_back_as_they_were_stored(self) -> None:
        stored = updated({}, {"goals": ["teach\nalgebra", "for  free"]})["goals"]
        assert stored == ("teach algebra", "for free")
        assert statements_of(project(goals_text(stored)))["goals"] == stored
