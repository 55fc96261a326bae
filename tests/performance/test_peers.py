"""What the figures of the peers' bench are made of, and our side of its work; nothing of the peers is needed."""

import io
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.performance.peers.run import Sizes, figures_of, measure, slowest
from tests.performance.peers.serving import Worker, numbered
from tests.performance.peers.table import OURS, Figures, PeerRow, Round, as_json, print_peers, verdict
from tests.support.migrate import REPOSITORY


def did(*seconds: float, kept: int = 10, failures: Sequence[str] = ()) -> Figures:
    return Figures([Round(each, each / 2, kept, 10) for each in seconds], failures)


def row(**sides: Figures) -> PeerRow:
    return PeerRow("append", "append one message", sides)


def test_ours_leads_when_its_median_is_the_least() -> None:
    compared = row(ours=did(1, 1, 9), slow=did(4, 4, 4), fast=did(2, 0.1, 2))
    assert (compared.leads, compared.best_peer, compared.ratio) == (True, "fast", 2)
    assert not row(ours=did(3), slow=did(4), fast=did(2)).leads


def test_who_is_as_fast_does_not_lead() -> None:
    assert not row(ours=did(2), fast=did(2)).leads


@pytest.mark.parametrize("lossy", [did(0.1, kept=9), did(0.1, failures=["locked"]), did(failures=["locked"])])
def test_who_loses_or_fails_is_beside_nobody(lossy: Figures) -> None:
    compared = row(ours=did(3), lossy=lossy, whole=did(4))
    assert (compared.leads, compared.best_peer) == (True, "whole")
    alone = row(ours=did(3), lossy=lossy)
    assert (alone.leads, alone.best_peer, alone.ratio) == (True, None, None)
    # Nor does ours lead by work that it did not do.
    assert not row(ours=lossy, whole=did(4)).leads


def test_ours_in_another_setting_is_no_peer() -> None:
    compared = PeerRow("append", "append", {OURS: did(3), f"{OURS}, as it comes": did(1), "peer": did(4)})
    assert (compared.best_peer, compared.leads) == ("peer", True)


def test_the_report_has_medians_spreads_and_what_was_lost() -> None:
    told = as_json(row(ours=did(1, 2, 3), peer=did(4, kept=8, failures=["OperationalError: locked"])))
    assert (told["id"], told["leads"], told["best_peer"], told["ratio"]) == ("append", True, None, None)
    assert told["sides"]["ours"] == {
        "median": 2,
        "spread": pytest.approx(0.8),
        "cpu": 1,
        "rounds": 3,
        "kept": 30,
        "wanted": 30,
        "failures": [],
    }
    assert told["sides"]["peer"]["failures"] == ["OperationalError: locked"]
    assert (told["sides"]["peer"]["kept"], told["sides"]["peer"]["wanted"]) == (8, 10)
    assert as_json(row(ours=did(1), peer=did(failures=["x"])))["sides"]["peer"]["median"] is None


def test_the_table_tells_settings_losses_failures_and_who_leads() -> None:
    rows = [
        row(ours=did(0.001), peer=did(0.002)),
        PeerRow("last", "read", {"ours": did(0.003), "peer": did(0.001)}),
        PeerRow("tasks", "many", {"ours": did(0.003), "peer": did(0.001, kept=7)}),
        PeerRow("start", "start", {"ours": did(0.003), "peer": did(failures=["locked [x]"])}),
    ]
    settings = {
        name: {"journal_mode": "wal", "synchronous": "FULL", "versions": f"{name} 1"} for name in ("ours", "peer")
    }
    shown = io.StringIO()
    print_peers(rows, settings, Console(file=shown, width=160))
    text = shown.getvalue()
    assert "peer: journal_mode wal, synchronous FULL; peer 1" in text
    assert "1 ms, ± 0%, CPU 500 µs" in text
    assert "lost 3 of 10" in text
    assert "failed: locked" in text
    assert "yes, 2.00 × peer" in text
    assert "no, 0.33 × peer" in text
    assert "Ours leads in 3 of 4 rows." in text
    assert verdict(rows) == "Ours leads in 3 of 4 rows. Not in 'last': peer takes 1 ms."


