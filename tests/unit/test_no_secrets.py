"""No passcode, hash, API key or secret shows: in output, reports, logs, reprs, or errors with all that caused them."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from pydantic import SecretStr
from sqlalchemy import make_url
from typer.testing import CliRunner

from socrates import sync
from socrates.accounts import Accounts, Passcodes
from socrates.cli.main import app
from socrates.config import Settings
from socrates.errors import LoginRefusedError, SocratesError, ThrottledError
from socrates.llm.keys import Keys
from socrates.llm.vault import KeyVault
from socrates.plain_keys import key_hash
from socrates.store import Store
from tests.support.migrate import alembic, execute
from tests.support.postgres import execute as execute_there
from tests.support.stores import fresh_file
from tests.support.v1_files import V1File
from tests.unit.accounts.support import CountingHasher, v1_hash

KEY = "sk-secret-key-of-ada"
V1_KEY = "c2stc2VjcmV0LWtleS1vZi1hZGE="
PASSCODE_HASH = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8"
SECRET = "secret-under-which-keys-are"
NEW_SECRET = "new-secret-under-which-keys-are"
PASSCODE = "passcode-of-ada"
NEW_PASSCODE = "new-passcode-of-ada"
GUESS = "guess-of-somebody"
SECRETS = (
    *(KEY, V1_KEY, key_hash(KEY), SECRET, "v2:"),
    *(PASSCODE, v1_hash(PASSCODE), GUESS, v1_hash(GUESS), PASSCODE_HASH, "$argon2"),
)
"""Every encrypted key begins with "v2:", and every hash of today's with "$argon2"."""
LEVELS = {"sqlalchemy.engine": logging.INFO, "sqlalchemy.pool": logging.DEBUG, "aiosqlite": logging.INFO}
"""Below these, SQLAlchemy logs every row that it reads, and aiosqlite every parameter. All others log what they can."""


