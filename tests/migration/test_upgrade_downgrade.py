"""Up, down and up again: what a revision did can be undone, and nothing else is touched."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.support.expected_rows import KEYS, actual_tables, assert_imported
from tests.support.migrate import alembic, execute, refused, rows, sha256, table_names, told, upgrade, value
from tests.support.v1_files import V1File
from tests.support.v1_schema import V1_TABLES


def everything(v1: V1File) -> None:
    v1.add_project()
    v1.add_project(project_id="é/2", team_members=[], collaborators=["x", "y"])
    v1.add_user()
    v1.add_user("bob", passcode_hash="")
    v1.add_note()
    v1.add_note(project_id="gone")
    v1.add_effectiveness()
    v1.add_pattern()
    v1.add_document()
    v1.add_llm_config()
    v1.add_api_key()
    v1.add_usage(columns={"cost": None})


@pytest.fixture(params=[2, 3, 9])
def v1_path(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    with V1File(tmp_path / "projects.db", tables=request.param) as v1:
        if request.param == 9:
            everything(v1)
        else:
            v1.add_project()
            v1.add_user()
    return v1.path


@pytest.fixture
def upgraded(tmp_path: Path) -> Path:
    with V1File(tmp_path / "projects.db") as v1:
        everything(v1)
    upgrade(v1.path)
    return v1.path


def schema_of(path: Path) -> dict[str, Any]:
    return {
        table: {
            pragma: rows(path, f"PRAGMA {pragma}({table})")
            for pragma in ("table_xinfo", "index_list", "foreign_key_list")
        }
        for table in sorted(table_names(path))
    }


def content_of(path: Path) -> dict[str, list[tuple[Any, ...]]]:
    content = {}
    for table in sorted(table_names(path)):
        names = [name for _, name, *_ in rows(path, f"PRAGMA table_info({table})")]
        columns = ", ".join(f"{name}, typeof({name})" for name in names)
        content[table] = rows(path, f"SELECT {columns} FROM {table} ORDER BY rowid")
    return content


def test_a_second_upgrade_changes_nothing(upgraded: Path) -> None:
    before = sha256(upgraded)
    files = sorted(upgraded.parent.iterdir())
    upgrade(upgraded)
    assert sha256(upgraded) == before
    assert sorted(upgraded.parent.iterdir()) == files


def test_downgrade_gives_back_every_v1_row_and_the_same_columns_and_constraints(v1_path: Path) -> None:
    schema, content = schema_of(v1_path), content_of(v1_path)
    upgrade(v1_path)
    outcome = alembic(v1_path, "downgrade", "base")
    assert outcome.status == 0, outcome
    assert table_names(v1_path) == set(schema)
    assert schema_of(v1_path) == schema
    assert content_of(v1_path) == content


def test_downgrade_leaves_no_trace_of_alembic(v1_path: Path) -> None:
    upgrade(v1_path)
    assert alembic(v1_path, "downgrade", "base").status == 0
    names = {name for (name,) in rows(v1_path, "SELECT name FROM sqlite_master WHERE name NOT LIKE 'sqlite_%'")}
    assert names <= set(V1_TABLES)
    assert value(v1_path, "PRAGMA user_version") == 0
    assert value(v1_path, "PRAGMA journal_mode") == "delete"
    assert value(v1_path, "PRAGMA integrity_check") == "ok"


def test_v1_can_write_to_a_downgraded_file(v1_path: Path) -> None:
    upgrade(v1_path)
    assert alembic(v1_path, "downgrade", "base").status == 0
    save = "INSERT OR REPLACE INTO projects (project_id, data, created_at, updated_at) VALUES (?, ?, ?, ?)"
    execute(v1_path, save, "project-1", b"new", "2025-01-01", "2025-01-01")
    assert value(v1_path, "SELECT data FROM projects WHERE project_id = 'project-1'") == b"new"


def test_upgrading_again_gives_the_same_content_in_every_new_table(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        everything(v1)
    original = tmp_path / "original.db"
    original.write_bytes(v1.path.read_bytes())
    upgrade(v1.path)
    first = actual_tables(v1.path)
    assert alembic(v1.path, "downgrade", "base").status == 0
    upgrade(v1.path)
    assert actual_tables(v1.path) == first
    assert_imported(original, v1.path)


def test_downgrade_of_a_fresh_schema_leaves_an_empty_database(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    upgrade(path)
    assert alembic(path, "downgrade", "base").status == 0
    assert table_names(path) == set()
    upgrade(path)
    assert table_names(path) >= set(KEYS)


CHANGES = {
    "a changed project": "UPDATE projects SET name = 'Archive' WHERE id = 'project-1'",
    "a changed message": "UPDATE conversation_messages SET content = 'x' WHERE position = 0",
    "a changed decimal": "UPDATE behavior_patterns SET confidence = '0.76'",
    "a changed extra": """UPDATE users SET extra = '{"mood": 1}'""",
    "an added user": (
        "INSERT INTO users SELECT 'new', passcode_hash, created_at, subscription_tier, subscription_status,"
        " subscription_start, subscription_end, questions_used_this_month, usage_reset_date, is_archived,"
        " archived_at, extra FROM users WHERE username = 'ada'"
    ),
    "an added requirement": "INSERT INTO project_requirements VALUES ('project-1', 99, 'more')",
    "an added tag": "INSERT INTO project_note_tags SELECT note_id, 99, 'more' FROM project_note_tags LIMIT 1",
    "a deleted user": "DELETE FROM users WHERE username = 'bob'",
    "a deleted requirement": "DELETE FROM project_requirements WHERE position = 0",
    "a deleted key": "DELETE FROM api_keys",
    "a deleted project": "DELETE FROM projects WHERE id = 'project-1'",
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_downgrade_is_refused_when_rows_were_changed_since(upgraded: Path, change: str) -> None:
    execute(upgraded, change)
    before = sha256(upgraded)
    outcome = alembic(upgraded, "downgrade", "base")
    assert refused(outcome), outcome
    assert "discard" in told(outcome, upgraded.parent)
    assert sha256(upgraded) == before


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
def test_downgrade_discards_changes_when_told_to(upgraded: Path, change: str) -> None:
    execute(upgraded, change)
    assert alembic(upgraded, "downgrade", "base", discard=1).status == 0
    assert table_names(upgraded) == set(V1_TABLES)
    assert value(upgraded, "SELECT count(*) FROM projects") == 2


def test_downgrade_of_a_fresh_schema_in_use_is_refused_unless_told_to_discard(tmp_path: Path) -> None:
    path = tmp_path / "projects.db"
    upgrade(path)
    execute(
        path,
        "INSERT INTO users (username, passcode_hash, created_at, subscription_tier, subscription_status,"
        " questions_used_this_month, is_archived, extra)"
        " VALUES ('ada', '', '2025-01-01 00:00:00.000000', 'free', 'active', 0, 0, '{}')",
    )
    before = sha256(path)
    assert refused(alembic(path, "downgrade", "base"))
    assert sha256(path) == before
    assert alembic(path, "downgrade", "base", discard=1).status == 0


@pytest.mark.parametrize("table", ["projects", "users", "api_keys"])
@pytest.mark.parametrize("options", [{}, {"discard": 1}], ids=["plain", "discard"])
def test_downgrade_is_refused_when_a_backup_table_was_dropped(
    upgraded: Path, table: str, options: dict[str, object]
) -> None:
    execute(upgraded, f"DROP TABLE {table}_v1_backup")
    before = sha256(upgraded)
    outcome = alembic(upgraded, "downgrade", "base", **options)
    assert refused(outcome), outcome
    assert sha256(upgraded) == before


@pytest.mark.parametrize(
    "damage",
    ["DELETE FROM users_v1_backup WHERE username = 'bob'", "UPDATE projects_v1_backup SET data = x'00'"],
    ids=["a row deleted", "rows changed"],
)
def test_downgrade_is_refused_when_a_backup_table_no_longer_holds_what_was_imported(
    upgraded: Path, damage: str
) -> None:
    execute(upgraded, damage)
    before = sha256(upgraded)
    outcome = alembic(upgraded, "downgrade", "base")
    assert refused(outcome), outcome
    assert sha256(upgraded) == before


def test_a_dry_run_changes_nothing_and_says_so(v1_path: Path) -> None:
    before = sha256(v1_path)
    files = sorted(v1_path.parent.iterdir())
    outcome = upgrade(v1_path, dry_run=1)
    assert sha256(v1_path) == before
    assert sorted(v1_path.parent.iterdir()) == files
    assert "dry run" in told(outcome, v1_path.parent)


def test_a_dry_run_tells_what_the_real_run_would(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(blob=b"damage")
    before = sha256(v1.path)
    assert refused(upgrade(v1.path, expected_status=2, dry_run=1))
    upgrade(v1.path, expected_status=1, dry_run=1, on_bad="quarantine", report=tmp_path / "report.json")
    assert sha256(v1.path) == before
    assert "quarantined" in (tmp_path / "report.json").read_text("utf-8")


def test_a_dry_run_of_a_downgrade_changes_nothing(upgraded: Path) -> None:
    before = sha256(upgraded)
    outcome = alembic(upgraded, "downgrade", "base", dry_run=1)
    assert outcome.status in (0, 2)
    assert sha256(upgraded) == before


def test_a_v1_file_is_imported_into_a_fresh_file_elsewhere(tmp_path: Path) -> None:
    with V1File(tmp_path / "v1.db") as v1:
        everything(v1)
    before = sha256(v1.path)
    target = tmp_path / "elsewhere" / "new.db"
    target.parent.mkdir()
    upgrade(target, v1=v1.path)
    assert sha256(v1.path) == before
    assert_imported(v1.path, target)
    assert not [name for name in table_names(target) if name.endswith("_v1_backup")]


def test_a_v1_file_is_not_imported_into_a_database_in_use(upgraded: Path, tmp_path: Path) -> None:
    with V1File(tmp_path / "other.db") as v1:
        v1.add_user("eve")
    before = sha256(upgraded)
    assert refused(alembic(upgraded, "upgrade", "head", v1=v1.path, v1_timezone="UTC"))
    assert sha256(upgraded) == before


FOREIGN_SCHEMAS = {
    "other tables": "CREATE TABLE books (id INTEGER)",
    "projects of another shape": "CREATE TABLE projects (id INTEGER PRIMARY KEY, title TEXT)",
    "an unknown revision": (
        "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL);"
        "INSERT INTO alembic_version VALUES ('deadbeef0000')"
    ),
    "v1 tables and an unknown revision": "; ".join(
        [
            *V1_TABLES.values(),
            "CREATE TABLE alembic_version (version_num VARCHAR(32) NOT NULL)",
            "INSERT INTO alembic_version VALUES ('deadbeef0000')",
        ]
    ),
    "a v1 table with a column more": V1_TABLES["users"]
    + ";"
    + V1_TABLES["projects"].replace("updated_at TEXT", "updated_at TEXT, colour TEXT"),
    "a view": "CREATE VIEW projects AS SELECT 1 AS project_id",
}


@pytest.mark.parametrize("schema", FOREIGN_SCHEMAS.values(), ids=FOREIGN_SCHEMAS.keys())
def test_a_foreign_database_is_refused_and_left_as_it_was(tmp_path: Path, schema: str) -> None:
    path = tmp_path / "projects.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.executescript(schema)
    before = sha256(path)
    outcome = alembic(path, "upgrade", "head", v1_timezone="UTC")
    assert refused(outcome), outcome
    assert sha256(path) == before


@pytest.mark.parametrize(
    "options",
    [
        {"dryrun": 1},
        {"v1_timezone": "Mars/Olympus"},
        {"v1_timezone": "../../etc/passwd"},
        {"on_bad": "ignore"},
        {"dry_run": "perhaps"},
        {"v1_timezone": ""},
    ],
    ids=str,
)
def test_an_option_that_makes_no_sense_is_refused(v1_path: Path, options: dict[str, object]) -> None:
    before = sha256(v1_path)
    outcome = alembic(v1_path, "upgrade", "head", **options)
    assert refused(outcome), outcome
    assert sha256(v1_path) == before


def test_the_backup_goes_where_it_is_told_to(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        everything(v1)
    content = content_of(v1.path)
    backups = tmp_path / "backups"
    backups.mkdir()
    upgrade(v1.path, backup_dir=backups)
    (backup,) = backups.iterdir()
    assert backup.name.startswith("projects.db.backup_")
    assert content_of(backup) == content
    assert list(tmp_path.glob("*.backup_*")) == []


def test_a_refused_import_leaves_neither_backup_nor_partial_backup(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(blob=b"damage")
    upgrade(v1.path, expected_status=2)
    assert list(tmp_path.glob("*.partial")) == []


def test_the_revisions_go_up_and_down_one_at_a_time(v1_path: Path) -> None:
    content = content_of(v1_path)
    assert alembic(v1_path, "upgrade", "+1", v1_timezone="UTC").status == 0
    assert "projects_v1_backup" in table_names(v1_path)
    assert rows(v1_path, "SELECT * FROM projects") == []
    upgrade(v1_path)
    first = actual_tables(v1_path)
    assert alembic(v1_path, "downgrade", "-1").status == 0
    projects = [{name: row[name] for name in row.keys() - {"dynamic_questions"}} for row in first["projects"]]
    before_0009 = first | {"projects": projects}
    assert actual_tables(v1_path) == before_0009
    assert alembic(v1_path, "downgrade", "-1").status == 0
    later = {"operation", "cache_read_tokens", "cache_write_tokens"}
    calls = [{name: call[name] for name in call.keys() - later} for call in first["llm_usage"]]
    before_0008 = before_0009 | {"llm_usage": calls}
    assert actual_tables(v1_path) == before_0008
    for _later in ("0007", "0006", "0005", "0004", "0003"):
        assert alembic(v1_path, "downgrade", "-1").status == 0
        assert actual_tables(v1_path) == before_0008
    assert alembic(v1_path, "downgrade", "-1").status == 0
    assert rows(v1_path, "SELECT * FROM projects") == []
    upgrade(v1_path)
    assert actual_tables(v1_path) == first
    assert alembic(v1_path, "downgrade", "0001").status == 0
    assert alembic(v1_path, "downgrade", "base").status == 0
    assert content_of(v1_path) == content


def test_downgrade_gives_back_the_rows_that_went_to_quarantine(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        everything(v1)
        v1.add_user("eve", blob=b"damage")
    content = content_of(v1.path)
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert alembic(v1.path, "downgrade", "base").status == 0
    assert content_of(v1.path) == content


def test_a_downgrade_with_nothing_to_do_changes_nothing(v1_path: Path) -> None:
    before = sha256(v1_path)
    assert alembic(v1_path, "downgrade", "base").status in (0, 2)
    assert sha256(v1_path) == before


def test_the_report_never_overwrites_the_database(v1_path: Path) -> None:
    content = content_of(v1_path)
    before = sha256(v1_path)
    assert refused(alembic(v1_path, "upgrade", "head", v1_timezone="UTC", report=v1_path))
    assert sha256(v1_path) == before
    target = v1_path.with_name("new.db")
    assert refused(alembic(target, "upgrade", "head", v1_timezone="UTC", v1=v1_path, report=v1_path))
    assert content_of(v1_path) == content


def test_a_report_that_cannot_be_written_is_refused_before_anything_changes(v1_path: Path) -> None:
    before = sha256(v1_path)
    for place in (v1_path.parent, v1_path.parent / "missing" / "report.json"):
        assert refused(alembic(v1_path, "upgrade", "head", v1_timezone="UTC", report=place))
    assert sha256(v1_path) == before


def test_a_dry_run_asked_for_without_a_value_is_no_real_run(v1_path: Path) -> None:
    before = sha256(v1_path)
    assert alembic(v1_path, "upgrade", "head", dry_run="").status in (0, 2)
    assert sha256(v1_path) == before


def test_a_backup_directory_that_does_not_exist_is_refused(v1_path: Path) -> None:
    before = sha256(v1_path)
    assert refused(alembic(v1_path, "upgrade", "head", backup_dir=v1_path.parent / "missing"))
    assert sha256(v1_path) == before
