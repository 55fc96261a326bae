"""How long a checked import takes beside unpickling the same blobs."""

import pickle
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path
from time import perf_counter

from socrates.v1.importer import import_v1
from socrates.v1.reader import V1Reader
from socrates.v1.report import ImportReport
from socrates.v1.shapes import V1_TABLES
from socrates.v1.target import Target
from socrates.v1.times import Zone
from tests.performance.compare import Side, Times, Versus
from tests.performance.targets import AtMost, ShareUpTo, Under
from tests.support.migrate import alembic_subprocess, upgrade, value
from tests.support.v1_files import generated_v1_file

PROJECTS, QUICK_PROJECTS = 4_000, 100
MESSAGES = 20
RATE = 900
"""Usual projects a second: what 12 times their unpickling was taken to be, in a measurement before this."""
GROWING, QUICK_GROWING = (500, 1_000, 2_000, 4_000, 8_000), (20, 40, 80, 160)
"""Projects of the files by which the peak of memory is watched."""
MEGABYTE = 1_000_000


class Import:
    """An import that can be repeated: each begins with an empty database, which is made before the clock runs."""

    def __init__(self, source: Path, directory: Path) -> None:
        self._v1 = sqlite3.connect(source)
        self._reader = V1Reader(self._v1, {name: name for name in V1_TABLES})
        self._empty, self.target = directory / "empty.db", directory / "target.db"
        upgrade(self._empty)

    def prepare(self) -> None:
        shutil.copyfile(self._empty, self.target)

    def run(self) -> None:
        """Read, scan, load, walk, convert, write, compare and commit every row."""
        with closing(sqlite3.connect(self.target, isolation_level=None)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            import_v1(
                self._reader,
                Target(connection),
                ImportReport("v1.db", "UTC"),
                Zone("UTC"),
                strict=True,
                options={},
                progress=lambda *_figures: None,
            )
            connection.execute("COMMIT")

    def close(self) -> None:
        self._v1.close()


def all_blobs(source: Path) -> list[bytes]:
    with closing(sqlite3.connect(source)) as connection:
        tables = [name for name, shape in V1_TABLES.items() if "data" in shape.columns]
        return [blob for table in tables for (blob,) in connection.execute(f"SELECT data FROM {table}")]


def test_import(versus: Versus, tmp_path: Path, quick: bool) -> None:
    projects = QUICK_PROJECTS if quick else PROJECTS
    source = generated_v1_file(tmp_path / "v1.db", projects, MESSAGES)
    blobs = all_blobs(source)

    def load_one_by_one() -> None:
        for blob in blobs:
            pickle.loads(blob)

    def load_into_one_list() -> None:
        _kept = [pickle.loads(blob) for blob in blobs]

    with closing(Import(source, tmp_path)) as checked_import:
        dropped, kept, ours = versus.measure(
            load_one_by_one,
            load_into_one_list,
            Side(checked_import.run, before=checked_import.prepare, loops=1),
            rounds=5,
        )
    assert value(checked_import.target, "SELECT count(*) FROM projects") == projects
    what = f"import of {projects:,} projects of {MESSAGES} messages, checked"
    beside = "against pickle.loads of the same blobs"
    versus.row("import", f"{what}, {beside}, each dropped at once", ours, dropped, AtMost(12))
    versus.row("import-kept", f"{what}, {beside} into one list", ours, kept, AtMost(12))
    versus.row("import-rate", f"{what}, at {RATE} a second", ours, None, Under(projects / RATE))


def test_memory(versus: Versus, tmp_path: Path, quick: bool) -> None:
    """The peak of a new process for each file. What the largest takes beyond the smallest is held against how much
    larger the file is: where all of it were kept, that would be more than the whole."""
    peaks, sizes = {}, {}
    began = perf_counter()
    for projects in QUICK_GROWING if quick else GROWING:
        path = generated_v1_file(tmp_path / f"{projects}.db", projects, MESSAGES)
        sizes[projects] = path.stat().st_size
        outcome = alembic_subprocess(path, "upgrade", "head", v1_timezone="UTC")
        assert outcome.status == 0, outcome
        peaks[projects] = outcome.peak_memory
    seconds = (perf_counter() - began) / len(peaks)
    first, last = min(peaks), max(peaks)
    versus.share(
        id="import-memory",
        what=f"upgrade of {first:,} to {last:,} projects: growth of peak memory, as a share of the file's growth",
        share=(peaks[last] - peaks[first]) / (sizes[last] - sizes[first]),
        ours=Times([seconds]),
        baseline=None,
        target=ShareUpTo(0.25),
        counts={f"MB at {projects:,} projects": round(peak / MEGABYTE) for projects, peak in peaks.items()},
    )
    versus.measured_elsewhere()
