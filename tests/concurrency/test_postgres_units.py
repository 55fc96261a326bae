"""Units of work that run side by side on PostgreSQL, in one store or in two: nothing is lost, and no error is shown."""

import asyncio
import random
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import event

from socrates.drafts import NewMaturityEvent, NewMessage, NewSpec
from socrates.errors import AlreadyExistsError, ConflictError, QuotaExceededError
from socrates.frozen import FrozenDict
from socrates.repositories.projects import ProjectUpdate
from socrates.store import Store, UnitOfWork
from socrates.views import BehaviorPattern, QuestionEffectiveness
from tests.concurrency.on_server import at_once, contents, libraries, write
from tests.support.postgres import EmptyDatabases, query

pytestmark = pytest.mark.postgres

NOW = datetime(2026, 1, 1, tzinfo=UTC)
ONE_OR_TWO = pytest.mark.parametrize("stores", [1, 2], ids=["one store", "two stores"])


def outcomes(found: list[Any]) -> Counter[str]:
    """How many returned, and how many raised what."""
    return Counter(type(each).__name__ if isinstance(each, BaseException) else "done" for each in found)


@ONE_OR_TWO
async def test_a_thousand_mixed_operations_at_once(empty_databases: EmptyDatabases, stores: int) -> None:
    dice = random.Random(11)
    units = {"now": 0, "most": 0}

    async def note(store: Store, number: int) -> None:
        async with store.begin() as unit:
            await unit.projects.create(f"Project {number}", "ada", project_id=f"p{number}")
            await unit.conversations.append(f"p{number}", NewMessage("user", f"first of {number}"))

    def lent(*_arguments: object) -> None:
        units["now"] += 1
        units["most"] = max(units.values())

    def given_back(*_arguments: object) -> None:
        units["now"] -= 1

    async with libraries(empty_databases, stores) as (url, opened):
        for store in opened:
            event.listen(store._engines.writer.sync_engine.pool, "checkout", lent)
            event.listen(store._engines.writer.sync_engine.pool, "checkin", given_back)
        jobs = [write(opened[number % stores], f"message {number}") for number in range(250)]
        jobs += [note(opened[number % stores], number) for number in range(100)]
        jobs += [increment(opened[number % stores]) for number in range(50)]
        for number in range(150):
            store = opened[number % stores]
            jobs += [
                store.conversations.last("library"),
                store.projects.for_user("ada"),
                store.projects.details("library"),
                store.conversations.search("library", "message 7"),
            ]
        dice.shuffle(jobs)
        assert len(jobs) == 1000
        await asyncio.gather(*jobs)
        assert Counter(contents(url)) == Counter(f"message {number}" for number in range(250))
        summary = await opened[0].projects.summary("library")
        assert (summary.message_count, summary.progress, summary.version) == (250, 50, 51)
        assert await opened[0].projects.count_owned("ada") == 101
        assert [found.content for found in await opened[0].conversations.last("p99")] == ["first of 99"]
        assert units["most"] == 10 * stores, "units ran side by side"


async def increment(store: Store) -> None:
    async with store.begin() as unit:
        summary = await unit.projects.summary("library")
        await asyncio.sleep(0)
        await unit.projects.update("library", summary.version, progress=(summary.progress or 0) + 1)


@ONE_OR_TWO
async def test_read_modify_write_loses_no_update(empty_databases: EmptyDatabases, stores: int) -> None:
    async with libraries(empty_databases, stores) as (_, opened):
        await asyncio.gather(*(increment(opened[number % stores]) for number in range(50)))
        assert (await opened[0].projects.summary("library")).progress == 50


async def test_fifty_users_work_at_once(empty_databases: EmptyDatabases) -> None:
    async def session(store: Store, name: str) -> None:
        async with store.begin() as unit:
            await unit.users.create(name, "hash")
            project = await unit.projects.create(f"Project of {name}", name)
        for number in range(5):
            async with store.begin() as unit:
                await unit.users.use_question(name, 100, next_reset=NOW + timedelta(days=30), at=NOW)
                await unit.conversations.append(project.id, NewMessage("assistant", f"question {number}"))
                await unit.conversations.append("library", NewMessage("user", f"{name} {number}"))
            assert len(await store.conversations.last(project.id)) == number + 1
        assert [found.id for found in await store.projects.for_user(name)] == [project.id]
        assert (await store.users.get(name)).questions_used_this_month == 5

    async with libraries(empty_databases, 2) as (url, stores):
        await asyncio.gather(*(session(stores[number % 2], f"user {number}") for number in range(50)))
        assert Counter(contents(url)) == Counter(f"user {user} {number}" for user in range(50) for number in range(5))


