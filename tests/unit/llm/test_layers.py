"""Who imports the vendor's SDK: one module, and not before the first call."""

import ast
from pathlib import Path

import socrates

PACKAGE = Path(socrates.__file__).parent


def imported(file: Path) -> set[str]:
    """The top-level names of the packages that the file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names.add(node.module.partition(".")[0])
    return names


def test_one_package_imports_the_vendors_sdk() -> None:
    mentioning = [file for file in PACKAGE.rglob("*.py") if "anthropic" in file.read_text("utf-8")]
    importers = [file for file in mentioning if "anthropic" in imported(file)]

    assert {file.parent for file in importers} == {PACKAGE / "llm" / "claude"}
