"""Which database is meant: a URL, or the path of a SQLite file."""

import os
from pathlib import Path
from urllib.parse import quote, unquote

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from socrates.config import Settings
from socrates.errors import ConfigurationError

_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


def database_url(settings: Settings, explicit: str | None = None, configured: str | None = None) -> URL:
    """The database to use: `explicit`, else SOCRATES_DATABASE_URL, else `configured`, else v1's own place.

    SQLite comes back with a plain ``sqlite`` driver and an absolute path, PostgreSQL with asyncpg. Raises
    ConfigurationError for what is neither, for what is empty (such as a variable that was not set), and for
    ``:memory:``, of which every connection would have its own.
    """
    given = next((name for name in (explicit, settings.database_url, configured) if name is not None), None)
    if given is None:
        return _sqlite(settings.default_database_path)
    if not given.strip():
        raise ConfigurationError("the database URL is empty; leave it out, or write sqlite:///PATH or postgresql://…")
    scheme, separator, rest = given.partition("://")
    if not separator:
        return _sqlite_file(given)
    driver = _DRIVERS.get(scheme.partition("+")[0])
    if driver == "sqlite":
        return _sqlite_file(_path_in(rest))
    if driver is None:
        raise ConfigurationError(f"{scheme} is not supported; there are sqlite:///PATH and postgresql://…")
    try:
        return make_url(given).set(drivername=driver)
    except (ArgumentError, ValueError):
        # From None: what the parser stumbled over can be a piece of the password.
        raise ConfigurationError(
            "the database URL cannot be read; write postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with %40 for an @ "
            "and %3A for a : in the password"
        ) from None


def _path_in(rest: str) -> str:
    """The path of a SQLite URL, ``sqlite:///relative`` or ``sqlite:////absolute``.

    SQLAlchemy 2.1 writes odd characters of a path as ``%3F``, and 2.0 does not: the path as written is taken if it is
    there, else what it says in that notation.
    """
    if not rest:
        return ""
    if not rest.startswith("/"):
        raise ConfigurationError("a SQLite URL has three slashes before its path: sqlite:///PATH")
    if "?" in rest:
        raise ConfigurationError("a SQLite URL takes no parameters here; write sqlite:///PATH, or the path alone")
    written = rest[1:]
    return written if os.path.exists(os.path.expanduser(written)) else unquote(written)


def _sqlite_file(path: str) -> URL:
    if "\x00" in path:
        raise ConfigurationError("a path cannot hold a NUL character")
    if path in ("", ":memory:") or path.startswith("file:"):
        raise ConfigurationError("a database in memory is not supported: name a file, such as sqlite:///projects.db")
    expanded = os.path.expanduser(path)
    if expanded.startswith("~"):
        raise ConfigurationError(f"{path} names the home of a user who is not known")
    return _sqlite(Path(expanded))


def sqlite_path(url: URL) -> Path | None:
    """The file of a URL that `database_url` gave, or None for another engine."""
    return Path(str(url.database)) if url.drivername == "sqlite" else None


def file_uri(path: Path) -> str:
    """An absolute path as SQLite's own URI, whatever characters it has, to which ``?mode=…`` can be added."""
    return "file:///" + quote(os.fsencode(path.as_posix().lstrip("/")))


def _sqlite(path: Path) -> URL:
    return URL.create("sqlite", database=str(path.absolute()))