async def test_messages_appended_together_stay_together(empty_databases: EmptyDatabases) -> None:
    async def three(unit: UnitOfWork, number: int) -> list[int]:
        drafts = [NewMessage("user", f"{number} {part}") for part in "abc"]
        return [message.position for message in await unit.conversations.append_many("library", drafts)]

    async with libraries(empty_databases, 2) as (url, stores):
        found = await at_once(stores, 60, three)
        assert sorted(position for positions in found for position in positions) == list(range(180))
        texts = contents(url)
        units = [[text.split() for text in texts[first : first + 3]] for first in range(0, 180, 3)]
        assert all([part for _, part in unit] == list("abc") and len({who for who, _ in unit}) == 1 for unit in units)


async def test_no_more_questions_get_through_than_the_limit(empty_databases: EmptyDatabases) -> None:
    async def use(unit: UnitOfWork, _number: int) -> int:
        return await unit.users.use_question("ada", 15, next_reset=NOW + timedelta(days=30), at=NOW)

    async with libraries(empty_databases, 2) as (_, stores):
        async with stores[0].begin() as unit:
            await unit.users.create("ada", "hash")
        found = await at_once(stores, 40, use)
        assert outcomes(found) == {"done": 15, QuotaExceededError.__name__: 25}
        assert sorted(each for each in found if isinstance(each, int)) == list(range(1, 16))
        assert (await stores[0].users.get("ada")).questions_used_this_month == 15


async def test_no_more_projects_are_made_than_the_quota_allows(empty_databases: EmptyDatabases) -> None:
    async def create(unit: UnitOfWork, number: int) -> None:
        owned = await unit.projects.count_owned("bob")
        if owned >= 5:
            raise QuotaExceededError("projects", owned, 5)
        await unit.projects.create(f"Project {number}", "bob")

    async with libraries(empty_databases, 2) as (_, stores):
        assert outcomes(await at_once(stores, 20, create)) == {"done": 5, QuotaExceededError.__name__: 15}
        assert await stores[0].projects.count_owned("bob") == 5


async def test_of_many_saves_of_one_version_exactly_one_wins(empty_databases: EmptyDatabases) -> None:
    async def save(unit: UnitOfWork, number: int) -> int:
        await unit.projects.update("library", 1, goals=f"goal {number}", requirements=[f"requirement of {number}"])
        return number

    async with libraries(empty_databases, 2) as (_, stores):
        found = await at_once(stores, 30, save)
        assert outcomes(found) == {"done": 1, ConflictError.__name__: 29}
        (winner,) = (each for each in found if isinstance(each, int))
        details = await stores[0].projects.details("library")
        assert (details.goals, details.summary.version) == (f"goal {winner}", 2)
        assert details.requirements == (f"requirement of {winner}",)
        assert {(each.expected, each.actual) for each in found if isinstance(each, ConflictError)} == {(1, 2)}


async def test_bulk_updates_of_the_same_projects_do_not_deadlock(empty_databases: EmptyDatabases) -> None:
    async def save(unit: UnitOfWork, number: int) -> None:
        order = names if number % 2 else names[::-1]
        await unit.projects.bulk_update(ProjectUpdate(name, 1, {"goals": f"goal {number}"}) for name in order)

    names = [f"p{number}" for number in range(20)]
    async with libraries(empty_databases, 2) as (url, stores):
        async with stores[0].begin() as unit:
            for name in names:
                await unit.projects.create(name, "bob", project_id=name)
        assert outcomes(await at_once(stores, 20, save)) == {"done": 1, ConflictError.__name__: 19}
        assert query(url, "SELECT version, count(DISTINCT goals) FROM projects WHERE owner = 'bob' GROUP BY 1") == [
            (2, 1)
        ]


async def test_transfers_leave_one_owner_who_leads(empty_databases: EmptyDatabases) -> None:
    async def transfer(unit: UnitOfWork, number: int) -> None:
        await unit.projects.transfer("library", f"user {number}")

    async with libraries(empty_databases, 2) as (_, stores):
        assert outcomes(await at_once(stores, 20, transfer)) == {"done": 20}
        summary = await stores[0].projects.summary("library")
        members = {member.username: member for member in await stores[0].projects.members("library")}
        assert summary.version == 21
        assert members[summary.owner].role == "lead"
        assert sorted(member.position for member in members.values()) == list(range(21))


async def test_a_transfer_and_a_removal_never_leave_an_owner_without_a_seat(empty_databases: EmptyDatabases) -> None:
    """Removing looks whether the member is the owner; a transfer makes the member one."""

    async def transfer_or_remove(unit: UnitOfWork, number: int) -> None:
        name = f"user {number // 2}"
        if number % 2:
            await unit.projects.transfer("library", name)
        else:
            await unit.projects.remove_member("library", name)

    async with libraries(empty_databases, 2) as (_, stores):
        async with stores[0].begin() as unit:
            for number in range(15):
                await unit.projects.add_member("library", f"user {number}")
        await at_once(stores, 30, transfer_or_remove)
        owner = (await stores[0].projects.summary("library")).owner
        assert [member.role for member in await stores[0].projects.members("library") if member.username == owner] == [
            "lead"
        ]


