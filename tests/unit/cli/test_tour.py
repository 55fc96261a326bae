"""`socrates tour`: a walk through a database that changes nothing."""

from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from socrates import sync
from socrates.cli.main import app
from socrates.drafts import NewMessage
from tests.support.stores import fresh_file


def tour(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["tour", *map(str, arguments)])


@pytest.fixture
def database(tmp_path: Path) -> Path:
    path = fresh_file(tmp_path)
    with sync.Store.open(path) as store, store.begin() as unit:
        unit.projects.create("Library [blue]", "ada", project_id="p-1", requirements=["Lend books."])
        unit.conversations.append("p-1", NewMessage("user", "It must lend books.", author="ada"))
        unit.notes.create("p-1", "Fees", "None for children.")
    return path


def test_it_shows_the_calls_and_what_they_gave(database: Path) -> None:
    shown = tour("ada", database).output
    for text in ('await store.projects.for_user("ada")', "Library [blue]", "ada (lead)", "Lend books.", "Fees", " ms"):
        assert text in shown


def test_it_changes_nothing(database: Path) -> None:
    assert "rolled back" in tour("ada", database).output
    with sync.Store.open(database) as store:
        assert store.conversations.count("p-1") == 1


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path) -> None:
    result = tour("ada", tmp_path / "typo" / "projects.db")
    assert (result.exit_code, "there is no database" in result.stderr) == (2, True)
    assert not list(tmp_path.iterdir())


def test_a_user_without_projects_is_no_failure(database: Path) -> None:
    result = tour("nobody", database)
    assert result.exit_code == 0
    assert "details" not in result.output


def test_a_database_that_cannot_be_opened_is_said_with_status_2(tmp_path: Path) -> None:
    (tmp_path / "text.db").write_text("this is no database " * 100)
    result = tour("ada", tmp_path / "text.db")
    assert result.exit_code == 2
    assert "not a SQLite database" in result.stderr
