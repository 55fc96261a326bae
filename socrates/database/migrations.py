"""Running the revisions from code, from a checkout as well as from an installed wheel.

Alembic is loaded only when a revision has to run: whoever opens a database that is at head never needs it.
"""

import sqlite3
import threading
from argparse import Namespace
from collections.abc import Mapping
from contextlib import closing
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL
from sqlalchemy.exc import SQLAlchemyError

from socrates.database.urls import file_uri
from socrates.errors import MigrationError, SchemaError

if TYPE_CHECKING:
    from alembic.config import Config

_SCRIPT_SECONDS = 0.05
"""How long the script waits for somebody who has the file; Alembic waits longer, and knows what to say then."""

# Alembic hands env.py its context through a global, so two threads that ran it at once would get each other's.
_one_at_a_time = threading.RLock()


def directory() -> Path:
    """Where env.py and the revisions lie: inside the package when it was installed, beside it in a checkout."""
    package = Path(__file__).parents[1]
    packaged = package / "_migrations"
    return packaged if packaged.is_dir() else package.parent / "alembic"


@cache
def head_revision() -> str:
    """The newest revision. Revisions are numbered in their order, and each one's file begins with its number."""
    return max(path.name.partition("_")[0] for path in (directory() / "versions").glob("[0-9]*_*.py"))


def current_revision(connection: sqlite3.Connection) -> str | None:
    """The revision that a SQLite database is at; None when it has none: it is empty, v1's or somebody else's.

    Raises sqlite3.Error, also for a file that is no database.
    """
    mark = "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'alembic_version'"
    if connection.execute(mark).fetchone() is None:
        return None
    row = connection.execute("SELECT version_num FROM alembic_version").fetchone()
    return None if row is None else str(row[0])


def require_head(shown: str, revision: str | None) -> None:
    """Raise SchemaError, with the command that mends it, when the database `shown` is at another revision than head."""
    head = head_revision()
    if revision == head:
        return
    if revision is not None and revision > head:
        raise SchemaError(f"{shown} was written by a newer socrates ({revision}, here {head}); install that version")
    raise SchemaError(
        f"the schema of {shown} is at revision {revision or 'none'}, and this version works on {head}; "
        f"run `socrates db upgrade {shown}`"
    )


def create_schema(path: Path) -> None:
    """Bring an empty or missing SQLite file to head: what a program calls that opens one, from any thread.

    Prints nothing, makes no backup, and knows no other database than `path`, whatever the environment names. Does
    nothing when another process has just done the same. Raises, and leaves the file as it was: NotRecognisedError for
    a v1 file, which is never upgraded without its owner, and for a database with other tables; SchemaError for one at
    another revision; MigrationError when the file cannot be made or used. A missing file may then be there, empty.
    """
    if not _made_by_script(path):
        # Absolute, so that no path can be taken for a URL, for memory or for somebody's home.
        _make_schema(str(path), {"options": {"url": str(path.absolute())}, "only_new": True})


def _made_by_script(path: Path) -> bool:
    """Make the schema by the script of what the revisions together leave; tell whether that was done.

    It takes some milliseconds, where loading Alembic alone takes 300. Anything but an empty file is left to Alembic,
    and so is a failure: what stands in the way stands in Alembic's too, which has the words for it.
    """
    if not path.parent.is_dir() or path.is_dir() or (path.exists() and path.stat().st_size):
        return False
    uri = f"{file_uri(path.absolute())}?mode=rwc"
    try:
        with closing(sqlite3.connect(uri, uri=True, timeout=_SCRIPT_SECONDS, isolation_level=None)) as connection:
            return _run_script(connection)
    except sqlite3.Error:
        return False


def _run_script(connection: sqlite3.Connection) -> bool:
    connection.execute("BEGIN IMMEDIATE")
    try:
        if connection.execute("SELECT 1 FROM sqlite_master").fetchone() is not None:
            return False  # another process has made it since we looked
        for statement in (directory() / "head.sqlite.sql").read_text(encoding="utf-8").split(";\n"):
            connection.execute(statement)
        connection.execute("INSERT INTO alembic_version VALUES (?)", (head_revision(),))
        connection.execute("COMMIT")
    finally:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
    return True


def create_schema_on_server(url: URL, lock_timeout: float) -> None:
    """Bring an empty PostgreSQL database to head, from any thread without an event loop, in the same manner.

    An advisory lock makes others wait meanwhile; a database at head is left as it is. Raises BusyError, too, when
    somebody else's migration takes longer than `lock_timeout` (seconds).
    """
    attributes = {"options": {"url": url.render_as_string(hide_password=False)}, "lock_timeout": lock_timeout}
    _make_schema(url.render_as_string(hide_password=True), attributes)


def _make_schema(shown: str, attributes: dict[str, object]) -> None:
    from alembic import command  # noqa: PLC0415 - see above
    from alembic.util import CommandError  # noqa: PLC0415

    try:
        with _one_at_a_time:
            command.upgrade(_config(attributes=attributes), "head")
    except (CommandError, SQLAlchemyError, OSError) as error:
        raise MigrationError(f"{shown}: the schema could not be made: {error}. Nothing was changed.") from error


def upgrade(options: Mapping[str, str], revision: str = "head") -> None:
    """`alembic upgrade`, with `options` as its ``-x`` arguments. Prints the outcome; raises SystemExit like it."""
    from alembic import command  # noqa: PLC0415 - see above

    with _one_at_a_time:
        command.upgrade(_config(_typed(options)), revision)


def downgrade(options: Mapping[str, str], revision: str = "base") -> None:
    """`alembic downgrade`, in the same way."""
    from alembic import command  # noqa: PLC0415 - see above

    with _one_at_a_time:
        command.downgrade(_config(_typed(options)), revision)


def _typed(options: Mapping[str, str]) -> Namespace:
    return Namespace(x=[f"{name}={value}" for name, value in options.items()])


def _config(typed: Namespace | None = None, attributes: dict[str, object] | None = None) -> "Config":
    """`typed` is what tells env.py that a person at a terminal asks, who wants messages and an exit status."""
    from alembic.config import Config  # noqa: PLC0415 - see above

    config = Config(cmd_opts=typed, attributes=attributes or {})
    config.set_main_option("script_location", str(directory()).replace("%", "%%"))
    return config
