"""What each tier allows, and what somebody refused is told."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from socrates.errors import InvalidValueError, QuotaExceededError
from socrates.frozen import FrozenDict
from socrates.rules import subscription as rules
from socrates.rules.subscription import Refusal, Tier
from socrates.views import Subscription, User
from tests.support.stores import fresh_store

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
DAY = timedelta(days=1)
UNLIMITED = 10**9
FEATURES = {"team_collaboration", "multi_llm", "advanced_analytics", "code_generation", "maturity_tracking"}


def subscribed(tier: str = "free", status: str = "active", end: datetime | None = None) -> Subscription:
    return Subscription("ada", tier, status, NOW - 90 * DAY, end)


def user(used: int | None, reset: datetime | None) -> User:
    return User("ada", "h", NOW, "free", "active", NOW, None, used, reset, False, None, FrozenDict())


def told(refusal: Refusal | None) -> str:
    assert refusal is not None
    return refusal.message


class TestTiers:
    @pytest.mark.parametrize(
        ("name", "shown", "cost", "projects", "team", "questions"),
        [
            ("free", "Free", 0.0, 1, 1, 100),
            ("pro", "Pro", 29.0, 10, 5, 1000),
            ("enterprise", "Enterprise", 99.0, None, None, None),
        ],
    )
    def test_each_has_the_limits_of_the_table(
        self, name: str, shown: str, cost: float, projects: int | None, team: int | None, questions: int | None
    ) -> None:
        features = frozenset() if name == "free" else FEATURES
        assert rules.tier_named(name) == Tier(name, shown, cost, features, projects, team, questions)

    def test_they_stand_the_smallest_first(self) -> None:
        assert [tier.name for tier in rules.tiers()] == ["free", "pro", "enterprise"]

    @pytest.mark.parametrize(("name", "found"), [("PRO", "pro"), ("gold", "free"), ("", "free")])
    def test_names_count_in_any_case_and_unknown_ones_are_free(self, name: str, found: str) -> None:
        assert rules.tier_named(name).name == found


class TestTheTierThatHolds:
    @pytest.mark.parametrize("status", ["expired", "cancelled", "Canceled", " EXPIRED "])
    def test_a_subscription_that_ended_is_free(self, status: str) -> None:
        """D66: v1 never looked at the status."""
        assert rules.tier_of(subscribed("enterprise", status), NOW).name == "free"

    @pytest.mark.parametrize(
        ("end", "tier"), [(None, "pro"), (NOW + DAY, "pro"), (NOW, "free"), (NOW - timedelta(microseconds=1), "free")]
    )
    def test_from_its_end_on_it_is_free(self, end: datetime | None, tier: str) -> None:
        """D66: v1 never looked at the end."""
        assert rules.tier_of(subscribed("pro", end=end), NOW).name == tier

    @pytest.mark.parametrize("status", ["active", "trial"])
    def test_any_other_status_leaves_the_tier(self, status: str) -> None:
        assert rules.tier_of(subscribed("pro", status), NOW).name == "pro"

    def test_a_time_without_a_zone_is_refused(self) -> None:
        naive = NOW.replace(tzinfo=None)
        for ask in (
            lambda: rules.tier_of(subscribed("pro", end=NOW), naive),
            lambda: rules.next_reset(naive),
            lambda: rules.questions_used(user(3, NOW), naive),
        ):
            with pytest.raises(InvalidValueError, match="time zone"):
                ask()


class TestLimits:
    @pytest.mark.parametrize(
        ("check", "tier", "most"),
        [
            (rules.project_refusal, "free", 1),
            (rules.project_refusal, "pro", 10),
            (rules.team_refusal, "pro", 5),
            (rules.question_refusal, "free", 100),
            (rules.question_refusal, "pro", 1000),
        ],
    )
    def test_the_last_one_is_allowed_and_the_next_is_not(self, check, tier: str, most: int) -> None:
        assert check(subscribed(tier), most - 1, NOW) is None
        refusal = check(subscribed(tier), most, NOW)
        assert (refusal.used, refusal.limit, refusal.tier) == (most, most, tier)
        assert check(subscribed(tier), most + 7, NOW).used == most + 7

    @pytest.mark.parametrize("check", [rules.project_refusal, rules.team_refusal, rules.question_refusal])
    def test_enterprise_has_none(self, check) -> None:
        assert check(subscribed("enterprise"), UNLIMITED, NOW) is None

    @pytest.mark.parametrize("size", [0, 1, 2])
    def test_a_tier_for_one_never_has_room_for_a_second(self, size: int) -> None:
        refusal = rules.team_refusal(subscribed("free"), size, NOW)
        assert refusal is not None
        assert (refusal.code, refusal.limit) == ("TEAM_LIMIT", 1)

    @settings(max_examples=30, deadline=None)
    @given(used=st.integers(0, 1200), more=st.integers(0, 50))
    def test_who_is_refused_stays_so_with_more_used_and_is_not_with_the_tier_named(self, used: int, more: int) -> None:
        for check in (rules.project_refusal, rules.team_refusal, rules.question_refusal):
            refusal = check(subscribed("free"), used, NOW)
            if refusal is not None:
                assert check(subscribed("free"), used + more, NOW) is not None
                assert check(subscribed(refusal.sufficient_tier), used, NOW) is None


class TestFeatures:
    @pytest.mark.parametrize("feature", sorted(FEATURES))
    def test_each_needs_pro(self, feature) -> None:
        refusal = rules.feature_refusal(subscribed("free"), feature, NOW)
        assert refusal is not None
        assert (refusal.code, refusal.tier, refusal.sufficient_tier) == ("FEATURE_NOT_IN_TIER", "free", "pro")
        assert rules.feature_refusal(subscribed("pro"), feature, NOW) is None
        assert rules.feature_refusal(subscribed("enterprise"), feature, NOW) is None

    def test_an_ended_subscription_has_none(self) -> None:
        """D66: v1 went on to generate code for whoever had ever paid."""
        assert rules.feature_refusal(subscribed("pro", "cancelled"), "code_generation", NOW) is not None


class TestMonths:
    @pytest.mark.parametrize(
        ("now", "reset"),
        [
            (NOW, datetime(2026, 12, 1, tzinfo=UTC)),
            (datetime(2026, 12, 31, 23, 59, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
            (datetime(2026, 12, 1, tzinfo=UTC), datetime(2027, 1, 1, tzinfo=UTC)),
            (datetime(2028, 1, 31, tzinfo=UTC), datetime(2028, 2, 1, tzinfo=UTC)),
        ],
    )
    def test_the_count_starts_anew_on_the_first_of_the_next(self, now: datetime, reset: datetime) -> None:
        assert rules.next_reset(now) == reset

    def test_months_are_those_of_utc_wherever_one_asks(self) -> None:
        """D74: v1 took the local month of the machine, without a zone."""
        new_year_in_berlin = datetime(2027, 1, 1, 0, 30, tzinfo=timezone(timedelta(hours=1)))
        assert rules.next_reset(new_year_in_berlin) == datetime(2027, 1, 1, tzinfo=UTC)

    @settings(max_examples=30, deadline=None)
    @given(st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(UTC)))
    def test_the_reset_is_always_ahead_and_at_most_a_month(self, now: datetime) -> None:
        assert now < rules.next_reset(now) <= now + 31 * DAY

    @pytest.mark.parametrize(
        ("used", "reset", "counted"),
        [(7, NOW + DAY, 7), (7, NOW, 0), (7, NOW - DAY, 0), (7, None, 0), (None, NOW + DAY, 0)],
    )
    def test_what_was_used_last_month_does_not_count(
        self, used: int | None, reset: datetime | None, counted: int
    ) -> None:
        assert rules.questions_used(user(used, reset), NOW) == counted


class TestTheQuotaOfQuestions:
    async def test_it_is_what_the_store_counts_by(self, tmp_path: Path) -> None:
        """D78: v1 compared, asked a model, then wrote a stale count; the store does the first and the last at once."""
        async with fresh_store(tmp_path) as store:
            async with store.begin() as unit:
                await unit.users.create("ada", "h", questions_used_this_month=99, usage_reset_date=NOW + DAY)
            subscription = await store.users.subscription("ada")
            quota = rules.question_quota(subscription, NOW)
            async with store.begin() as unit:
                last = await unit.users.use_question("ada", quota.limit, next_reset=quota.next_reset, at=NOW)
            with pytest.raises(QuotaExceededError) as raised:
                async with store.begin() as unit:
                    await unit.users.use_question("ada", quota.limit, next_reset=quota.next_reset, at=NOW)
            counted = rules.questions_used(await store.users.get("ada"), NOW)
        assert (last, counted) == (100, 100)
        assert "100 of the 100" in told(rules.question_refusal(subscription, raised.value.used, NOW))

    def test_an_ended_subscription_has_that_of_free(self) -> None:
        """D66: v1's expired accounts kept 1000 questions."""
        assert rules.question_quota(subscribed("pro", "expired"), NOW).limit == 100
        assert rules.question_quota(subscribed("enterprise"), NOW).limit is None


