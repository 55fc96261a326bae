"""How earlier attempts at this migration failed (M1-M19): each mistake would fail a test here."""

import json
import re
import signal
import sqlite3
import subprocess
import sys
import time
import tomllib
from contextlib import closing
from datetime import datetime
from decimal import Decimal
from pathlib import Path

from tests.support.expected_rows import assert_imported
from tests.support.hostile_blobs import shell_command
from tests.support.migrate import (
    REPOSITORY,
    alembic,
    alembic_subprocess,
    json_value,
    refused,
    row,
    rows,
    sha256,
    table_names,
    told,
    upgrade,
    value,
)
from tests.support.v1_files import V1File, generated_v1_file


def test_m1_every_user_arrives_though_the_new_table_has_more_columns(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db", tables=2) as v1:
        for number in range(20):
            v1.add_user(f"user-{number}", without=("subscription_tier", "usage_reset_date", "is_archived"))
    upgrade(v1.path)
    assert value(v1.path, "SELECT count(*) FROM users") == 20


def test_m2_one_bad_row_does_not_end_its_table(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        for number in range(300):
            v1.add_project(**({"blob": b"damage"} if number == 3 else {}))
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert value(v1.path, "SELECT count(*) FROM projects") == 299
    assert value(v1.path, "SELECT source_key FROM v1_quarantine") == "project-4"


def test_m3_m4_m14_score_dicts_decimals_and_times_are_stored(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(archived_at=datetime(2025, 1, 1))
        v1.add_pattern(confidence=Decimal("0.1"))
    upgrade(v1.path)
    assert value(v1.path, "SELECT current_score FROM category_scores") == 9.25
    assert value(v1.path, "SELECT confidence FROM behavior_patterns") == "0.1"
    assert value(v1.path, "SELECT archived_at FROM projects") == "2025-01-01 00:00:00.000000"


def test_m6_messages_keep_their_type_phase_number_and_author(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
    upgrade(v1.path)
    query = "SELECT type, phase, question_number, author FROM conversation_messages ORDER BY position"
    assert rows(v1.path, query) == [("assistant", "discovery", 1, None), ("user", "discovery", None, "ada")]


def test_m7_no_field_and_no_table_is_forgotten(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_user()
        v1.add_note()
        v1.add_effectiveness()
        v1.add_pattern()
        v1.add_document()
        v1.add_llm_config()
        v1.add_api_key()
        v1.add_usage()
    original = tmp_path / "original.db"
    original.write_bytes(v1.path.read_bytes())
    upgrade(v1.path)
    assert_imported(original, v1.path)


def test_m8_trouble_shows_in_the_exit_status_and_not_as_success(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user()
        v1.add_usage(blob=b"damage")
    outcome = alembic_subprocess(v1.path, "upgrade", "head", v1_timezone="UTC")
    assert refused(outcome), outcome
    assert "llm_usage" in told(outcome, tmp_path)
    assert "success" not in told(outcome, tmp_path)
    outcome = alembic_subprocess(v1.path, "upgrade", "head", v1_timezone="UTC", on_bad="quarantine")
    assert outcome.status == 1, outcome


def test_m9_a_file_without_the_newer_tables_is_imported(tmp_path: Path) -> None:
    for tables in (2, 3):
        with V1File(tmp_path / f"{tables}.db", tables=tables) as v1:
            v1.add_project()
        upgrade(v1.path)
        assert value(v1.path, "SELECT count(*) FROM projects") == 1


def test_m9_a_failing_import_leaves_no_changed_schema(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db", tables=3) as v1:
        v1.add_project()
        v1.add_note(blob=b"damage")
    before = sha256(v1.path)
    upgrade(v1.path, expected_status=2)
    assert sha256(v1.path) == before
    assert table_names(v1.path) == {"projects", "users", "project_notes"}


def test_m10_a_dry_run_changes_no_byte(tmp_path: Path) -> None:
    path = generated_v1_file(tmp_path / "projects.db", projects=20, messages=10)
    before = sha256(path)
    upgrade(path, dry_run=1)
    assert sha256(path) == before
    assert list(tmp_path.iterdir()) == [path]


def test_m11_a_second_run_duplicates_no_child_row(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_note()
    upgrade(v1.path)
    upgrade(v1.path)
    for table in ("conversation_messages", "project_requirements", "team_members", "project_note_tags"):
        assert value(v1.path, f"SELECT count(*) FROM {table}") == 2


def test_m12_the_backup_holds_what_still_lies_in_the_write_ahead_log(tmp_path: Path) -> None:
    path = generated_v1_file(tmp_path / "projects.db", projects=3, messages=2)
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode = WAL")
        other.execute("UPDATE projects SET updated_at = '2026-01-01T00:00:00' WHERE project_id = 'project-0'")
        assert (tmp_path / "projects.db-wal").stat().st_size > 0
        upgrade(path)
    (backup,) = (found for found in tmp_path.glob("projects.db.backup_*") if not found.name.endswith(("-wal", "-shm")))
    query = "SELECT updated_at FROM projects WHERE project_id = 'project-0'"
    assert value(backup, query) == "2026-01-01T00:00:00"
    assert value(path, "SELECT updated_at FROM projects WHERE id = 'project-0'") == "2026-01-01 00:00:00.000000"


def test_m13_no_global_of_a_blob_is_called(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(blob=shell_command(f"touch {witness}"))
    assert refused(upgrade(v1.path, expected_status=2))
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert not witness.exists()


def test_m15_a_list_that_is_none_is_an_empty_list(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(requirements=None, conversation_history=None, team_members=None, collaborators=None)
        v1.add_note(tags=None)
    upgrade(v1.path)
    assert rows(v1.path, "SELECT * FROM project_requirements") == []
    assert rows(v1.path, "SELECT username FROM team_members") == [("ada",)]
    assert rows(v1.path, "SELECT * FROM project_note_tags") == []


def test_m16_the_report_counts_every_table_and_names_every_row_that_was_adjusted(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(tech_stack=["python", 3])
        v1.add_user()
        v1.add_user("eve", blob=b"damage")
        v1.add_note(note_id="lost", project_id="gone")
    report_path = tmp_path / "report.json"
    upgrade(v1.path, expected_status=1, on_bad="quarantine", report=report_path)
    tables = json.loads(report_path.read_text("utf-8"))["import"]["tables"]
    counts = {name: [tables[name][key] for key in ("read", "imported", "quarantined")] for name in tables}
    assert counts["projects"] == [1, 1, 0]
    assert counts["users"] == [2, 1, 1]
    assert counts["project_notes"] == [1, 0, 1]
    query = "SELECT source_table, source_key, field FROM v1_import_notes WHERE field LIKE 'tech_stack%'"
    assert row(v1.path, query)[:2] == ("projects", "project-1")
    assert json_value(v1.path, "SELECT report FROM v1_import_runs")["tables"].keys() == tables.keys()


def test_m16_the_command_prints_how_many_rows_came_through(tmp_path: Path) -> None:
    path = generated_v1_file(tmp_path / "projects.db", projects=1500, messages=4)
    outcome = alembic_subprocess(path, "upgrade", "head", v1_timezone="UTC")
    assert outcome.status == 0
    assert re.search(r"projects\W+1,?500\W+1,?500", outcome.out)


def test_m17_old_and_new_tables_are_never_the_same(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
    upgrade(v1.path)
    old = {name for _, name, *_ in rows(v1.path, "PRAGMA table_info(projects_v1_backup)")}
    new = {name for _, name, *_ in rows(v1.path, "PRAGMA table_info(projects)")}
    assert old == {"project_id", "data", "created_at", "updated_at"}
    assert "data" not in new
    assert "pickle" not in " ".join(sql or "" for (sql,) in rows(v1.path, "SELECT sql FROM sqlite_master"))


def test_m18_a_v1_file_is_never_taken_for_an_up_to_date_one(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
    upgrade(v1.path)
    assert value(v1.path, "SELECT count(*) FROM projects") == 1
    assert value(v1.path, "SELECT count(*) FROM v1_import_runs") == 1


def test_m18_v1_tables_stamped_as_up_to_date_are_not_taken_for_it(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
    alembic(v1.path, "stamp", "head")
    outcome = alembic(v1.path, "upgrade", "head", v1_timezone="UTC")
    imported = "projects_v1_backup" in table_names(v1.path)
    assert imported or refused(outcome), outcome


def test_m18_a_schema_whose_import_is_still_to_come_is_not_called_empty(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
    outcome = alembic(v1.path, "upgrade", "+1")
    assert "nothing to import" not in told(outcome, tmp_path)


def test_m19_the_wheel_carries_the_revisions(tmp_path: Path) -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))
    included = project["tool"]["hatch"]["build"]["targets"]["wheel"]["force-include"]
    assert included["alembic"] == "socrates/_migrations"
    assert list((REPOSITORY / "alembic" / "versions").glob("0*.py"))


def test_renames_leave_the_foreign_keys_of_other_tables_as_v1_wrote_them(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project()
        v1.add_note()
        v1.add_document()
    upgrade(v1.path)
    assert {table for _, _, table, *_ in rows(v1.path, "PRAGMA foreign_key_list(project_notes)")} == {"projects"}
    assert value(v1.path, "SELECT count(*) FROM project_notes") == 1
    alembic(v1.path, "downgrade", "base")
    for table in ("project_notes", "knowledge_documents"):
        assert [found[2] for found in rows(v1.path, f"PRAGMA foreign_key_list({table})")] == ["projects"]
        sql = value(v1.path, "SELECT sql FROM sqlite_master WHERE name = ?", table)
        assert "_v1_backup" not in sql


def test_a_kill_in_the_middle_leaves_the_old_state(tmp_path: Path) -> None:
    path = generated_v1_file(tmp_path / "projects.db", projects=1000, messages=20)
    content = rows(path, "SELECT * FROM projects ORDER BY project_id")
    command = [sys.executable, "-m", "alembic", "-x", f"url=sqlite:///{path}", "upgrade", "head"]
    for delay in (0.8, 1.6):
        process = subprocess.Popen(command, cwd=REPOSITORY, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(delay)
        process.send_signal(signal.SIGKILL)
        process.wait()
        with closing(sqlite3.connect(path)) as connection:
            names = {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}
            whole = "alembic_version" in names
            table = "projects_v1_backup" if whole else "projects"
            assert connection.execute(f"SELECT * FROM {table} ORDER BY project_id").fetchall() == content
    upgrade(path)
    assert value(path, "SELECT count(*) FROM projects") == 1000
