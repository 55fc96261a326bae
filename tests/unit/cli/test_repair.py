"""`socrates db repair` where the file is sound: what it says, what it mends, and what it leaves alone."""

import json
import shutil
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from socrates.drafts import NewMessage
from socrates.store import Store
from tests.concurrency.checks import assert_sound
from tests.support.damage import (
    PAGE,
    contents,
    leaves_under,
    overwrite,
    root_of,
)
from tests.support.migrate import alembic, execute, rows, table_names, value
from tests.support.v1_files import V1File
from tests.unit.cli.repairing import (
    assert_refused,
    beside,
    kept_rows,
    like_another_program,
    proven,
    repair,
    repaired,
    template,
)

_HOLD = """
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute(sys.argv[2])
connection.execute("SELECT count(*) FROM sqlite_master").fetchall()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """A usual file of v1, upgraded: 12 projects of 30 messages."""
    return Path(shutil.copy(template(), tmp_path / "projects.db"))


def test_a_sound_database_needs_no_repair(database: Path) -> None:
    before = database.read_bytes()
    result = repair(database, "--yes")
    assert result.exit_code == 0
    assert "nothing to repair" in result.stdout
    assert database.read_bytes() == before
    assert beside(database) == []


def test_without_consent_it_only_says_what_it_would_do(database: Path) -> None:
    like_another_program(database, "DELETE FROM users", "DROP INDEX ix_llm_usage_user_id_timestamp")
    before = database.read_bytes()
    result = repair(database)
    message = assert_refused(result, database, before)
    assert "say --yes" in message
    assert "the index ix_llm_usage_user_id_timestamp is missing" in result.stdout
    assert "A repair would make what is missing." in result.stdout
    facts = json.loads((asked := repair(database, "--json")).stdout)
    assert asked.exit_code == 1
    assert not facts["repaired"]
    assert {finding["kind"] for finding in facts["findings"]} == {"schema", "import"}
    assert database.read_bytes() == before


def test_what_another_program_deleted_is_taken_from_v1_again(database: Path) -> None:
    before = contents(database)
    like_another_program(
        database,
        "DELETE FROM projects WHERE id = 'project-3'",
        "DELETE FROM projects WHERE id = 'project-4'",
        "DELETE FROM conversation_messages WHERE project_id = 'project-4'",
        "DELETE FROM users WHERE username = 'user1'",
        "DELETE FROM conversation_messages WHERE project_id = 'project-5' AND position IN (7, 29)",
        "DELETE FROM project_notes",
        "DROP TABLE project_note_tags",
        "DROP INDEX ix_projects_owner_is_archived_updated_at",
    )
    facts = repaired(database)
    assert contents(database) == before
    assert facts["remaining"] == []
    assert facts["kept"] is None
    assert proven(database)
    assert_sound(database)
    assert contents(Path(facts["backup"])) != before
    assert repair(database).exit_code == 0


async def test_what_was_written_since_stays_as_it_is(database: Path) -> None:
    async with Store.open(database) as store, store.begin() as unit:
        project = await unit.projects.details("project-3")
        await unit.projects.update("project-3", project.summary.version, requirements=["Only this."])
        await unit.conversations.append("project-3", NewMessage("user", "Written since."))
    like_another_program(
        database,
        "DELETE FROM projects WHERE id = 'project-3'",
        "DELETE FROM conversation_messages WHERE project_id = 'project-3' AND position = 11",
    )
    repaired(database)
    assert rows(database, "SELECT value FROM project_requirements WHERE project_id = 'project-3'") == [("Only this.",)]
    assert value(database, "SELECT content FROM conversation_messages WHERE position = 30") == "Written since."
    assert value(database, "SELECT message_count FROM projects WHERE id = 'project-3'") == 31
    assert_sound(database)


async def test_a_message_comes_back_into_a_project_that_changed_since(database: Path) -> None:
    gone = "SELECT content FROM conversation_messages WHERE project_id IN ('project-3', 'project-4') AND position = 9"
    before = rows(database, gone)
    async with Store.open(database) as store, store.begin() as unit:
        for name in ("project-3", "project-4"):
            await unit.conversations.append(name, NewMessage("user", "Written since."))
    like_another_program(
        database,
        "DELETE FROM conversation_messages WHERE project_id IN ('project-3', 'project-4') AND position = 9",
        "DELETE FROM project_requirements WHERE project_id = 'project-4' AND position = 0",
    )
    assert repaired(database)["remaining"] == []
    assert rows(database, gone) == before
    requirements = "SELECT count(*) FROM project_requirements WHERE project_id IN ('project-3', 'project-4')"
    assert value(database, requirements) == 4 + 3  # that one may have been removed by its owner


def test_what_v1_has_otherwise_by_now_is_not_taken(database: Path) -> None:
    other = "(SELECT data FROM projects_v1_backup WHERE project_id = 'project-1')"
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute(f"UPDATE projects_v1_backup SET data = {other} WHERE project_id = 'project-2'")
        connection.execute("DELETE FROM projects WHERE id = 'project-2'")
    result = repair(database, "--yes")
    assert result.exit_code == 1
    assert "imported records of v1's projects that are missing: 1: 'project-2'" in result.stdout
    assert "Nothing could be mended" in result.stdout


async def test_what_its_owner_deleted_stays_deleted(database: Path) -> None:
    async with Store.open(database) as store, store.begin() as unit:
        await unit.projects.delete("project-3")
    like_another_program(database, "DELETE FROM projects WHERE id = 'project-4'")
    repaired(database)
    assert value(database, "SELECT count(*) FROM projects WHERE id = 'project-4'") == 1
    assert value(database, "SELECT count(*) FROM projects WHERE id = 'project-3'") == 0
    assert proven(database)


def test_rows_without_a_parent_are_kept_whole_before_they_go(database: Path) -> None:
    like_another_program(
        database,
        "INSERT INTO project_requirements VALUES ('gone', 0, 'Lend b' || char(0) || 'oks.')",
        "INSERT INTO project_notes SELECT 'orphan', 'gone', title, content, note_type, created_at, created_by, extra"
        " FROM project_notes LIMIT 1",
        "INSERT INTO project_note_tags VALUES ('orphan', 0, 'money')",
    )
    facts = repaired(database)
    kept = {entry["table"]: entry["row"] for entry in kept_rows(facts)}
    assert kept["project_requirements"] == {"project_id": "gone", "position": 0, "value": "Lend b\x00oks."}
    assert kept["project_note_tags"] == {"note_id": "orphan", "position": 0, "tag": "money"}
    assert kept["project_notes"]["id"] == "orphan"
    assert_sound(database)
    assert proven(database)


def test_an_imported_note_that_is_moved_out_is_no_loss_to_the_check(database: Path) -> None:
    like_another_program(database, "UPDATE project_notes SET project_id = 'gone'")
    count = value(database, "SELECT count(*) FROM project_notes")
    facts = repaired(database)
    assert facts["kept"]["rows"]["project_notes"] == count
    assert proven(database)


def test_messages_are_counted_again_by_their_positions(database: Path) -> None:
    with closing(sqlite3.connect(database, isolation_level=None)) as connection:
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("DELETE FROM v1_import_runs")
        connection.execute("PRAGMA foreign_keys = OFF")
        for name in [name for name in table_names(database) if name.endswith("_v1_backup")]:
            connection.execute(f"DROP TABLE {name}")
        connection.execute("UPDATE projects SET message_count = 3")
        connection.execute("DELETE FROM conversation_messages WHERE project_id = 'project-5' AND position = 7")
    facts = repaired(database, status=1)
    assert value(database, "SELECT DISTINCT message_count FROM projects") == 30
    assert [finding["kind"] for finding in facts["remaining"]] == ["gap"]
    again = repair(database, "--yes")
    assert again.exit_code == 1
    assert "Nothing could be mended. Nothing was changed." in again.stdout
    assert len(beside(database)) == 1


def test_what_no_repair_mends_is_told_and_left_alone(database: Path) -> None:
    like_another_program(database, "UPDATE users SET extra = '{'", "UPDATE projects SET created_at = 'once'")
    before = database.read_bytes()
    result = repair(database, "--yes")
    assert result.exit_code == 1
    assert "values of users.extra that cannot be read" in result.stdout
    assert "restore a backup" in result.stdout
    assert database.read_bytes() == before


def test_a_lost_table_that_others_refer_to_is_not_made_up(database: Path) -> None:
    like_another_program(database, "DROP TABLE projects")
    before = database.read_bytes()
    result = repair(database, "--yes")
    assert result.exit_code == 1
    assert "the table projects is missing" in result.stdout
    assert database.read_bytes() == before


def test_a_repair_that_would_do_harm_is_taken_back(database: Path) -> None:
    """A trigger of somebody's puts a row without a project in for each count that changes."""
    like_another_program(
        database,
        "UPDATE projects SET message_count = 3",
        "CREATE TRIGGER harm AFTER UPDATE ON projects BEGIN"
        " INSERT OR IGNORE INTO project_requirements VALUES ('gone', 0, 'x'); END",
    )
    before = database.read_bytes()
    message = assert_refused(repair(database, "--yes"), database, before)
    assert "could not be mended" in message


