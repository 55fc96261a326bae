import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.dialects import postgresql

from socrates.errors import AlreadyExistsError, InvalidValueError
from socrates.frozen import FrozenDict, FrozenList
from socrates.repositories import learning
from socrates.store import Store, UnitOfWork
from socrates.views import BehaviorPattern, QuestionEffectiveness
from tests.support.stores import counted, fresh_store
from tests.unit.repositories.plans import indexes_used, query_plan, scans
from tests.unit.repositories.rows import THEN

DATA = {
    "topics": ["ui", {"depth": [1, 2]}],
    "length": Decimal("12.50"),
    "at": THEN,
    "pair": (1, "a"),
    "seen": {1, 2},
    "nothing": {},
    "raw": b"\x00\xff",
    3: None,
    "$tuple": "a key that looks like a form",
}


def question(**values: Any) -> QuestionEffectiveness:
    return replace(
        QuestionEffectiveness(
            id="e1",
            user_id="ada",
            question_template_id="q1",
            role="lead",
            times_asked=4,
            times_answered_well=3,
            average_answer_length=120,
            average_spec_extraction_count=Decimal("0.51000"),
            effectiveness_score=Decimal("0.75"),
            last_asked_at=THEN,
            created_at=THEN,
            updated_at=THEN,
            extra=FrozenDict(),
        ),
        **values,
    )


def habit(**values: Any) -> BehaviorPattern:
    return replace(
        BehaviorPattern(
            id="b1",
            user_id="ada",
            pattern_type="length",
            pattern_data=FrozenDict(mean=3),
            confidence=Decimal("0.5"),
            learned_from_projects=("p1",),
            learned_at=THEN,
            updated_at=THEN,
            extra=FrozenDict(),
        ),
        **values,
    )


async def save(store: Store, *records: QuestionEffectiveness | BehaviorPattern) -> list[Any]:
    async with store.begin() as unit:
        return [
            await unit.learning.save_effectiveness(record)
            if isinstance(record, QuestionEffectiveness)
            else await unit.learning.save_pattern(record)
            for record in records
        ]


