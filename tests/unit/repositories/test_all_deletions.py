"""No statement that deletes an imported record was forgotten, nor anything that goes along with one."""

import importlib
import pkgutil
from typing import Any

from sqlalchemy import Delete

import socrates.repositories
from socrates.models import Base
from socrates.v1.layout import TABLES_OF
from tests.unit.repositories.test_deletions import PERSONAL


def test_no_other_statement_deletes_an_imported_record() -> None:
    mains = {group[0].name for group in TABLES_OF.values()}
    found = [
        (name, statement.table.name)
        for name, statement in _statements()
        if isinstance(statement, Delete) and statement.table.name in mains
    ]
    assert sorted(found) == sorted(
        [
            ("knowledge", "knowledge_documents"),
            ("knowledge_entries", "knowledge_documents"),
            ("llm", "api_keys"),
            ("notes", "project_notes"),
            ("projects", "projects"),
            ("user_deletion", "projects"),
            ("user_deletion", "users"),
            *(("user_deletion", table) for table in PERSONAL),
        ]
    ), "whoever adds a deletion remembers it, see socrates/repositories/deletions.py, and adds it to DELETIONS"


def _statements() -> list[tuple[str, Any]]:
    """Every constant of the repositories' modules, and what lies in those that are tuples."""
    found: list[tuple[str, Any]] = []
    for module in pkgutil.iter_modules(socrates.repositories.__path__):
        loaded = importlib.import_module(f"socrates.repositories.{module.name}")
        for constant in vars(loaded).values():
            found += [(module.name, one) for one in (constant if isinstance(constant, tuple) else (constant,))]
    return found


def test_nothing_else_goes_along_with_an_imported_record() -> None:
    mains = {group[0].name for group in TABLES_OF.values()}
    cascades = {
        (reference.column.table.name, table.name)
        for table in Base.metadata.sorted_tables
        for reference in table.foreign_keys
        if table.name in mains and reference.ondelete == "CASCADE"
    }
    assert cascades == {("projects", "project_notes"), ("projects", "knowledge_documents")}


# What it costs
