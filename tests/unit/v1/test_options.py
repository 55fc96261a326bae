"""What `-x` takes, and what it refuses."""

from pathlib import Path

import pytest

from socrates.errors import ConfigurationError
from socrates.v1.options import Options, parse_options


def refusal(**given: str | list[str]) -> str:
    with pytest.raises(ConfigurationError) as caught:
        parse_options(given)
    return str(caught.value)


def test_nothing_given_is_the_careful_way() -> None:
    options = parse_options({})
    assert options == Options()
    assert options.strict
    assert not options.dry_run
    assert not options.discard


def test_everything_given_is_read(tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    options = parse_options(
        {
            "url": "sqlite:///x.db",
            "dry_run": "1",
            "v1": "old.db",
            "on_bad": "quarantine",
            "v1_timezone": "Europe/Berlin",
            "backup_dir": str(tmp_path),
            "report": str(report),
            "discard": "1",
        }
    )
    assert options == Options(
        "sqlite:///x.db", True, Path("old.db"), False, "Europe/Berlin", tmp_path, report, discard=True
    )


@pytest.mark.parametrize("yes", ["1", "true", "YES", "on"])
@pytest.mark.parametrize("name", ["dry_run", "discard"])
def test_a_yes_is_a_yes(name: str, yes: str) -> None:
    assert getattr(parse_options({name: yes}), name) is True


@pytest.mark.parametrize("no", ["0", "false", "No", "off"])
def test_a_no_is_a_no(no: str) -> None:
    assert parse_options({"dry_run": no}).dry_run is False


def test_a_dry_run_without_a_value_is_not_a_real_one() -> None:
    # `alembic -x dry_run upgrade head` gives an empty value.
    assert parse_options({"dry_run": ""}).dry_run


@pytest.mark.parametrize("name", ["url", "v1", "backup_dir", "report", "v1_timezone", "on_bad"])
def test_an_option_that_names_nothing_is_refused(name: str) -> None:
    # `-x url=$DATABASE` without that variable must not reach the default database.
    assert refusal(**{name: ""})


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"dryrun": "1"}, "there is no option -x dryrun"),
        ({"DRY_RUN": "1"}, "there is no option -x DRY_RUN"),
        ({"dry_run": "maybe"}, "is neither 1 nor 0"),
        ({"discard": "2"}, "is neither 1 nor 0"),
        ({"on_bad": "ignore"}, "is neither of strict, quarantine"),
        ({"v1_timezone": "Nowhere"}, "there is no time zone"),
        ({"url": ["a", "b"]}, "more than once"),
        ({"backup_dir": "/no/such/place"}, "is not a directory"),
    ],
)
def test_what_makes_no_sense_is_refused(given: dict[str, str | list[str]], reason: str) -> None:
    assert reason in refusal(**given)


@pytest.mark.parametrize("name", ["v1", "backup_dir", "report"])
def test_the_home_of_nobody_is_refused(name: str) -> None:
    assert refusal(**{name: "~no-such-user/x"})


def test_a_home_directory_is_written_with_a_tilde(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    assert parse_options({"v1": "~/old.db"}).v1 == tmp_path / "old.db"


def test_what_an_import_keeps_of_its_options() -> None:
    assert Options().as_json() == {"on_bad": "strict", "v1": None}
    assert Options(strict=False, v1=Path("old.db")).as_json() == {"on_bad": "quarantine", "v1": "old.db"}
