"""What only PostgreSQL could get wrong: values at their limits, case folding, days, order, and what it cannot hold."""

import sys
import unicodedata
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import literal, select, text

from socrates.drafts import NewMessage
from socrates.errors import ConflictError, DamagedRecordError, InvalidValueError
from socrates.frozen import FrozenDict
from socrates.models.functions import contains_folded, decimal_sum
from socrates.models.types import ExactDecimal
from socrates.repositories.projects import ProjectUpdate
from socrates.store import Store
from tests.support.stores import another_store, fresh_store
from tests.unit.repositories.rows import put_project

pytestmark = pytest.mark.postgres

MIDNIGHT = datetime(2026, 3, 29, tzinfo=UTC)
DAY = timedelta(days=1)


async def say(store: Store, content: str, **fields: Any) -> None:
    async with store.begin() as unit:
        await unit.conversations.append("p", NewMessage("user", content, **fields))


@pytest.mark.parametrize(
    "moment",
    [
        datetime.min.replace(tzinfo=UTC),
        datetime.max.replace(tzinfo=UTC),
        datetime(1, 1, 1, 0, 0, 0, 1, tzinfo=UTC),
        datetime(1999, 12, 31, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(2000, 1, 1, tzinfo=UTC),
    ],
    ids=str,
)
async def test_every_moment_of_a_datetime_comes_back_exactly(tmp_path: Path, moment: datetime) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada", created_at=moment, updated_at=moment)
        await say(store, "x", timestamp=moment)
        (message,) = await store.conversations.last("p")
        summary = await store.projects.summary("p")
    assert (message.timestamp, summary.created_at) == (moment, moment)
    assert message.timestamp is not None
    assert message.timestamp.tzinfo is UTC


@pytest.mark.parametrize("written", ["infinity", "-infinity", "20000-01-01", "0044-03-15 BC"])
async def test_a_time_that_python_does_not_have_is_damage_when_read_and_when_returned(
    tmp_path: Path, written: str
) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        async with store.begin() as unit:
            await unit.projects._session.run(text(f"UPDATE projects SET created_at = '{written}'"))
        with pytest.raises(DamagedRecordError, match="not within the years 1 to 9999"):
            await store.projects.summary("p")
        with pytest.raises(DamagedRecordError, match="not within the years 1 to 9999"):
            async with store.begin() as unit:
                await unit.projects.update("p", 1, progress=5)
        assert (await store.health()).ok


async def test_every_character_is_folded_as_python_folds_it(tmp_path: Path) -> None:
    characters = [chr(code) for code in range(1, sys.maxunicode + 1) if not 0xD800 <= code <= 0xDFFF]
    async with fresh_store(tmp_path) as store, store._engines.reader.connect() as connection:
        asked = text(
            "SELECT given FROM unnest(CAST(:given AS text[]), CAST(:folded AS text[])) AS each(given, folded)"
            " WHERE casefold(given COLLATE pg_unicode_fast) != folded"
        )
        folded = [character.casefold() for character in characters]
        differ = list(await connection.scalars(asked, {"given": characters, "folded": folded}))
        sharp = select(contains_folded(literal("Die STRAẞE"), literal("straße".casefold())))
        assert (await connection.execute(sharp)).scalar_one()
    # Letters that one side's Unicode does not know yet.
    assert [character for character in differ if _is_known(character)] == []
    assert len(differ) < 200


def _is_known(character: str) -> bool:
    """Whether Python's Unicode has the character and its folded form has been there as long."""
    return unicodedata.category(character) != "Cn"


async def test_a_sum_of_decimals_is_exact_and_of_nothing_it_is_zero(tmp_path: Path) -> None:
    small, large = Decimal("0.000000000000000000000000000001"), Decimal(10) ** 40
    async with fresh_store(tmp_path) as store, store._engines.reader.connect() as connection:
        rows = select(literal(small, ExactDecimal).label("cost")).union_all(
            select(literal(large, ExactDecimal)), select(literal(None, ExactDecimal))
        )
        cost = rows.subquery().c.cost
        total = (await connection.execute(select(decimal_sum(cost)))).scalar_one()
        assert total == Decimal(f"1{'0' * 40}.{'0' * 29}1")
        assert (await connection.execute(select(decimal_sum(cost)).where(cost.is_(None)))).scalar_one() == 0


async def test_days_of_usage_are_days_in_utc_wherever_the_database_stands(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        name = store._engines.writer.url.database
        async with store._engines.writer.begin() as connection:
            await connection.execute(text(f"ALTER DATABASE {name} SET timezone TO 'Pacific/Auckland'"))
        try:
            async with another_store(store) as elsewhere:
                for at in (MIDNIGHT - timedelta(microseconds=1), MIDNIGHT, MIDNIGHT + DAY - timedelta(microseconds=1)):
                    async with elsewhere.begin() as unit:
                        await unit.llm.record_usage("ada", "claude", "opus", timestamp=at)
                days = await elsewhere.llm.usage_by_day("ada", MIDNIGHT - DAY, MIDNIGHT + DAY)
        finally:
            async with store._engines.writer.begin() as connection:
                await connection.execute(text(f"ALTER DATABASE {name} RESET timezone"))
    assert [(each.day, each.calls) for each in days] == [(MIDNIGHT.date() - DAY, 1), (MIDNIGHT.date(), 2)]


async def test_texts_are_in_the_order_of_their_code_points(tmp_path: Path) -> None:
    names = ["", " ", "A", "Z", "_", "a", "a b", "ab", "z", "ß", "é", "Ω", "\ue000", "\uffff", "😀", "\U0010ffff"]
    assert names == sorted(names)
    async with fresh_store(tmp_path) as store:
        for name in reversed(names):
            await put_project(store, f"key of {name}", "ada", name=name)
        found = await store.projects.for_user("ada", sort="name", descending=False)
    assert [project.name for project in found] == names


async def test_calls_that_tell_how_many_count_right(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for key in ("p", "q", "r"):
            await put_project(store, key, "ada")
        async with store.begin() as unit:
            updates = [ProjectUpdate(key, 1, {"goals": key}) for key in ("p", "q", "r")]
            await unit.projects.bulk_update(updates)
            for number in range(5):
                await unit.knowledge.add_suggestion("p", str(number), "api", suggestion_id=str(number))
            await unit.knowledge.decide("0", "approved", "ada")
            assert await unit.knowledge.clear_suggestions("p") == 1
            assert await unit.knowledge.clear_suggestions("p", keep_pending=False) == 4
            assert await unit.knowledge.clear_suggestions("p", keep_pending=False) == 0
        assert {project.version for project in await store.projects.for_user("ada")} == {2}
        with pytest.raises(ConflictError):
            async with store.begin() as unit:
                await unit.projects.bulk_update([ProjectUpdate("q", 2, {}), ProjectUpdate("r", 1, {})])


async def test_json_of_every_kind_comes_back_as_what_it_was(tmp_path: Path) -> None:
    kinds = {
        "time": MIDNIGHT,
        "decimal": Decimal("1E+2"),
        "bytes": b"\x00\xff",
        "tuple": (1, "a"),
        "set": {1, 2},
        "numbers": [2**80, 0.1, -0.0, 1e300, True, None],
        "infinity": float("-inf"),
        "text with NUL": "a\x00b",
        "lone surrogate": "\ud800",
        7: {None: "keys that are no texts"},
        "$set": "a key that looks like a form",
    }
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            await unit.projects.create("n", "ada", project_id="p", extra=kinds)
        extra = (await store.projects.details("p")).extra
    assert type(extra) is FrozenDict
    expected = kinds | {"numbers": tuple(kinds["numbers"])}  # type: ignore[arg-type]
    assert dict(extra) == expected
    assert repr(extra["decimal"]) == repr(kinds["decimal"])
    assert repr(extra["numbers"][2]) == "-0.0"


WRONG_KEYS = {"NUL": "a\x00b", "too long": "ß" * 257}


@pytest.mark.parametrize("key", WRONG_KEYS.values(), ids=WRONG_KEYS)
async def test_a_key_that_postgres_cannot_hold_is_refused_and_nothing_is_stored(tmp_path: Path, key: str) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        with pytest.raises(InvalidValueError, match=r"projects\.\w+ takes"):  # noqa: PT012 - the unit is what raises
            async with store.begin() as unit:
                await unit.projects.update("p", 1, goals="changed")
                await unit.projects.create("name", key)
        assert (await store.projects.details("p")).goals == ""
        assert await store.projects.count_owned("ada") == 1


async def test_the_longest_key_is_stored(tmp_path: Path) -> None:
    owner = "😀" * 128
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            created = await unit.projects.create("name", owner, project_id="ß" * 256)
        assert await store.projects.for_user(owner) == (created,)


async def test_a_text_with_nul_is_refused_and_nothing_is_stored(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_project(store, "p", "ada")
        with pytest.raises(InvalidValueError, match=r"conversation_messages\.content takes no NUL"):
            await say(store, "SECRET\x00")
        assert await store.conversations.count("p") == 0


@pytest.mark.parametrize("wrong", ["SECRET\x00", "SECRET\ud800"], ids=["NUL", "lone surrogate"])
async def test_a_read_for_what_no_text_can_hold_is_refused(tmp_path: Path, wrong: str) -> None:
    async with fresh_store(tmp_path) as store:
        for read in (store.projects.for_user, store.projects.summary, store.users.get, store.notes.get):
            with pytest.raises(InvalidValueError) as raised:
                await read(wrong)
            assert "SECRET" not in str(raised.value)


async def test_a_read_for_a_key_that_is_too_long_finds_nothing(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        assert await store.projects.for_user("x" * 100_000) == ()
        assert not await store.users.exists("x" * 100_000)
