"""`socrates db copy`: what it tells, and its exit status."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from socrates.cli.main import app
from tests.support.migrate import rows, sha256, upgrade
from tests.support.postgres import query, relations
from tests.support.stores import fresh_file
from tests.support.v1_files import V1File

SECRET = "swordfish"


@pytest.fixture
def upgraded(tmp_path: Path) -> Path:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user("ada")
        v1.add_project()
        v1.add_note()
    upgrade(v1.path)
    return v1.path


def copy(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["db", "copy", *map(str, arguments)])


@pytest.mark.postgres
def test_a_copy_tells_its_rows_and_what_stayed_behind(upgraded: Path, postgres_url: str) -> None:
    before = sha256(upgraded)
    result = copy(upgraded, postgres_url)
    assert result.exit_code == 0, result.output
    assert "  users: 1\n" in result.stdout
    assert "Every value was read back and compared." in result.stdout
    assert "projects_v1_backup" in result.stdout
    assert "a downgrade works only there, so keep that database" in result.stdout
    assert query(postgres_url, "SELECT username FROM users") == [("ada",)]
    assert sha256(upgraded) == before


def test_the_same_is_told_as_json(upgraded: Path, tmp_path: Path) -> None:
    result = copy(upgraded, tmp_path / "new.db", "--json")
    assert result.exit_code == 0, result.output
    told = json.loads(result.stdout)
    assert (told["from"], told["to"]) == (str(upgraded), str(tmp_path / "new.db"))
    assert (told["rows"]["users"], told["rows"]["llm_usage"]) == (1, 0)
    assert "users_v1_backup" in told["stayed_behind"]
    assert rows(tmp_path / "new.db", "SELECT username FROM users") == [("ada",)]


def test_a_refusal_is_told_in_either_form_and_nothing_is_made(upgraded: Path, tmp_path: Path) -> None:
    missing = tmp_path / "missing.db"
    for arguments in ((missing, tmp_path / "new.db"), (upgraded, upgraded), (upgraded, "mysql://h/db")):
        assert copy(*arguments).exit_code == 2
        told = json.loads(copy(*arguments, "--json").stdout)
        assert set(told["error"]) == {"kind", "message"}
    assert not missing.exists()
    assert not (tmp_path / "new.db").exists()


def test_a_password_is_in_no_message(tmp_path: Path) -> None:
    source = fresh_file(tmp_path)
    result = copy(source, f"postgresql://ada:{SECRET}@127.0.0.1:1/library")
    assert result.exit_code == 2
    assert "cannot be reached" in result.stderr
    assert SECRET not in result.output


@pytest.mark.postgres
def test_what_is_shown_of_a_copy_on_a_server_is_what_is_shown_of_the_file(upgraded: Path, postgres_url: str) -> None:
    show = ["db", "show", "--json"]
    empty = CliRunner().invoke(app, [*show, postgres_url])
    assert (empty.exit_code, json.loads(empty.stdout)["error"]["kind"]) == (2, "NotRecognisedError")
    assert relations(postgres_url) == set()
    copy(upgraded, postgres_url)
    one, other = (CliRunner().invoke(app, [*show, str(database)]) for database in (upgraded, postgres_url))
    assert (one.exit_code, other.exit_code) == (0, 0)
    assert json.loads(one.stdout)["messages"]
    assert one.stdout == other.stdout
