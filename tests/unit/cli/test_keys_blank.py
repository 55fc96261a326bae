"""`socrates keys blank-v1`: v1's copies of the keys go only when they are safe, and what proves the import stays."""

import json
import shutil
from functools import cache
from pathlib import Path
from tempfile import mkdtemp

import pytest
from typer.testing import CliRunner, Result

from socrates import sync
from socrates.cli.main import app
from tests.support.migrate import alembic, execute, json_value, refused, rows, sha256, told, upgrade, value
from tests.support.v1_files import V1File
from tests.unit.cli.dropping import assert_refused, content, where
from tests.unit.llm.vaults import OTHER_SECRET, SECRET

READABLE = b"c2stZXhhbXBsZS0xMjM="
"""Every key of `V1File`, as v1 stored it."""
IDS = ["key-2", "key-3", "key-4"]


@cache
def _template() -> Path:
    """An upgraded file in use: one key was deleted, the others are encrypted."""
    with V1File(Path(mkdtemp(prefix="socrates-template-")) / "projects.db") as v1:
        v1.add_user("ada")
        for number in (2, 3, 4):
            v1.add_api_key(id=f"key-{number}", provider=f"provider-{number}")
    outcome = upgrade(v1.path)
    assert "3 API keys came over as v1 stored them, 3 of which anybody can read" in outcome.out.replace("\n", " ")
    assert "socrates keys encrypt" in outcome.out
    with sync.Store.open(v1.path) as store, store.begin() as unit:
        unit.llm.delete_key("ada", "provider-4")
    return v1.path


