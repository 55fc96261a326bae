"""What is found wrong with a database, each kind in a database that has nothing else."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from socrates.database.repair.finding import Finding, Kind
from socrates.database.repair.findings import broken_rules, damage, lost_parents, schema_at_head
from tests.support.damage import overwrite, root_of
from tests.support.stores import fresh_file

PROJECT = """
    INSERT INTO projects (id, name, owner, phase, status, project_type, chat_mode, goals, team_structure,
        language_preferences, deployment_target, code_style, is_archived, created_at, updated_at, message_count)
    VALUES ('p', 'n', 'ada', 'discovery', 'active', 'software', 'socratic', '', 'individual', 'python', 'local',
        'standard', 0, '2025-01-02 03:04:05.000000', '2025-01-02 03:04:05.000000', 3)
"""
MESSAGES = "INSERT INTO conversation_messages (project_id, position, type, content) VALUES ('p', {}, 'user', 'x')"
TAG = "INSERT INTO project_note_tags VALUES ('n', 0, 'money')"


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A database at head with one project of three messages."""
    path = fresh_file(tmp_path)
    change(path, PROJECT, *map(MESSAGES.format, range(3)))
    return path


def change(path: Path, *statements: str) -> None:
    """Change it as a program does that knows nothing of our rules."""
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        for pragma in ("ignore_check_constraints = ON", "writable_schema = ON"):
            connection.execute(f"PRAGMA {pragma}")
        for statement in statements:
            connection.execute(statement)


def found(path: Path) -> list[Finding]:
    with closing(sqlite3.connect(path)) as connection:
        harm = damage(connection)
        return (
            harm if any(finding.kind in (Kind.PAGES, Kind.INDEX) for finding in harm) else [*harm, *rules(connection)]
        )


def rules(connection: sqlite3.Connection) -> Iterator[Finding]:
    yield from lost_parents(connection)
    yield from broken_rules(connection)


def only(path: Path) -> Finding:
    (finding,) = found(path)
    return finding


def test_nothing_is_found_in_a_sound_database(database: Path) -> None:
    assert found(database) == []


def test_the_schema_at_head_is_that_of_a_new_database(database: Path) -> None:
    names = {part.name for part in schema_at_head()}
    assert {"projects", "conversation_messages", "ix_llm_usage_user_id_timestamp", "v1_import_deletions"} <= names
    assert not any(name.startswith("sqlite_") for name in names)


def test_a_damaged_page_is_found(database: Path) -> None:
    overwrite(database, root_of(database, "conversation_messages"), bytes(4096))
    finding = only(database)
    assert finding.kind is Kind.PAGES
    assert finding.rows.count


def test_an_index_that_lacks_a_row_is_named(database: Path) -> None:
    root = root_of(database, "ix_projects_owner_is_archived_updated_at")
    empty = root_of(database, "ix_knowledge_suggestions_project_id_status_created_at")
    content = database.read_bytes()[(empty - 1) * 4096 : empty * 4096]
    overwrite(database, root, content)
    finding = only(database)
    assert (finding.kind, finding.table, finding.name) == (
        Kind.INDEX,
        "projects",
        "ix_projects_owner_is_archived_updated_at",
    )


def test_a_value_that_sqlite_never_writes_is_a_damaged_page(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, 'name TEXT NOT NULL', 'name TEXT')")
    change(database, "UPDATE projects SET name = NULL")
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA writable_schema = ON")
        connection.execute("UPDATE sqlite_master SET sql = replace(sql, 'name TEXT,', 'name TEXT NOT NULL,')")
    assert only(database).kind is Kind.PAGES


def test_a_value_that_a_check_forbids_is_found(database: Path) -> None:
    change(database, "UPDATE projects SET version = 0")
    assert only(database).kind is Kind.CONSTRAINT


def test_rows_without_a_parent_are_found_table_by_table(database: Path) -> None:
    change(database, MESSAGES.replace("'p'", "'gone'").format(7), TAG)
    by_table = {finding.table: finding for finding in found(database)}
    assert {finding.kind for finding in by_table.values()} == {Kind.REFERENCE}
    assert by_table["conversation_messages"].rows.first == ["('gone', 7)"]
    assert by_table["project_note_tags"].rows.first == ["('n', 0)"]


@pytest.mark.parametrize("name", ["INDEX ix_llm_usage_user_id_timestamp", "TABLE project_note_tags"])
def test_a_missing_part_of_the_schema_is_named(database: Path, name: str) -> None:
    change(database, f"DROP {name}")
    finding = only(database)
    assert finding.kind is Kind.SCHEMA
    assert finding.name == name.split()[1]


def test_another_table_under_the_name_of_ours_is_found(database: Path) -> None:
    change(database, "DROP TABLE project_note_tags", "CREATE TABLE project_note_tags (a)")
    finding = only(database)
    assert (finding.kind, finding.name) == (Kind.SCHEMA, None)


@pytest.mark.parametrize("count", [2, 4])
def test_a_wrong_count_of_messages_is_found(database: Path, count: int) -> None:
    change(database, f"UPDATE projects SET message_count = {count}")
    finding = only(database)
    assert finding.kind is Kind.COUNT
    assert finding.rows.first == [f"'p' counts {count}, where the next position is 3"]


def test_a_gap_is_no_wrong_count(database: Path) -> None:
    """The count gives the next message its position, and position 2 is taken."""
    change(database, "DELETE FROM conversation_messages WHERE position = 1")
    finding = only(database)
    assert finding.kind is Kind.GAP
    assert finding.rows.first == ["'p' lacks 1 of 3"]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("extra", "'{'"),
        ("extra", """'{"$decimal": "x"}'"""),
        ("created_at", "'yesterday'"),
        ("updated_at", "5"),
        ("archived_at", "x'00'"),
        ("is_archived", "'no'"),
        ("is_archived", "2"),
        ("progress", "'half'"),
        ("name", "x'6e'"),
        ("goals", "CAST(x'c3ff' AS TEXT)"),
    ],
)
def test_a_value_that_our_types_cannot_read_is_found(database: Path, column: str, value: str) -> None:
    change(database, f"UPDATE projects SET {column} = {value}")
    finding = only(database)
    assert finding.kind is Kind.VALUE
    assert finding.what == f"values of projects.{column} that cannot be read"
    assert finding.rows.first == ["'p'"]


def test_numbers_bytes_and_decimals_are_read_too(database: Path) -> None:
    change(
        database,
        "INSERT INTO phase_maturity_scores VALUES ('p', 'design', 'high')",
        "INSERT INTO embedding_cache VALUES ('m', 'h', 1, 'abcd', '2025-01-02 03:04:05')",
        "INSERT INTO behavior_patterns (id, user_id, pattern_type, pattern_data, confidence, learned_from_projects)"
        " VALUES ('b', 'ada', 'pace', '{}', 'much', '[]')",
    )
    assert {finding.what for finding in found(database)} == {
        "values of phase_maturity_scores.score that cannot be read",
        "values of embedding_cache.vector that cannot be read",
        "values of behavior_patterns.confidence that cannot be read",
    }


def test_only_the_first_few_keys_are_told(database: Path) -> None:
    change(database, *(MESSAGES.replace("'p'", "'gone'").format(number) for number in range(25)))
    finding = only(database)
    assert finding.rows.count == 25
    assert len(finding.rows.first) == 10
    assert str(finding).endswith("and 15 more")
