"""Revision 0001 creates what the models say, and both are what the snapshots show.

After a wanted change run `SOCRATES_UPDATE_SNAPSHOTS=1 python -m pytest tests/migration/test_ddl.py` and read
the difference before committing it.
"""

import importlib.util
import os
from io import StringIO
from pathlib import Path
from types import ModuleType

import pytest
from alembic.operations import Operations
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, create_engine, text

from socrates.models import Base

REVISION = Path(__file__).parents[2] / "alembic" / "versions" / "0001_rename_v1_and_create_schema.py"
SNAPSHOTS = Path(__file__).parent / "snapshots"


@pytest.fixture(scope="module")
def revision() -> ModuleType:
    specification = importlib.util.spec_from_file_location("revision_0001", REVISION)
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def schema_of(connection: Connection) -> dict[str, str]:
    """The SQL of every table and index, with runs of blanks made one."""
    rows = connection.execute(text("SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL"))
    return {name: " ".join(sql.split()) for name, sql in rows}


def test_revision_and_models_agree(revision: ModuleType, tmp_path: Path) -> None:
    by_models = create_engine(f"sqlite:///{tmp_path / 'models.db'}")
    by_revision = create_engine(f"sqlite:///{tmp_path / 'revision.db'}")
    Base.metadata.create_all(by_models)
    # The convention of target_metadata must not be put on top of the revision's names.
    options = {"target_metadata": Base.metadata}
    with by_revision.begin() as connection:
        with Operations.context(MigrationContext.configure(connection, opts=options)):
            revision.create_schema()
        made = schema_of(connection)
    with by_models.connect() as connection:
        wanted = schema_of(connection)
    by_models.dispose()
    by_revision.dispose()

    assert made == wanted
    assert len(made) > len(Base.metadata.tables)


def test_drop_schema_leaves_nothing(revision: ModuleType) -> None:
    engine = create_engine("sqlite://")
    with engine.begin() as connection:
        with Operations.context(MigrationContext.configure(connection)):
            revision.create_schema()
            revision.drop_schema()
        left = schema_of(connection)
    engine.dispose()

    assert left == {}


@pytest.mark.parametrize("dialect", ["sqlite", "postgresql"])
def test_ddl_is_that_of_the_snapshot(revision: ModuleType, dialect: str) -> None:
    snapshot = SNAPSHOTS / f"schema.{dialect}.sql"
    ddl = compiled_ddl(revision, dialect)
    if os.environ.get("SOCRATES_UPDATE_SNAPSHOTS") == "1":
        snapshot.write_text(ddl, encoding="utf-8")

    assert ddl == snapshot.read_text(encoding="utf-8"), (
        f"the schema of {dialect} has changed; if it should, run this test with"
        " SOCRATES_UPDATE_SNAPSHOTS=1 and commit the new snapshot"
    )


def compiled_ddl(revision: ModuleType, dialect: str) -> str:
    """What create_schema would send to an engine, without the engine."""
    buffer = StringIO()
    context = MigrationContext.configure(dialect_name=dialect, opts={"as_sql": True, "output_buffer": buffer})
    with Operations.context(context):
        revision.create_schema()
    lines = [line.rstrip() for line in buffer.getvalue().splitlines()]
    statements = "\n".join(lines).split(";\n")
    return "\n\n".join(f"{statement.strip()};" for statement in statements if statement.strip()) + "\n"