@cache
def _encrypted_template() -> Path:
    copy = Path(shutil.copyfile(_template(), Path(mkdtemp(prefix="socrates-template-")) / "projects.db"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SOCRATES_ENCRYPTION_KEY", SECRET)
        assert CliRunner().invoke(app, ["keys", "encrypt", str(copy)]).exit_code == 0
    return copy


@pytest.fixture(autouse=True)
def secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_ENCRYPTION_KEY", SECRET)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return Path(shutil.copyfile(_encrypted_template(), tmp_path / "projects.db"))


@pytest.fixture
def readable(tmp_path: Path) -> Path:
    return Path(shutil.copyfile(_template(), tmp_path / "projects.db"))


def blank(path: Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["keys", "blank-v1", str(path), *more])


def check(path: Path) -> Result:
    return CliRunner().invoke(app, ["db", "check", str(path)])


# Done


def test_v1_s_copies_are_blank_and_nothing_readable_is_left(path: Path) -> None:
    kept = rows(path, "SELECT id, user_id, provider, key_hash, created_at, updated_at FROM api_keys_v1_backup")
    result = blank(path, "--yes")
    assert result.exit_code == 0, result.output
    assert "3 API keys are blank now in v1's own table" in result.stdout
    assert rows(path, "SELECT DISTINCT encrypted_key FROM api_keys_v1_backup") == [("",)]
    assert rows(path, "SELECT id, user_id, provider, key_hash, created_at, updated_at FROM api_keys_v1_backup") == kept
    assert where(path, READABLE) == []
    assert set(json_value(path, "SELECT details FROM v1_backup_changes")["digests"]) == set(IDS)


def test_the_check_names_it_and_still_proves_everything_else(path: Path) -> None:
    blank(path, "--yes")
    result = check(path)
    assert result.exit_code == 0, result.output
    assert "v1's tables were blanked of API keys at 20" in result.stdout
    facts = json.loads(CliRunner().invoke(app, ["db", "check", str(path), "--json"]).stdout)
    assert facts["source"]["blanked"] == {"count": 3, "first": [f"api_keys '{key}'" for key in IDS]}
    assert facts["source"]["equal"] == 1
    shown = CliRunner().invoke(app, ["db", "status", str(path)]).stdout
    assert "blanked of API keys" in shown


@pytest.mark.parametrize(
    "damage",
    [
        "UPDATE api_keys_v1_backup SET key_hash = 'other' WHERE id = 'key-2'",
        "UPDATE api_keys_v1_backup SET encrypted_key = 'x' WHERE id = 'key-2'",
        "DELETE FROM api_keys_v1_backup WHERE id = 'key-2'",
        "DELETE FROM v1_backup_changes",
        "UPDATE users_v1_backup SET data = x'00'",
    ],
)
def test_any_other_change_is_still_noticed(path: Path, damage: str) -> None:
    blank(path, "--yes")
    execute(path, damage)
    assert check(path).exit_code == 1


def test_copies_beside_it_are_named(path: Path) -> None:
    copy = Path(shutil.copyfile(path, path.with_name("projects.db.backup_20260101T000000Z")))
    facts = json.loads(blank(path, "--yes", "--json").stdout)
    assert facts["also_in"] == [str(copy)]
    assert (facts["blanked"], facts["kept"], facts["not_shrunk"]) == (IDS, [], None)


def test_a_second_time_there_is_nothing_to_do(path: Path) -> None:
    blank(path, "--yes")
    before = content(path)
    result = blank(path, "--yes")
    assert (result.exit_code, "0 API keys are blank now" in result.stdout) == (0, True)
    assert content(path) == before


def test_v1_s_tables_can_be_dropped_afterwards(path: Path) -> None:
    blank(path, "--yes")
    dropped = CliRunner().invoke(app, ["db", "drop-v1-backup", str(path), "--yes", "--no-backup"])
    assert dropped.exit_code == 0, dropped.output
    assert check(path).exit_code == 0


def test_keys_in_quarantine_are_kept_and_named(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_api_key(id="sound")
        v1.add_api_key(id="bad", key_hash=b"\x00\x01")
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert CliRunner().invoke(app, ["keys", "encrypt", str(v1.path)]).exit_code == 0
    result = blank(v1.path, "--yes")
    assert result.exit_code == 1
    assert "Kept, for the quarantine needs them: bad." in result.stdout
    assert check(v1.path).exit_code == 0


# The way back


def test_a_downgrade_names_what_it_cannot_give_back(path: Path) -> None:
    blank(path, "--yes")
    before = content(path)
    outcome = alembic(path, "downgrade", "base")
    assert refused(outcome)
    assert "3 api keys were blanked in v1's api_keys, and come back without their value: key-2, key-3, key-4" in told(
        outcome, path.parent
    )
    assert content(path) == before


def test_a_downgrade_that_was_told_goes_on_and_says_it(path: Path) -> None:
    blank(path, "--yes")
    outcome = alembic(path, "downgrade", "base", discard=1)
    assert outcome.status == 0, outcome
    assert "come back without their value: key-2, key-3, key-4" in outcome.out
    assert value(path, "SELECT count(*) FROM api_keys WHERE encrypted_key = ''") == 3


# Refused


def test_keys_that_are_not_encrypted_are_not_blanked(readable: Path) -> None:
    before = sha256(readable)
    assert_refused(blank(readable, "--yes"), "under this secret: key-2, key-3. v1's copy may be the only one")
    assert sha256(readable) == before


def test_keys_under_another_secret_are_not_blanked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_ENCRYPTION_KEY", OTHER_SECRET)
    before = content(path)
    assert_refused(blank(path, "--yes"), "not under this secret: key-2, key-3")
    assert content(path) == before


def test_without_a_secret_nothing_is_blanked(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOCRATES_ENCRYPTION_KEY")
    assert_refused(blank(path, "--yes"), "set SOCRATES_ENCRYPTION_KEY")


def test_a_check_that_fails_refuses_it(path: Path) -> None:
    execute(path, "DELETE FROM users")
    before = content(path)
    assert_refused(blank(path, "--yes"), f"the check of {path} fails")
    assert content(path) == before


def test_it_asks_first(path: Path) -> None:
    before = content(path)
    assert_refused(blank(path), "say --yes")
    assert content(path) == before


def test_a_database_without_v1_s_tables_is_refused(path: Path) -> None:
    CliRunner().invoke(app, ["db", "drop-v1-backup", str(path), "--yes", "--no-backup"])
    assert_refused(blank(path, "--yes"), "there is no table of v1 that holds API keys")


@pytest.mark.parametrize(
    "moment", ["UPDATE ON api_keys_v1_backup WHEN old.id = 'key-4'", "INSERT ON v1_backup_changes"]
)
def test_a_failure_leaves_everything_as_it_was(path: Path, moment: str) -> None:
    execute(path, f"CREATE TRIGGER struck BEFORE {moment} BEGIN SELECT RAISE(ABORT, 'struck'); END")
    before = content(path)
    assert_refused(blank(path, "--yes"), "struck")
    assert content(path) == before
