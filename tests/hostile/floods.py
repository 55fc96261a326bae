"""Large blobs: of little things by the million, and of records that only their conversion makes large.

Made when asked for, as they are up to 30 MB long.
"""

import pickle
from collections.abc import Callable
from typing import Any

from tests.hostile.bombs import planted
from tests.support.v1_records import project_record
from tests.unit.v1 import assembly as a

_MB = 10**6

OF_ONE_OPCODE: dict[str, bytes] = {
    "empty dicts": a.EMPTY_DICT,
    "empty lists": a.EMPTY_LIST,
    "empty tuples": a.EMPTY_TUPLE,
    "empty sets": a.EMPTY_SET,
    "Nones": a.NONE,
    "MEMOIZEs of one None": a.MEMOIZE,
    "pairs of None": a.NONE + a.NONE + a.TUPLE2,
    "lists of one": a.EMPTY_LIST + a.NONE + a.APPEND,
    "sets of one": a.EMPTY_SET + a.MARK + a.NONE + a.ADD_ITEMS,
    "dicts of one": a.EMPTY_DICT + a.NONE + a.NONE + a.SET_ITEM,
    "memoized dicts": a.EMPTY_DICT + a.MEMOIZE,
    "empty texts": a.text(""),
    "wide characters": a.text("😀"),
    "MARKs": a.MARK,
    "FRAMEs of nothing": b"\x95" + bytes(8),
    "APPENDS of nothing": a.MARK + a.APPENDS,
    "floats": a.real(0.1),
    "integers": a.number(1 << 60),
    "nested lists": b"",
}
"""What is written over and over, by its name."""


