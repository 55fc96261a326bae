"""What the revisions do beside changing the schema: recognise, back up, rename, import, and give back.

`alembic/env.py` makes one `Migration` a run and hands it to the revisions by the configuration's attributes. All of it
happens inside the one transaction that env.py holds open.
"""

import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection

from socrates.errors import ChangedSinceError, MigrationError, NotRecognisedError
from socrates.v1 import migration_guards as guards
from socrates.v1.backup import back_up_as, check_free_space, default_name
from socrates.v1.check import changes_since
from socrates.v1.files import is_rolled_back, read_only, same_content
from socrates.v1.importer import Progress, import_v1
from socrates.v1.key_copies import cannot_be_given_back, count_readable
from socrates.v1.ledger import last_run
from socrates.v1.options import Options
from socrates.v1.postgres_target import PostgresTarget
from socrates.v1.proof import what_came_after
from socrates.v1.reader import V1Reader
from socrates.v1.reading import printable
from socrates.v1.report import ImportReport
from socrates.v1.shapes import (
    BACKUP_SUFFIX,
    FileKind,
    backups_in,
    further_tables,
    recognise,
    v1_tables_in,
)
from socrates.v1.target import Target
from socrates.v1.times import Zone

ATTRIBUTE = "socrates_migration"
"""The key in Alembic's ``config.attributes`` under which env.py puts the `Migration`."""


def current() -> "Migration":
    """The migration that env.py has begun. For revisions."""
    from alembic import context  # noqa: PLC0415 - Alembic is there only while it runs

    migration = context.config.attributes.get(ATTRIBUTE)
    if not isinstance(migration, Migration):
        raise MigrationError("these revisions run under this project's own alembic/env.py only")
    return migration


