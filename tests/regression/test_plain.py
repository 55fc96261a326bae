"""What is hidden of a scenario, and that nothing else is."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest

from socrates.events import EventType
from socrates.frozen import FrozenDict
from socrates.views import PhaseScore
from tests.regression.plain import Normalizer, plain
from tests.support.systems import Clock

BEGAN = datetime(2027, 1, 1, 9, 0, tzinfo=UTC)
ENDED = BEGAN + timedelta(seconds=2)


def normalized(value: Any, **places: str) -> Any:
    return Normalizer(BEGAN, ENDED, places)(plain(value))


def test_ids_get_names_by_their_keys_in_order_of_appearance() -> None:
    one, two, three = (str(uuid4()) for _ in range(3))
    seen = [{"project_id": one, "notes": [{"id": two}, {"id": three}]}, {"message": f"no note {two} in {one}"}]
    assert normalized(seen) == [
        {"notes": [{"id": "<note 1>"}, {"id": "<note 2>"}], "project_id": "<project 1>"},
        {"message": "no note <note 1> in <project 1>"},
    ]


def test_another_id_in_the_place_of_the_first_shows() -> None:
    one, two = uuid4().hex, uuid4().hex
    assert normalized([one, one]) != normalized([one, two])


def test_ids_as_keys_and_in_other_forms_get_names() -> None:
    one = str(uuid4())
    assert normalized({one: 1}) == {"<id 1>": 1}
    assert normalized({"question_id": "q_0123abcd", "user": f"deleted-user-{uuid4().hex}"}) == {
        "question_id": "<question 1>",
        "user": "deleted-user-<id 1>",
    }


@pytest.mark.parametrize("text", ["p1", "static:discovery:1", "q_maps", "0123456789abcdef", "project:p1:0"])
def test_other_ids_stay(text: str) -> None:
    assert normalized({"id": text}) == {"id": text}


def test_times_of_the_run_are_hidden_and_no_other() -> None:
    start = Clock().now
    seen = [
        BEGAN.isoformat(),
        f"at {ENDED:%Y-%m-%d %H:%M:%S}.000",
        (BEGAN - timedelta(microseconds=1)).isoformat(),
        (ENDED + timedelta(seconds=1)).isoformat(),
        start.isoformat(),
        (start + timedelta(days=1, seconds=3)).isoformat(),
        (start - timedelta(seconds=1)).isoformat(),
        "2025-03-01T09:00:00",
        "on 2026-04-01",
    ]
    assert normalized(seen) == [
        "<time>",
        "at <time>",
        "2027-01-01T08:59:59.999999+00:00",
        "2027-01-01T09:00:03+00:00",
        "<clock + 0:00:00>",
        "<clock + 1 day, 0:00:03>",
        "2026-03-10T11:59:59+00:00",
        "2025-03-01T09:00:00",
        "on 2026-04-01",
    ]


def test_only_the_places_of_the_run_are_hidden() -> None:
    assert normalized(["/tmp/a/b", "/tmp/c"], **{"/tmp/a": "<directory>"}) == ["<directory>/b", "/tmp/c"]


def test_floats_are_rounded_and_everything_else_stays() -> None:
    seen = [0.1 + 0.2, 1e-8, 5, True, None, Decimal("0.12345678901234567890")]
    assert normalized(seen) == [0.3, 1e-8, 5, True, None, "0.12345678901234567890"]


def test_what_the_system_returns_is_taken() -> None:
    seen = (PhaseScore("design", 1.5), FrozenDict({"a": (1,)}), {"b", "a"}, EventType.NOTE_ADDED, BEGAN.date())
    assert plain(seen) == [{"phase": "design", "score": 1.5}, {"a": [1]}, ["a", "b"], "note.added", "2027-01-01"]


def test_what_is_no_data_is_refused() -> None:
    with pytest.raises(TypeError, match="of type object"):
        plain([object()])


def test_the_order_of_a_dict_has_no_say() -> None:
    one, two = str(uuid4()), str(uuid4())
    assert normalized({"project_id": one, "note_id": two}) == normalized({"note_id": two, "project_id": one})
