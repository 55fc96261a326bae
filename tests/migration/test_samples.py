"""Both sample databases, written by v1 itself: every value of every row arrives."""

import shutil
import sqlite3
from pathlib import Path

import pytest

from tests.support.expected_rows import actual_tables, assert_imported, differences, expected_tables
from tests.support.migrate import execute, rows, upgrade, value
from tests.support.v1_schema import V1_TABLES

SAMPLES = Path(__file__).parents[1] / "support" / "v1_samples"


@pytest.fixture(params=["nine-tables.db", "three-tables.db"])
def sample(request: pytest.FixtureRequest) -> Path:
    return SAMPLES / request.param


@pytest.fixture
def upgraded(sample: Path, tmp_path: Path) -> Path:
    path = tmp_path / "projects.db"
    shutil.copyfile(sample, path)
    upgrade(path)
    return path


def test_every_value_of_every_row_arrives_and_nothing_else(sample: Path, upgraded: Path) -> None:
    assert_imported(sample, upgraded)


def test_the_number_of_rows_is_that_of_the_readme(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    shutil.copyfile(SAMPLES / "nine-tables.db", path)
    upgrade(path)
    counts = {table: len(found) for table, found in actual_tables(path).items()}
    assert (counts["projects"], counts["users"], counts["project_notes"]) == (12, 8, 16)
    assert (counts["question_effectiveness"], counts["behavior_patterns"]) == (9, 5)
    assert (counts["knowledge_documents"], counts["llm_provider_configs"]) == (5, 7)
    assert (counts["api_keys"], counts["llm_usage"]) == (2, 10)
    assert (counts["conversation_messages"], counts["pending_questions"]) == (107, 18)
    assert (counts["categorized_specs"], counts["maturity_events"]) == (111, 50)


def test_each_v1_table_stands_beside_as_a_backup_byte_for_byte(sample: Path, upgraded: Path) -> None:
    for table in V1_TABLES:
        if value(sample, "SELECT count(*) FROM sqlite_master WHERE name = ?", table):
            assert rows(upgraded, f"SELECT * FROM {table}_v1_backup") == rows(sample, f"SELECT * FROM {table}")


def test_foreign_keys_hold_after_the_import(upgraded: Path) -> None:
    assert rows(upgraded, "PRAGMA foreign_key_check") == []
    assert value(upgraded, "PRAGMA integrity_check") == "ok"


def test_a_backup_file_lies_beside_the_database(sample: Path, upgraded: Path) -> None:
    (backup,) = upgraded.parent.glob("projects.db.backup_*")
    assert expected_tables(backup) == expected_tables(sample)


def test_the_file_builder_writes_the_schema_v1_wrote(tmp_path: Path) -> None:
    built = sqlite3.connect(tmp_path / "built.db")
    for statement in V1_TABLES.values():
        built.execute(statement)
    query = "SELECT type, name, tbl_name, sql FROM sqlite_master ORDER BY name"
    assert built.execute(query).fetchall() == rows(SAMPLES / "nine-tables.db", query)
    built.close()


def test_decimals_keep_every_digit_of_the_sample(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    shutil.copyfile(SAMPLES / "nine-tables.db", path)
    upgrade(path)
    scores = {score for (score,) in rows(path, "SELECT effectiveness_score FROM question_effectiveness")}
    assert "0.123456789012345678901234567890" in scores


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE conversation_messages SET author = 'x' WHERE position = 1",
        "UPDATE users SET extra = '{\"a\": 1}'",
        "UPDATE question_effectiveness SET effectiveness_score = effectiveness_score || '0'",
        "DELETE FROM project_note_tags WHERE position = 0",
        "INSERT INTO project_constraints SELECT project_id, position + 100, value FROM project_constraints",
    ],
)
def test_the_comparison_of_these_tests_notices_tampering(tmp_path: Path, tampering: str) -> None:
    sample, path = SAMPLES / "nine-tables.db", tmp_path / "projects.db"
    shutil.copyfile(sample, path)
    upgrade(path)
    execute(path, tampering)
    assert differences(expected_tables(sample), actual_tables(path))
