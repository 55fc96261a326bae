"""`socrates users`: an export that nobody else can read, and an erasure that says first what it means."""

import json
import shutil
import stat
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from socrates import sync
from socrates.cli.main import app
from tests.support.stores import fresh_file
from tests.unit.cli.dropping import checks, drop, used_database


def users(*arguments: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, ["users", *map(str, arguments)], input=typed)


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """Never v1's: ada owns a project that bob inherits, and wrote a note in bob's."""
    path = fresh_file(tmp_path)
    with sync.Store.open(path) as store, store.begin() as unit:
        for name in ("ada", "bob"):
            unit.users.create(name, f"hash of {name}")
            unit.projects.create(f"of {name}", name, project_id=f"p-{name}")
        unit.projects.add_member("p-ada", "bob", "creator")
        unit.notes.create("p-bob", "t", "c", created_by="ada")
    return path


@pytest.fixture
def imported(tmp_path: Path) -> Path:
    return used_database(tmp_path, "wal")


def is_there(path: Path, name: str) -> bool:
    with sync.Store.open(path) as store:
        return bool(store.users.exists(name))


def facts(result: Result) -> dict[str, Any]:
    told = json.loads(result.stdout)
    assert isinstance(told, dict)
    return told


# Export


def test_an_export_goes_to_standard_output(database: Path) -> None:
    result = users("export", "ada", database)
    assert result.exit_code == 0, result.output
    assert facts(result)["tables"].keys() >= {"users", "projects", "team_members", "project_notes"}
    assert "hash of" not in result.output


def test_or_to_a_file_that_nobody_else_can_read(database: Path, tmp_path: Path) -> None:
    output = tmp_path / "ada.json"
    output.write_text("an earlier one")
    output.chmod(0o644)
    result = users("export", "ada", database, "--output", output)
    assert (result.exit_code, result.stdout) == (0, "")
    assert stat.S_IMODE(output.stat().st_mode) == 0o600
    assert json.loads(output.read_text())["username"] == "ada"
    assert not list(tmp_path.glob("*.partial"))


def test_an_export_that_fails_leaves_the_earlier_file(database: Path, tmp_path: Path) -> None:
    output = tmp_path / "ada.json"
    output.write_text("an earlier one")
    output.with_name("ada.json.partial").write_text("somebody is at it")
    assert users("export", "ada", database, "-o", output).exit_code == 2
    assert output.read_text() == "an earlier one"
    assert output.with_name("ada.json.partial").exists()


@pytest.mark.parametrize("command", [("export", "eve"), ("delete", "eve", "--yes")])
def test_who_is_not_there_is_refused(database: Path, command: tuple[str, ...]) -> None:
    name, who, *more = command
    result = users(name, who, database, *more)
    assert (result.exit_code, "there is no user 'eve'" in result.stderr) == (2, True)


@pytest.mark.parametrize("command", ["export", "delete"])
def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, command: str) -> None:
    result = users(command, "ada", tmp_path / "typo.db")
    assert (result.exit_code, "there is no database" in result.stderr) == (2, True)
    assert not list(tmp_path.iterdir())


# Deletion


def test_a_deletion_shows_its_plan_and_what_was_done(database: Path) -> None:
    result = users("delete", "ada", database, "--yes")
    assert result.exit_code == 0, result.output
    for text in (
        "Deleting 'ada' would",
        "hand over: project 'p-ada' to 'bob'",
        "delete: users (1 row)",
        "make pseudonymous: project_notes.created_by (1 row)",
        "handed over: project 'p-ada' to 'bob'",
        "made pseudonymous: project_notes.created_by (1 row)",
    ):
        assert text in result.stdout
    assert not is_there(database, "ada")


def test_it_asks_first_and_where_nobody_can_be_asked_it_does_nothing(database: Path) -> None:
    result = users("delete", "ada", database)
    assert result.exit_code == 2
    assert "say --yes" in result.stderr
    assert is_there(database, "ada")


def test_it_answers_with_one_json_object(database: Path) -> None:
    told = facts(users("delete", "ada", database, "--yes", "--json"))
    assert told["username"] == "ada"
    assert told["transferred"] == [["p-ada", "bob"]]
    assert told["pseudonym"].startswith("deleted-user-")
    assert ["users", 1] in told["erasure"]["deleted"]
    assert told["files"] == []


