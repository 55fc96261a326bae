"""`socrates keys blank-v1`: emptying v1's own copies of the API keys, once they are safe in the new table."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import typer

from socrates.cli.command import (
    FAILED,
    AsJson,
    Database,
    Yes,
    answer,
    answering,
    interruptible,
    require_consent,
    require_head,
    say,
    sqlite_file,
)
from socrates.cli.copies import copies_beside
from socrates.cli.v1_tables import connected, keep_or_undo, shrink
from socrates.config import Settings
from socrates.database.opening import open_database
from socrates.database.urls import database_url
from socrates.errors import ChangedSinceError, MigrationError
from socrates.llm.recrypting import opened_keys, read_all
from socrates.llm.vault import PREFIX, KeyVault
from socrates.v1.files import require_readable, require_writable
from socrates.v1.key_copies import Copies
from socrates.v1.proof import prove_last
from socrates.v1.reader import V1Reader
from socrates.v1.shapes import backups_in
from socrates.v1.target import Target

app = typer.Typer()


@app.command("blank-v1")
def blank_v1(database: Database = None, yes: Yes = False, as_json: AsJson = False) -> None:
    """Empty the API keys in v1's own table. A downgrade cannot give them back; the check still proves the rest.

    Refused unless the check holds and every one is deleted, or encrypted under SOCRATES_ENCRYPTION_KEY, which is tried.
    Exit status 1 when some had to be kept, or what was there still lies in the file.
    """
    blanking = Blanking()
    with answering(as_json), interruptible(as_json, blanking.state):
        path = sqlite_file(database)
        require_readable(path)
        require_writable(path)
        require_consent(f"Blank the API keys in v1's own table in {path}? It cannot be taken back.", yes, as_json)
        with connected(path) as connection:
            require_head(connection, path)
        openable = asyncio.run(_openable(path, KeyVault(Settings().encryption_key)))
        copies = copies_beside(path)  # before anything is blanked: one that cannot be read refuses all of it
        with connected(path) as connection:
            blanking.run(connection, path, openable)
            unshrunk = shrink(connection)
        facts = {
            "database": str(path),
            "blanked": blanking.blanked,
            "kept": blanking.kept,
            "also_in": [str(copy) for copy in copies],
            "not_shrunk": unshrunk,
        }
        answer(facts, as_json, lambda: _print(facts))
        if unshrunk is not None or blanking.kept:
            raise typer.Exit(FAILED)


class Blanking:
    """The check and the blanking, in one transaction."""

    def __init__(self) -> None:
        self.blanked: list[str] = []
        """The ids of the keys; none until it is committed."""
        self.kept: list[str] = []
        """Those that quarantine needs."""

    def run(self, connection: sqlite3.Connection, path: Path, openable: frozenset[tuple[str, str]]) -> None:
        """`openable`: the ids and encrypted values that the owner's secret opens.

        Raises ChangedSinceError when the check fails, MigrationError when a key is not safe; then nothing was changed.
        """
        keep_or_undo(connection, lambda: _blank(connection, path, openable), self._note)

    def _note(self, copies: Copies) -> None:
        self.blanked, self.kept = copies.imported, copies.kept

    def state(self) -> str:
        """What was done, for an owner who interrupts it."""
        return f"but {len(self.blanked)} keys were blanked by then" if self.blanked else "nothing was changed"


def _blank(connection: sqlite3.Connection, path: Path, openable: frozenset[tuple[str, str]]) -> Copies:
    require_head(connection, path)
    target, reader = Target(connection), V1Reader(connection, backups_in(connection))
    proof = prove_last(target, reader, str(path))
    if proof is None:
        raise MigrationError(f"nothing was ever imported into {path}. Nothing was changed.")
    if not proof.holds:
        raise ChangedSinceError(
            f"the check of {path} fails, so v1's rows are still needed as they are. Nothing was changed. "
            f"See what is missing: socrates db check {path}"
        )
    copies = Copies(reader, target, proof.run)
    copies.require_safe(lambda key, encrypted: (key, encrypted) in openable)
    if copies.imported:
        copies.blank(connection)
    return copies


async def _openable(path: Path, vault: KeyVault) -> frozenset[tuple[str, str]]:
    """Id and value of the keys that are encrypted, and that the secret opens."""
    settings = Settings()
    engines = await open_database(database_url(settings, str(path)), settings)
    try:
        encrypted = [stored for stored in await read_all(engines) if stored.encrypted_key.startswith(PREFIX)]
    finally:
        await engines.dispose()
    opened = await opened_keys(vault, encrypted)
    return frozenset(
        (stored.id, stored.encrypted_key) for stored, key in zip(encrypted, opened, strict=True) if key is not None
    )


def _print(facts: dict[str, Any]) -> None:
    say(f"{facts['database']}: {len(facts['blanked']):,} API keys are blank now in v1's own table.")
    if facts["kept"]:
        say(f"Kept, for the quarantine needs them: {', '.join(facts['kept'])}. They may be readable.")
    for copy in facts["also_in"]:
        say(f"This copy may still hold the keys: {copy}")
    if facts["not_shrunk"] is not None:
        say(f"What they were may still lie in the file, which was not written anew: {facts['not_shrunk']}")
