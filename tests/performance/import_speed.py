"""How long a checked import takes beside unpickling the same blobs: `python -m tests.performance.import_speed`.

Prints a table and writes build/bench/report.json. With ``--quick`` the numbers are small, to see that it runs.
"""

import argparse
import json
import pickle
import shutil
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from socrates.v1.importer import import_v1
from socrates.v1.reader import V1Reader
from socrates.v1.report import ImportReport
from socrates.v1.shapes import V1_TABLES
from socrates.v1.target import Target
from socrates.v1.times import Zone
from tests.support.migrate import REPOSITORY, upgrade
from tests.support.v1_files import generated_v1_file

MESSAGES = 20
TARGET = 12.0
REPORT = REPOSITORY / "build" / "bench" / "report.json"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true")
    quick = parser.parse_args().quick
    projects, rounds = (100, 2) if quick else (4000, 5)
    with tempfile.TemporaryDirectory() as directory:
        results = measure(Path(directory), projects, rounds)
    show(results)
    REPORT.parent.mkdir(parents=True, exist_ok=True)
    REPORT.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


def measure(directory: Path, projects: int, rounds: int) -> list[dict[str, Any]]:
    """Alternate the import with its two baselines; medians count."""
    source = generated_v1_file(directory / "v1.db", projects, MESSAGES)
    empty = directory / "empty.db"
    upgrade(empty)
    blobs = all_blobs(source)
    ours, kept, dropped = [], [], []
    for _ in range(rounds):
        ours.append(seconds_of_import(source, empty))
        kept.append(seconds_of(lambda: [pickle.loads(blob) for blob in blobs]))
        dropped.append(seconds_of(lambda: load_one_by_one(blobs)))
    what = f"import of {projects:,} projects of {MESSAGES} messages, checked"
    return [
        result("import", f"{what}, against pickle.loads of the same blobs, each dropped at once", ours, dropped),
        result("import-kept", f"{what}, against pickle.loads of the same blobs into one list", ours, kept),
    ]


def load_one_by_one(blobs: list[bytes]) -> None:
    for blob in blobs:
        pickle.loads(blob)


def all_blobs(source: Path) -> list[bytes]:
    with closing(sqlite3.connect(source)) as connection:
        tables = [name for name, shape in V1_TABLES.items() if "data" in shape.columns]
        return [blob for table in tables for (blob,) in connection.execute(f"SELECT data FROM {table}")]


def seconds_of_import(source: Path, empty: Path) -> float:
    """Read, scan, load, walk, convert, write, compare and commit every row."""
    target = empty.with_name("target.db")
    shutil.copyfile(empty, target)
    with closing(sqlite3.connect(source)) as v1, closing(sqlite3.connect(target, isolation_level=None)) as ours:
        reader = V1Reader(v1, {name: name for name in V1_TABLES})

        def run() -> None:
            ours.execute("BEGIN IMMEDIATE")
            report = ImportReport(str(source), "UTC")
            import_v1(
                reader, Target(ours), report, Zone("UTC"), strict=True, options={}, progress=lambda *_figures: None
            )
            ours.execute("COMMIT")

        return seconds_of(run)


def seconds_of(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def result(identity: str, what: str, ours: list[float], baseline: list[float]) -> dict[str, Any]:
    """One row of the report. `spread`: (largest - smallest) / median of our times."""
    median, beside = statistics.median(ours), statistics.median(baseline)
    return {
        "id": identity,
        "what": what,
        "ours_seconds": median,
        "baseline_seconds": beside,
        "ratio": median / beside,
        "target": f"at most {TARGET:g}",
        "holds": median / beside <= TARGET,
        "n": len(ours),
        "spread": (max(ours) - min(ours)) / median,
    }


def show(results: list[dict[str, Any]]) -> None:
    table = Table("what", "ours", "baseline", "ratio", "target", "holds")
    for row in results:
        seconds = (f"{row['ours_seconds']:.3f} s", f"{row['baseline_seconds']:.3f} s")
        table.add_row(row["what"], *seconds, f"{row['ratio']:.1f}", row["target"], "yes" if row["holds"] else "no")
    Console().print(table)


if __name__ == "__main__":
    main()
