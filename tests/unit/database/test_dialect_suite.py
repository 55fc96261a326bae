"""A part of SQLAlchemy's own dialect suite; `make dialect-suite` runs all of it, on both minor versions."""

from pathlib import Path

import pytest

from tests.dialect import compare

PART = "InsertBehavior or Returning or RowCount or ServerSideCursors or IsolationLevel or LastrowId or ExceptionTest"


@pytest.mark.long
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


@pytest.mark.parametrize(
    ("outcome", "alike"), [({}, False), ({"a": "skipped"}, False), ({"a": "failure"}, False), ({"a": "passed"}, True)]
)
def test_only_tests_that_passed_are_a_success(
    outcome: dict[str, str], alike: bool, capsys: pytest.CaptureFixture[str]
) -> None:
    assert compare.told({("2.1.0", driver): outcome for driver in (compare.STOCK, *compare.OURS)}) is alike
    assert ("no tests" in capsys.readouterr().out) == (not outcome)


def test_what_differs_is_told_of_the_driver_that_does(capsys: pytest.CaptureFixture[str]) -> None:
    stock, different = {"a": "passed", "b": "passed"}, {"a": "passed", "b": "error"}
    results = {("2.1.0", compare.STOCK): stock, ("2.1.0", "onehop"): stock, ("2.1.0", "onehopimmediate"): different}
    assert not compare.told(results)
    assert "onehopimmediate: 1 error, 1 passed; 1 different from aiosqlite\n    b: passed" in capsys.readouterr().out
