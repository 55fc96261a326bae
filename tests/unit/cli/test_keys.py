"""`socrates keys`: what is encrypted how, and under which secret; no command shows a key or its hash."""

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr
from typer.testing import CliRunner, Result

from socrates import sync
from socrates.cli.main import app
from socrates.llm.vault import KeyVault
from socrates.plain_keys import key_hash
from tests.support.stores import fresh_file
from tests.unit.llm.vaults import OTHER_SECRET, PLAIN, TOKEN, V1_SECRET


@pytest.fixture(params=["sqlite", pytest.param("postgres", marks=pytest.mark.postgres)])
def database(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A database with a key in each of v1's forms, and one that nobody can read."""
    monkeypatch.setenv("SOCRATES_ENCRYPTION_KEY", V1_SECRET)
    monkeypatch.delenv("SOCRATES_NEW_ENCRYPTION_KEY", raising=False)
    if request.param == "sqlite":
        path = str(fresh_file(tmp_path))
        fill(path)
        yield path
        return
    with request.getfixturevalue("empty_databases").lent() as url:
        fill(url)
        yield url


def fill(database: str) -> None:
    with sync.Store.open(database) as store, store.begin() as unit:
        for user, (encrypted, key) in {"ada": PLAIN, "bob": TOKEN, "eve": ("bm90IGhlciBrZXk=", "sk-lost")}.items():
            unit.llm.save_key(user, "openai", encrypted, key_hash(key))


def keys(command: str, database: str | Path, *more: str) -> Result:
    return CliRunner().invoke(app, ["keys", command, str(database), *more])


def told(result: Result, status: int = 0) -> dict[str, Any]:
    assert result.exit_code == status, result.output
    found = json.loads(result.stdout)
    assert isinstance(found, dict)
    return found


def forms(database: str) -> dict[str, str]:
    return {key["user"]: key["form"] for key in told(keys("list", database, "--json"))["keys"]}


def assert_refused(result: Result, reason: str) -> None:
    assert (result.exit_code, "Traceback" in result.output) == (2, False), result.output
    assert reason in result.output


def opens(database: str, secret: str, user: str) -> str:
    with sync.Store.open(database) as store:
        stored = store.llm.find_key(user, "openai")
    return asyncio.run(KeyVault(SecretStr(secret)).decrypt(stored)).get_secret_value()


def test_the_list_tells_the_forms_without_a_secret(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SOCRATES_ENCRYPTION_KEY")
    assert forms(database) == {"ada": "readable", "bob": "v1 token", "eve": "unreadable"}
    shown = keys("list", database).stdout
    assert "ada for openai: readable (created 20" in shown
    assert "used never" in shown


def test_encrypting_names_what_it_left(database: str) -> None:
    result = keys("encrypt", database)
    assert result.exit_code == 1
    assert "2 API keys are encrypted now; 0 were already." in result.stdout
    assert "Left as it is, for nobody can read it: the API key" in result.stdout
    assert "of 'eve' for 'openai'" in result.stdout
    assert "socrates keys blank-v1" in result.stdout
    assert forms(database) == {"ada": "v2", "bob": "v2", "eve": "unreadable"}
    assert opens(database, V1_SECRET, "ada") == PLAIN[1]


def test_the_same_as_json(database: str) -> None:
    facts = told(keys("encrypt", database, "--json"), status=1)
    assert (facts["encrypted"], facts["already"], facts["changed_meanwhile"]) == (2, 0, [])
    assert [(key["user"], key["form"]) for key in facts["unreadable"]] == [("eve", "unreadable")]


def test_rotation_takes_all_keys_to_the_new_secret(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_NEW_ENCRYPTION_KEY", OTHER_SECRET)
    assert told(keys("rotate", database, "--json"), status=1)["encrypted"] == 2
    assert opens(database, OTHER_SECRET, "bob") == TOKEN[1]
    assert_refused(keys("encrypt", database), "is not the secret it was encrypted under")


def test_a_missing_secret_is_named(database: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert_refused(keys("rotate", database), "set SOCRATES_NEW_ENCRYPTION_KEY")
    monkeypatch.delenv("SOCRATES_ENCRYPTION_KEY")
    for command in ("encrypt", "rotate"):
        assert_refused(keys(command, database), "set SOCRATES_ENCRYPTION_KEY")
    assert forms(database)["ada"] == "readable"


def test_a_database_that_is_not_there_is_not_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_ENCRYPTION_KEY", V1_SECRET)
    for command in ("list", "encrypt"):
        assert_refused(keys(command, tmp_path / "typo.db"), "there is no database")
    assert not list(tmp_path.iterdir())
