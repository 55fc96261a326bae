"""Settings come from arguments, else from the environment, else from defaults."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from socrates.config import Settings


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("SOCRATES_DATA_DIR", "SOCRATES_DATABASE_URL"):
        monkeypatch.delenv(name, raising=False)


def test_the_default_is_v1_s_own_place(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert Settings().database_url is None
    assert Settings().default_database_path == tmp_path / ".socrates" / "projects.db"


def test_the_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_DATA_DIR", "/srv/data")
    monkeypatch.setenv("SOCRATES_DATABASE_URL", "sqlite:///x.db")
    assert Settings().default_database_path == Path("/srv/data/projects.db")
    assert Settings().database_url == "sqlite:///x.db"


def test_an_argument_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_DATABASE_URL", "sqlite:///environment.db")
    assert Settings(database_url="sqlite:///argument.db").database_url == "sqlite:///argument.db"


def test_variables_without_the_prefix_mean_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:///other.db")
    assert Settings().database_url is None


def test_a_setting_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValidationError):
        Settings(databse_url="sqlite:///x.db")  # type: ignore[call-arg]


def test_settings_do_not_change() -> None:
    with pytest.raises(ValidationError):
        Settings().database_url = "sqlite:///x.db"  # type: ignore[misc]
