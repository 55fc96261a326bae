"""The revisions together create what the models say, and both are what the snapshots show.

New SQLite files are made from alembic/head.sqlite.sql, which is what the revisions leave, word for word.

After a wanted change run `SOCRATES_UPDATE_SNAPSHOTS=1 python -m pytest tests/migration/test_ddl.py` and read
the difference before committing it.
"""

import importlib.util
import os
import sqlite3
from contextlib import closing
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text

from socrates.database.migrations import create_schema
from socrates.models import Base
from tests.support.migrate import upgrade

REVISIONS = Path(__file__).parents[2] / "alembic" / "versions"
NEW_FILE = REVISIONS.parent / "head.sqlite.sql"
SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.fixture(scope="module")
def revisions() -> list[ModuleType]:
    """The revisions that change the schema, in their order."""
    modules = [loaded(path) for path in sorted(REVISIONS.glob("0*.py"))]
    return [module for module in modules if hasattr(module, "create_schema")]


def loaded(path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(f"revision_{path.stem}", path)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def create_all(revisions: list[ModuleType]) -> None:
    for revision in revisions:
        revision.create_schema()


def schema_of(connection: Connection) -> dict[str, str]:
    """The SQL of every table and index, with runs of blanks made one."""
    rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return {name: " ".join(sql.split()) for name, sql in rows}


def test_revisions_and_models_agree(revisions: list[ModuleType], tmp_path: Path) -> None:
    by_models = create_engine(f"sqlite:///{tmp_path / 'models.db'}")
    by_revisions = create_engine(f"sqlite:///{tmp_path / 'revisions.db'}")
    Base.metadata.create_all(by_models)
    # The convention of target_metadata must not be put on top of the revisions' names.
    options = {"target_metadata": Base.metadata}
    with by_revisions.begin() as connection:
        with Operations.context(MigrationContext.configure(connection, opts=options)):
            create_all(revisions)
        made = schema_of(connection)
    with by_models.connect() as connection:
        wanted = schema_of(connection)
    by_models.dispose()
    by_revisions.dispose()

    assert made == wanted
    assert len(made) > len(Base.metadata.tables)


def test_drop_schema_takes_back_what_each_revision_made(revisions: list[ModuleType]) -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection, Operations.context(MigrationContext.configure(connection)):
        before = []
        for revision in revisions:
            before.append(schema_of(connection))
            revision.create_schema()
        for revision in reversed(revisions):
            revision.drop_schema()
            assert schema_of(connection) == before.pop()
    engine.dispose()


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_ddl_is_that_of_the_snapshot(revisions: list[ModuleType], dialect: str) -> None:
    snapshot = SNAPSHOTS / f"schema.{dialect}.sql"
    ddl = compiled_ddl(revisions, dialect)
    if os.environ.get("SOCRATES_UPDATE_SNAPSHOTS") == "1":
        snapshot.write_text(ddl, encoding="utf-8")

    assert ddl == snapshot.read_text(encoding="utf-8"), (
        f"the schema of {dialect} has changed; if it should, run this test with"
        " SOCRATES_UPDATE_SNAPSHOTS=1 and commit the new snapshot"
    )


def test_the_script_of_new_files_is_what_the_revisions_leave(tmp_path: Path) -> None:
    assert upgrade(tmp_path / "upgraded.db").status == 0
    with closing(sqlite3.connect(tmp_path / "upgraded.db")) as connection:
        left = connection.execute("SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY rowid").fetchall()
        holding = [line for line in connection.iterdump() if line.startswith("INSERT")]
    script = "".join(f"{sql};\n" for (sql,) in left)
    if os.environ.get("SOCRATES_UPDATE_SNAPSHOTS") == "1":
        NEW_FILE.write_text(script, encoding="utf-8")

    assert script == NEW_FILE.read_text(encoding="utf-8"), (
        "new files would not be what upgraded ones are; run this test with SOCRATES_UPDATE_SNAPSHOTS=1 and commit"
        f" {NEW_FILE}"
    )
    assert len(holding) == 1, "and the script's only row is the revision"


def test_a_new_file_is_what_an_upgraded_one_is(tmp_path: Path) -> None:
    create_schema(tmp_path / "new.db")
    upgrade(tmp_path / "upgraded.db")
    new, upgraded = (whole(tmp_path / name) for name in ("new.db", "upgraded.db"))
    assert new == upgraded


def whole(path: Path) -> list[object]:
    """All that a file holds: its objects, its rows, and what its header says."""
    with closing(sqlite3.connect(path)) as connection:
        pragmas = ("page_size", "encoding", "auto_vacuum", "user_version", "application_id", "page_count")
        return [
            connection.execute("SELECT type, name, tbl_name, sql FROM sqlite_master").fetchall(),
            list(connection.iterdump()),
            [connection.execute(f"PRAGMA {name}").fetchone() for name in pragmas],
        ]


def compiled_ddl(revisions: list[ModuleType], dialect: str) -> str:
    """What the revisions would send to an engine, without the engine."""
    buffer = StringIO()
    context = MigrationContext.configure(dialect_name=dialect, opts={"as_sql": True, "output_buffer": buffer})
    with Operations.context(context):
        create_all(revisions)
    lines = [line.rstrip() for line in buffer.getvalue().splitlines()]
    statements = "\n".join(lines).split(";\n")
    return "\n\n".join(f"{statement.strip()};" for statement in statements if statement.strip()) + "\n"
