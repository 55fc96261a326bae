"""Which database is meant."""

from pathlib import Path

import pytest

from socrates.config import Settings
from socrates.database.urls import database_url, sqlite_path
from socrates.errors import ConfigurationError


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("SOCRATES_DATA_DIR", "SOCRATES_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)


def file_of(given: str | None, settings: Settings | None = None, configured: str | None = None) -> Path | None:
    return sqlite_path(database_url(settings or Settings(), given, configured))


@pytest.mark.parametrize(
    "given",
    ["x.db", "./x.db", "sqlite:///x.db", "sqlite+aiosqlite:///x.db", "sqlite+pysqlite:///x.db"],
)
def test_a_relative_file_is_of_the_working_directory(given: str, tmp_path: Path) -> None:
    assert file_of(given) == tmp_path / "x.db"


@pytest.mark.parametrize("given", ["/srv/x.db", "sqlite:////srv/x.db"])
def test_an_absolute_file_stays(given: str) -> None:
    assert file_of(given) == Path("/srv/x.db")


@pytest.mark.parametrize("given", ["~/x.db", "sqlite:///~/x.db"])
def test_a_tilde_is_the_home_directory(given: str, tmp_path: Path) -> None:
    assert file_of(given) == tmp_path / "home" / "x.db"


@pytest.mark.parametrize("name", ["a b.db", "100%.db", "what?.db", "#1.db", "é.db", "a:b.db", "a@b.db"])
def test_a_path_is_no_url_whatever_it_holds(name: str, tmp_path: Path) -> None:
    url = database_url(Settings(), name)
    assert sqlite_path(url) == tmp_path / name
    assert url.query == {}


def test_an_argument_wins_over_the_environment_and_that_over_the_configuration(tmp_path: Path) -> None:
    settings = Settings(database_url="environment.db")
    assert file_of("argument.db", settings, "configured.db") == tmp_path / "argument.db"
    assert file_of(None, settings, "configured.db") == tmp_path / "environment.db"
    assert file_of(None, None, "configured.db") == tmp_path / "configured.db"
    assert file_of(None) == tmp_path / "home" / ".socrates" / "projects.db"


def test_an_empty_argument_is_refused() -> None:
    # `socrates db upgrade "$DATABASE"` without that variable must not reach the default database.
    with pytest.raises(ConfigurationError):
        database_url(Settings(), "")


@pytest.mark.parametrize(
    "given",
    ["postgresql://u:p@h/db", "postgres://u:p@h/db", "postgresql+asyncpg://u:p@h/db", "postgresql+psycopg2://u:p@h/db"],
)
def test_postgresql_is_reached_by_asyncpg(given: str) -> None:
    url = database_url(Settings(), given)
    assert url.drivername == "postgresql+asyncpg"
    assert (url.username, url.password, url.host, url.database) == ("u", "p", "h", "db")
    assert sqlite_path(url) is None


@pytest.mark.parametrize("given", [":memory:", "sqlite://", "sqlite:///", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError, match="in memory is not supported"):
        database_url(Settings(), given)


@pytest.mark.parametrize(
    "given",
    [
        "mysql://h/db",
        "oracle://h/db",
        "://",
        "sqlite:///x.db?mode=ro",
        "postgresql://h:port/db",
        "~no-such-user/x.db",
        "sqlite://host/x.db",
    ],
)
def test_what_cannot_be_used_is_refused(given: str) -> None:
    with pytest.raises(ConfigurationError):
        database_url(Settings(), given)


def test_a_password_is_not_repeated_in_the_message() -> None:
    with pytest.raises(ConfigurationError) as caught:
        database_url(Settings(), "mysql://u:hush@h/db")
    assert "hush" not in str(caught.value)
