"""V4: times in every form become aware UTC, and what cannot be read is kept as it was."""

from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest

from tests.support.migrate import alembic_subprocess, is_noted, json_value, rows, upgrade, value
from tests.support.v1_files import V1File

NINE_EAST = timezone(timedelta(hours=9))
FORMS = {
    "naive datetime": (datetime(2025, 7, 1, 12, 30, 15, 250000), "2025-07-01 10:30:15.250000"),
    "aware UTC datetime": (datetime(2025, 7, 1, 12, 30, tzinfo=UTC), "2025-07-01 12:30:00.000000"),
    "aware datetime elsewhere": (
        datetime(2025, 7, 1, 12, 30, tzinfo=NINE_EAST),
        "2025-07-01 03:30:00.000000",
    ),
    "text with T": ("2025-07-01T12:30:15.250000", "2025-07-01 10:30:15.250000"),
    "text with a blank": ("2025-07-01 12:30:15", "2025-07-01 10:30:15.000000"),
    "text with an offset": ("2025-07-01T12:30:15+00:00", "2025-07-01 12:30:15.000000"),
    "text with another offset": ("2025-07-01 12:30:15.5-02:30", "2025-07-01 15:00:15.500000"),
    "text with Z": ("2025-07-01T12:30:15Z", "2025-07-01 12:30:15.000000"),
    "None": (None, None),
}


@pytest.mark.parametrize(("written", "stored"), FORMS.values(), ids=FORMS.keys())
def test_a_time_of_any_form_becomes_utc(tmp_path: Path, written: object, stored: str | None) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(archived_at=written)
        v1.add_project(
            archived_at=written,
            conversation_history=[{"type": "user", "content": "?", "timestamp": written}],
            team_members=[{"username": "ada", "role": "lead", "skills": [], "joined_at": written}],
            analytics_metrics={"last_updated": written},
        )
        v1.add_effectiveness(last_asked_at=written)
    upgrade(v1.path, v1_timezone="Europe/Berlin")
    assert value(v1.path, "SELECT archived_at FROM users") == stored
    assert value(v1.path, "SELECT archived_at FROM projects") == stored
    assert value(v1.path, "SELECT timestamp FROM conversation_messages") == stored
    assert value(v1.path, "SELECT joined_at FROM team_members WHERE username = 'ada'") == stored
    assert value(v1.path, "SELECT last_updated FROM analytics_metrics") == stored
    assert value(v1.path, "SELECT last_asked_at FROM question_effectiveness") == stored