def test_orphans_in_a_file_of_v1_are_told_and_left_to_the_upgrade(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_note(project_id="gone")
    before = v1.path.read_bytes()
    result = repair(v1.path, "--yes")
    assert result.exit_code == 0
    assert "v1's own deletes leave such rows" in result.stdout
    assert f"socrates db upgrade {v1.path}" in result.stdout
    assert v1.path.read_bytes() == before


def test_an_earlier_revision_is_only_looked_at(database: Path) -> None:
    assert alembic(database, "downgrade", "0003").status == 0
    like_another_program(database, "DELETE FROM projects WHERE id = 'project-3'")
    before = database.read_bytes()
    result = repair(database, "--yes")
    assert result.exit_code == 1
    assert "whose project_id is not in projects" in result.stdout
    assert f"upgrade it first, then repair it: socrates db upgrade {database}" in result.stdout
    assert database.read_bytes() == before


def test_what_is_no_database_of_ours_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    execute(path, "CREATE TABLE songs (title)")
    before = path.read_bytes()
    assert "neither" in assert_refused(repair(path, "--yes"), path, before)
    assert repair(tmp_path / "nowhere.db").exit_code == 2
    assert repair(tmp_path).exit_code == 2


@contextmanager
def held_by_another_process(path: Path, statement: str) -> Iterator[None]:
    """While another process has the database open, and has executed `statement`."""
    command = [sys.executable, "-c", _HOLD, str(path), statement]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield
        process.communicate()


@pytest.mark.parametrize("harm", ["rows", "pages"])
@pytest.mark.parametrize("statement", ["PRAGMA journal_mode = WAL", "BEGIN EXCLUSIVE"])
def test_a_database_that_somebody_has_open_is_not_touched(
    database: Path, statement: str, harm: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for module in ("exclusive", "files"):
        monkeypatch.setattr(f"socrates.v1.{module}._WAIT_SECONDS", 0.2)
    if harm == "rows":
        like_another_program(database, "DELETE FROM users")
    else:
        overwrite(database, leaves_under(database, root_of(database, "conversation_messages"))[0], bytes(PAGE))
    with held_by_another_process(database, statement):
        before = database.read_bytes()
        result = repair(database, "--yes", "--json")
        assert result.exit_code == 2, result.output
        assert json.loads(result.stdout)["error"]["kind"] == "BusyError"
        assert database.read_bytes() == before
        assert not any("backup" in name or "replaced" in name or "orphans" in name for name in beside(database))
