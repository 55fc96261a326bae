"""What the machine is given: units of work, of calls that have to do with each other."""

from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from hypothesis import strategies as st

from tests.stateful.calls import Call
from tests.stateful.poison import Poisoned
from tests.stateful.reads import READS
from tests.stateful.writes import WRITES

Ending = Literal["commit", "raise", "cancel", "kill"]


@dataclass(frozen=True)
class Unit:
    """A unit of work."""

    calls: list[Call]
    meanwhile: list[Call]
    """What the store's faces are asked for before it ends."""
    later: timedelta
    """How much time has passed since the last one. It can be less than none."""
    catches: bool
    """Whether the exceptions of its calls are caught in it."""
    ending: Ending
    """Whether its block ends well, with an exception, with its task, or with the process."""


_WHOLE_PROJECT = ("create", "update", "bulk_update", "archive", "restore", "transfer", "delete", "summary", "details")
_TEAM = ("add_member", "update_member", "remove_member", "transfer", "members", "is_member")
_QUESTIONS = ("add_question", "answer_question", "skip_question", "pending_questions")
_MATURITY = ("save_phase_scores", "save_category_scores", "save_analytics", "add_specs", "add_maturity_event")
_SCORES = ("phase_scores", "category_scores", "analytics", "specs", "maturity_events")

PROJECTS, TEAM, MATURITY = (
    tuple(f"projects.{name}" for name in names)
    for names in ((*_WHOLE_PROJECT, "for_user", "count_owned"), (*_TEAM, *_QUESTIONS), (*_MATURITY, *_SCORES))
)
"""Parts of the face that has the most methods."""

_LATER = [timedelta(0), timedelta(microseconds=1), timedelta(hours=1), timedelta(hours=-2), timedelta(days=5)]
_NUMBER = st.integers(0, 15)


def units(*beginnings: str) -> st.SearchStrategy[Unit]:
    """Units of calls of the methods whose names begin so: mostly writes, some reads, some that are poisoned."""
    read, write = _any_of(READS, beginnings), _any_of(WRITES, beginnings)
    poisoned = (read | write).flatmap(_poisoned)
    call = st.integers(0, 9).flatmap(lambda number: write if number < 7 else read if number < 9 else poisoned)
    return st.builds(
        Unit,
        calls=st.lists(call, min_size=1, max_size=6),
        meanwhile=st.lists(read, max_size=2),
        later=st.sampled_from(_LATER),
        catches=st.booleans(),
        ending=st.sampled_from(["commit"] * 9 + ["raise", "cancel", "kill"]),
    )


def _any_of(table: dict[str, st.SearchStrategy[Call]], beginnings: tuple[str, ...]) -> st.SearchStrategy[Call]:
    """Calls of each method as often as of any other."""
    return st.sampled_from([name for name in table if name.startswith(beginnings)]).flatmap(table.__getitem__)


def _poisoned(call: Call) -> st.SearchStrategy[Call]:
    return st.builds(Poisoned, st.just(call.name), st.just(call.arguments), st.just(call.named), number=_NUMBER)