async def test_what_was_never_learned_is_none_or_empty(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await save(store, question(), habit())
        assert await store.learning.find_effectiveness("ada", "q2") is None
        assert await store.learning.find_effectiveness("bob", "q1") is None
        assert await store.learning.find_pattern("ada", "style") is None
        assert await store.learning.find_pattern("Ada", "length") is None
        assert await store.learning.effectiveness_of("bob") == ()
        assert await store.learning.patterns_of("bob") == ()


async def test_a_saved_record_is_found_as_it_was_given(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        given = question(), habit()
        assert tuple(await save(store, *given)) == given
        assert await store.learning.find_effectiveness("ada", "q1") == given[0]
        assert await store.learning.find_pattern("ada", "length") == given[1]


async def test_lists_hold_all_of_one_user_in_order_of_their_key(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        questions = [question(id=f"e{n}", question_template_id=name) for n, name in enumerate(("b", "C", "ä", "a"))]
        habits = [habit(id=f"b{n}", pattern_type=name) for n, name in enumerate(("b", "C", "a"))]
        others = question(id="e9", user_id="bob"), habit(id="b9", user_id="bob")
        await save(store, *questions, *habits, *others)
        names = [record.question_template_id for record in await store.learning.effectiveness_of("ada")]
        assert names == ["C", "a", "b", "ä"]
        assert [pattern.pattern_type for pattern in await store.learning.patterns_of("ada")] == ["C", "a", "b"]
        assert await store.learning.effectiveness_of("bob") == others[:1]
        assert await store.learning.patterns_of("bob") == others[1:]


@pytest.mark.parametrize("digits", ["0", "0.50", "0.500000000000000000000000000001", "1E+2", "-0.0", "7e-30"])
async def test_decimals_keep_every_digit(tmp_path: Path, engine: str, digits: str) -> None:
    number = Decimal(digits)
    async with fresh_store(tmp_path) as store:
        await save(
            store,
            question(average_spec_extraction_count=number, effectiveness_score=number),
            habit(confidence=number),
        )
        (asked,) = await store.learning.effectiveness_of("ada")
        (pattern,) = await store.learning.patterns_of("ada")
    values = (asked.average_spec_extraction_count, asked.effectiveness_score, pattern.confidence)
    # PostgreSQL writes a positive exponent out, and knows no negative zero.
    expected = str(number) if engine == "sqlite" else format(number, "f").removeprefix("-")
    assert [str(value) if engine == "sqlite" else format(value, "f") for value in values] == [expected] * 3


async def test_data_of_a_view_goes_back_as_the_dicts_and_lists_that_it_was(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        (saved,) = await save(store, habit(pattern_data=DATA, extra={"old": [1]}))
        read = await store.learning.find_pattern("ada", "length")
        assert read == saved
        assert read is not None
        assert type(saved.pattern_data) is FrozenDict
        assert type(read.pattern_data["topics"]) is FrozenList
        assert read.pattern_data == DATA | {"topics": ("ui", {"depth": (1, 2)})}
        before = await raw_data(store)
        (again,) = await save(store, replace(read, pattern_data={**read.pattern_data}, updated_at=THEN))
        assert again == read
        assert await raw_data(store) == before
        assert '["topics", ["ui", {"depth": [1, 2]}]]' in before


async def raw_data(store: Store) -> str:
    async with store._engines.reader.connect() as connection:
        result = await connection.exec_driver_sql("SELECT CAST(pattern_data AS TEXT) FROM behavior_patterns")
        return str(result.scalar_one())


async def test_what_v1_lost_can_be_saved_again(tmp_path: Path) -> None:
    lost = {field.name: None for field in fields(QuestionEffectiveness) if field.name.endswith("_at")}
    async with fresh_store(tmp_path) as store:
        given = question(**lost, role=None, times_asked=None, effectiveness_score=None)
        assert await save(store, given) == [given]


async def test_saving_over_a_record_keeps_its_id_and_the_time_of_its_making(tmp_path: Path) -> None:
    later = THEN + timedelta(days=1)
    async with fresh_store(tmp_path) as store:
        await save(store, question(), habit())
        asked, pattern = await save(
            store,
            question(id="e2", times_asked=5, role=None, created_at=later, updated_at=later, extra={"new": 1}),
            habit(id="b2", pattern_data={"mean": 4}, learned_from_projects=("p1", "p2"), updated_at=later),
        )
        assert asked == question(times_asked=5, role=None, updated_at=later, extra={"new": 1})
        assert pattern == habit(pattern_data={"mean": 4}, learned_from_projects=("p1", "p2"), updated_at=later)
        assert await store.learning.effectiveness_of("ada") == (asked,)
        assert await store.learning.patterns_of("ada") == (pattern,)


async def test_an_id_that_another_record_has_is_refused(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await save(store, question(), habit())
        with pytest.raises(AlreadyExistsError):
            await save(store, question(question_template_id="q2"))
        with pytest.raises(AlreadyExistsError):
            await save(store, habit(user_id="bob"))
        assert await store.learning.effectiveness_of("ada") == (question(),)
        assert await store.learning.patterns_of("bob") == ()


@pytest.mark.parametrize(
    "wrong",
    [
        question(effectiveness_score=0.5),
        question(effectiveness_score=Decimal("NaN")),
        question(last_asked_at=datetime(2026, 1, 1)),
        question(times_asked=2**63),
        question(role="\ud800"),
        habit(pattern_data={"what": object()}),
        habit(updated_at=datetime(2026, 1, 1)),
    ],
    ids=["float", "not a number", "naive", "too large", "surrogate", "object", "naive too"],
)
async def test_what_cannot_be_stored_is_refused(tmp_path: Path, wrong: Any) -> None:
    async with fresh_store(tmp_path) as store:
        with pytest.raises(InvalidValueError):
            await save(store, wrong)
        assert await store.learning.effectiveness_of("ada") == ()
        assert await store.learning.patterns_of("ada") == ()


async def test_times_come_back_in_utc(tmp_path: Path) -> None:
    berlin = timezone(timedelta(hours=2))
    async with fresh_store(tmp_path) as store:
        (saved,) = await save(store, question(last_asked_at=THEN.astimezone(berlin)))
        assert (saved.last_asked_at, saved.last_asked_at.tzinfo) == (THEN, UTC)


async def test_of_many_that_count_at_once_none_is_lost(tmp_path: Path) -> None:
    """D79: in v1 the last of them won."""

    async def ask() -> None:
        async with store.begin() as unit:
            record = await unit.learning.find_effectiveness("ada", "q1") or question(times_asked=0)
            await unit.learning.save_effectiveness(replace(record, times_asked=(record.times_asked or 0) + 1))

    async with fresh_store(tmp_path) as store:
        await asyncio.gather(*(ask() for _ in range(30)))
        (record,) = await store.learning.effectiveness_of("ada")
        assert record.times_asked == 30


async def test_every_read_is_one_statement_through_the_unique_index(tmp_path: Path, engine: str) -> None:
    async with fresh_store(tmp_path) as store:
        await save(store, question(), habit())
        reads: list[Callable[[], Awaitable[Any]]] = [
            lambda: store.learning.find_effectiveness("ada", "q1"),
            lambda: store.learning.effectiveness_of("ada"),
            lambda: store.learning.find_pattern("ada", "length"),
            lambda: store.learning.patterns_of("ada"),
        ]
        await reads[0]()
        for read in reads:
            with counted(store) as cost:
                assert await read()
            cost.must_be(1, 1)
            assert "ORDER BY" in cost.statements[0]
            assert await scans(store, cost.statements) == []
            if engine == "sqlite":
                plan = await query_plan(store, cost.statements)
                assert plan.startswith("SEARCH")
                assert "USING INDEX" in plan
                assert "TEMP B-TREE" not in plan
            else:
                assert len(await indexes_used(store, cost.statements)) == 1


async def test_every_save_is_one_statement(tmp_path: Path) -> None:
    saves: list[Callable[[UnitOfWork], Awaitable[Any]]] = [
        lambda unit: unit.learning.save_effectiveness(question()),
        lambda unit: unit.learning.save_pattern(habit()),
    ]
    async with fresh_store(tmp_path) as store:
        await save(store, question())
        for write in saves * 2:
            with counted(store) as cost:
                async with store.begin() as unit:
                    await write(unit)
            cost.must_be(1, 2, locks=1)


def test_saving_compiles_for_postgresql() -> None:
    for statement in (learning._SAVE_EFFECTIVENESS, learning._SAVE_PATTERN):
        assert "DO UPDATE SET" in str(statement.compile(dialect=postgresql.dialect()))
