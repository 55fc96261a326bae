"""Each scenario against its baseline, on SQLite, some on PostgreSQL, and some in a process that is set up otherwise."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.regression import baseline, scenarios
from tests.regression.scenarios import SCENARIOS
from tests.regression.scenes import Scenario, Scene, scenario
from tests.support.migrate import REPOSITORY
from tests.support.postgres import EmptyDatabases
from tests.support.stores import on_postgres

HANDFUL = [
    "projects/listed-page-by-page",
    "people/deleted-without-a-trace-and-projects-go-to-heirs",
    "conversation/five-questions-and-answers",
    "conflicts/four-ways-to-decide",
    "search/messages-the-newest-first",
    "search/suggestions-approved-and-rejected",
    "learning/the-question-that-worked-best-is-recommended",
]
"""Of most kinds of work one."""

QUICK = ["projects/listed-page-by-page", "conflicts/four-ways-to-decide", "search/messages-the-newest-first"]
"""Without a knowledge base, whose libraries take a second to load in a new process."""


@pytest.mark.parametrize("name", sorted(SCENARIOS))
async def test_nothing_has_changed_for_users(name: str) -> None:
    await _must_be_as_recorded(name)


@pytest.mark.postgres
@pytest.mark.parametrize("name", HANDFUL)
async def test_postgresql_is_no_different(name: str, empty_databases: EmptyDatabases) -> None:
    with on_postgres(empty_databases):
        await _must_be_as_recorded(name)


def test_another_process_time_zone_and_order_of_hashes_are_no_different(tmp_path: Path) -> None:
    environment = {"PYTHONHASHSEED": "4711", "TZ": "Asia/Kathmandu", "LC_ALL": "C", "HOME": str(tmp_path)}
    outcome = subprocess.run(
        [sys.executable, "-m", "tests.regression.record", *QUICK],
        env={**os.environ, **environment, "PYTHONPATH": str(REPOSITORY)},
        cwd=tmp_path,
        capture_output=True,
        encoding="utf-8",
        timeout=300,
        check=False,
    )
    assert (outcome.stdout, outcome.stderr) == (f"scenarios: {len(QUICK)}, differing: 0\n", "")


async def test_a_failure_shows_the_difference_and_how_to_accept_it(monkeypatch: pytest.MonkeyPatch) -> None:
    async def handed_over(scene: Scene) -> None:
        scene.see("the owner", "eve")

    name = "team/handed-over"
    monkeypatch.setitem(SCENARIOS, name, Scenario(name, handed_over, knowledge=False))
    with pytest.raises(pytest.fail.Exception) as failed:
        await _must_be_as_recorded(name)
    shown = str(failed.value).splitlines()
    assert shown[:2] == [f"--- {name} (baseline)", f"+++ {name} (now)"]
    assert '+[{"saw": "the owner", "value": "eve"}]' in shown
    assert shown[-1].endswith(f"python -m tests.regression.record {name} --write")


def test_there_are_the_fifty_scenarios_of_the_plan() -> None:
    assert len(SCENARIOS) == 50
    subjects = {name.replace("_", "-") for name in scenarios.__all__} - {"SCENARIOS"}
    assert {name.partition("/")[0] for name in SCENARIOS} == subjects


def test_the_baseline_has_each_scenario_and_no_other() -> None:
    assert baseline.load().keys() == SCENARIOS.keys()


def test_the_baseline_is_written_as_the_command_writes_it() -> None:
    """Whoever changes it by hand, or merges it, would else make the next difference hard to read."""
    assert baseline.FILE.read_text("utf-8") == baseline.written(baseline.load()) + "\n"


def test_a_name_is_given_once() -> None:
    def listed_page_by_page(_scene: Scene) -> None: ...

    listed_page_by_page.__module__ = "tests.regression.scenarios.projects"
    with pytest.raises(ValueError, match="two scenarios projects/listed-page-by-page"):
        scenario()(listed_page_by_page)  # type: ignore[arg-type]  # it is refused before anybody awaits it


async def _must_be_as_recorded(name: str) -> None:
    difference = baseline.difference(name, baseline.load().get(name), await SCENARIOS[name].play())
    if difference:
        pytest.fail(
            f"{difference}\n\nIf that is how it is to be from now on: python -m tests.regression.record {name} --write",
            pytrace=False,
        )
