"""A part of SQLAlchemy's own dialect suite; `make dialect-suite` runs all of it, on both minor versions."""

from pathlib import Path

import pytest

from tests.dialect import compare

PART = "InsertBehavior or Returning or RowCount or ServerSideCursors or IsolationLevel or LastrowId or ExceptionTest"


def test_part_of_the_suite_goes_as_with_the_stock_driver(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    status = compare.main(["-k", PART, "--installed-only", "--directory", str(tmp_path)])
    said = capsys.readouterr().out
    assert status == 0, said
    assert said.count("none different") == len(compare.OURS)


@pytest.mark.parametrize(
    ("ours", "said"),
    [
        ({"a": "passed", "b": "failure"}, "b: passed with the stock driver, failure with ours"),
        ({"a": "passed"}, "b: passed with the stock driver, absent with ours"),
        ({"a": "passed", "b": "passed", "c": "passed"}, "c: absent with the stock driver, passed with ours"),
    ],
)
def test_a_different_outcome_is_said(ours: dict[str, str], said: str) -> None:
    assert compare.differences({"a": "passed", "b": "passed"}, ours) == [said]


def test_no_test_at_all_is_a_failure(tmp_path: Path) -> None:
    assert compare.main(["-k", "no_such_test", "--installed-only", "--directory", str(tmp_path)]) == 1
