"""`socrates usage`: what calls used and cost, as a table and as JSON."""

import json
import re
from datetime import UTC, datetime, timedelta, tzinfo
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from socrates import sync
from socrates.cli.main import app
from tests.support.migrate import upgraded_to
from tests.support.postgres import EmptyDatabases
from tests.support.stores import fresh_file
from tests.support.v1_files import V1File

NOON = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
LONG_AGO = NOON - timedelta(days=30)


class AtNoon(datetime):
    """The day of `NOON` does not end while the tests run."""

    @classmethod
    def now(cls, tz: tzinfo | None = None) -> datetime:
        return NOON.astimezone(tz)


@pytest.fixture(autouse=True)
def today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socrates.cli.usage.datetime", AtNoon)


def usage(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["usage", *map(str, arguments)])


def facts(*arguments: object) -> dict[str, Any]:
    result = usage(*arguments, "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert isinstance(told, dict)
    return told


def fill(database: Path | str) -> None:
    with sync.Store.open(database) as store, store.begin() as unit:
        tokens = {"input_tokens": 1000, "output_tokens": 20, "cache_read_tokens": 3, "cache_write_tokens": 4}
        insights: dict[str, Any] = {"operation": "insights", "latency_ms": 1500.0, "timestamp": NOON, **tokens}
        unit.llm.record_usage("ada", "claude", "haiku", cost=Decimal("0.1"), **insights)
        unit.llm.record_usage("bob", "claude", "haiku", cost=Decimal("1E-30"), success=False, **insights)
        unit.llm.record_usage("ada", "claude", "opus", timestamp=NOON - timedelta(days=1), cost=Decimal(2))
        unit.llm.record_usage("ada", "claude", "old", timestamp=LONG_AGO)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = fresh_file(tmp_path)
    fill(path)
    return path


def test_a_line_per_day_model_and_operation_and_one_of_totals(database: Path) -> None:
    result = usage(database)
    assert result.exit_code == 0, result.output
    title, _headings, *lines = result.stdout.splitlines()
    assert title == "Calls of language models, the last 30 days"
    day, before = (f"{moment:%Y-%m-%d}" for moment in (NOON, NOON - timedelta(days=1)))
    cost = f"0.1{'0' * 28}1"
    assert [line.split() for line in lines] == [
        [day, "claude/haiku", "insights", "2", "1", "2,000", "40", "6", "8", cost, "1,500", "ms"],
        [before, "claude/opus", "-", "1", "0", "0", "0", "0", "0", "2.00", "0", "ms"],
        ["total", "3", "1", "2,000", "40", "6", "8", f"2{cost[1:]}"],
    ]


def test_the_headings_stand_over_their_columns(database: Path) -> None:
    _, headings, first, *_ = usage(database).stdout.splitlines()
    named = ("day (UTC)", "model", "operation", *("calls", "failed", "input", "output", "cache read", "cache write"))
    assert re.split(" {2,}", headings) == [*named, "cost (USD)", "mean latency"]
    assert first.index("claude/haiku") == headings.index("model")
    assert first.index("2,000") + len("2,000") == headings.index("input") + len("input")
    assert first.index("ms") + len("ms") == len(headings)


def test_json_has_every_digit_and_days_as_text(database: Path) -> None:
    told = facts(database)
    assert told["since"] == f"{NOON - timedelta(days=29):%Y-%m-%d}"
    assert told["rows"][0] == {
        "day": f"{NOON:%Y-%m-%d}",
        "provider": "claude",
        "model": "haiku",
        "operation": "insights",
        "calls": 2,
        "failures": 1,
        "input_tokens": 2000,
        "output_tokens": 40,
        "cache_read_tokens": 6,
        "cache_write_tokens": 8,
        "cost": f"0.1{'0' * 28}1",
        "mean_latency_ms": 1500.0,
    }
    assert told["total"] == {
        "calls": 3,
        "failures": 1,
        "input_tokens": 2000,
        "output_tokens": 40,
        "cache_read_tokens": 6,
        "cache_write_tokens": 8,
        "cost": f"2.1{'0' * 28}1",
    }


def test_one_user_and_another_number_of_days(database: Path) -> None:
    assert [row["calls"] for row in facts(database, "--user", "ada")["rows"]] == [1, 1]
    assert [row["model"] for row in facts(database, "--days", 1)["rows"]] == ["haiku"]
    assert [row["model"] for row in facts(database, "--days", 31)["rows"]] == ["haiku", "opus", "old"]
    assert usage(database, "--user", "bob", "--days", 1).stdout.startswith("Calls of 'bob' of language models, today\n")


def test_nothing_to_show_is_said(database: Path, tmp_path: Path) -> None:
    result = usage(database, "--user", "eve")
    assert (result.exit_code, result.stdout) == (0, "No calls of 'eve' of language models, the last 30 days.\n")
    told = facts(database, "--user", "eve")
    assert (told["rows"], told["total"]["calls"], told["total"]["cost"]) == ([], 0, "0")


@pytest.mark.parametrize("days", [0, -1, "many"])
def test_days_are_at_least_one(database: Path, days: object) -> None:
    result = usage(database, "--days", days)
    assert (result.exit_code, "--days" in result.stderr) == (2, True)


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    result = usage(tmp_path / "typo.db")
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "there is no database" in result.stderr
    assert not list(tmp_path.iterdir())


def test_a_database_of_an_earlier_revision_is_refused_in_one_line(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_usage()
    result = usage(upgraded_to("0007", v1.path))
    assert (result.exit_code, result.stderr.count("\n")) == (2, 1)
    assert "socrates db upgrade" in result.stderr


@pytest.mark.postgres
def test_the_same_of_a_server(database: Path, empty_databases: EmptyDatabases) -> None:
    with empty_databases.lent() as url:
        fill(url)
        assert facts(url) == facts(database)
