"""The migration on a real PostgreSQL server: what `-x v1=` imports there is what an upgrade of the file gives."""

import asyncio
import json
import sys
from asyncio.subprocess import PIPE
from collections.abc import Callable
from pathlib import Path

import asyncpg
import pytest
from sqlalchemy import make_url

from socrates.models import Base
from tests.support.migrate import REPOSITORY, Outcome, alembic, alembic_subprocess, refused, sha256
from tests.support.postgres import (
    connect,
    contents,
    execute,
    import_file,
    query,
    relations,
    upgraded_on_sqlite,
    without_runs,
)
from tests.support.v1_files import V1File, generated_v1_file

pytestmark = pytest.mark.postgres

SAMPLES = Path(__file__).parents[1] / "support" / "v1_samples"
# The number that env.py locks, so that upgrades of one database wait for each other.
LOCK = int.from_bytes(b"socrates", "big")


@pytest.fixture(params=["nine-tables.db", "three-tables.db"])
def sample(request: pytest.FixtureRequest) -> Path:
    return SAMPLES / request.param


@pytest.fixture
def v1_path(tmp_path: Path) -> Path:
    return v1_file(tmp_path, add_everything)


def v1_file(directory: Path, fill: Callable[[V1File], object]) -> Path:
    with V1File(directory / "v1.db") as v1:
        fill(v1)
    return v1.path


def add_everything(v1: V1File) -> None:
    v1.add_project()
    v1.add_user()
    v1.add_note()
    v1.add_effectiveness()
    v1.add_pattern()
    v1.add_document(embedding=bytes(range(256)))
    v1.add_llm_config()
    v1.add_api_key()
    v1.add_usage()


# The schema


def test_upgrade_of_an_empty_database_makes_the_schema(postgres_url: str) -> None:
    outcome = alembic(postgres_url, "upgrade", "head")
    assert outcome.status == 0, outcome
    tables = {name for (name,) in query(postgres_url, "SELECT tablename FROM pg_tables WHERE schemaname = 'public'")}
    assert tables == {*Base.metadata.tables, "alembic_version"}
    assert not any(contents(postgres_url).values())


def test_check_finds_no_drift_and_would_find_some(postgres_url: str) -> None:
    alembic(postgres_url, "upgrade", "head")
    assert alembic(postgres_url, "check").status == 0
    execute(postgres_url, "ALTER TABLE projects DROP COLUMN goals")
    assert alembic(postgres_url, "check").status != 0


# The import


def test_every_value_of_a_sample_is_what_the_upgrade_of_the_file_gives(postgres_url: str, sample: Path) -> None:
    import_file(postgres_url, sample)
    on_postgres, on_sqlite = contents(postgres_url), upgraded_on_sqlite(sample)
    assert without_runs(on_postgres) == without_runs(on_sqlite)
    assert on_postgres["projects"]
    assert on_postgres["v1_import_digests"]


def test_a_file_of_several_chunks_is_what_its_upgrade_gives(postgres_url: str, tmp_path: Path) -> None:
    v1 = generated_v1_file(tmp_path / "v1.db", projects=450, messages=6)
    import_file(postgres_url, v1)
    assert without_runs(contents(postgres_url)) == without_runs(upgraded_on_sqlite(v1))


def test_digests_are_the_same_on_both_engines(postgres_url: str, sample: Path) -> None:
    import_file(postgres_url, sample)
    digests = contents(postgres_url)["v1_import_digests"]
    assert digests == upgraded_on_sqlite(sample)["v1_import_digests"]
    ((read,),) = query(postgres_url, "SELECT report FROM v1_import_runs")
    tables = json.loads(read)["tables"].values()
    assert len(digests) == sum(table["imported"] for table in tables)


def test_the_zones_of_server_and_source_do_not_get_mixed_up(postgres_url: str, v1_path: Path) -> None:
    execute(postgres_url, f"ALTER DATABASE {make_url(postgres_url).database} SET timezone TO 'Australia/Lord_Howe'")
    import_file(postgres_url, v1_path, v1_timezone="America/St_Johns")
    in_place = upgraded_on_sqlite(v1_path, v1_timezone="America/St_Johns")
    assert without_runs(contents(postgres_url)) == without_runs(in_place)


def test_the_run_is_accounted_for(postgres_url: str, v1_path: Path, tmp_path: Path) -> None:
    import_file(postgres_url, v1_path, report=tmp_path / "report.json")
    sql = "SELECT source, timezone, finished_at >= started_at, options, report FROM v1_import_runs"
    ((source, timezone, in_order, options, report),) = query(postgres_url, sql)
    assert (source, timezone, in_order) == (str(v1_path), "UTC", True)
    assert json.loads(options)["v1"] == str(v1_path)
    assert json.loads((tmp_path / "report.json").read_text("utf-8"))["import"] == json.loads(report)


def test_the_source_file_is_as_it_was_and_nothing_lies_beside_it(postgres_url: str, v1_path: Path) -> None:
    before = sha256(v1_path)
    import_file(postgres_url, v1_path)
    assert sha256(v1_path) == before
    assert list(v1_path.parent.iterdir()) == [v1_path]


# Refusals


def test_a_second_import_is_refused_and_a_second_upgrade_changes_nothing(postgres_url: str, v1_path: Path) -> None:
    import_file(postgres_url, v1_path)
    before = contents(postgres_url)
    assert refused(import_file(postgres_url, v1_path, expected_status=2))
    assert refused(import_file(postgres_url, v1_path, expected_status=2, dry_run=1))
    assert contents(postgres_url) == before
    assert alembic(postgres_url, "upgrade", "head").status == 0
    assert contents(postgres_url) == before


