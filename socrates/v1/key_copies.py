"""v1's own copies of API keys, which anybody can read: how many an import brought over, and blanking them.

Blanking changes v1's table, which proves the import. So it is written down, with the digest of what each row is
afterwards: a check then knows a blanked row from one that was changed, and still proves the rest of it.
"""

import sqlite3
from collections.abc import Callable

from socrates.errors import MigrationError
from socrates.plain_keys import is_readable
from socrates.v1.digest import digest
from socrates.v1.importer import convert
from socrates.v1.layout import TABLES_OF
from socrates.v1.ledger import BLANKED, Run, blanked_digests, deleted_keys, digests_of, note_backup_change
from socrates.v1.reader import SourceRow, V1Reader
from socrates.v1.target import Target
from socrates.v1.times import Zone

TABLE = "api_keys"

IsSafe = Callable[[str, str], bool]
"""Called with the id of a key and the new table's `encrypted_key`: whether the owner's secret is known to open it."""


def count_readable(target: Target) -> int:
    """How many keys in the new table are as v1 wrote them, which is readable."""
    stored = target.query("SELECT encrypted_key, key_hash FROM api_keys")
    return sum(is_readable(encrypted, expected) for encrypted, expected in stored)


def cannot_be_given_back(target: Target, run: Run) -> str | None:
    """What an owner who goes back to v1 has to know of blanked keys; None where there are none."""
    blanked = sorted(blanked_digests(target, run))
    if not blanked:
        return None
    return (
        f"{len(blanked)} API keys were blanked in v1's {TABLE}, and come back without their value: {', '.join(blanked)}"
    )


class Copies:
    """The rows of v1's table, sorted by what can be done about them."""

    def __init__(self, reader: V1Reader, target: Target, run: Run) -> None:
        """Raises MigrationError when v1's table is not there."""
        if TABLE not in reader.names:
            raise MigrationError("there is no table of v1 that holds API keys. Nothing was changed.")
        self._reader, self._target, self._run = reader, target, run
        promised = {key for key, _ in digests_of(target, run, TABLE)}
        quarantined = {
            key for (key,) in target.query("SELECT source_key FROM v1_quarantine WHERE source_table = ?", (TABLE,))
        }
        self.imported: list[str] = []
        """The ids of those that were imported and still have a value."""
        self.kept: list[str] = []
        """Those that are in quarantine too, which keeps its own copy, and proves them by this one."""
        for row in reader.rows(TABLE):
            key = row.key
            if key is None or key in quarantined or key not in promised:
                self.kept.append(str(key))
            elif row.value("encrypted_key"):
                self.imported.append(key)

    def require_safe(self, is_safe: IsSafe) -> None:
        """Raises MigrationError unless every imported key was deleted since, or is safe in the new table."""
        deleted = deleted_keys(self._target, self._run, TABLE)
        current = dict(self._target.query("SELECT id, encrypted_key FROM api_keys"))
        unsafe = [
            key
            for key in self.imported
            if not (key not in current and key in deleted) and not (key in current and is_safe(key, current[key]))
        ]
        if unsafe:
            raise MigrationError(
                f"these API keys are not encrypted in the new table, or not under this secret: {', '.join(unsafe)}. "
                "v1's copy may be the only one that can be read. Nothing was changed. Encrypt them: socrates keys "
                "encrypt. Keys that nobody can read have to be stored anew or deleted first."
            )

    def blank(self, connection: sqlite3.Connection) -> None:
        """Empty the column `encrypted_key` of the imported ones, and write that down. The caller commits."""
        name = self._reader.names[TABLE]
        for key in self.imported:
            connection.execute(f"UPDATE \"{name}\" SET encrypted_key = '' WHERE id = ?", (key,))  # noqa: S608
        wanted, zone = frozenset(self.imported), Zone(self._run.timezone)
        digests = {row.key: _digest(row, zone).hex() for row in self._reader.rows(TABLE) if row.key in wanted}
        note_backup_change(self._target, self._run, BLANKED, {"table": TABLE, "digests": digests})


def _digest(row: SourceRow, zone: Zone) -> bytes:
    rows, _ = convert(row, zone)
    return digest(rows, TABLES_OF[TABLE])
