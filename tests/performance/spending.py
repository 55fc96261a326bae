"""What one call costs besides its time: statements, crossings between threads, and bytes that the system moves."""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from socrates.store import Store
from tests.performance.compare import Versus
from tests.support.stores import counted

Call = Callable[[], Any]


def spent(
    versus: Versus, store: Store, ours: Call, baseline: Call | None = None, *, past_caches: bool = True
) -> dict[str, int]:
    """What one call of ours and of the baseline cost, each after a first one, under the names that a report shows.

    Caches are passed over, unless `past_caches` is False. "hops" are crossings to the thread of an SQLite connection,
    of which PostgreSQL has none.
    """
    _run(versus, ours)
    with counted(store, past_caches) as cost:
        moved = _moved(versus, ours)
    costs = {"statements": len(cost.statements) + len(cost.locks) + len(cost.notifications)}
    if cost.on_sqlite:
        costs["hops"] = cost.crossings
    costs |= moved
    if baseline is not None:
        _run(versus, baseline)
        costs |= {f"{name} by the baseline": number for name, number in _moved(versus, baseline).items()}
    return costs


def _moved(versus: Versus, call: Call) -> dict[str, int]:
    """The bytes that this process reads and writes meanwhile, in files and sockets, even if no disk is reached."""
    read_at_rest, written_at_rest = _difference(lambda: None)
    read, written = _difference(lambda: _run(versus, call))
    return {"bytes read": max(0, read - read_at_rest), "bytes written": max(0, written - written_at_rest)}


def _difference(work: Call) -> tuple[int, int]:
    before = _so_far()
    work()
    after = _so_far()
    return after[0] - before[0], after[1] - before[1]


def _so_far() -> tuple[int, int]:
    lines = Path("/proc/self/io").read_text(encoding="ascii").splitlines()
    figures = dict(line.split(": ") for line in lines)
    return int(figures["rchar"]), int(figures["wchar"])


def _run(versus: Versus, call: Call) -> None:
    if inspect.iscoroutinefunction(call):
        versus.run(call())
    else:
        call()