def flood(name: str, size: int) -> bytes:
    """A project of about `size` bytes that holds, under an unknown key, a list of nothing but what is so called."""
    if name == "nested lists":
        return planted(a.EMPTY_LIST * (size // 2) + a.APPEND * (size // 2 - 1), "more")
    unit = OF_ONE_OPCODE[name]
    return planted(a.list_of(a.NONE + unit * (size // len(unit))), "more")


def of_one_opcode(size: int, *names: str) -> dict[str, Callable[[], bytes]]:
    """Such floods; all of them, or those of the names given."""

    def entry(name: str) -> Callable[[], bytes]:
        return lambda: flood(name, size)

    return {f"{name}, {size // _MB} MB": entry(name) for name in names or OF_ONE_OPCODE}


_PROJECT = project_record("project-1")


def _project(**changes: Any) -> bytes:
    return pickle.dumps(_PROJECT | changes, 4)


def _question(**changes: Any) -> dict[str, Any]:
    return _PROJECT["pending_questions"][0] | changes


def _spec(**changes: Any) -> dict[str, Any]:
    return _PROJECT["categorized_specs"]["discovery"][0] | changes


def _event(**changes: Any) -> dict[str, Any]:
    return _PROJECT["maturity_history"][0] | changes


def _member(name: str, **changes: Any) -> dict[str, Any]:
    return {"username": name, "role": "analyst", "skills": [], "joined_at": None} | changes


def _long(size: int = _MB) -> str:
    return "x" * size


CONVERTED: dict[str, Callable[[], bytes]] = {
    "100,000 questions of one id": lambda: _project(pending_questions=[_question() for _ in range(100_000)]),
    "one question 100,000 times": lambda: _project(pending_questions=[_question()] * 100_000),
    "30,000 questions without an id": lambda: _project(
        pending_questions=[{"question": "?", "created_at": None} for _ in range(30_000)]
    ),
    "20,000 questions whose ids are those of others, numbered": lambda: _project(
        pending_questions=[_question(id="q" if n % 2 else f"q#{n}") for n in range(20_000)]
    ),
    "20,000 questions of one id of 10 KB": lambda: _project(
        pending_questions=[_question(id=_long(10_000)) for _ in range(200)] * 100
    ),
    "100,000 members of one name": lambda: _project(team_members=[_member("bob") for _ in range(100_000)]),
    "30,000 members of one name with a skill each": lambda: _project(
        team_members=[_member("bob", skills=[f"skill {n}"]) for n in range(30_000)]
    ),
    "one member 100,000 times": lambda: _project(team_members=[_member("bob", skills=["a", "b"])] * 100_000),
    "100,000 members": lambda: _project(team_members=[_member(f"member {n}") for n in range(100_000)]),
    "100,000 collaborators": lambda: _project(collaborators=[f"member {n}" for n in range(100_000)]),
    "one collaborator 100,000 times": lambda: _project(collaborators=["bob"] * 100_000),
    "100,000 collaborators of a long shared name": lambda: _project(collaborators=[_long()] * 100_000),
    "a phase of 1 MB over 20,000 specs": lambda: _project(
        categorized_specs={_long(): [_spec(content=f"{n}") for n in range(20_000)]}
    ),
    "a category of 1 MB in 20,000 specs": lambda: _project(
        categorized_specs={"design": [_spec(category=shared) for shared in [_long()] * 20_000]}
    ),
    "a phase of 1 MB over 20,000 categories": lambda: _project(
        category_scores={_long(): {f"{n}": 1.0 for n in range(20_000)}}
    ),
    "a phase of 1 MB in 20,000 events": lambda: _project(
        maturity_history=[_event(phase=shared) for shared in [_long()] * 20_000]
    ),
    "a text of 1 MB in 100,000 requirements": lambda: _project(requirements=[_long()] * 100_000),
    "bytes of 1 MB in 1,000 requirements": lambda: _project(requirements=[b"\xff" * _MB] * 1_000),
    "a dict of 1 MB in 1,000 requirements": lambda: _project(requirements=[{"k": ["x"] * 200_000}] * 1_000),
    "100,000 requirements that are numbers": lambda: _project(requirements=[*range(100_000)]),
    "100,000 requirements that are no text": lambda: _project(requirements=[{"k": n} for n in range(100_000)]),
    "100,000 phases": lambda: _project(phase_maturity_scores={f"{n}": float(n) for n in range(100_000)}),
    "100,000 phases without a number": lambda: _project(phase_maturity_scores=dict.fromkeys(map(str, range(100_000)))),
    "100,000 NaNs for phases": lambda: _project(phase_maturity_scores={f"{n}": float("nan") for n in range(100_000)}),
    "100,000 unknown keys": lambda: _project(**{f"key {n}": n for n in range(100_000)}),
    "100,000 unknown keys with times": lambda: _project(**{f"key {n}": _PROJECT["created_at"] for n in range(100_000)}),
    "an unknown key of 1 MB": lambda: _project(**{_long(): 1}),
    "an unknown key of 1 MB of controls": lambda: _project(**{"\x1b" * _MB: 1}),
    "100,000 messages of unknown keys": lambda: _project(
        conversation_history=[{"type": "user", "content": "a", f"key {n}": n} for n in range(100_000)]
    ),
    "one message 100,000 times": lambda: _project(
        conversation_history=[{"type": "user", "content": "a", "more": {"k": 1}}] * 100_000
    ),
    "a message of 1 MB 1,000 times": lambda: _project(
        conversation_history=[{"type": "user", "content": "\0" * _MB}] * 1_000
    ),
    "100,000 messages of unreadable times": lambda: _project(
        conversation_history=[{"type": "user", "content": "a", "timestamp": f"then {n}"} for n in range(100_000)]
    ),
    "100,000 messages with roles": lambda: _project(
        conversation_history=[{"type": "user", "role": "user", "content": "a"} for _ in range(100_000)]
    ),
    "one unreadable time of 1 MB in 1,000 messages": lambda: _project(
        conversation_history=[{"type": "user", "content": "a", "timestamp": shared} for shared in [_long()] * 1_000]
    ),
}
"""Records that load, of which the conversion makes more than they are."""