def test_what_processes_did_together_is_the_longest_and_all_they_computed() -> None:
    answers = [{"seconds": each, "cpu": 0.5, "kept": 1, "wanted": 1} for each in (1.0, 3.0)]
    assert slowest(answers) == {"seconds": 3.0, "cpu": 1.0, "kept": 2, "wanted": 2}
    assert slowest([*answers, {"error": "locked"}]) == {"error": "locked"}
    assert figures_of([answers[1], {"error": "locked"}]) == Figures([Round(3.0, 0.5, 1, 1)], ["locked"])


class Forgetful:
    """Keeps conversations in memory; `forgets` is the number of the append that is lost."""

    def __init__(self, forgets: int = -1) -> None:
        self._talks: dict[str, list[str]] = {}
        self._forgets = forgets
        self._appended = 0

    async def open(self, path: str) -> None: ...

    async def close(self) -> None: ...

    async def fill(self, conversation: str, texts: Sequence[str]) -> None:
        self._talks[conversation] = list(texts)

    async def append(self, conversation: str, text: str) -> None:
        if self._appended != self._forgets:
            self._talks[conversation].append(text)
        self._appended += 1

    async def last(self, conversation: str, count: int) -> Sequence[str]:
        return self._talks[conversation][-count:]

    again = last

    def text(self, message: Any) -> str:
        return str(message)

    async def settings(self) -> dict[str, str]:
        return {}


async def test_a_lost_message_is_seen() -> None:
    whole, lossy = Worker(Forgetful()), Worker(Forgetful(3))
    for worker, lost in ((whole, 0), (lossy, 1)):
        appended = await worker.append("a", messages=5, times=4)
        assert (appended["kept"], appended["wanted"]) == (10 - lost, 10)
        assert 0 < appended["seconds"] < 1
    tasks = await Worker(Forgetful(3)).tasks(["a", "b"], tasks=4, each=3)
    assert (tasks["kept"], tasks["wanted"]) == (13, 14)


async def test_a_wrong_page_of_messages_is_seen() -> None:
    right = await Worker(Forgetful()).last("a", messages=9, count=5, times=1, again=False)
    assert (right["kept"], right["wanted"]) == (5, 5)

    class First(Forgetful):
        async def last(self, conversation: str, count: int) -> Sequence[str]:
            return [numbered(place) for place in range(count)]

    wrong = await Worker(First()).last("a", messages=9, count=5, times=1, again=False)
    assert (wrong["kept"], wrong["wanted"]) == (0, 5)


def test_our_side_does_all_the_work_and_loses_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    command = [sys.executable, "-m", "tests.performance.peers.ours", "FULL"]
    rows, settings = measure({OURS: command}, tmp_path, Sizes(1, 1, 1), lambda row: told.append(row.id))
    assert [each.id for each in rows] == told
    assert told[:2] == ["append", "append-new"]
    for each in rows:
        assert each.sides[OURS].complete, each
        assert each.sides[OURS].cpu > 0
    assert (settings[OURS]["journal_mode"], settings[OURS]["synchronous"]) == ("wal", "FULL")


def test_nothing_of_the_peers_is_needed_here() -> None:
    directory = REPOSITORY / "tests" / "performance" / "peers"
    for path in (directory / "run.py", directory / "table.py", directory / "serving.py", directory / "ours.py"):
        text = path.read_text(encoding="utf-8")
        assert "import agents" not in text
        assert "from agents" not in text
        assert "from lang" not in text
    assert not {name for name in sys.modules if name.partition(".")[0] in ("agents", "langgraph", "langchain_core")}