@pytest.mark.parametrize("table", ["projects", "accounts"])
def test_a_database_that_holds_a_table_of_somebody_else_is_refused(
    postgres_url: str, v1_path: Path, table: str
) -> None:
    execute(postgres_url, f"CREATE TABLE {table} (id text)", f"INSERT INTO {table} VALUES ('theirs')")
    assert refused(import_file(postgres_url, v1_path, expected_status=2))
    assert refused(alembic(postgres_url, "upgrade", "head"))
    assert relations(postgres_url) == {table}
    assert query(postgres_url, f"SELECT * FROM {table}") == [("theirs",)]


@pytest.mark.parametrize("content", [None, b"", b"no database at all" * 50], ids=["missing", "empty", "letter"])
def test_a_file_that_holds_no_v1_is_refused_and_the_database_stays_empty(
    postgres_url: str, tmp_path: Path, content: bytes | None
) -> None:
    v1 = tmp_path / "v1.db"
    if content is not None:
        v1.write_bytes(content)
    assert refused(import_file(postgres_url, v1, expected_status=2))
    assert relations(postgres_url) == set()
    assert v1.exists() == (content is not None)


def test_a_server_that_does_not_let_us_in_is_told_without_a_traceback(postgres_url: str) -> None:
    url = make_url(postgres_url)
    for changed in (url.set(database="nobodys"), url.set(username="nobody"), url.set(query={"host": "/nowhere"})):
        outcome = alembic_subprocess(changed.render_as_string(hide_password=False), "upgrade", "head")
        assert refused(outcome), outcome


# One transaction


def test_a_dry_run_reports_and_leaves_the_database_empty(postgres_url: str, v1_path: Path, tmp_path: Path) -> None:
    import_file(postgres_url, v1_path, dry_run=1, report=tmp_path / "report.json")
    assert relations(postgres_url) == set()
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    assert report["dry_run"]
    assert report["import"]["tables"]["projects"]["imported"] == 1


def test_an_import_that_fails_in_its_last_table_leaves_nothing(postgres_url: str, tmp_path: Path) -> None:
    def fill(v1: V1File) -> None:
        add_everything(v1)
        v1.add_usage(blob=b"damage")

    assert refused(import_file(postgres_url, v1_file(tmp_path, fill), expected_status=2))
    assert relations(postgres_url) == set()


async def test_a_connection_that_breaks_in_the_middle_ends_the_import_and_leaves_nothing(
    postgres_url: str, tmp_path: Path
) -> None:
    v1 = generated_v1_file(tmp_path / "v1.db", projects=1000, messages=20)
    command = ("-m", "alembic", "-x", f"url={postgres_url}", "-x", f"v1={v1}", "upgrade", "head")
    process = await asyncio.create_subprocess_exec(sys.executable, *command, cwd=REPOSITORY, stderr=PIPE)
    connection = await connect(postgres_url)
    try:
        (importer,) = await connections_that(connection, "query LIKE 'INSERT INTO conversation_messages%'")
        await connection.execute(f"SELECT pg_terminate_backend({importer})")
        async with asyncio.timeout(30):
            _, err = await process.communicate()
    finally:
        await connection.close()
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode is not None
    assert refused(Outcome(process.returncode, "", err.decode())), err
    assert await asyncio.to_thread(relations, postgres_url) == set()


@pytest.mark.parametrize("isolation", ["read committed", "serializable"])
async def test_of_two_upgrades_at_once_one_makes_the_schema_and_the_other_waits_for_it(
    postgres_url: str, isolation: str
) -> None:
    connection = await connect(postgres_url)
    database = make_url(postgres_url).database
    await connection.execute(f"ALTER DATABASE {database} SET default_transaction_isolation TO '{isolation}'")
    await connection.execute(f"SELECT pg_advisory_lock({LOCK})")
    upgrades = [
        asyncio.create_task(asyncio.to_thread(alembic_subprocess, postgres_url, "upgrade", "head")) for _ in range(2)
    ]
    await connections_that(connection, "wait_event = 'advisory'", count=2)
    assert await asyncio.to_thread(relations, postgres_url) == set()
    await connection.execute(f"SELECT pg_advisory_unlock({LOCK})")
    outcomes = await asyncio.gather(*upgrades)
    await connection.close()
    assert [outcome.status for outcome in outcomes] == [0, 0], outcomes
    assert sorted("nothing to do" in outcome.out for outcome in outcomes) == [False, True]


async def connections_that(connection: asyncpg.Connection, condition: str, count: int = 1) -> list[int]:
    """Wait until so many other connections to the database are in a condition; return their process ids."""
    others = "SELECT pid FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
    async with asyncio.timeout(30):
        while True:
            found = await connection.fetch(f"{others} AND {condition}")
            if len(found) >= count:
                return [pid for (pid,) in found]
            await asyncio.sleep(0.005)


# Down


def test_a_downgrade_of_an_import_is_refused_unless_it_may_discard(postgres_url: str, v1_path: Path) -> None:
    import_file(postgres_url, v1_path)
    before = contents(postgres_url)
    assert refused(alembic(postgres_url, "downgrade", "base"))
    assert alembic(postgres_url, "downgrade", "base", discard=1, dry_run=1).status == 0
    assert contents(postgres_url) == before
    assert alembic(postgres_url, "downgrade", "base", discard=1).status == 0
    assert relations(postgres_url) == set()
    import_file(postgres_url, v1_path)
    assert without_runs(contents(postgres_url)) == without_runs(before)


def test_a_downgrade_of_an_empty_schema_needs_no_leave(postgres_url: str) -> None:
    alembic(postgres_url, "upgrade", "head")
    assert alembic(postgres_url, "downgrade", "base").status == 0
    assert relations(postgres_url) == set()
