"""Appending to a conversation, and reading pages of it. Searching is in test_conversation_search.py."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text

from socrates.drafts import NewMessage
from socrates.errors import InvalidValueError, ProjectNotFoundError
from socrates.frozen import FrozenDict, FrozenList
from socrates.store import Store, UnitOfWork
from socrates.views import Message
from tests.support.stores import another_store, counted, fresh_store
from tests.unit.repositories.plans import no_growth, settle, steps_of
from tests.unit.test_tagged_json import shape

AT = datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC)


@asynccontextmanager
async def conversation(directory: Path, length: int = 0) -> AsyncIterator[Store]:
    """A store with the projects p and q, of which p has `length` messages: "0", "1" and so on."""
    async with fresh_store(directory) as store:
        async with store.begin() as unit:
            for name in ("p", "q"):
                await unit.projects.create(name, "ada", project_id=name)
            await unit.conversations.append_many("p", [NewMessage("user", str(number)) for number in range(length)])
        yield store


async def append(store: Store, content: str = "x", project_id: str = "p", **fields: Any) -> Message:
    async with store.begin() as unit:
        return await unit.conversations.append(project_id, NewMessage("user", content, **fields))


def words(messages: tuple[Message, ...]) -> list[str]:
    return [message.content for message in messages]


async def test_a_message_comes_back_as_it_was_given(tmp_path: Path) -> None:
    berlin = timezone(timedelta(hours=2))
    async with conversation(tmp_path) as store:
        given = NewMessage("assistant", "Wer leiht?", AT.astimezone(berlin), "design", "ada", 7, {"k": 1})
        async with store.begin() as unit:
            appended = await unit.conversations.append("p", given)
        assert appended == Message("p", 0, "assistant", "Wer leiht?", AT, "design", "ada", 7, FrozenDict(k=1))
        assert appended.timestamp is not None
        assert appended.timestamp.tzinfo is UTC
        assert await store.conversations.last("p") == (appended,)


async def test_a_message_without_a_time_has_the_current_one(tmp_path: Path) -> None:
    async with conversation(tmp_path) as store:
        before = datetime.now(UTC)
        appended = await append(store)
        assert appended.timestamp is not None
        assert before <= appended.timestamp <= datetime.now(UTC)
        (read,) = await store.conversations.last("p")
        assert read == appended
        assert (read.phase, read.author, read.question_number, read.extra) == (None, None, None, {})


async def test_an_append_counts_and_moves_the_time_but_not_the_version(tmp_path: Path) -> None:
    async with conversation(tmp_path) as store:
        before, other = await store.projects.summary("p"), await store.projects.summary("q")
        await append(store)
        async with store.begin() as unit:
            added = await unit.conversations.append_many("p", (NewMessage("user", word) for word in "abc"))
        assert [message.position for message in added] == [1, 2, 3]
        after = await store.projects.summary("p")
        assert (after.message_count, after.version) == (4, before.version)
        assert after.updated_at > before.updated_at
        assert await store.conversations.count("p") == 4
        assert words(await store.conversations.last("p")) == ["x", "a", "b", "c"]
        assert await store.projects.summary("q") == other


async def test_appending_nothing_does_nothing(tmp_path: Path) -> None:
    async with conversation(tmp_path) as store:
        before = await store.projects.summary("p")
        async with store.begin() as unit:
            assert await unit.conversations.append_many("p", []) == ()
        assert await store.projects.summary("p") == before


@pytest.mark.parametrize(
    "wrong",
    [
        {"content": 5},
        {"content": None},
        {"content": b"x"},
        {"content": "\ud800"},
        {"type": None},
        {"timestamp": datetime(2026, 1, 2)},
        {"author": 5},
        {"phase": ["design"]},
        {"question_number": "7"},
        {"question_number": 2**63},
        {"question_number": True},
        {"extra": [1]},
        {"extra": {"x": 1j}},
        {"extra": {"x": date(2026, 1, 2)}},
    ],
    ids=ascii,
)
async def test_a_message_that_cannot_be_stored_ends_its_unit_and_leaves_nothing(
    wrong: dict[str, Any], tmp_path: Path
) -> None:
    async with conversation(tmp_path, 2) as store:
        before = await store.projects.summary("p")
        drafts = [NewMessage("user", "fine"), NewMessage(**({"type": "user", "content": "x"} | wrong))]
        with pytest.raises(InvalidValueError):
            await _append_many(store, drafts)
        assert await store.projects.summary("p") == before
        assert words(await store.conversations.last("p")) == ["0", "1"]


async def _append_many(store: Store, drafts: list[NewMessage]) -> None:
    async with store.begin() as unit:
        await unit.conversations.append_many("p", drafts)


async def test_an_unknown_project_cannot_be_written_to_and_has_no_messages(tmp_path: Path) -> None:
    async with conversation(tmp_path) as store:
        with pytest.raises(ProjectNotFoundError):
            await append(store, project_id="P")
        with pytest.raises(ProjectNotFoundError):
            await store.conversations.count("P")
        reads = store.conversations
        assert await reads.last("P") == await reads.after("P") == await reads.before("P", 9) == ()
        assert await reads.by_phase("P", "design") == await reads.search("P", "x") == ()
        assert [message async for message in reads.export("P")] == []


async def test_many_writers_at_once_all_keep_their_messages(tmp_path: Path) -> None:
    async with conversation(tmp_path) as store, another_store(store) as other:
        appended = await asyncio.gather(*(append((store, other)[n % 2], f"{n}") for n in range(60)))
        assert sorted(message.position for message in appended) == [*range(60)]
        stored = await other.conversations.last("p", 100)
        assert sorted(appended, key=lambda message: message.position) == list(stored)
        assert await store.conversations.count("p") == 60


async def test_the_order_is_that_of_positions_not_of_times(tmp_path: Path) -> None:
    async with conversation(tmp_path) as store:
        for day, word in ((3, "first"), (1, "second"), (2, "third")):
            await append(store, word, timestamp=AT.replace(day=day))
        assert words(await store.conversations.last("p")) == ["first", "second", "third"]


async def test_pages_before_and_after_a_position(tmp_path: Path) -> None:
    async with conversation(tmp_path, 10) as store:
        reads = store.conversations
        assert words(await reads.last("p", 3)) == ["7", "8", "9"]
        assert words(await reads.before("p", 7, 3)) == ["4", "5", "6"]
        assert words(await reads.before("p", 1, 3)) == ["0"]
        assert words(await reads.before("p", 0)) == []
        assert words(await reads.after("p", count=3)) == ["0", "1", "2"]
        assert words(await reads.after("p", 2, 3)) == ["3", "4", "5"]
        assert words(await reads.after("p", 8, 3)) == ["9"]
        assert words(await reads.after("p", 9)) == []
        assert words(await reads.last("p", 99)) == [str(number) for number in range(10)]
        assert words(await reads.last("q")) == []


async def test_messages_are_counted_by_who_speaks(tmp_path: Path) -> None:
    async with conversation(tmp_path) as store:
        async with store.begin() as unit:
            await unit.conversations.append_many("p", [NewMessage(type_, "x") for type_ in ("user", "note", "user")])
            await unit.conversations.append("q", NewMessage("user", "of another project"))
        assert await store.conversations.count_by_type("p") == {"user": 2, "note": 1}
        assert await store.conversations.count_by_type("nobody's") == {}


@pytest.mark.parametrize("count", [0, -1, 2**63])
async def test_counts_that_make_no_sense_are_refused(count: int, tmp_path: Path) -> None:
    async with conversation(tmp_path, 1) as store:
        reads = store.conversations
        for read in (
            reads.last("p", count),
            reads.before("p", 5, count),
            reads.after("p", 0, count),
            reads.by_phase("p", "design", count=count),
            reads.search("p", "x", count=count),
            anext(reads.export("p", count)),
        ):
            with pytest.raises(InvalidValueError):
                await read


async def test_one_phase_page_by_page(tmp_path: Path) -> None:
    async with conversation(tmp_path) as store:
        async with store.begin() as unit:
            phases = [None, "design", "Design", "design", "analysis", "design"]
            drafts = [NewMessage("user", str(number), phase=phase) for number, phase in enumerate(phases)]
            await unit.conversations.append_many("p", drafts)
            await unit.conversations.append_many("q", drafts)
        reads = store.conversations
        assert words(await reads.by_phase("p", "design")) == ["1", "3", "5"]
        assert words(await reads.by_phase("p", "design", count=2)) == ["1", "3"]
        assert words(await reads.by_phase("p", "design", after=3)) == ["5"]
        assert words(await reads.by_phase("p", "none")) == []


@pytest.mark.parametrize("batch", [1, 3, 10, 11, 1000])
async def test_an_export_gives_every_message_once_whatever_the_batch(batch: int, tmp_path: Path) -> None:
    async with conversation(tmp_path, 10) as store:
        found = [message async for message in store.conversations.export("p", batch)]
        assert words(tuple(found)) == [str(number) for number in range(10)]


async def test_an_export_of_more_than_one_standard_batch_while_others_append(tmp_path: Path) -> None:
    async with conversation(tmp_path, 2500) as store:
        seen = 0
        async for message in store.conversations.export("p"):
            assert (message.position, message.content) == (seen, str(seen))
            seen += 1
            if seen == 10:
                await append(store, "2500")
        assert seen == 2501


ODD: dict[Any, Any] = {
    "times": [AT, datetime(2026, 1, 2, 3, 4), AT.astimezone(timezone(timedelta(hours=-3, minutes=-30)))],
    "decimals": (Decimal("0.50"), Decimal("-1E+3"), Decimal("NaN")),
    "floats": [float("nan"), float("inf"), -float("inf"), -0.0, 1.0, 1e-300],
    "nested": [[], [[1, (2, [3, {"a": [4]}])]], {}, {"$decimal": "no form"}, {"$": {"$$": []}}],
    "bytes": b"\0\xff",
    "sets": {1, 2},
    "numbers": [2**80, True, 1, 0],
    5: {(1, "a"): None, None: 2.5},
    "text": "\ud800\0İ",
    "": None,
}


def thawed(value: Any) -> Any:
    """What `freeze` made of lists, dicts and sets, as it was before."""
    if isinstance(value, FrozenDict):
        return {key: thawed(item) for key, item in value.items()}
    if isinstance(value, FrozenList):
        return [thawed(item) for item in value]
    if isinstance(value, tuple):
        return tuple(thawed(item) for item in value)
    return set(value) if isinstance(value, frozenset) else value


async def test_odd_values_in_extra_come_back_and_can_be_written_again_unchanged(tmp_path: Path) -> None:
    async with conversation(tmp_path) as store:
        first = await append(store, extra=ODD)
        (read,) = await store.conversations.last("p")
        second = await append(store, extra=read.extra)
        assert shape(thawed(read.extra)) == shape(ODD)
        assert repr(first.extra) == repr(read.extra) == repr(second.extra)
        assert isinstance(read.extra["nested"], FrozenList)
        assert isinstance(read.extra["nested"][1][0][1][1], FrozenList)
        assert type(read.extra["decimals"]) is tuple
        async with store._engines.reader.connect() as connection:
            one, two = await connection.scalars(text("SELECT CAST(extra AS TEXT) FROM conversation_messages"))
        assert one == two


async def test_what_an_append_returns_does_not_change_with_what_it_was_given(tmp_path: Path) -> None:
    async with conversation(tmp_path) as store:
        extra: dict[str, Any] = {"list": [1], "dict": {"a": {2}}}
        appended = await append(store, extra=extra)
        extra["list"].append(2)
        extra["dict"]["a"].add(3)
        assert await store.conversations.last("p") == (appended,)
        assert appended.extra == {"list": (1,), "dict": {"a": {2}}}


@pytest.mark.parametrize("text", ["", "İß😀\uffff", "%_'\";--", "x" * 1_000_000, "\r\n\t "])
async def test_any_text_is_a_message(text: str, tmp_path: Path) -> None:
    await any_text_will_do(text, tmp_path)


@pytest.mark.sqlite
async def test_so_is_one_with_nul(tmp_path: Path) -> None:
    await any_text_will_do("a\0b", tmp_path)


async def any_text_will_do(text: str, directory: Path) -> None:
    async with conversation(directory) as store:
        appended = await append(store, text, author=text, phase=text)
        assert await store.conversations.last("p") == (appended,)
        assert appended.content == text


async def test_an_append_costs_the_same_behind_ten_and_behind_a_hundred_thousand(tmp_path: Path, engine: str) -> None:
    statements, steps = [], []
    async with conversation(tmp_path, 10) as store:
        for length in (10, 100_000 if engine == "sqlite" else 10_000):
            await _lengthen(store, length)
            await settle(store)
            with counted(store) as cost:
                await append(store)
            cost.must_be(statements=2, crossings=2)
            statements.append(cost.statements)
            steps.append(await _steps_of_an_append(store))
            if engine == "sqlite":
                pages = await _pages_of_an_append(store)
                assert pages <= 10  # the row, its inner pages, the project and its index: no page of the other messages
            last = await store.conversations.last("p", 1)
            assert await store.conversations.count("p") == last[0].position + 1
    assert statements[0] == statements[1]
    assert no_growth(engine, steps)


_LENGTHEN = (
    "INSERT INTO conversation_messages (project_id, position, type, content)"
    " WITH RECURSIVE n(i) AS (SELECT message_count FROM projects WHERE id = 'p' UNION ALL"
    " SELECT i + 1 FROM n WHERE i < {length} - 1)"
    " SELECT 'p', i, 'user', 'It must lend books. ' || i FROM n WHERE i < {length}"
)


async def _lengthen(store: Store, length: int) -> None:
    async with store.begin() as unit:
        connection = await unit.conversations._session.connection()  # type: ignore[attr-defined]
        await connection.exec_driver_sql(_LENGTHEN.format(length=length))
        await connection.exec_driver_sql(f"UPDATE projects SET message_count = {length} WHERE id = 'p'")


async def _steps_of_an_append(store: Store) -> int:
    return await steps_of(
        store,
        lambda unit: unit.conversations.count("p"),
        lambda unit: unit.conversations.append("p", NewMessage("user", "x")),
    )


async def _pages_of_an_append(store: Store) -> int:
    """How many pages one append writes to SQLite's log, which is emptied before."""
    path = store._engines.path  # type: ignore[attr-defined]
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0] == 0
        (page_size,) = connection.execute("PRAGMA page_size").fetchone()
        await append(store)
        return path.with_name(path.name + "-wal").stat().st_size // int(page_size)


async def test_the_last_messages_cost_the_same_at_any_length(tmp_path: Path, engine: str) -> None:
    async def read(unit: UnitOfWork) -> None:
        await unit.conversations.last("p", 50)
        await unit.conversations.before("p", 60, 20)
        await unit.conversations.after("p", 10, 20)

    async with conversation(tmp_path, 100) as store:
        steps = []
        for length in (100, 20_000):
            await _lengthen(store, length)
            await settle(store)
            steps.append(await steps_of(store, lambda unit: unit.conversations.count("p"), read))
    assert no_growth(engine, steps)
