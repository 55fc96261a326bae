"""A file from somebody else: what is in it does nothing to the terminal, and passes for nothing that it is not."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from socrates.cli.main import app
from tests.support.migrate import alembic, execute, refused, upgrade
from tests.support.v1_files import V1File

ESCAPE = "\x1b]0;owned\x07"

Damage = Callable[[sqlite3.Connection], object]


@pytest.fixture(scope="module")
def upgraded_once(tmp_path_factory: pytest.TempPathFactory) -> Path:
    with V1File(tmp_path_factory.mktemp("hostile") / "projects.db") as v1:
        v1.add_user("ada")
        v1.add_user("eve", blob=b"no pickle")
        v1.add_project()
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    return v1.path


@pytest.fixture
def upgraded(upgraded_once: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(upgraded_once, tmp_path / "projects.db"))


def db(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["db", *map(str, arguments)])


def change(path: Path, damage: Damage) -> None:
    with closing(sqlite3.connect(path)) as connection, connection:
        damage(connection)


HOSTILE: dict[str, Damage] = {
    "revision": lambda c: c.execute("UPDATE alembic_version SET version_num = ?", (ESCAPE,)),
    "run": lambda c: c.execute("UPDATE v1_import_runs SET source = ?, timezone = ?", (ESCAPE, ESCAPE)),
    "quarantine": lambda c: c.execute("UPDATE v1_quarantine SET source_table = ?, reason = ?", (ESCAPE, ESCAPE)),
    "last change": lambda c: c.execute("UPDATE projects SET updated_at = ?", (f"9{ESCAPE}",)),
}


@pytest.mark.parametrize("where", HOSTILE)
def test_nothing_in_a_database_reaches_the_terminal_raw(upgraded: Path, tmp_path: Path, where: str) -> None:
    change(upgraded, HOSTILE[where])
    told = [
        db(*command, upgraded) for command in (["status"], ["check"], ["quarantine", "list"], ["quarantine", "retry"])
    ]
    empty = tmp_path / "empty.db"
    empty.touch()
    told.append(db("restore", upgraded, empty, "--yes"))
    output = "".join(result.output for result in told)
    assert "owned" in output
    assert not set(output).intersection("\x1b\x07")


@pytest.mark.parametrize("object_", ['TABLE "{}" (x)', 'VIEW "{}" AS SELECT * FROM nowhere'])
def test_nothing_in_a_v1_file_reaches_the_terminal_raw(tmp_path: Path, object_: str) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user("ada")
    execute(v1.path, f"CREATE {object_.format(ESCAPE)}")
    result = db("upgrade", v1.path)
    assert "owned" in result.output
    assert not set(result.output).intersection("\x1b\x07")


def test_a_name_of_a_file_beside_reaches_the_terminal_written_out(upgraded: Path) -> None:
    upgraded.with_name(f"{upgraded.name}.backup_{ESCAPE}").touch()
    result = db("status", upgraded)
    assert "owned" in result.output
    assert not set(result.output).intersection("\x1b\x07")


def test_another_program_s_database_is_not_called_ours_before_it_is_replaced(upgraded: Path, tmp_path: Path) -> None:
    theirs = tmp_path / "crm.db"
    execute(theirs, "CREATE TABLE customers (name)")
    execute(theirs, "CREATE TABLE alembic_version (version_num)")
    execute(theirs, "INSERT INTO alembic_version VALUES ('a1b2c3d4')")
    facts = json.loads(db("restore", upgraded, theirs, "--yes", "--json").stdout)
    assert facts["replaced"] is None
    assert "neither v1's nor ours" in facts["replaced_problem"]


def test_a_newer_version_s_database_is_not_judged_by_this_one(upgraded: Path) -> None:
    execute(upgraded, "UPDATE alembic_version SET version_num = '9999'")
    result = db("check", upgraded)
    assert (result.exit_code, result.stdout) == (2, "")
    assert "written by a newer socrates" in result.stderr


def test_who_upgrades_a_newer_version_s_database_is_told_what_to_install(upgraded: Path) -> None:
    execute(upgraded, "UPDATE alembic_version SET version_num = '9999'")
    result = alembic(upgraded, "upgrade", "head")
    assert refused(result)
    assert "Nothing was changed. If a newer socrates made the database, install that version" in result.err


def test_a_view_that_never_ends_does_not_pass_for_a_revision(tmp_path: Path) -> None:
    path = tmp_path / "endless.db"
    endless = "WITH RECURSIVE c(x) AS (SELECT '0004' UNION ALL SELECT x FROM c) SELECT x AS version_num FROM c"
    execute(path, f"CREATE VIEW alembic_version AS {endless}")
    execute(path, "CREATE TABLE customers (name)")
    result = db("status", path)
    assert result.exit_code == 2
    assert "neither one that v1 wrote, nor one of ours" in result.stderr


def test_the_write_ahead_log_is_found_where_a_link_leads(upgraded: Path, tmp_path: Path) -> None:
    link = tmp_path / "link.db"
    link.symlink_to(upgraded)
    with closing(sqlite3.connect(upgraded, isolation_level=None)) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("UPDATE users SET passcode_hash = 'another'")
        facts = json.loads(db("status", link, "--json").stdout)
    assert facts["bytes"]["write_ahead_log"] > 0
