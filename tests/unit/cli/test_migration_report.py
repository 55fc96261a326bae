"""Where a report may lie."""

from pathlib import Path

import pytest

from socrates.cli.migration_report import require_report_place
from socrates.errors import ConfigurationError
from socrates.v1.options import Options
from tests.support.v1_files import V1File


def place(report: Path, database: Path, v1: Path | None = None) -> None:
    require_report_place(Options(report=report, v1=v1), database)


@pytest.mark.parametrize("name", ["projects.db", "projects.db-journal", "projects.db-wal", "link.db"])
def test_a_report_lies_over_no_database_and_nothing_beside_it(tmp_path: Path, name: str) -> None:
    database = tmp_path / "projects.db"
    (tmp_path / "link.db").symlink_to(database)
    with pytest.raises(ConfigurationError):
        place(tmp_path / name, database)
    with pytest.raises(ConfigurationError):
        place(tmp_path / name, tmp_path / "other.db", v1=database)


def test_a_report_lies_over_no_other_database(tmp_path: Path) -> None:
    with V1File(tmp_path / "mine.db") as mine:
        mine.add_user()
    with pytest.raises(ConfigurationError, match="is a database"):
        place(tmp_path / "mine.db", tmp_path / "projects.db")


def test_a_report_is_a_file_in_a_directory_that_is_there(tmp_path: Path) -> None:
    for report in (tmp_path, tmp_path / "missing" / "report.json", Path("/dev/null")):
        with pytest.raises(ConfigurationError):
            place(report, tmp_path / "projects.db")


def test_an_earlier_report_may_be_replaced(tmp_path: Path) -> None:
    earlier = tmp_path / "report.json"
    earlier.write_text("{}")
    place(earlier, tmp_path / "projects.db")
