"""Run SQLAlchemy's dialect suite with the stock driver and with ours, and compare what became of each test.

`make dialect-suite` runs all of it, on the installed SQLAlchemy and on the newest of the other minor version. Exit
status 1 when an outcome differs or nothing ran.
"""

import argparse
import os
import re
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import product
from pathlib import Path
from xml.etree import ElementTree

ROOT = Path(__file__).parents[2]
STOCK = "aiosqlite"
OURS = ("onehop", "onehopimmediate")

_LINES = {"2.0": ">=2.0.56,<2.1", "2.1": ">=2.1,<2.2"}
_DATABASE_IN_NAME = re.compile(r"_sqlite\+\w+?_async_[\d_]+")

Outcomes = Mapping[str, str]


def outcomes(python: Path, driver: str, directory: Path, *options: str) -> Outcomes:
    """Run the suite in `directory`, which keeps the log; the outcome of each test."""
    directory.mkdir(parents=True, exist_ok=True)
    report, log = directory / "report.xml", directory / "log.txt"
    report.unlink(missing_ok=True)
    suite = ROOT / "tests" / "dialect"
    command = [
        *(python, "-m", "pytest", "-c", suite / "setup.cfg", "-p", "tests.dialect.plugin", "--tb=short"),
        *("--dburi", f"sqlite+{driver}:///suite.db", f"--junitxml={report}", *options, suite / "suite.py"),
    ]
    with log.open("w") as output:
        subprocess.run(
            command,
            cwd=directory,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTEST_ADDOPTS": ""},
            stdout=output,
            stderr=subprocess.STDOUT,
            check=False,
        )
    if not report.exists():
        raise SystemExit(f"the suite did not run; see {log}")
    return dict(_read(report))


def _read(report: Path) -> Iterator[tuple[str, str]]:
    for case in ElementTree.parse(report).iter("testcase"):
        name = _DATABASE_IN_NAME.sub("", f"{case.get('classname', '').rpartition('.')[2]}.{case.get('name')}")
        yield name, next((child.tag for child in case if child.tag in ("failure", "error", "skipped")), "passed")


def differences(stock: Outcomes, ours: Outcomes) -> list[str]:
    """One line for each test that went another way, or that only one of the two has."""
    return [
        f"{name}: {stock.get(name, 'absent')} with the stock driver, {ours.get(name, 'absent')} with ours"
        for name in sorted(stock.keys() | ours.keys())
        if stock.get(name) != ours.get(name)
    ]


def told(results: Mapping[tuple[str, str], Outcomes]) -> bool:
    """Print what came of each run, by SQLAlchemy's version and driver; whether all went as with the stock driver."""
    alike = True
    for (version, driver), result in results.items():
        counts = ", ".join(f"{number} {outcome}" for outcome, number in sorted(Counter(result.values()).items()))
        different = differences(results[version, STOCK], result)
        alike = alike and not different and "passed" in result.values()
        verdict = "" if driver == STOCK else f"; {len(different) or 'none'} different from {STOCK}"
        print(f"SQLAlchemy {version}, {driver}: {counts or 'no tests'}{verdict}")
        for line in different:
            print(f"    {line}")
    return alike


def _other_version(directory: Path, installed: str) -> Path:
    """The Python of a virtual environment with SQLAlchemy's other minor version, made when it isn't there."""
    (other,) = _LINES.keys() - {installed}
    python = directory / f"venv-{other}" / "bin" / "python"
    if not (made := python.with_name(".made")).exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", python.parents[1]], check=True)
        packages = [f"sqlalchemy[asyncio]{_LINES[other]}", "aiosqlite", "pytest"]
        subprocess.run(
            [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *packages], check=True
        )
        made.touch()
    return python


def _sqlalchemy_of(python: Path) -> str:
    ask = "import sqlalchemy; print(sqlalchemy.__version__)"
    return subprocess.run([python, "-c", ask], check=True, capture_output=True, text=True).stdout.strip()


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.dialect.compare", description=__doc__)
    parser.add_argument("-k", default="", metavar="EXPRESSION", help="only these tests, as in pytest")
    parser.add_argument("--installed-only", action="store_true", help="not the other version of SQLAlchemy")
    parser.add_argument("--directory", type=Path, default=ROOT / "build" / "dialect", help="where everything is put")
    options = parser.parse_args(arguments)
    directory = options.directory.resolve()

    # Not resolved: a virtual environment's Python is a link, and it is the link that has the packages.
    pythons = {_sqlalchemy_of(here := Path(sys.executable)): here}
    if not options.installed_only:
        other = _other_version(directory, next(iter(pythons)).rpartition(".")[0])
        pythons[_sqlalchemy_of(other)] = other

    def run(which: tuple[str, str]) -> Outcomes:
        version, driver = which
        return outcomes(pythons[version], driver, directory / f"{version}-{driver}", "-k", options.k)

    runs = list(product(pythons, (STOCK, *OURS)))
    with ThreadPoolExecutor(max_workers=2) as pool:
        results = dict(zip(runs, pool.map(run, runs), strict=True))

    return 0 if told(results) else 1


if __name__ == "__main__":
    sys.exit(main())
