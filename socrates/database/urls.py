"""Which database is meant: a URL, or the path of a SQLite file."""

from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from socrates.config import Settings
from socrates.errors import ConfigurationError

_DRIVERS = {"sqlite": "sqlite", "postgresql": "postgresql+asyncpg", "postgres": "postgresql+asyncpg"}


def database_url(settings: Settings, explicit: str | None = None, configured: str | None = None) -> URL:
    """The database to use: `explicit`, else SOCRATES_DATABASE_URL, else `configured`, else v1's own place.

    SQLite comes back with a plain ``sqlite`` driver and an absolute path, PostgreSQL with asyncpg. Raises
    ConfigurationError for what is neither, and for ``:memory:``, of which every connection would have its own.
    """
    given = explicit or settings.database_url or configured
    if given is None:
        return _sqlite(settings.default_database_path)
    if "://" not in given:
        return _sqlite(Path(given)) if given != ":memory:" else _refuse_memory()
    try:
        url = make_url(given)
    except ArgumentError as error:
        raise ConfigurationError("the database URL cannot be read; write sqlite:///PATH or postgresql://…") from error
    driver = _DRIVERS.get(url.drivername.partition("+")[0])
    if driver is None:
        raise ConfigurationError(f"{url.drivername} is not supported; there are sqlite:///PATH and postgresql://…")
    if driver != "sqlite":
        return url.set(drivername=driver)
    if url.database in (None, "", ":memory:"):
        _refuse_memory()
    if url.query:
        raise ConfigurationError("a SQLite URL takes no parameters here; write sqlite:///PATH")
    return _sqlite(Path(str(url.database)))


def sqlite_path(url: URL) -> Path | None:
    """The file of a URL that `database_url` gave, or None for another engine."""
    return Path(str(url.database)) if url.drivername == "sqlite" else None


def _sqlite(path: Path) -> URL:
    return URL.create("sqlite", database=str(path.expanduser().absolute()))


def _refuse_memory() -> URL:
    raise ConfigurationError("a database in memory is not supported: name a file, such as sqlite:///projects.db")