class Migration:
    """One upgrade or downgrade, with what it has to report."""

    def __init__(
        self, options: Options, database: Path | None, progress: Progress, *, shown_as: str | None = None
    ) -> None:
        """`database`: the SQLite file; None on another engine. `shown_as`: what to call it before the owner."""
        self.options = options
        self.database = database
        self.backup: Path | None = None
        self.report: ImportReport | None = None
        self.readable_keys = 0
        self.remarks: list[str] = []
        self.name = shown_as or str(database)
        self.committed = False
        self.upgraded = self.downgraded = False
        """Whether a revision has run, and which way."""
        self.was_ours = False
        """Whether the database had a revision of ours when an upgrade began."""
        self.set_aside = self.given_back = 0
        """How many of v1's tables were renamed, either way."""
        self._progress = progress

    def is_new(self, connection: Connection, head: str | None) -> bool:
        """Tell an empty file from one at `head`, for a program that opens it.

        Raises NotRecognisedError for v1's and others' files, SchemaError for another revision: a program must not
        upgrade what its owner has not been asked about.
        """
        raw = _sqlite(connection)
        kind = recognise(raw, frozenset(), self.name)
        if kind is FileKind.EMPTY:
            return True
        if kind is FileKind.V1:
            raise NotRecognisedError(
                f"{self.name} is a database that v1 wrote. Nothing was changed. Close v1, then upgrade it: "
                f"socrates db upgrade {self.name}, or: alembic upgrade head"
            )
        guards.require_head(raw, head, self.name)
        self.check_schema(connection)
        return False

    # Revision 0001

    def prepare(self, connection: Connection, ours: frozenset[str]) -> None:
        """Recognise the database; set a v1 file's tables aside, after a backup. Raises MigrationError."""
        self.upgraded = True
        if self.database is None:
            guards.require_empty(connection)
            return
        raw = _sqlite(connection)
        kind = recognise(raw, ours, self.name)
        if self.options.v1 is not None and kind is not FileKind.EMPTY:
            raise MigrationError(
                f"-x v1={self.options.v1} imports into an empty database, but {self.name} holds tables. "
                "Nothing was changed. Name another database, or leave out -x v1 to upgrade this one in place."
            )
        if kind is FileKind.V1:
            guards.require_sound(raw, self.database)
            self._back_up()
            others = further_tables(raw)
            if others:
                self.remarks.append(f"left as they are, for v1 did not make them: {', '.join(others)}")
            names = v1_tables_in(raw)
            _rename(raw, {name: name + BACKUP_SUFFIX for name in names})
            self.set_aside = len(names)

    def give_back(self, connection: Connection, drop_schema: Callable[[], None]) -> None:
        """Drop the schema and give v1's tables their names again. Raises MigrationError."""
        self.downgraded = True
        filled = self._require_unfilled(_target(connection), guards.own_tables())
        if self.backup is None and self.database is not None and filled:
            self._back_up()
        drop_schema()
        if self.database is not None:
            raw = _sqlite(connection)
            backups = backups_in(raw)
            _rename(raw, {backup: name for name, backup in backups.items()})
            self.given_back = len(backups)

    # Revision 0002

    def import_rows(self, connection: Connection) -> None:
        """Import v1's rows, if there are any to import. Raises MigrationError."""
        self._begin_upgrade()
        with self._source(connection) as reader:
            if reader is None:
                return
            zone = Zone(self.options.v1_timezone)
            source = str(self.options.v1 or self.name)
            self.report = ImportReport(printable(source), zone.name, remarks=self.remarks)
            import_v1(
                reader,
                _target(connection),
                self.report,
                zone,
                strict=self.options.strict,
                options={**self.options.as_json(), "tables": sorted(reader.names)},
                progress=self._progress,
            )
        self.readable_keys = count_readable(_target(connection))

    def take_back(self, connection: Connection) -> None:
        """Empty the new tables, unless that would lose something. Raises MigrationError."""
        self.downgraded = True
        target = _target(connection)
        run = last_run(target)
        guards.require_v1_tables(self._backups(connection), run)
        if not self.options.discard:
            if run is not None and run.options.get("v1") is not None:
                raise ChangedSinceError(
                    f"v1's rows are not kept here: they came from {run.source}. Nothing was changed. "
                    "If that file still holds them, run it again with -x discard=1"
                )
            changes = changes_since(target, run)
            if changes.any:
                raise ChangedSinceError(
                    f"rows were written since the import: {changes}. Nothing was changed. "
                    "To lose these changes, run it again with -x discard=1"
                )
            if run is not None:
                guards.require_v1_rows(_sqlite(connection), target, run)
        if self.database is not None and self.backup is None:
            self._back_up()
        for name in guards.own_tables():
            target.execute(f"DELETE FROM {name}")  # noqa: S608 - names of this package only

    # Later revisions

    def prepare_addition(self, connection: Connection, ours: frozenset[str]) -> None:
        """Before `ours`, tables and indexes, are added: back up, unless this run has. Raises MigrationError."""
        if self.database is not None:
            guards.require_free_names(_sqlite(connection), ours, self.name)
        self._begin_upgrade()

    def prepare_columns(self, connection: Connection, table: str, columns: Iterable[str]) -> None:
        """Before columns are added to `table`: back up, unless this run has. Raises MigrationError."""
        guards.require_free_columns(connection, table, columns, self.name)
        self._begin_upgrade()

    def prepare_removal(self, connection: Connection, tables: Sequence[str]) -> None:
        """Before `tables` are dropped: refuse to lose what they hold, and back up. Raises MigrationError."""
        self.downgraded = True
        self._require_unfilled(_target(connection), tables)
        if self.database is not None and self.backup is None:
            self._back_up()

    def prepare_column_removal(self, connection: Connection, table: str, says_something: Mapping[str, str]) -> None:
        """Before columns of `table` are dropped: refuse to lose what they hold, and back up. Raises MigrationError.

        `says_something`: each column with the condition by which a row holds something in it.
        """
        self.downgraded = True
        filled = guards.filled_columns(_target(connection), table, says_something)
        if filled and not self.options.discard:
            raise ChangedSinceError(
                f"these columns of {table} are not empty: {', '.join(filled)}. Nothing was changed. "
                "To lose what they hold, run it again with -x discard=1"
            )
        if self.database is not None and self.backup is None:
            self._back_up()

    # Revision 0004

    def prepare_account_removal(self, connection: Connection, tables: Sequence[str]) -> None:
        """Before the account of what came after the import is dropped, which says what would be lost, or is already.

        Raises MigrationError.
        """
        self.check_schema(connection)
        target = _target(connection)
        run = last_run(target)
        guards.require_v1_tables(self._backups(connection), run)
        if run is not None and guards.filled(target, tables):
            if not self.options.discard:
                raise ChangedSinceError(what_came_after(target, run))
            self.remarks += filter(None, [cannot_be_given_back(target, run)])
        self.prepare_removal(connection, tables)

    # Common

    def _begin_upgrade(self) -> None:
        """Back up if this is the run's first revision. Later ones must not: SQLite may keep readers out by then."""
        if not self.upgraded:
            self.was_ours = True
            if self.database is not None:
                self._back_up()
        self.upgraded = True

    def _require_unfilled(self, target: Target, tables: Sequence[str]) -> bool:
        """Tell whether one of `tables` holds a row that may be lost. Raises ChangedSinceError when it may not."""
        filled = guards.filled(target, tables)
        if filled and not self.options.discard:
            raise ChangedSinceError(
                f"these tables are not empty: {', '.join(filled)}. Nothing was changed. "
                "To lose what they hold, run it again with -x discard=1"
            )
        return bool(filled)

    def check_schema(self, connection: Connection) -> None:
        """Raises NotRecognisedError when the database bears a revision of ours, but not our tables.

        A v1 file that somebody stamped would otherwise pass for upgraded, and show an empty system.
        """
        guards.require_schema(connection, self.name)

    def check_foreign_keys(self, connection: Connection) -> None:
        """Raises MigrationError when an imported row refers to one that is not there.

        PostgreSQL enforces them as it goes. Of rows that were written since, an upgrade has no say.
        """
        if self.database is None or self.report is None:
            return
        guards.require_references(_sqlite(connection))

    def undo(self) -> None:
        """After a failure: remove the backup if the file is proven to be as it was, else keep it."""
        if self.committed or self.database is None or self.backup is None:
            return
        if not self.backup.exists():
            self.backup = None
        elif is_rolled_back(self.database) and same_content(self.database, self.backup):
            self.backup.unlink()
            self.backup = None

    def _back_up(self) -> None:
        assert self.database is not None  # noqa: S101 - callers have asked
        database = self.database.resolve()
        directory = self.options.backup_dir or database.parent
        check_free_space(database, directory)
        self.backup = default_name(database, directory)  # known before it is there, so that `undo` finds it
        back_up_as(database, self.backup)

    def _backups(self, connection: Connection) -> dict[str, str]:
        """v1's tables that are set aside, by their names in v1; there are none but in a SQLite file."""
        return backups_in(_sqlite(connection)) if self.database is not None else {}

    @contextmanager
    def _source(self, connection: Connection) -> Iterator[V1Reader | None]:
        backups = self._backups(connection)
        if self.options.v1 is not None:
            if backups:
                raise MigrationError(
                    f"{self.name} holds tables of v1 that are set aside and wait to be imported. Nothing was changed. "
                    "Leave out -x v1, or name an empty database."
                )
            with read_only(self.options.v1, self.remarks) as raw:
                yield V1Reader(raw, _tables_of_v1_file(raw, self.options.v1))
        elif backups:
            yield V1Reader(_sqlite(connection), backups)
        else:
            yield None


def _tables_of_v1_file(raw: sqlite3.Connection, path: Path) -> dict[str, str]:
    guards.require_sound(raw, path)
    return {name: name for name in v1_tables_in(raw)}


def _rename(raw: sqlite3.Connection, names: dict[str, str]) -> None:
    """Rename tables. Without legacy_alter_table the foreign keys that refer to them follow, both ways."""
    raw.execute("PRAGMA legacy_alter_table = OFF")
    for old, new in names.items():
        raw.execute(f'ALTER TABLE "{old}" RENAME TO "{new}"')


def _sqlite(connection: Connection) -> sqlite3.Connection:
    raw = connection.connection.driver_connection
    if not isinstance(raw, sqlite3.Connection):
        raise MigrationError("a SQLite migration needs SQLite's own driver")
    return raw


def _target(connection: Connection) -> Target:
    raw: Any = connection.connection.dbapi_connection
    return Target(raw) if connection.dialect.name == "sqlite" else PostgresTarget(raw)
