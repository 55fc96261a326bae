import asyncio
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from socrates.errors import AlreadyExistsError, InvalidValueError, QuotaExceededError, UserNotFoundError
from socrates.models import Project, User
from socrates.store import Store
from socrates.views import ArchivedUser, Subscription
from tests.support.stores import counted, fresh_store
from tests.unit.repositories.plans import columns_written, query_plan, scans
from tests.unit.repositories.rows import THEN, put_project, put_users, stored

BERLIN = timezone(timedelta(hours=2))
NEXT_MONTH = THEN + timedelta(days=30)


async def test_a_new_user_has_the_free_tier_and_a_subscription_that_starts_now(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            before = datetime.now(UTC)
            created = await unit.users.create("ada", "h4sh")
        assert before <= created.created_at <= datetime.now(UTC)
        assert created.subscription_start == created.created_at
        assert (created.subscription_tier, created.subscription_status) == ("free", "active")
        assert (created.questions_used_this_month, created.usage_reset_date, created.is_archived) == (0, None, False)
        assert await store.users.get("ada") == created
        assert created.passcode_hash == "h4sh"
        assert "h4sh" not in repr(created)


async def test_a_new_user_takes_what_it_is_given(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            await unit.users.create(
                "ada",
                "h",
                subscription_tier="pro",
                created_at=THEN.astimezone(BERLIN),
                subscription_start=NEXT_MONTH,
                usage_reset_date=NEXT_MONTH,
                extra={"theme": "dark"},
            )
        user = await store.users.get("ada")
    assert (user.subscription_tier, user.created_at, user.created_at.tzinfo) == ("pro", THEN, UTC)
    assert (user.subscription_start, user.usage_reset_date) == (NEXT_MONTH, NEXT_MONTH)
    assert user.extra == {"theme": "dark"}


async def test_a_taken_name_is_refused_without_showing_the_hash(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada")
        with pytest.raises(AlreadyExistsError) as raised:
            async with store.begin() as unit:
                await unit.users.create("ada", "s3cret")
        assert "s3cret" not in str(raised.value)
        assert (await store.users.get("ada")).passcode_hash == "hash of ada"


async def test_what_cannot_be_stored_is_refused_without_showing_the_hash(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        with pytest.raises(InvalidValueError) as raised:
            async with store.begin() as unit:
                await unit.users.create("ada", "s3cret", created_at=datetime(2026, 1, 1))
        assert "s3cret" not in str(raised.value)
        with pytest.raises(InvalidValueError, match="is_archived"):
            async with store.begin() as unit:
                await unit.users.create("ada", "h", is_archived=True)  # type: ignore[call-arg]
        assert not await store.users.exists("ada")


async def test_names_are_exact(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "Ada", "bob", is_archived=True)
        assert await store.users.exists("Ada")
        assert not await store.users.exists("ada")
        assert (await store.users.get("bob")).is_archived
        with pytest.raises(UserNotFoundError):
            await store.users.get("ada")


async def test_an_update_writes_the_columns_given_and_no_others(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada", "bob", questions_used_this_month=7)
        async with store.begin() as unit:
            updated = await unit.users.update("ada", subscription_tier="pro", subscription_end=NEXT_MONTH)
            with counted(store) as cost:
                await unit.users.update("ada", passcode_hash="new")
        assert columns_written(cost.statements[0]) == ["passcode_hash"]
        assert (updated.subscription_tier, updated.subscription_end) == ("pro", NEXT_MONTH)
        user = await store.users.get("ada")
        assert (user.passcode_hash, user.subscription_tier, user.questions_used_this_month) == ("new", "pro", 7)
        assert (await store.users.get("bob")).subscription_tier == "free"


async def test_an_update_refuses_nobody_nothing_and_what_a_user_does_not_have(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada")
        async with store.begin() as unit:
            with pytest.raises(UserNotFoundError):
                await unit.users.update("eve", subscription_tier="pro")
            with pytest.raises(InvalidValueError, match="something to change"):
                await unit.users.update("ada")
            with pytest.raises(InvalidValueError, match="is_archived"):
                await unit.users.update("ada", is_archived=True)  # type: ignore[call-arg]


async def use(store: Store, limit: int | None, at: datetime = THEN, name: str = "ada") -> int:
    async with store.begin() as unit:
        return await unit.users.use_question(name, limit, at=at, next_reset=at + timedelta(days=30))


async def test_questions_count_up_to_the_limit_and_the_date_stays(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada", questions_used_this_month=98, usage_reset_date=NEXT_MONTH)
        assert [await use(store, 100), await use(store, 100)] == [99, 100]
        with pytest.raises(QuotaExceededError) as raised:
            await use(store, 100)
        assert (raised.value.used, raised.value.limit) == (100, 100)
        assert await use(store, None) == 101
        assert await stored(store, User, "questions_used_this_month", "usage_reset_date") == [(101, NEXT_MONTH)]


@pytest.mark.parametrize("reset_date", [THEN, THEN - timedelta(days=99), None], ids=["now", "long ago", "none"])
async def test_a_month_that_is_over_starts_the_count_anew(tmp_path: Path, reset_date: datetime | None) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada", questions_used_this_month=100, usage_reset_date=reset_date)
        assert await use(store, 100) == 1
        assert await stored(store, User, "questions_used_this_month", "usage_reset_date") == [(1, NEXT_MONTH)]


async def test_a_month_that_ends_in_a_microsecond_is_not_over(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada", questions_used_this_month=100, usage_reset_date=THEN + timedelta(microseconds=1))
        with pytest.raises(QuotaExceededError):
            await use(store, 100)


async def test_times_of_another_zone_are_compared_and_kept_as_the_moments_they_are(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada", questions_used_this_month=1, usage_reset_date=THEN + timedelta(hours=1))
        with pytest.raises(QuotaExceededError):
            await use(store, 1, at=THEN.astimezone(BERLIN))
        hour_later = THEN + timedelta(hours=1)
        assert await use(store, 1, at=hour_later.astimezone(BERLIN)) == 1
        assert await stored(store, User, "usage_reset_date") == [(hour_later + timedelta(days=30),)]


async def test_a_count_that_v1_left_unreadable_is_none_used(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada", questions_used_this_month=None, usage_reset_date=NEXT_MONTH)
        assert await use(store, 1) == 1


async def test_a_limit_of_none_at_all_lets_nothing_through_even_in_a_new_month(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada", questions_used_this_month=3)
        with pytest.raises(QuotaExceededError, match="0 of 0"):
            await use(store, 0)
        assert await stored(store, User, "questions_used_this_month", "usage_reset_date") == [(3, None)]


async def test_a_question_of_nobody_or_with_a_reset_in_the_past_is_refused(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        for limit in (5, None):
            with pytest.raises(UserNotFoundError):
                await use(store, limit, name="eve")
        await put_users(store, "ada")
        with pytest.raises(InvalidValueError, match="next_reset"):
            async with store.begin() as unit:
                await unit.users.use_question("ada", 5, at=THEN, next_reset=THEN)


async def test_of_a_thousand_questions_at_once_exactly_the_limit_gets_through(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada")
        outcomes = await asyncio.gather(*(use(store, 100) for _ in range(1000)), return_exceptions=True)
        assert sorted(outcome for outcome in outcomes if isinstance(outcome, int)) == list(range(1, 101))
        assert sum(isinstance(outcome, QuotaExceededError) for outcome in outcomes) == 900
        assert await stored(store, User, "questions_used_this_month") == [(100,)]


async def test_archiving_takes_the_owned_projects_along_and_keeps_their_status(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada", "bob")
        await put_project(store, "p1", "ada", status="completed", version=4)
        await put_project(store, "p2", "ada", is_archived=True, archived_at=THEN, version=2)
        await put_project(store, "p3", "bob", {"username": "ada"})
        async with store.begin() as unit:
            archived = await unit.users.archive("ada")
        at = archived.archived_at
        assert archived.is_archived
        assert at is not None
        assert await store.users.get("ada") == archived
        assert not (await store.users.get("bob")).is_archived
        assert await stored(store, Project, "id", "is_archived", "archived_at", "updated_at", "status", "version") == [
            ("p1", True, at, at, "completed", 5),
            ("p2", True, THEN, THEN, "active", 2),
            ("p3", False, None, THEN, "active", 1),
        ]


async def test_archiving_can_leave_the_projects(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada")
        await put_project(store, "p1", "ada")
        async with store.begin() as unit:
            await unit.users.archive("ada", archive_projects=False)
        assert await stored(store, Project, "is_archived", "version") == [(False, 1)]


async def test_archiving_twice_keeps_the_first_time(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada", is_archived=True, archived_at=THEN)
        async with store.begin() as unit:
            assert (await unit.users.archive("ada")).archived_at == THEN
        with pytest.raises(UserNotFoundError):
            async with store.begin() as unit:
                await unit.users.archive("eve")


async def test_restoring_brings_back_the_user_alone(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada")
        await put_project(store, "p1", "ada")
        async with store.begin() as unit:
            await unit.users.archive("ada")
            restored = await unit.users.restore("ada")
            assert (restored.is_archived, restored.archived_at) == (False, None)
            with pytest.raises(InvalidValueError, match="not archived"):
                await unit.users.restore("ada")
            with pytest.raises(UserNotFoundError):
                await unit.users.restore("eve")
        assert await store.users.get("ada") == restored
        assert await stored(store, Project, "is_archived") == [(True,)]


async def all_pages(store: Store, limit: int) -> list[ArchivedUser]:
    found: list[ArchivedUser] = []
    while page := await store.users.archived(found[-1] if found else None, limit):
        assert len(page) <= limit
        assert not set(page) & set(found)
        found += page
    return found


@pytest.mark.parametrize("limit", [1, 2, 3, 7, 50])
async def test_archived_people_come_newest_first_and_every_one_on_one_page(tmp_path: Path, limit: int) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "here")
        await put_users(store, "old", is_archived=True, archived_at=THEN)
        await put_users(store, "same a", "same b", is_archived=True, archived_at=THEN + timedelta(days=1))
        await put_users(store, "new", is_archived=True, archived_at=THEN + timedelta(days=2))
        await put_users(store, "undated a", "undated b", "undated c", is_archived=True)
        await put_project(store, "p1", "same a")
        await put_project(store, "p2", "same a", is_archived=True)
        await put_project(store, "p3", "here", {"username": "new"})
        found = await all_pages(store, limit)
    assert [user.username for user in found] == [
        "new",
        "same b",
        "same a",
        "old",
        "undated c",
        "undated b",
        "undated a",
    ]
    assert [user.username for user in found if user.project_count] == ["same a"]
    assert found[2] == ArchivedUser("same a", THEN + timedelta(days=1), 2)
    assert found[4].archived_at is None


async def test_a_page_of_archived_people_has_at_least_one(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        with pytest.raises(InvalidValueError, match="limit"):
            await store.users.archived(limit=0)


async def test_reads_are_one_statement_each_and_use_an_index(tmp_path: Path, engine: str) -> None:
    async with fresh_store(tmp_path) as store:
        await store.users.exists("ada")
        with counted(store) as cost:
            await store.users.exists("ada")
            with pytest.raises(UserNotFoundError):
                await store.users.get("ada")
        cost.must_be(2, 2)
        assert await scans(store, cost.statements) == []

        with counted(store) as cost:
            await store.users.archived()
            await store.users.archived(ArchivedUser("ada", THEN, 0))
            await store.users.archived(ArchivedUser("ada", None, 0))
        cost.must_be(3, 3)
        assert await scans(store, cost.statements) == []
        if engine == "sqlite":
            _archived_people_come_in_the_order_of_their_index(
                *[await query_plan(store, [statement]) for statement in cost.statements]
            )


def _archived_people_come_in_the_order_of_their_index(first: str, dated: str, undated: str) -> None:
    assert first.startswith("SCAN users USING INDEX ix_users_archived_at_username\n")  # which holds nobody else
    assert "SEARCH users USING INDEX ix_users_archived_at_username ((archived_at,username)<(?,?))" in dated
    assert "SEARCH users USING INDEX ix_users_archived_at_username (archived_at=? AND username<?)" in undated
    for plan in (first, dated, undated):
        assert "SEARCH projects USING COVERING INDEX" in plan
    assert "TEMP B-TREE" not in first + undated
    assert dated.count("TEMP B-TREE") == 2  # of the two pages that are merged
    assert "SCAN users" not in dated + undated


async def test_writes_cost_a_constant_number_of_statements(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        await put_users(store, "ada")
        for number in range(5):
            await put_project(store, f"p{number}", "ada")
        expected = {"create": (1, 2), "update": (1, 2), "use_question": (1, 2), "archive": (2, 2), "restore": (1, 2)}
        for method, costs in expected.items():
            with counted(store) as cost:
                async with store.begin() as unit:
                    match method:
                        case "create":
                            await unit.users.create("bob", "h")
                        case "update":
                            await unit.users.update("ada", subscription_tier="pro")
                        case "use_question":
                            await unit.users.use_question("ada", 10, next_reset=datetime.now(UTC) + timedelta(days=9))
                        case "archive":
                            await unit.users.archive("ada")
                        case "restore":
                            await unit.users.restore("ada")
            cost.must_be(*costs)
            assert await scans(store, cost.statements) == []


async def test_a_subscription_is_read_without_what_is_used_of_it(tmp_path: Path) -> None:
    async with fresh_store(tmp_path) as store:
        async with store.begin() as unit:
            user = await unit.users.create("ada", "h4sh", subscription_tier="pro", subscription_end=NEXT_MONTH)
        before = await store.users.subscription("ada")
        assert before == Subscription("ada", "pro", "active", user.subscription_start, NEXT_MONTH)
        async with store.begin() as unit:
            await unit.users.use_question("ada", None, next_reset=NEXT_MONTH, at=THEN)
        assert await store.users.subscription("ada") is before
        async with store.begin() as unit:
            await unit.users.update("ada", subscription_status="cancelled")
        assert (await store.users.subscription("ada")).subscription_status == "cancelled"
        with pytest.raises(UserNotFoundError):
            await store.users.subscription("bob")