class TestWhatIsTold:
    def test_how_much_is_used_and_how_to_have_more(self) -> None:
        assert told(rules.project_refusal(subscribed(), 1, NOW)) == (
            "Projects: 1 of the 1 that the Free tier allows. Archive or delete one to make room. "
            "The Pro tier allows 10."
        )
        assert told(rules.team_refusal(subscribed(), 1, NOW)) == (
            "People in the team: 1 of the 1 that the Free tier allows. The Pro tier allows 5."
        )
        assert told(rules.team_refusal(subscribed("pro"), 5, NOW)).endswith(
            "Remove somebody to make room. The Enterprise tier allows any number."
        )
        assert told(rules.question_refusal(subscribed(), 100, NOW)) == (
            "Questions this month: 100 of the 100 that the Free tier allows. "
            "The count starts anew on 2026-12-01 at 00:00 UTC. The Pro tier allows 1000."
        )
        assert told(rules.feature_refusal(subscribed(), "advanced_analytics", NOW)) == (
            "Analytics is not part of the Free tier. The Pro tier has it."
        )

    def test_a_tier_that_would_be_full_at_once_is_not_named(self) -> None:
        assert "Enterprise tier allows any number" in told(rules.project_refusal(subscribed(), 12, NOW))

    def test_that_the_subscription_has_ended(self) -> None:
        ended = "The subscription to the Pro tier has ended"
        assert ended in told(rules.project_refusal(subscribed("pro", end=NOW), 1, NOW))
        assert ended in told(rules.feature_refusal(subscribed("pro", "cancelled"), "multi_llm", NOW))
        assert "has ended" not in told(rules.project_refusal(subscribed("free", "cancelled"), 1, NOW))

    def test_without_colours_of_a_terminal(self) -> None:
        """D70: v1's texts were for one terminal."""
        for refusal in (
            rules.project_refusal(subscribed(), 1, NOW),
            rules.team_refusal(subscribed(), 1, NOW),
            rules.question_refusal(subscribed(), 100, NOW),
            rules.feature_refusal(subscribed(), "multi_llm", NOW),
        ):
            assert told(refusal).isprintable()
