"""Ids and values that are likely to go wrong."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st


@dataclass(frozen=True)
class World:
    """The ids of one run: few, so that calls meet what other calls made."""

    projects: tuple[str, str, str]
    users: tuple[str, str, str, str]
    records: tuple[str, str, str]
    """Of notes, documents and so on."""
    is_plain: bool = False
    """Whether there is nothing that only SQLite can hold: NULs in texts, decimals with an exponent or a minus zero."""

    def for_postgres(self) -> "World":
        """The same without what PostgreSQL cannot hold."""
        plain = {
            name: tuple(key.replace("\0", "\1") for key in getattr(self, name))
            for name in ("projects", "users", "records")
        }
        return replace(self, **plain, is_plain=True)  # type: ignore[arg-type]


WORLDS = (
    # Twins by case, and up to a NUL.
    World(("p", "P", "p\0"), ("ada", "Ada", "ada\0", "bob"), ("1", "01", "1\0")),
    # Nothing at all, and what SQL, paths and patterns give a meaning to. "\uffff" comes before "🎈" by code point, and
    # after it in UTF-16.
    World(("", "é/'\"%_", "🎈"), ("", "é/'\"%_", "\uffff", "🎈"), ("", "\uffff", "🎈")),
)

PROJECT = st.runner().flatmap(lambda machine: st.sampled_from([*machine.model.state.projects, *machine.world.projects]))
USER = st.runner().flatmap(lambda machine: st.sampled_from(machine.world.users))
RECORD = st.runner().flatmap(lambda machine: st.sampled_from(machine.world.records))
NEW = RECORD | st.none()
"""The id of what is to be made, or None for one that the store makes."""
ANY = RECORD | st.integers(10, 99).map(str)
"""The id of a record that the caller has to name."""


def _values(plain: Sequence[object], *of_sqlite: object) -> st.SearchStrategy[Any]:
    """One of these; of the further ones too where the world has them."""
    everywhere, on_sqlite = st.sampled_from(plain), st.sampled_from([*plain, *of_sqlite])
    return st.runner().flatmap(lambda machine: everywhere if machine.world.is_plain else on_sqlite)


TEXT = _values(
    [
        "",
        "a",
        "A",
        "straße",
        "STRASSE",
        "é",
        "e\u0301",
        "'; --",
        "\uffff",
        "🎈",
        "%_\\",
        " ",
        "İ",
        "ﬁ",
        "ab" * 200,
    ],
    "x\0y",
)
NEEDLE = _values(["a", "A", "STRASSE", "ß", "%", "_", "fi", "i̇", "🎈", "bab", " ", ""], "x\0")
TEXTS = st.lists(TEXT, max_size=4)
PHASE = st.sampled_from(["design", "Design", ""])
KIND = st.sampled_from(["bug", "Bug", "straße"])
PROVIDERS = ("claude", "Claude")
PROVIDER = st.sampled_from(PROVIDERS)

NUMBER = st.sampled_from([0, 1, 7, -1, 2**31, 2**63 - 1, -(2**63)])
TOKENS = st.sampled_from([0, 1, 1000, 2**40])
SCORE = st.sampled_from([0.0, 12.5, 0.1 + 0.2, -1.5, 1e300, 5e-324])
LATENCY = st.sampled_from([0.0, 0.25, 1000.75, 2.0**40])
COST = _values(
    [Decimal(text) for text in ("0", "0.00", "0.1", "0.10", "123456789.000000000001")], Decimal("-0"), Decimal("1E+3")
)
FLAG = st.booleans()
BYTES = st.sampled_from([b"", b"\0", b"\xff\0\xfe"])

_NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
TIMES = (
    _NOON,
    _NOON + timedelta(microseconds=1),
    _NOON.astimezone(timezone(timedelta(hours=-5, minutes=-30))),
    datetime(2026, 1, 1, 23, 30, tzinfo=timezone(timedelta(hours=2))),
    datetime(2025, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(1, 1, 2, tzinfo=UTC),
    datetime(9999, 12, 30, tzinfo=UTC),
)
TIME = st.sampled_from(TIMES)
_ATTEMPTS = tuple(_NOON + timedelta(seconds=seconds) for seconds in (0, 1, 512, 900, 86_400))
ATTEMPT = st.sampled_from([*_ATTEMPTS, *_ATTEMPTS, *TIMES])
"""When somebody logs in: mostly near noon, also at the moment at which a wait is over, or a day."""
RESET = st.sampled_from([datetime(2026, month, 1, tzinfo=UTC) for month in (4, 7, 12)])
"""When a month ends; the machine's clock begins at the end of March."""

EXTRA = st.sampled_from(
    [
        {},
        {"k": "v"},
        {"$x": [1, (2, [3])], "": None},
        {1: "a key that is no text", None: {1, 2}},
        {"at": _NOON, "cost": Decimal("1.50"), "raw": b"\0", "nan": float("nan"), "deep": {"d": {"$$": -0.0}}},
    ]
)


def maybe(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Something, or None."""
    return st.none() | strategy
