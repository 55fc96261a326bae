"""Who belongs to a project, and who may see it (V6)."""

import json
import time
from typing import Any

import pytest

from socrates.errors import DamagedRecordError
from socrates.v1.reading import Reading
from socrates.v1.team import convert_team
from socrates.v1.times import Zone

CREATED = "2025-01-01 00:00:00.000000"
EARLY, LATE = "2024-01-01T00:00:00", "2024-06-01T00:00:00"


class Team:
    """The converted team of a project owned by ada."""

    def __init__(self, members: Any = None, collaborators: Any = None, owner: str = "ada") -> None:
        self.reading = Reading(Zone("UTC"))
        source = {"team_members": members, "collaborators": collaborators}
        self.rows, self.order = convert_team(source, "p", owner, CREATED, self.reading)

    @property
    def names(self) -> list[Any]:
        return [row[1] for row in self.rows]

    @property
    def active(self) -> set[Any]:
        return {row[1] for row in self.rows if row[5]}

    def of(self, name: str) -> dict[str, Any]:
        (row,) = (row for row in self.rows if row[1] == name)
        _, _, role, skills, joined_at, is_active, position, extra = row
        return {
            "role": role,
            "skills": json.loads(str(skills)),
            "joined_at": joined_at,
            "is_active": is_active,
            "position": position,
            "extra": json.loads(str(extra)),
        }

    @property
    def noted(self) -> list[tuple[str, str]]:
        return [(note.kind, note.field) for note in self.reading.notes]


def entry(username: str, role: str = "analyst", **more: Any) -> dict[str, Any]:
    return {"username": username, "role": role, **more}


def test_an_owner_whom_nobody_listed_becomes_an_active_lead() -> None:
    assert Team().rows == [("p", "ada", "lead", "[]", CREATED, 1, 0, "{}")]


def test_a_listed_owner_keeps_skills_and_time() -> None:
    team = Team([entry("ada", "lead", skills=["law"], joined_at=EARLY)])
    assert team.of("ada") == {
        "role": "lead",
        "skills": ["law"],
        "joined_at": "2024-01-01 00:00:00.000000",
        "is_active": 1,
        "position": 0,
        "extra": {},
    }
    assert team.noted == []


def test_an_owner_with_another_role_is_made_lead_and_the_role_kept() -> None:
    team = Team([entry("ada", "analyst")])
    assert team.of("ada")["role"] == "lead"
    assert team.of("ada")["extra"] == {"v1_role": "analyst"}
    assert team.noted == [("owner_made_lead", "team_members.ada.role")]


def test_access_is_the_collaborators_and_the_owners_alone() -> None:
    team = Team([entry("ada", "lead"), entry("bob"), entry("cat")], ["bob", "dan"])
    assert team.names == ["ada", "bob", "cat", "dan"]
    assert team.active == {"ada", "bob", "dan"}


def test_a_collaborator_without_an_entry_becomes_a_creator() -> None:
    team = Team([entry("ada", "lead")], ["bob"])
    assert team.of("bob")["role"] == "creator"
    assert team.of("bob")["joined_at"] == CREATED


def test_additions_follow_the_listed_the_owner_first() -> None:
    assert Team([entry("cat")], ["bob"]).names == ["cat", "ada", "bob"]


def test_names_are_told_apart_by_case() -> None:
    assert Team([entry("Ada"), entry("ada", "lead")], ["ADA"]).active == {"ada", "ADA"}


def test_second_entries_merge_into_the_first() -> None:
    team = Team(
        [
            entry("bob", "analyst", skills=["sql", "go"], joined_at=LATE),
            entry("cat"),
            entry("bob", "specialist", skills=["go", "law"], joined_at=EARLY),
        ]
    )
    merged = team.of("bob")
    assert (merged["role"], merged["skills"]) == ("analyst", ["sql", "go", "law"])
    assert merged["joined_at"] == "2024-01-01 00:00:00.000000"
    assert team.names == ["bob", "cat", "ada"]
    assert team.noted == [("member_merged", "team_members[2]")]


def test_further_keys_of_merged_entries_are_all_kept() -> None:
    team = Team([entry("bob", a=1, b=2), entry("bob", b=3, c=4)])
    extra = team.of("bob")["extra"]
    assert (extra["a"], extra["b"], extra["c"]) == (1, 2, 4)
    assert extra["b#2"] == 3


@pytest.mark.parametrize("own", ["v1_merged", "v1_unreadable", "v1_role"])
@pytest.mark.parametrize("value", [5, "text", [1], {"joined_at": "mine"}])
def test_a_foreign_key_that_bears_a_name_of_ours_loses_nothing(own: str, value: Any) -> None:
    first = entry("ada", "analyst", joined_at="soon", x=1, **{own: value})
    second = entry("ada", "analyst", joined_at="never", x=2, **{own: "of the second"})
    extra = json.dumps(Team([first, second]).of("ada")["extra"])
    for kept in (json.dumps(value), '"of the second"', '"analyst"', '"soon"'):
        assert kept in extra


def test_an_unreadable_time_is_kept_with_the_member() -> None:
    team = Team([entry("bob", joined_at="soon")])
    assert team.of("bob")["joined_at"] is None
    assert team.of("bob")["extra"] == {"v1_unreadable": {"joined_at": "soon"}}


def test_the_order_of_collaborators_is_kept_where_the_members_do_not_show_it() -> None:
    members = [entry("ada", "lead"), entry("bob"), entry("cat")]
    assert Team(members, ["bob", "cat"]).order is None
    assert Team(members, ["cat", "bob"]).order == ["cat", "bob"]
    assert Team(members, ["bob", "bob"]).order == ["bob", "bob"]


def test_skills_that_are_not_text_become_text() -> None:
    team = Team([entry("bob", skills=["sql", 5, None])])
    assert team.of("bob")["skills"] == ["sql", "5", "None"]
    assert {(kind, field.partition(".")[2][:6]) for kind, field in team.noted} == {("item_not_text", "skills")}


@pytest.mark.parametrize(
    ("members", "collaborators"),
    [
        ("ada", None),
        ({"ada": 1}, None),
        (["ada"], None),
        ([None], None),
        ([{"role": "lead"}], None),
        ([entry(None)], None),  # type: ignore[arg-type]
        ([entry(["x"])], None),  # type: ignore[arg-type]
        ([entry("bob", skills="sql")], None),
        ([{"username": "bob", 5: 6}], None),
        (None, "bob"),
        (None, {"bob": 1}),
    ],
)
def test_what_is_no_team_is_damage(members: Any, collaborators: Any) -> None:
    with pytest.raises(DamagedRecordError):
        Team(members, collaborators)


@pytest.mark.parametrize(("first", "second"), [("x", "y"), ("x", {}), ({"joined_at": "x"}, None), ([], "x")])
def test_foreign_values_under_our_own_key_stand_side_by_side_when_they_are_merged(first: Any, second: Any) -> None:
    # Nobody but us writes this key, and we write a dict; another value once ended the whole import.
    team = Team([entry("bob", v1_unreadable=first), entry("bob", v1_unreadable=second)])
    assert team.of("bob")["extra"] == {"v1_unreadable": first, "v1_unreadable#2": second}


def test_merging_thousands_of_entries_takes_no_longer_than_as_many_members() -> None:
    began = time.process_time()
    team = Team([entry("bob", skills=[f"skill {number}"], a=number) for number in range(10_000)])
    assert time.process_time() - began < 3
    assert (len(team.of("bob")["skills"]), team.of("bob")["extra"]["a#10000"]) == (10_000, 9_999)
