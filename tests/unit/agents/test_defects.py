"""The table of v1's defects: each has a test that names it, or a reason why nothing of it is left to test."""

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.migrate import REPOSITORY

TABLE: dict[str, dict[str, Any]] = tomllib.loads(Path(__file__).with_name("defects.toml").read_text("utf-8"))
DEFECTS = [f"D{number:02}" for number in range(1, 83)]


def docstring_of(test: str) -> str:
    """That of `path::function`. Raises for a test that is not there."""
    path, name = test.split("::")
    tree = ast.parse((REPOSITORY / path).read_text("utf-8"))
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name == name:
            return ast.get_docstring(node) or ""
    raise LookupError(f"there is no test {test}")


def test_every_defect_is_in_the_table() -> None:
    assert sorted(TABLE) == DEFECTS


@pytest.mark.parametrize("defect", DEFECTS)
def test_a_defect_has_a_test_that_names_it_or_a_reason_to_have_none(defect: str) -> None:
    entry = TABLE[defect]
    assert entry.keys() == {"was", "tests"} or entry.keys() == {"was", "why_none"}
    assert all(entry.values())
    for test in entry.get("tests", ()):
        assert defect in docstring_of(test), f"{test} does not name {defect}"
