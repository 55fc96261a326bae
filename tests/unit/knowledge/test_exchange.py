"""Entries as plain values: out as JSON, and in again."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from socrates.drafts import NewEntry
from socrates.errors import InvalidValueError
from socrates.frozen import freeze
from socrates.knowledge.exchange import imported
from tests.support.knowledge import fresh_knowledge

GOOD = {"id": "a", "content": "loans end", "category": "rules", "source": None, "metadata": {}}

DETAILS: dict[Any, Any] = {
    "when": datetime(2026, 2, 3, 4, 5, 6, 7, tzinfo=UTC),
    "naive": datetime(2026, 2, 3),
    "pair": (1, (2.5, None)),
    "set": {1, 2},
    "price": Decimal("1.10"),
    "bytes": b"\x00\xff",
    "odd": [float("inf"), True, 1],
    "$set": "a key like a form",
    3: "a number as key",
}


async def test_what_was_exported_is_the_same_after_an_import_elsewhere(tmp_path: Path) -> None:
    """D29: v1 lost the categories."""
    async with fresh_knowledge(tmp_path, "library", "archive") as (_, knowledge):
        await knowledge.add_many(
            [
                NewEntry("loans end after three weeks", "rules", id="ä/1", source="rules.txt", details=DETAILS),
                NewEntry("the shelves are numbered", "custom"),
            ],
            "library",
        )
        text = json.dumps(await knowledge.export_project("library"), allow_nan=False)
        put = await knowledge.import_project("archive", json.loads(text))
        assert (put.added, put.changed, put.unchanged) == (2, 0, 0)
        here = await knowledge.project_knowledge("archive")
        there = await knowledge.project_knowledge("library")
        assert [replace(entry, project_id="library") for entry in here] == [
            replace(entry, created_at=same.created_at, updated_at=same.updated_at)
            for entry, same in zip(there, here, strict=True)
        ]
        assert {entry.id: entry.details for entry in here}["ä/1"] == freeze(DETAILS)
        assert (await knowledge.import_project("library", json.loads(text))).unchanged == 2


async def test_what_v1_exported_can_be_imported(tmp_path: Path) -> None:
    of_v1 = {
        "id": "suggested_0123456789ab",
        "content": "the shelves are numbered",
        "category": "custom",
        "metadata": {"project_id": "old", "scope": "project", "source": "agent", "topic": "shelves", "chunk": 1},
    }
    async with fresh_knowledge(tmp_path, "library") as (_, knowledge):
        await knowledge.import_project("library", [of_v1])
        (entry,) = await knowledge.project_knowledge("library")
    assert (entry.id, entry.category, entry.source) == ("suggested_0123456789ab", "custom", "agent")
    assert entry.details == {"topic": "shelves", "chunk": 1}


@pytest.mark.parametrize(
    "values",
    ["[]", {}, {"entries": [GOOD]}, None, 7, b"[]", [None], [[]], ["text"], [GOOD, 3]]
    + [[{key: each for key, each in GOOD.items() if key != name}] for name in ("id", "content", "category")]
    + [[{**GOOD, name: 7}] for name in ("id", "content", "category", "source", "metadata")]
    + [[{**GOOD, "metadata": each}] for each in ([], "", 0, False, {"$set": []}, {"$other": 1}, {"$datetime": "soon"})],
    ids=repr,
)
def test_what_is_no_export_is_refused(values: Any) -> None:
    with pytest.raises(InvalidValueError, match="import"):
        imported(values)


def test_a_refusal_names_the_place() -> None:
    with pytest.raises(InvalidValueError, match=r"entry 1 .* category"):
        imported([GOOD, {**GOOD, "category": None}])


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = {"in": [value]}
    return value


async def test_nesting_as_deep_as_json_can_be_is_kept_or_refused(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "library") as (_, knowledge):
        await knowledge.import_project("library", [{**GOOD, "metadata": nested(50)}])
        (entry,) = await knowledge.project_knowledge("library")
        assert entry.details == freeze(nested(50))
        for depth in (150, 200, 300, 450, 100_000):
            try:
                await knowledge.import_project("library", [{**GOOD, "id": str(depth), "metadata": nested(depth)}])
            except InvalidValueError:
                continue
            assert (await knowledge.project_knowledge("library"))[-1].details == freeze(nested(depth))


async def test_numbers_that_are_none_are_kept(tmp_path: Path) -> None:
    values = json.loads(json.dumps([{**GOOD, "metadata": {"score": float("nan"), "best": float("inf")}}]))
    async with fresh_knowledge(tmp_path, "library") as (_, knowledge):
        await knowledge.import_project("library", values)
        (entry,) = await knowledge.project_knowledge("library")
        assert (await knowledge.import_project("library", values)).unchanged == 1
    assert (str(entry.details["score"]), entry.details["best"]) == ("nan", float("inf"))


@pytest.mark.parametrize("name", ["content", "id", "category", "source"])
async def test_half_of_a_surrogate_pair_is_refused(tmp_path: Path, name: str) -> None:
    async with fresh_knowledge(tmp_path, "library") as (store, knowledge):
        with pytest.raises(InvalidValueError):
            await knowledge.import_project("library", [{**GOOD, name: "a \ud800"}])
        assert await store.knowledge_entries.count("library") == 0