async def test_only_one_provider_is_the_default(empty_databases: EmptyDatabases) -> None:
    async def make_default(unit: UnitOfWork, number: int) -> None:
        if number % 2:
            await unit.llm.save_config("ada", f"provider {number}", is_default=True)
        else:
            await unit.llm.set_default("ada", "first")

    async with libraries(empty_databases, 2) as (_, stores):
        async with stores[0].begin() as unit:
            await unit.llm.save_config("ada", "first")
        assert outcomes(await at_once(stores, 30, make_default)) == {"done": 30}
        configs = await stores[0].llm.configs("ada")
        assert len(configs) == 16
        assert [config.is_default for config in configs].count(True) == 1


async def test_rows_of_a_project_get_positions_without_a_gap(empty_databases: EmptyDatabases) -> None:
    async def add(unit: UnitOfWork, number: int) -> None:
        kind = number % 4
        if kind == 0:
            await unit.projects.add_specs("library", "design", [NewSpec("goals", f"{number} {part}") for part in "ab"])
        elif kind == 1:
            await unit.projects.add_maturity_event("library", NewMaturityEvent("design", 0.0, 1.0, "answer"))
        elif kind == 2:
            await unit.projects.add_member("library", f"user {number}")
        else:
            await unit.projects.add_question("library", f"What of {number}?", "design")

    async with libraries(empty_databases, 2) as (_, stores):
        assert outcomes(await at_once(stores, 80, add)) == {"done": 80}
        projects = stores[0].projects
        specs = await projects.specs("library", "design")
        assert [spec.position for spec in specs] == list(range(40))
        texts = [spec.content.split() for spec in specs]
        assert all(first[0] == second[0] for first, second in zip(texts[::2], texts[1::2], strict=True))
        for rows in (await projects.maturity_events("library"), await projects.pending_questions("library")):
            assert [row.position for row in rows] == list(range(20))
        assert [member.position for member in await projects.members("library")] == list(range(21))


async def test_a_member_joins_once(empty_databases: EmptyDatabases) -> None:
    async def join(unit: UnitOfWork, _number: int) -> None:
        await unit.projects.add_member("library", "bob")

    async with libraries(empty_databases, 2) as (_, stores):
        assert outcomes(await at_once(stores, 20, join)) == {"done": 1, AlreadyExistsError.__name__: 19}


async def test_counting_on_from_a_record_that_is_not_there_yet_loses_nothing(empty_databases: EmptyDatabases) -> None:
    async def learn(unit: UnitOfWork, number: int) -> None:
        known = await unit.learning.find_effectiveness("ada", "q1") or effectiveness(str(number))
        await asyncio.sleep(0)
        await unit.learning.save_effectiveness(replace(known, times_asked=(known.times_asked or 0) + 1))
        habit = await unit.learning.find_pattern("ada", "pace") or pattern(str(number))
        await asyncio.sleep(0)
        data = {"count": habit.pattern_data.get("count", 0) + 1}
        await unit.learning.save_pattern(replace(habit, pattern_data=data))

    async with libraries(empty_databases, 2) as (_, stores):
        assert outcomes(await at_once(stores, 40, learn)) == {"done": 40}
        assert [found.times_asked for found in await stores[0].learning.effectiveness_of("ada")] == [40]
        assert [found.pattern_data["count"] for found in await stores[0].learning.patterns_of("ada")] == [40]


def effectiveness(record_id: str) -> QuestionEffectiveness:
    return QuestionEffectiveness(record_id, "ada", "q1", *(None,) * 8, NOW, FrozenDict())


def pattern(record_id: str) -> BehaviorPattern:
    return BehaviorPattern(record_id, "ada", "pace", FrozenDict(), None, (), NOW, NOW, FrozenDict())


async def test_a_project_is_deleted_once_and_nothing_hangs_on_afterwards(empty_databases: EmptyDatabases) -> None:
    async def append_or_delete(unit: UnitOfWork, number: int) -> None:
        if number == 10:
            await unit.projects.delete("library")
        else:
            await unit.conversations.append("library", NewMessage("user", str(number)))
            await unit.projects.add_specs("library", "design", [NewSpec("goals", str(number))])

    async with libraries(empty_databases, 2) as (url, stores):
        # Whether the deletion comes before or after most of the others is the server's choice.
        assert outcomes(await at_once(stores, 40, append_or_delete)).keys() <= {"done", "ProjectNotFoundError"}
        assert outcomes(await at_once(stores, 4, append_or_delete)) == {"ProjectNotFoundError": 4}
        assert contents(url) == []
        assert query(url, "SELECT 1 FROM categorized_specs") == []
