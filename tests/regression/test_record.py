"""The command that shows differences from the baseline, and changes it only when told to."""

import json
from pathlib import Path

import pytest

from tests.regression import baseline
from tests.regression.plain import Json
from tests.regression.record import main
from tests.regression.scenarios import SCENARIOS
from tests.regression.scenes import Scenario, Scene

CHANGED, OTHER = "projects/created-and-loaded", "team/handed-over"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A baseline in which two scenarios, and one that is gone, are not as they are."""
    recorded = baseline.load()
    recorded[CHANGED][1]["answer"]["project"]["name"] = "Writing Room"  # type: ignore[index]
    recorded[OTHER] = []
    recorded["projects/of-old"] = ["something"]
    baseline.save(recorded, tmp_path / "baseline.json")
    return tmp_path / "baseline.json"


def test_a_difference_is_shown_and_nothing_written(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = file.read_bytes()
    assert main([CHANGED], file) == 1
    shown = capsys.readouterr().out.splitlines()
    changed = [line for line in shown if line.startswith(("-", "+"))]
    assert [line.strip("-+ ,") for line in changed] == [
        f"{CHANGED} (baseline)",
        f"{CHANGED} (now)",
        '"name": "Writing Room"',
        '"name": "Reading Room"',
    ]
    assert shown[-1] == "scenarios: 1, differing: 1, not recorded: --write does"
    assert file.read_bytes() == before


def test_only_what_is_named_is_written(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([CHANGED, "--write"], file) == 0
    assert "Writing Room" in capsys.readouterr().out
    written, recorded = baseline.load(file), baseline.load()
    assert written.pop(OTHER) == []
    assert written.pop("projects/of-old") == ["something"]
    del recorded[OTHER]
    assert written == recorded


def test_a_scenario_that_is_gone_is_a_difference_too(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["projects/of-old"], file) == 1
    assert '-["something"]' in capsys.readouterr().out
    assert main(["projects/of-old", "--write"], file) == 0
    assert "projects/of-old" not in baseline.load(file)


def test_a_first_baseline_is_recorded(tmp_path: Path) -> None:
    file = tmp_path / "baseline.json"
    assert main([OTHER], file) == 1
    assert not file.exists()
    assert main([OTHER, "--write"], file) == 0
    assert baseline.load(file) == {OTHER: baseline.load()[OTHER]}


def test_without_a_difference_nothing_is_written_even_if_told(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = file.stat().st_mtime_ns
    assert main(["team/members-join-change-and-leave", "--write"], file) == 0
    assert capsys.readouterr().out == "scenarios: 1, differing: 0\n"
    assert file.stat().st_mtime_ns == before


def test_a_name_that_there_is_not_is_refused(file: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stop:
        main(["projects/of-mine"], file)
    assert stop.value.code == 2
    assert "there is no scenario projects/of-mine" in capsys.readouterr().err


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (0, False), (None, "null"), ("1", 1), ([], {})])
def test_values_of_another_type_differ(one: object, other: object) -> None:
    assert baseline.difference("a", [one], [other])


def test_what_is_written_is_json_and_comes_back(tmp_path: Path) -> None:
    value: dict[str, Json] = {
        "b": [{"word " * 40: "ä" * 200}, [], {}],
        "a": {"short": [1, None, "“quoted”"]},
        "c": [0.1, -1, 1e-09],
    }
    baseline.save(value, tmp_path / "baseline.json")
    assert json.loads((tmp_path / "baseline.json").read_bytes()) == baseline.load(tmp_path / "baseline.json") == value


def test_what_cannot_be_played_is_shown_beside_the_others_and_never_recorded(
    file: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fails(_scene: Scene) -> None:
        raise ZeroDivisionError("by nothing")

    monkeypatch.setitem(SCENARIOS, CHANGED, Scenario(CHANGED, fails, knowledge=False))
    before = baseline.load(file)
    assert main([CHANGED, OTHER, "--write"], file) == 1
    shown = capsys.readouterr().out
    assert "ZeroDivisionError: by nothing" in shown
    assert shown.endswith("scenarios: 2, differing: 1, broken: 1, recorded\n")
    assert baseline.load(file) == before | {OTHER: baseline.load()[OTHER]}