@pytest.fixture(autouse=True)
def everything_is_logged(monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> None:
    monkeypatch.setenv("SOCRATES_ENCRYPTION_KEY", SECRET)
    monkeypatch.setenv("SOCRATES_NEW_ENCRYPTION_KEY", NEW_SECRET)
    caplog.set_level(logging.DEBUG)
    for name, level in LEVELS.items():
        caplog.set_level(level, logger=name)


@pytest.fixture
def database(engine: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """The path or URL of a database without a row."""
    if engine == "sqlite":
        yield str(fresh_file(tmp_path))
        return
    with request.getfixturevalue("empty_databases").lent() as url:
        with sync.Store.open(url):
            pass  # it has its schema now
        yield url


@pytest.fixture
def v1_path(tmp_path: Path) -> Path:
    """A file of v1's with two hashes, two keys, and one of each that cannot be read."""
    with V1File(tmp_path / "v1.db") as v1:
        v1.add_user("ada", passcode_hash=PASSCODE_HASH)
        v1.add_user("bob", passcode_hash=PASSCODE_HASH, blob=b"no pickle", columns={"passcode_hash": PASSCODE_HASH})
        v1.add_api_key(encrypted_key=V1_KEY, key_hash=key_hash(KEY))
        v1.add_api_key(id="bad", encrypted_key=V1_KEY, key_hash=b"\x00")
        v1.add_api_key(id="other", encrypted_key=V1_KEY, key_hash=PASSCODE_HASH)
    return v1.path


def assert_nothing_shows(text: str, caplog: pytest.LogCaptureFixture) -> None:
    logged = "\n".join(f"{record.name}: {record.getMessage()} {record.args!r}" for record in caplog.records)
    for shown in (text, logged):
        for secret in SECRETS:
            where = [line for line in shown.splitlines() if secret in line]
            assert not where, (secret, where[:3])


def run(*arguments: object) -> str:
    """All that a command shows, with the traceback where it ends by an exception."""
    result = CliRunner().invoke(app, [*map(str, arguments)])
    error = result.exception
    assert error is None or isinstance(error, SystemExit), (arguments, type(error))
    return result.output + result.stderr + ("" if error is None else "".join(traceback.format_exception(error)))


async def failure_of(work: Callable[[], Awaitable[object]], expected: type[Exception] = SocratesError) -> str:
    """Everything that can be printed of the exception, and of those behind it."""
    with pytest.raises(expected) as failure:
        await work()
    shown = "".join(traceback.format_exception(failure.value))
    error: BaseException | None = failure.value
    while error is not None:
        shown += f"{error!r}{error}{error.args!r}"
        error = error.__cause__ or error.__context__
    return shown


async def test_what_a_program_does_shows_nothing(database: str, caplog: pytest.LogCaptureFixture) -> None:
    async with Store.open(database) as store:
        vault = KeyVault(Settings().encryption_key, iterations=2)
        keys = Keys(store, vault)
        async with store.begin() as unit:
            shown = repr(await unit.users.create("ada", PASSCODE_HASH))
        shown += repr(await keys.save("ada", "openai", SecretStr(KEY)))
        shown += repr(await keys.read("ada", "openai"))
        shown += repr((await store.users.get("ada"), await store.llm.keys("ada"), vault, keys, store, Settings()))

        async def create_twice() -> None:
            async with store.begin() as unit:
                await unit.users.create("ada", PASSCODE_HASH)

        async def save_without_provider() -> None:
            async with store.begin() as unit:
                await unit.llm.save_key("ada", None, V1_KEY, key_hash(KEY))  # type: ignore[arg-type]

        async def save_what_is_no_text() -> None:
            async with store.begin() as unit:
                await unit.llm.save_key("ada", "openai", V1_KEY + "\ud800", key_hash(KEY))

        async def read_with_another_secret() -> None:
            other = KeyVault(SecretStr(SECRET + "!"), iterations=2)
            await Keys(store, other).read("ada", "openai")

        async def read_what_is_no_key() -> None:
            async with store.begin() as unit:
                await unit.llm.save_key("bob", "openai", V1_KEY, key_hash("another"))
            await keys.read("bob", "openai")

        async def no_secret() -> None:
            KeyVault(None)

        for work in (
            create_twice, save_without_provider, save_what_is_no_text,
            read_with_another_secret, read_what_is_no_key, no_secret,
        ):  # fmt: skip
            shown += await failure_of(work)
    assert caplog.records
    assert_nothing_shows(shown, caplog)


async def test_what_accounts_do_shows_nothing(database: str, caplog: pytest.LogCaptureFixture) -> None:
    async with Store.open(database) as store:
        accounts = Accounts(store, Passcodes(CountingHasher()))
        async with store.begin() as unit:
            await unit.users.create("bob", v1_hash(PASSCODE))
            await unit.users.create("eve", PASSCODE + " is no hash")
        shown = repr(await accounts.register("ada", PASSCODE))
        shown += repr([await accounts.log_in(name, PASSCODE) for name in ("ada", "bob")])
        shown += repr(await accounts.change_passcode("ada", PASSCODE, NEW_PASSCODE))
        shown += repr((await accounts.set_passcode("bob", NEW_PASSCODE), accounts))
        for work in (
            partial(accounts.register, "ada", PASSCODE),
            partial(accounts.register, "bob\0", PASSCODE),
            partial(accounts.register, "eva", PASSCODE, subscription_tier=5),
            partial(accounts.log_in, "ada", PASSCODE),
            partial(accounts.log_in, "ada", GUESS + "\ud800"),
            partial(accounts.log_in, "nobody", GUESS),
            partial(accounts.log_in, "eve", PASSCODE),
            partial(accounts.change_passcode, "ada", GUESS, NEW_PASSCODE),
            partial(accounts.change_passcode, "ada", NEW_PASSCODE, GUESS * 1000),
            partial(accounts.set_passcode, "nobody", GUESS),
        ):
            shown += await failure_of(work)
        for expected in [LoginRefusedError] * 3 + [ThrottledError]:
            shown += await failure_of(partial(accounts.log_in, "ada", GUESS), expected)
    assert_nothing_shows(shown, caplog)


def fill(database: str) -> None:
    """Somebody with a hash and a key."""
    with sync.Store.open(database) as store, store.begin() as unit:
        unit.users.create("ada", PASSCODE_HASH)
        unit.llm.save_key("ada", "openai", V1_KEY, key_hash(KEY))
        unit.llm.save_config("ada", "openai", settings={"api_key": KEY})


def test_what_copying_exporting_and_deleting_tell_shows_nothing(
    database: str, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    fill(database)
    copy, export = tmp_path / "copy.db", tmp_path / "export.json"
    shown = run("db", "copy", database, copy) + run("db", "copy", copy, tmp_path / "another.db", "--json")
    shown += run("db", "copy", copy, database) + run("db", "copy", copy, database, "--json")
    shown += run("users", "export", "ada", database) + run("users", "export", "ada", copy, "--output", export)
    shown += export.read_text()
    assert "llm_provider_configs" in shown
    shown += run("users", "delete", "ada", database) + run("users", "delete", "ada", copy, "--yes", "--json")
    shown += run("users", "delete", "ada", database, "--yes") + run("users", "delete", "ada", database, "--yes")
    assert "is deleted" in shown
    assert_nothing_shows(shown, caplog)


@pytest.mark.postgres
@pytest.mark.parametrize("spoilt", ["users.passcode_hash", "api_keys.encrypted_key", "api_keys.key_hash"])
def test_a_copy_that_is_refused_for_a_value_does_not_show_it(
    spoilt: str, tmp_path: Path, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    path = fresh_file(tmp_path)
    fill(str(path))
    table, _, column = spoilt.partition(".")
    execute(path, f"UPDATE {table} SET {column} = {column} || char(0)")
    shown = run("db", "copy", path, postgres_url) + run("db", "copy", path, postgres_url, "--json")
    assert column in shown
    assert_nothing_shows(shown, caplog)


def test_what_the_commands_on_keys_tell_shows_nothing(database: str, caplog: pytest.LogCaptureFixture) -> None:
    insert = "INSERT INTO api_keys VALUES ('{}', '{}', 'openai', '{}', '{}', NULL, NULL, NULL)"
    statements = [
        insert.format("1", "ada", V1_KEY, key_hash(KEY)),
        insert.format("2", "bob", V1_KEY, PASSCODE_HASH),
    ]
    if database.startswith("postgres"):
        execute_there(database, *statements)
    else:
        for statement in statements:
            execute(Path(database), statement)
    shown = ""
    for command in ("list", "encrypt", "list", "rotate", "encrypt", "blank-v1"):
        shown += run("keys", command, database)
    for command in ("list", "encrypt"):
        shown += run("keys", command, database, "--json")
    assert "2 API keys" in shown
    assert_nothing_shows(shown, caplog)


def test_what_the_commands_on_a_v1_file_tell_shows_nothing(
    v1_path: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    shown = run("db", "status", v1_path) + run("db", "upgrade", v1_path)
    shown += run("db", "upgrade", v1_path, "-x", "on_bad=quarantine", "-x", f"report={tmp_path / 'report.json'}")
    shown += (tmp_path / "report.json").read_text()
    for command in ("status", "check", "show", "repair"):
        shown += run("db", command, v1_path) + run("db", command, v1_path, "--json")
    shown += run("db", "quarantine", "list", v1_path) + run("db", "quarantine", "list", v1_path, "--json")
    shown += run("keys", "encrypt", v1_path) + run("keys", "blank-v1", v1_path, "--yes")
    with_readable = run("db", "check", v1_path) + run("db", "downgrade", v1_path)
    execute(v1_path, "UPDATE api_keys_v1_backup SET encrypted_key = 'lost'")
    shown += with_readable + run("db", "check", v1_path, "--json") + run("db", "drop-v1-backup", v1_path, "--yes")
    assert "quarantine" in shown
    assert_nothing_shows(shown, caplog)


@pytest.mark.postgres
def test_an_import_into_a_server_shows_nothing(
    v1_path: Path, postgres_url: str, caplog: pytest.LogCaptureFixture
) -> None:
    outcome = alembic(postgres_url, "upgrade", "head", v1=v1_path, on_bad="quarantine")
    assert outcome.status == 1
    again = alembic(postgres_url, "upgrade", "head", v1=v1_path)
    assert again.status == 2
    assert_nothing_shows(outcome.out + outcome.err + again.out + again.err, caplog)


def test_a_server_that_refuses_does_not_show_its_password(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    url = make_url("postgresql://ada@127.0.0.1:1/nothing").set(password=SECRET)
    plain = url.render_as_string(hide_password=False)

    async def open_store() -> None:
        await Store.open(plain)

    shown = asyncio.run(failure_of(open_store))
    shown += run("keys", "list", plain) + run("users", "export", "ada", plain) + run("users", "delete", "ada", plain)
    for copied in ((plain, tmp_path / "new.db"), (fresh_file(tmp_path), plain)):
        shown += run("db", "copy", *copied) + run("db", "copy", *copied, "--json")
    assert_nothing_shows(shown, caplog)