def test_columns_with_naive_times_are_read_in_the_stated_zone_too(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_api_key(created_at="2025-01-15T12:00:00", last_used_at="2025-07-15 12:00:00.5")
        v1.add_user(without=("created_at",), columns={"created_at": "2025-01-15T08:00:00"})
    upgrade(v1.path, v1_timezone="America/New_York")
    assert rows(v1.path, "SELECT created_at, last_used_at FROM api_keys") == [
        ("2025-01-15 17:00:00.000000", "2025-07-15 16:00:00.500000")
    ]
    assert value(v1.path, "SELECT created_at FROM users") == "2025-01-15 13:00:00.000000"


def test_without_an_option_naive_times_are_of_the_local_zone(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(created_at=datetime(2025, 7, 1, 12, 0))
    outcome = alembic_subprocess(v1.path, "upgrade", "head", environment={"TZ": "Asia/Tokyo"})
    assert outcome.status == 0, outcome
    assert value(v1.path, "SELECT created_at FROM users") == "2025-07-01 03:00:00.000000"


def test_the_zone_that_was_used_is_recorded_with_the_run(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user()
    upgrade(v1.path, v1_timezone="Europe/Berlin")
    assert value(v1.path, "SELECT timezone FROM v1_import_runs") == "Europe/Berlin"


def test_a_time_in_a_fold_is_the_earlier_one_and_reported(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(created_at=datetime(2025, 10, 26, 2, 30))
    upgrade(v1.path, v1_timezone="Europe/Berlin")
    assert value(v1.path, "SELECT created_at FROM users") == "2025-10-26 00:30:00.000000"
    assert is_noted(v1.path, "users", "ada", "created_at")


def test_a_time_in_a_gap_is_the_earlier_of_its_two_readings_and_reported(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(created_at=datetime(2025, 3, 30, 2, 30))
    upgrade(v1.path, v1_timezone="Europe/Berlin")
    assert value(v1.path, "SELECT created_at FROM users") == "2025-03-30 00:30:00.000000"
    assert is_noted(v1.path, "users", "ada", "created_at")


def test_an_unambiguous_time_is_not_reported(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user()
    upgrade(v1.path, v1_timezone="Europe/Berlin")
    assert not is_noted(v1.path, "users", "ada", "created_at")


def test_an_unreadable_time_is_null_and_its_text_kept_in_extra_and_reported(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(archived_at="last week")
        v1.add_project(archived_at="2025-13-45T99:00:00")
    upgrade(v1.path)
    assert value(v1.path, "SELECT archived_at FROM users") is None
    assert json_value(v1.path, "SELECT extra FROM users") == {"v1_unreadable": {"archived_at": "last week"}}
    assert is_noted(v1.path, "users", "ada", "archived_at")
    assert value(v1.path, "SELECT archived_at FROM projects") is None
    kept = json_value(v1.path, "SELECT extra FROM projects")["v1_unreadable"]
    assert kept == {"archived_at": "2025-13-45T99:00:00"}
    assert is_noted(v1.path, "projects", "project-1", "archived_at")


CHILDREN = {
    "conversation_messages": (
        {"conversation_history": [{"type": "user", "content": "?", "timestamp": "soon"}]},
        "timestamp",
    ),
    "team_members": (
        {"team_members": [{"username": "ada", "role": "lead", "joined_at": "soon"}]},
        "joined_at",
    ),
    "pending_questions": (
        {"pending_questions": [{"id": "q_1", "question": "?", "phase": "x", "status": "y", "created_at": "soon"}]},
        "created_at",
    ),
    "categorized_specs": (
        {"categorized_specs": {"x": [{"category": "c", "content": "y", "timestamp": "soon"}]}},
        "timestamp",
    ),
    "maturity_events": (
        {"maturity_history": [{"phase": "x", "event_type": "y", "timestamp": "soon"}]},
        "timestamp",
    ),
    "analytics_metrics": ({"analytics_metrics": {"last_updated": "soon"}}, "last_updated"),
}


@pytest.mark.parametrize("table", CHILDREN)
def test_an_unreadable_time_is_kept_in_the_nearest_row_that_has_an_extra(tmp_path: Path, table: str) -> None:
    changes, field = CHILDREN[table]
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(collaborators=[], **changes)
    upgrade(v1.path)
    assert value(v1.path, f"SELECT {field} FROM {table}") is None
    assert json_value(v1.path, f"SELECT extra FROM {table}") == {"v1_unreadable": {field: "soon"}}
    assert value(v1.path, "SELECT extra FROM projects") == "{}"
    assert is_noted(v1.path, "projects", "project-1", field)


def test_an_unreadable_time_of_a_row_without_extra_is_kept_in_the_report(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_api_key(id="key", created_at="yesterday")
    upgrade(v1.path)
    assert value(v1.path, "SELECT created_at FROM api_keys") is None
    assert is_noted(v1.path, "api_keys", "key", "created_at")
    assert "yesterday" in value(v1.path, "SELECT original FROM v1_import_notes WHERE source_key = 'key'")


def test_an_unreadable_created_at_counts_as_missing_and_comes_from_the_column(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(created_at="long ago", columns={"created_at": "2024-02-03T04:05:06"})
    upgrade(v1.path)
    assert value(v1.path, "SELECT created_at FROM users") == "2024-02-03 04:05:06.000000"
    assert is_noted(v1.path, "users", "ada", "created_at")


def test_created_at_unreadable_in_blob_and_column_sends_the_row_to_quarantine(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(created_at="long ago", columns={"created_at": "once"})
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert rows(v1.path, "SELECT username FROM users") == []
    assert value(v1.path, "SELECT source_key FROM v1_quarantine") == "ada"


def test_an_unreadable_updated_at_yields_to_the_column(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(updated_at="now and then", columns={"updated_at": "2025-06-06T06:06:06"})
    upgrade(v1.path)
    assert value(v1.path, "SELECT updated_at FROM projects") == "2025-06-06 06:06:06.000000"
    kept = json_value(v1.path, "SELECT extra FROM projects")["v1_unreadable"]
    assert kept == {"updated_at": "now and then"}


@pytest.mark.parametrize("edge", [datetime.min, datetime.max])
def test_a_time_that_leaves_the_calendar_when_converted_is_no_crash(tmp_path: Path, edge: datetime) -> None:
    zone = "Asia/Tokyo" if edge == datetime.min else "America/New_York"
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(archived_at=edge)
    upgrade(v1.path, v1_timezone=zone)
    assert value(v1.path, "SELECT archived_at FROM users") is None
    assert "archived_at" in json_value(v1.path, "SELECT extra FROM users")["v1_unreadable"]