def test_it_is_refused_while_v1s_tables_would_keep_everything(imported: Path) -> None:
    result = users("delete", "ada", imported, "--yes")
    assert result.exit_code == 2
    assert "socrates db drop-v1-backup" in result.stderr
    assert is_there(imported, "ada")


def test_with_v1s_tables_kept_a_check_still_proves_the_import(imported: Path) -> None:
    result = users("delete", "ada", imported, "--yes", "--keep-v1-backup", "--json")
    assert result.exit_code == 0, result.output
    assert "v1's own tables (*_v1_backup)" in {each["what"] for each in facts(result)["erasure"]["remains"]}
    assert checks(imported)


def test_with_v1s_tables_dropped_a_check_still_proves_the_import_and_no_account_names_the_person(
    imported: Path,
) -> None:
    assert drop(imported, "--yes").exit_code == 0
    result = users("delete", "ada", imported, "--yes", "--json")
    assert result.exit_code == 0, result.output
    told = facts(result)
    assert told["erasure"]["remains"] == []
    (backup,) = imported.parent.glob("*.backup_*")
    assert told["files"] == [str(backup)]
    assert checks(imported)
    assert users("export", "ada", imported).exit_code == 2


@pytest.mark.parametrize("kind", ["backup_20260101T000000Z", "replaced_20260101T000000Z", "copied by hand"])
def test_every_copy_beside_it_is_named_as_what_may_hold_the_person(database: Path, kind: str) -> None:
    copy = Path(shutil.copyfile(database, database.with_name(f"{database.name}.{kind}")))
    database.with_name(f"{database.name}.txt").write_text("no database")
    result = users("delete", "ada", database, "--yes")
    assert f"Remains: a copy that may hold the person still: {copy}\n" in result.stdout
    assert result.stdout.count("may hold the person still") == 1


def test_a_link_to_the_database_hides_no_copy_beside_it(database: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copyfile(database, database.with_name(f"{database.name}.backup_20260101T000000Z")))
    link = tmp_path / "elsewhere" / "link.db"
    link.parent.mkdir()
    link.symlink_to(database)
    assert facts(users("delete", "ada", link, "--yes", "--json"))["files"] == [str(copy)]


def test_who_waits_in_quarantine_is_named_as_what_remains(imported: Path) -> None:
    assert drop(imported, "--yes", "--no-backup").exit_code == 0
    with sync.Store.open(imported) as store, store.begin() as unit:
        unit.users.create("eve", "hash")
    told = facts(users("delete", "eve", imported, "--yes", "--json"))
    assert [(each["what"], each["rows"]) for each in told["erasure"]["remains"]] == [
        ("v1_quarantine.source_key", 1),
        ("v1_quarantine.row_columns", 1),
    ]
    assert checks(imported)


@pytest.mark.postgres
def test_both_work_on_postgresql(postgres_url: str) -> None:
    with sync.Store.open(postgres_url) as store, store.begin() as unit:
        unit.users.create("ada", "hash")
    assert facts(users("export", "ada", postgres_url))["tables"].keys() == {"users"}
    assert users("delete", "ada", postgres_url, "--yes").exit_code == 0
    assert users("export", "ada", postgres_url).exit_code == 2


# A tier


def test_a_user_is_given_a_tier_that_has_no_end(database: Path) -> None:
    result = users("tier", "ada", "pro", database)
    assert (result.exit_code, result.output) == (0, "'ada' is on the tier pro now.\n")
    with sync.Store.open(database) as store:
        ada, bob = store.users.get("ada"), store.users.get("bob")
    assert (ada.subscription_tier, ada.subscription_status, ada.subscription_end) == ("pro", "active", None)
    assert ada.subscription_start is not None
    assert bob.subscription_tier == "free"


@pytest.mark.parametrize(
    ("name", "tier", "advice"),
    [("ada", "gold", "there are free, pro, enterprise"), ("eve", "pro", "there is no user 'eve'")],
)
def test_a_tier_or_a_user_that_is_not_there_is_refused(database: Path, name: str, tier: str, advice: str) -> None:
    result = users("tier", name, tier, database, "--json")
    assert result.exit_code == 2
    assert advice in facts(result)["error"]["message"]
