"""The later proof: what v1's rows still say, and what the new tables hold since."""

import sqlite3
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from socrates.v1.check import Changes, Keys, SourceCheck, changes_since, check_source
from socrates.v1.ledger import Run, last_run
from socrates.v1.reader import V1Reader
from socrates.v1.shapes import backups_in
from socrates.v1.target import Target
from tests.support.migrate import execute, upgrade
from tests.support.v1_files import V1File

RECORDS = 2 + 60 + 2 + 1  # users, projects, notes, keys


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small imported file. More projects than one step of the check reads."""
    with V1File(tmp_path_factory.mktemp("check") / "projects.db") as v1:
        v1.add_user("ada")
        v1.add_user("Ada")
        for number in range(60):
            v1.add_project(project_id=f"project-{number}")
        v1.add_note(project_id="project-1")
        v1.add_note(project_id="project-2", tags=[])
        v1.add_api_key()
    upgrade(v1.path)
    return v1.path


@pytest.fixture
def database(imported: Path, tmp_path: Path) -> Path:
    copy = tmp_path / "projects.db"
    copy.write_bytes(imported.read_bytes())
    return copy


@pytest.fixture
def changes(database: Path) -> Iterator[Callable[[], Changes]]:
    connection = sqlite3.connect(database)

    def look() -> Changes:
        target = Target(connection)
        return changes_since(target, last_run(target))

    yield look
    connection.close()


@pytest.fixture
def source(database: Path) -> Iterator[Callable[[], SourceCheck]]:
    connection = sqlite3.connect(database)

    def look() -> SourceCheck:
        target = Target(connection)
        return check_source(V1Reader(connection, backups_in(connection)), target, the_run(target))

    yield look
    connection.close()


def the_run(target: Target) -> Run:
    run = last_run(target)
    assert run is not None
    return run


def test_nothing_has_changed_after_an_import(changes: Callable[[], Changes], source: Callable[[], SourceCheck]) -> None:
    found = changes()
    assert found.equal == RECORDS
    assert not found.any
    assert source().equal == RECORDS
    assert source().proven


@pytest.mark.parametrize(
    ("statement", "key"),
    [
        ("UPDATE projects SET name = 'other' WHERE id = 'project-7'", "projects 'project-7'"),
        ("UPDATE projects SET progress = progress + 1 WHERE id = 'project-7'", "projects 'project-7'"),
        ("UPDATE projects SET extra = '{\"a\": 1}' WHERE id = 'project-7'", "projects 'project-7'"),
        ("DELETE FROM project_requirements WHERE project_id = 'project-7'", "projects 'project-7'"),
        ("UPDATE team_members SET is_active = 0 WHERE project_id = 'project-59'", "projects 'project-59'"),
        ("INSERT INTO project_constraints VALUES ('project-0', 99, 'more')", "projects 'project-0'"),
        ("UPDATE users SET is_archived = 1 WHERE username = 'Ada'", "users 'Ada'"),
        ("UPDATE project_note_tags SET tag = 'x' WHERE position = 0", "project_notes 'note-61'"),
        ("UPDATE api_keys SET last_used_at = '2025-01-01 00:00:00.000000'", "api_keys 'key-63'"),
    ],
)
def test_a_changed_value_is_found(changes: Callable[[], Changes], database: Path, statement: str, key: str) -> None:
    execute(database, statement)
    found = changes()
    assert found.changed.first == [key]
    assert (found.equal, found.added.count, found.missing.count) == (RECORDS - 1, 0, 0)


@pytest.mark.parametrize("key", ["project-0", "project-30", "project-9"])
def test_a_missing_row_is_found_wherever_it_was(changes: Callable[[], Changes], database: Path, key: str) -> None:
    execute(database, "DELETE FROM projects WHERE id = ?", key)
    found = changes()
    assert found.missing.first == [f"projects '{key}'"]
    assert (found.equal, found.added.count, found.changed.count) == (RECORDS - 1, 0, 0)


@pytest.mark.parametrize("position", [0, 1])
def test_a_message_that_is_missing_is_no_mere_change(
    changes: Callable[[], Changes], database: Path, position: int
) -> None:
    execute(database, "DELETE FROM conversation_messages WHERE project_id = 'project-7' AND position = ?", position)
    found = changes()
    assert found.changed.first == ["projects 'project-7'"]
    assert found.missing.first == ["conversation_messages 'project-7'"]


@pytest.mark.parametrize("name", ["", "aaa", "zzz", "é"])
def test_an_added_row_is_found_wherever_it_is(changes: Callable[[], Changes], database: Path, name: str) -> None:
    execute(
        database,
        "INSERT INTO users SELECT ?, passcode_hash, created_at, subscription_tier, subscription_status, "
        "subscription_start, subscription_end, questions_used_this_month, usage_reset_date, is_archived, "
        "archived_at, extra FROM users WHERE username = 'ada'",
        name,
    )
    found = changes()
    assert found.added.first == [f"users {name!r}"]
    assert (found.equal, found.changed.count, found.missing.count) == (RECORDS, 0, 0)


def test_a_tampered_source_row_is_found(source: Callable[[], SourceCheck], database: Path) -> None:
    execute(database, "UPDATE projects_v1_backup SET updated_at = '2030-01-01' WHERE project_id = 'project-3'")
    assert source().differing.first == ["projects 'project-3'"]
    assert not source().proven


def test_a_damaged_source_row_is_found(source: Callable[[], SourceCheck], database: Path) -> None:
    execute(database, "UPDATE users_v1_backup SET data = x'80042e' WHERE username = 'ada'")
    assert source().differing.first == ["users 'ada'"]


def test_a_source_row_that_is_gone_is_found(source: Callable[[], SourceCheck], database: Path) -> None:
    execute(database, "DELETE FROM project_notes_v1_backup WHERE project_id = 'project-1'")
    assert source().missing.first == ["project_notes 'note-61'"]
    assert not source().proven


def test_a_source_table_that_is_gone_is_found(source: Callable[[], SourceCheck], database: Path) -> None:
    execute(database, "DROP TABLE users_v1_backup")
    assert source().missing.first == ["users 'Ada'", "users 'ada'"]


def test_the_zone_of_the_import_is_used_again(source: Callable[[], SourceCheck], database: Path) -> None:
    execute(database, "UPDATE v1_import_runs SET timezone = 'Asia/Tokyo'")
    assert source().differing.count > 0


def test_without_a_run_everything_was_added(database: Path) -> None:
    connection = sqlite3.connect(database)
    found = changes_since(Target(connection), None)
    connection.close()
    assert (found.added.count, found.equal) == (RECORDS, 0)


def test_keys_name_the_first_and_count_the_rest() -> None:
    keys = Keys()
    assert str(keys) == "none"
    for number in range(25):
        keys.add("users", f"u{number}")
    assert str(keys).startswith("25: users 'u0', users 'u1'")
    assert str(keys).endswith("users 'u19' and 5 more")
