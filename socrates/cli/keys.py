"""`socrates keys`: how the API keys in a database are encrypted. No command ever shows a key or its hash."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import datetime
from typing import Any, TypeVar

import typer
from pydantic import SecretStr
from pydantic_settings import BaseSettings, SettingsConfigDict

from socrates.cli import key_copies
from socrates.cli.command import FAILED, AsJson, Database, answer, answering, require_database, say
from socrates.config import Settings
from socrates.database.engines import Engines
from socrates.database.opening import open_database
from socrates.database.urls import sqlite_path
from socrates.llm.recrypting import Recrypted, encrypt_all, read_all, rotate_all
from socrates.llm.v1_keys import TOKEN_PREFIX
from socrates.llm.vault import PREFIX, KeyVault, name_of
from socrates.plain_keys import is_readable
from socrates.views import StoredKey

_T = TypeVar("_T")

app = typer.Typer(help="Encrypt the API keys in a database.", no_args_is_help=True)
app.add_typer(key_copies.app)

_LEFTOVERS = (
    "What they were before may lie on in free pages of the database, in v1's own tables and in backups: renew the keys "
    "where you got them, or see: socrates keys blank-v1"
)


class _NewSecret(BaseSettings):
    """The second secret, which only a rotation takes."""

    model_config = SettingsConfigDict(env_prefix="SOCRATES_", frozen=True)

    new_encryption_key: SecretStr | None = None


@app.command("list")
def list_keys(database: Database = None, as_json: AsJson = False) -> None:
    """Show whose keys there are, for which provider, and in which form: encrypted (v2), or as v1 stored them."""
    with answering(as_json):
        name, keys = _run(database, read_all)
        facts = {"database": name, "keys": [_described(stored) for stored in keys]}
        answer(facts, as_json, lambda: _print_list(facts))


@app.command()
def encrypt(database: Database = None, as_json: AsJson = False) -> None:
    """Encrypt the keys that v1 stored, under SOCRATES_ENCRYPTION_KEY. Exit status 1 when some could not be read."""
    with answering(as_json):
        vault = KeyVault(Settings().encryption_key)
        name, result = _run(database, lambda engines: encrypt_all(engines, vault))
        _tell(name, result, as_json)


@app.command()
def rotate(database: Database = None, as_json: AsJson = False) -> None:
    """Change the secret from SOCRATES_ENCRYPTION_KEY to SOCRATES_NEW_ENCRYPTION_KEY: for all keys, or none."""
    with answering(as_json):
        old = KeyVault(Settings().encryption_key)
        new = KeyVault(_NewSecret().new_encryption_key, setting="SOCRATES_NEW_ENCRYPTION_KEY")
        name, result = _run(database, lambda engines: rotate_all(engines, old, new))
        _tell(name, result, as_json)


def _run(database: str | None, work: Callable[[Engines], Awaitable[_T]]) -> tuple[str, _T]:
    """What `work` returns of the database, and what to call that before its owner."""
    url, settings = require_database(database), Settings()

    @asynccontextmanager
    async def opened() -> AsyncIterator[Engines]:
        engines = await open_database(url, settings)
        try:
            yield engines
        finally:
            await engines.dispose()

    async def run() -> _T:
        async with opened() as engines:
            return await work(engines)

    return str(sqlite_path(url) or url.render_as_string(hide_password=True)), asyncio.run(run())


def _tell(name: str, result: Recrypted, as_json: bool) -> None:
    """Tell what became of the keys, and end with status 1 when some are not encrypted under the secret."""
    facts = {
        "database": name,
        "encrypted": len(result.done),
        "already": len(result.already),
        "unreadable": [_described(stored) for stored in result.unreadable],
        "changed_meanwhile": [_described(stored) for stored in result.changed],
    }
    answer(facts, as_json, lambda: _print_result(name, result))
    if result.unreadable or result.changed:
        raise typer.Exit(FAILED)


def _print_result(name: str, result: Recrypted) -> None:
    say(f"{name}: {len(result.done):,} API keys are encrypted now; {len(result.already):,} were already.")
    for stored in result.unreadable:
        say(f"Left as it is, for nobody can read it: {name_of(stored)}")
    for stored in result.changed:
        say(f"Left as it is, for somebody changed it meanwhile; run it again: {name_of(stored)}")
    if result.done:
        say(_LEFTOVERS)


def _described(stored: StoredKey) -> dict[str, Any]:
    return {
        "id": stored.id,
        "user": stored.user_id,
        "provider": stored.provider,
        "form": _form(stored),
        "created_at": _shown(stored.created_at),
        "updated_at": _shown(stored.updated_at),
        "last_used_at": _shown(stored.last_used_at),
    }


def _form(stored: StoredKey) -> str:
    if stored.encrypted_key.startswith(PREFIX):
        return "v2"
    if stored.encrypted_key.startswith(TOKEN_PREFIX):
        return "v1 token"
    return "readable" if is_readable(stored.encrypted_key, stored.key_hash) else "unreadable"


def _shown(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _print_list(facts: dict[str, Any]) -> None:
    say(f"{facts['database']}: {len(facts['keys']):,} API keys")
    for key in facts["keys"]:
        times = f"created {key['created_at']}, changed {key['updated_at']}, used {key['last_used_at'] or 'never'}"
        say(f"  {key['user']} for {key['provider']}: {key['form']} ({times})")
