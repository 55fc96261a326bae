"""Records that load as plain data, and are meant to blow up when they are converted.

Each is a function of the size, in bytes, that it should have about, for one of v1's tables.
"""

import pickle
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any

from tests.support.v1_records import project_record, user_record
from tests.unit.v1 import assembly as a
from tests.unit.v1.hostile import NEW_YEAR, moment

Bomb = Callable[[int], bytes]

_PROJECT = project_record("project_id")  # the ids are what the columns of the worker's rows hold
_NAN = a.real(float("nan"))
_HUGE = a.number(2**4000)


def _project(**fields: Any) -> bytes:
    return pickle.dumps(_PROJECT | fields, 4)


def _field(name: str, code: Callable[[int], bytes]) -> Bomb:
    return lambda size: a.with_field(_PROJECT, name, code(size))


def _often(value: bytes) -> Callable[[int], bytes]:
    return lambda size: a.shared(value, size // 2, 0)


def _nones(size: int) -> bytes:
    return a.list_of(a.NONE * size)


def _by_phase(code: Callable[[int], bytes]) -> Callable[[int], bytes]:
    return lambda size: a.EMPTY_DICT + a.text("p") + code(size) + a.SET_ITEM


def _in(field: str, code: Callable[[int], bytes]) -> Bomb:
    """A record of which one field is of interest, for the small tables."""
    return lambda size: a.whole(a.EMPTY_DICT + a.text(field) + code(size) + a.SET_ITEM)


_MESSAGE = a.entry(type=a.text("u"), content=a.text(""))
_LONG_NAMES = "x" * 100  # as much of a name as a path shows: below it all look the same

LISTS: dict[str, Bomb] = {
    "requirements of None": _field("requirements", _nones),
    "requirements of one text": _field("requirements", _often(a.text("x"))),
    "requirements of one huge integer": _field("requirements", _often(_HUGE)),
    "requirements of one list": _field("requirements", _often(a.list_of(a.NONE * 10))),
    "requirements of empty tuples": _field("requirements", lambda size: a.list_of(a.EMPTY_TUPLE * size)),
    "requirements of long different texts": lambda size: _project(
        requirements=[f"{n}" * 100 for n in range(size // 400)]
    ),
    "tech_stack of one time": _field("tech_stack", _often(moment(NEW_YEAR))),
    "collaborators of None": _field("collaborators", _nones),
    "collaborators of one text": _field("collaborators", _often(a.text("x"))),
    "collaborators that all differ": lambda size: _project(collaborators=[f"{n:x}" for n in range(size // 8)]),
    "weak categories of None": _field("analytics_metrics", lambda size: a.entry(weak_categories=_nones(size))),
    "weak categories of a wide text": _field(
        "analytics_metrics", lambda size: a.entry(weak_categories=a.shared(a.text("\0" * 250), size // 2, 0))
    ),
}

ENTRIES: dict[str, Bomb] = {
    "one message, often": _field("conversation_history", _often(_MESSAGE)),
    "one message with numbers, often": _field(
        "conversation_history", _often(a.entry(type=a.number(1), content=a.number(2), phase=a.real(1.5)))
    ),
    "one message with a time that cannot be read, often": _field(
        "conversation_history", _often(a.entry(type=a.text("u"), content=a.text(""), timestamp=a.text("soon")))
    ),
    "one message with a role, often": _field(
        "conversation_history", _often(a.entry(type=a.text("u"), role=a.text("r"), content=a.text("")))
    ),
    "one message with a further key, often": _field(
        "conversation_history", _often(a.entry(type=a.text("u"), content=a.text(""), x=a.NONE))
    ),
    "one message with a further key of 250 letters, often": _field(
        "conversation_history",
        lambda size: a.shared(
            a.dict_of(a.text("type") + a.text("u") + a.text("content") + a.text("") + a.text("x" * 250) + a.NONE),
            size // 2,
            0,
        ),
    ),
    "one message with a phase of a hundredth of the size, often": _field(
        "conversation_history",
        lambda size: a.shared(
            a.entry(type=a.text("u"), content=a.text(""), phase=a.text("x" * (size // 100))), size // 2, 0
        ),
    ),
    "one message with a number that no column holds, often": _field(
        "conversation_history", _often(a.entry(type=a.text("u"), content=a.text(""), question_number=_HUGE))
    ),
    "messages of a further key each": lambda size: _project(
        conversation_history=[{"role": "u", "content": "", f"{n:x}": None} for n in range(size // 22)]
    ),
    "messages that are one hour apart": lambda size: _project(
        conversation_history=[
            {"role": "u", "content": "", "timestamp": (datetime(1980, 1, 1) + timedelta(hours=n)).isoformat()}
            for n in range(size // 45)
        ]
    ),
    "messages of other types each": lambda size: _project(
        conversation_history=[
            {"role": "u", "content": (1, True, "x", 1.5)[n % 4], "phase": (None, 2, "y", False, 2.5)[n % 5]}
            | ({"author": (None, 3, "z", 3.5)[n // 20 % 4]} if n % 3 else {})
            for n in range(size // 25)
        ]
    ),
    "one member, often": _field("team_members", _often(a.entry(username=a.text("x")))),
    "one member with a further key, often": _field("team_members", _often(a.entry(username=a.text("x"), y=a.NONE))),
    "members of one name that differ": lambda size: _project(
        team_members=[{"username": "x", "role": "lead", "a": n, "joined_at": None} for n in range(size // 25)]
    ),
    "members of one name with a wide value": lambda size: a.with_field(
        _PROJECT,
        "team_members",
        a.list_of(
            a.list_of(a.NONE * (size // 1000))
            + a.MEMOIZE
            + b"".join(a.entry(username=a.text("x"), y=a.get(0) + a.number(n) + a.TUPLE2) for n in range(200)),
        ),
    ),
    "members of one name with many skills": lambda size: _project(
        team_members=[{"username": "x", "skills": [f"{n:x}"]} for n in range(size // 20)]
    ),
    "members that all differ": lambda size: _project(team_members=[{"username": f"{n:x}"} for n in range(size // 13)]),
    "one member of a skill of a hundredth of the size, often": _field(
        "team_members",
        lambda size: a.shared(
            a.entry(username=a.text("x"), skills=a.list_of(a.text("x" * (size // 100)))), size // 4, 0
        ),
    ),
    "one question, often": _field("pending_questions", _often(a.entry(id=a.text("x")))),
    "one question without anything, often": _field("pending_questions", _often(a.EMPTY_DICT)),
    "questions of one id": lambda size: _project(pending_questions=[{"id": "x"} for _ in range(size // 7)]),
    "questions of one id, whose numbers are taken": lambda size: _project(
        pending_questions=[{"id": "x"} for _ in range(size // 40)] + [{"id": f"x#{n}"} for n in range(size // 40)]
    ),
    "questions without an id, whose names are taken": lambda size: _project(
        pending_questions=[{"id": f"q_v1_{n}"} for n in range(size // 60)] + [{} for n in range(size // 60)]
    ),
    "one specification, often": _field("categorized_specs", _by_phase(_often(a.EMPTY_DICT))),
    "one event, often": _field("maturity_history", _often(a.EMPTY_DICT)),
    "one event of scores that are no numbers, often": _field(
        "maturity_history", _often(a.entry(score_before=_NAN, score_after=_NAN, delta=_NAN))
    ),
    "one event of scores in text, often": _field(
        "maturity_history", _often(a.entry(score_before=a.text("1.5"), delta=a.text("7" * 200 + ".5")))
    ),
    "one event with details, often": _field("maturity_history", _often(a.entry(details=a.list_of(a.EMPTY_TUPLE * 10)))),
    "one event with empty tuples in its details, often": _field(
        "maturity_history", _often(a.entry(details=a.entry(x=a.list_of(a.EMPTY_TUPLE * 10))))
    ),
}

NAMES: dict[str, Bomb] = {
    "phases that look the same, without a number": lambda size: _project(
        phase_maturity_scores={f"{_LONG_NAMES}{n}": float("nan") for n in range(size // 120)}
    ),
    "categories that look the same, without a number": lambda size: _project(
        category_scores={"p": {f"{_LONG_NAMES}{n}": {"current_score": float("nan")} for n in range(size // 130)}}
    ),
    "phases of None": lambda size: _project(phase_maturity_scores={f"{n:x}": None for n in range(size // 8)}),
    "categories that are numbers": lambda size: _project(
        category_scores={"p": {f"{n:x}": 1.5 for n in range(size // 16)}}
    ),
    "a phase of half the size with many categories": lambda size: a.with_field(
        _PROJECT,
        "category_scores",
        a.EMPTY_DICT
        + a.text("x" * (size // 2))
        + a.dict_of(b"".join(a.text(f"{n:x}") + a.NONE for n in range(size // 16)))
        + a.SET_ITEM,
    ),
    "a phase of half the size with many specifications": lambda size: a.with_field(
        _PROJECT,
        "categorized_specs",
        a.EMPTY_DICT + a.text("x" * (size // 2)) + a.shared(a.EMPTY_DICT, size // 4, 0) + a.SET_ITEM,
    ),
    "names with a long common beginning": lambda size: _project(
        team_members=[{"username": "x" * 10_000 + str(n)} for n in range(size // 10_100)]
    ),
    "unknown keys": lambda size: pickle.dumps(_PROJECT | {f"{n:x}": None for n in range(size // 8)}, 4),
    "unknown keys that bear our own names": lambda size: pickle.dumps(
        _PROJECT
        | {"notes": ["x"], "v1_unreadable": 1, "archived_at": "soon"}
        | {f"v1_unreadable#{n}": n for n in range(size // 30)},
        4,
    ),
}

FREE: dict[str, Bomb] = {
    f"{shown} in {where}": _in(field, lambda size, code=code, wrap=wrap: wrap(code(size)))  # type: ignore[misc]
    for where, field, wrap in (
        ("an unknown key", "x", lambda code: code),
        ("settings", "settings", lambda code: a.entry(x=code)),
    )
    for shown, code in (
        ("None", _nones),
        ("empty tuples", lambda size: a.list_of(a.EMPTY_TUPLE * size)),
        ("one empty tuple", _often(a.EMPTY_TUPLE)),
        ("one empty dict", _often(a.EMPTY_DICT)),
        ("one dict of one", _often(a.entry(a=a.NONE))),
        ("one dict with a number as its key", _often(a.dict_of(a.number(1) + a.NONE))),
        ("one set", _often(a.set_of(a.text("a")))),
        ("one set of texts", _often(a.set_of(b"".join(a.text(letter) for letter in "abcdefgh")))),
        ("one time", _often(moment(NEW_YEAR))),
        ("one Decimal", _often(a.called(a.DECIMAL, a.text("1E+5")))),
        ("one float", _often(a.real(1 / 3))),
        ("one NaN", _often(_NAN)),
        ("empty bytes", _often(b"C\x00")),
        ("one huge integer", _often(_HUGE)),
        ("a text of wide letters", _often(a.text("😀" * 20))),
        ("NULs", lambda size: a.text("\0" * size)),
        ("NULs of a third of the size, three times", lambda size: a.shared(a.text("\0" * (size // 3)), 3, 0)),
        ("bytes", lambda size: b"B" + size.to_bytes(4, "little") + bytes(size)),
    )
}

NUMBERS: dict[str, tuple[str, Bomb]] = {
    "a time with a fraction of as many digits": (
        "projects",
        _field("archived_at", lambda size: a.text("2025-01-01T00:00:00." + "0" * size)),
    ),
    "an integer in text of as many digits": ("projects", _field("progress", lambda size: a.text("1" * size))),
    "a number in text of as many digits": (
        "projects",
        _field("phase_maturity_scores", lambda size: a.entry(p=a.text("0." + "1" * size))),
    ),
    "a number by a Decimal of as many digits": (
        "projects",
        _field("phase_maturity_scores", lambda size: a.entry(p=a.called(a.DECIMAL, a.text("1" * size)))),
    ),
    "a number by a Decimal of a huge exponent": (
        "projects",
        _field("phase_maturity_scores", lambda _: a.entry(p=a.called(a.DECIMAL, a.text("1E+999999999999999999")))),
    ),
    "an integer by a Decimal of a huge exponent": (
        "projects",
        _field("progress", lambda _: a.called(a.DECIMAL, a.text("1E+999999999999999999"))),
    ),
    "an integer by a Decimal of a tiny exponent": (
        "projects",
        _field("progress", lambda _: a.called(a.DECIMAL, a.text("1E-999999999999999999"))),
    ),
    "a flag by a Decimal of a huge exponent": (
        "projects",
        _field("is_archived", lambda _: a.called(a.DECIMAL, a.text("1E+999999999999999999"))),
    ),
    "a cost in text of as many digits": ("llm_usage", _in("cost", lambda size: a.text("1" * size))),
    "a cost by a Decimal of as many digits": (
        "llm_usage",
        _in("cost", lambda size: a.called(a.DECIMAL, a.text("1" * size))),
    ),
    "a cost by a Decimal of a huge exponent": (
        "llm_usage",
        _in("cost", lambda _: a.called(a.DECIMAL, a.text("1E+999999999999999999"))),
    ),
    "a cost by a signalling NaN": ("llm_usage", _in("cost", lambda _: a.called(a.DECIMAL, a.text("sNaN")))),
    "tokens of 4,000 bits": ("llm_usage", _in("input_tokens", lambda _: _HUGE)),
}

OTHERS: dict[str, tuple[str, Bomb]] = {
    "tags of None": ("project_notes", _in("tags", _nones)),
    "tags of one text": ("project_notes", _in("tags", _often(a.text("x")))),
    "projects of a user, empty tuples": (
        "users",
        lambda size: a.with_field(user_record("username"), "projects", a.list_of(a.EMPTY_TUPLE * size)),
    ),
    "learned_from_projects of None": ("behavior_patterns", _in("learned_from_projects", _nones)),
    "pattern_data of empty tuples": (
        "behavior_patterns",
        _in("pattern_data", lambda size: a.entry(x=a.list_of(a.EMPTY_TUPLE * size))),
    ),
    "an embedding of as many bytes": (
        "knowledge_documents",
        _in("embedding", lambda size: b"B" + size.to_bytes(4, "little") + bytes(size)),
    ),
    "a document of NULs": ("knowledge_documents", _in("content", lambda size: a.text("\0" * size))),
    "a role of as many letters": ("question_effectiveness", _in("role", lambda size: a.text("x" * size))),
    "a file size of None, and its name a huge integer": (
        "knowledge_documents",
        _in("filename", lambda _: _HUGE),
    ),
    "a model of wide letters": ("llm_usage", _in("model", lambda size: a.text("😀" * (size // 4)))),
    "notes of a project, empty tuples": ("projects", _field("notes", lambda size: a.list_of(a.EMPTY_TUPLE * size))),
}

RECORD_BOMBS: dict[str, tuple[str, Bomb]] = {
    **{f"lists: {name}": ("projects", bomb) for name, bomb in LISTS.items()},
    **{f"entries: {name}": ("projects", bomb) for name, bomb in ENTRIES.items()},
    **{f"names: {name}": ("projects", bomb) for name, bomb in NAMES.items()},
    **{f"free: {name}": ("llm_provider_configs", bomb) for name, bomb in FREE.items()},
    **{f"numbers: {name}": found for name, found in NUMBERS.items()},
    **{f"others: {name}": found for name, found in OTHERS.items()},
}
"""Name → v1's table, and the blob."""
