"""Opening a store on PostgreSQL: what is made, what is refused and how, and that no password is ever shown."""

import asyncio
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest
from sqlalchemy import URL, make_url

from socrates.database.migrations import head_revision
from socrates.errors import BusyError, ConfigurationError, DatabaseError, NotRecognisedError, SchemaError, SocratesError
from socrates.store import Store
from tests.support.migrate import alembic
from tests.support.postgres import connect, execute, fresh_database, query, relations

pytestmark = pytest.mark.postgres

# Put together, so that the lines of source in a traceback do not hold it.
PASSWORD = "-".join(("pass", "word", "4711"))
MIGRATION_LOCK = int.from_bytes(b"socrates", "big")


async def refused(url: str | URL) -> SocratesError:
    """What opening raises. It shows no password."""
    shown = url if isinstance(url, str) else url.render_as_string(hide_password=False)
    with pytest.raises(SocratesError) as raised:
        await Store.open(shown)
    assert PASSWORD not in "".join(traceback.format_exception(raised.value))
    return raised.value


async def test_an_empty_database_gets_its_schema_and_keeps_its_data(postgres_url: str) -> None:
    async with Store.open(postgres_url) as store:
        assert (await store.health()).revision == head_revision()
        async with store.begin() as unit:
            await unit.projects.create("Library", "ada")
    before = relations(postgres_url)
    async with Store.open(postgres_url.replace("postgresql+asyncpg", "postgres")) as store:
        assert [project.name for project in await store.projects.for_user("ada")] == ["Library"]
    assert relations(postgres_url) == before


async def test_stores_that_open_one_empty_database_at_once_make_one_schema(postgres_url: str) -> None:
    stores = await asyncio.gather(*(Store.open(postgres_url) for _ in range(4)))
    for number, store in enumerate(stores):
        async with store.begin() as unit:
            await unit.projects.create(f"Project {number}", "ada")
        await store.close()
    assert query(postgres_url, "SELECT version_num FROM alembic_version") == [(head_revision(),)]
    assert query(postgres_url, "SELECT count(*) FROM projects") == [(4,)]


async def test_opening_waits_for_a_migration_no_longer_than_the_setting(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCRATES_LOCK_TIMEOUT", "0.3")
    other = await connect(postgres_url)
    await other.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK)
    began = time.monotonic()
    error = await refused(make_url(postgres_url).set(password=PASSWORD))
    assert type(error) is BusyError
    assert "another migration" in str(error)
    assert 0.2 < time.monotonic() - began < 20
    assert relations(postgres_url) == set()
    await other.execute("SELECT pg_advisory_unlock_all()")
    await other.close()
    async with Store.open(postgres_url) as store:
        assert (await store.health()).ok


def test_a_migration_waits_for_another_no_longer_than_the_setting(
    postgres_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCRATES_LOCK_TIMEOUT", "0.3")
    other = asyncio.Runner()
    connection = other.run(connect(postgres_url))
    other.run(connection.execute("SELECT pg_advisory_lock($1)", MIGRATION_LOCK))
    outcome = alembic(postgres_url, "upgrade", "head")
    assert outcome.status == 2
    assert "another migration" in outcome.err
    assert "Nothing was changed" in outcome.err
    assert relations(postgres_url) == set()
    other.run(connection.execute("SELECT pg_advisory_unlock_all()"))
    other.run(connection.close())
    other.close()
    assert alembic(postgres_url, "upgrade", "head").status == 0


async def test_another_schema_than_ours_is_left_alone(postgres_url: str) -> None:
    execute(postgres_url, "CREATE TABLE invoices (id integer)")
    error = await refused(make_url(postgres_url).set(password=PASSWORD))
    assert type(error) is NotRecognisedError
    assert "name an empty database" in str(error)
    assert relations(postgres_url) == {"invoices"}


async def test_a_schema_that_is_older_names_the_command_and_a_newer_one_the_cure(postgres_url: str) -> None:
    async with Store.open(postgres_url):
        pass
    for revision, cure in (("0001", "socrates db upgrade"), ("9999", "install that version")):
        execute(postgres_url, f"UPDATE alembic_version SET version_num = '{revision}'")
        error = await refused(make_url(postgres_url).set(password=PASSWORD))
        assert type(error) is SchemaError
        assert revision in str(error)
        assert cure in str(error)
    execute(postgres_url, "DELETE FROM alembic_version")
    assert "at revision none" in str(await refused(postgres_url))


async def test_another_encoding_is_refused(postgres_server: URL) -> None:
    name = "socrates_test_latin_1"
    execute(postgres_server, f"DROP DATABASE IF EXISTS {name}")
    execute(postgres_server, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'SQL_ASCII' LOCALE 'C'")
    try:
        error = await refused(postgres_server.set(database=name, password=PASSWORD))
        assert type(error) is ConfigurationError
        assert "ENCODING 'UTF8'" in str(error)
        assert relations(postgres_server.set(database=name)) == set()
    finally:
        execute(postgres_server, f"DROP DATABASE {name} WITH (FORCE)")


async def test_a_database_or_a_user_that_is_not_there_is_named(postgres_server: URL) -> None:
    for wrong, told in (
        (postgres_server.set(database="nowhere"), "nowhere"),
        (postgres_server.set(username="nobody"), "nobody"),
    ):
        error = await refused(wrong.set(password=PASSWORD))
        assert type(error) is ConfigurationError
        assert told in str(error)


async def test_no_server_is_told_at_once(tmp_path: Path) -> None:
    for where in ("localhost:1/socrates", f"/socrates?host={tmp_path}", "no-such-host.invalid/socrates"):
        error = await refused(f"postgresql://ada:{PASSWORD}@{where}")
        assert type(error) is DatabaseError
        assert "Is the server running" in str(error)


async def test_a_url_that_cannot_be_used_is_a_matter_of_configuration(postgres_server: URL) -> None:
    for wrong in (
        f"postgresql://ada:{PASSWORD}@localhost:port/socrates",
        postgres_server.set(password=PASSWORD).update_query_dict({"colour": "red"}).render_as_string(False),
        postgres_server.set(password=PASSWORD).update_query_dict({"ssl": "perhaps"}).render_as_string(False),
    ):
        assert type(await refused(wrong)) is ConfigurationError


async def test_a_user_who_may_not_make_tables_is_told(postgres_server: URL) -> None:
    with fresh_database(postgres_server) as url:
        role = make_url(url).database
        execute(url, f"CREATE ROLE {role} LOGIN PASSWORD '{PASSWORD}'", "REVOKE CREATE ON SCHEMA public FROM PUBLIC")
        try:
            error = await refused(make_url(url).set(username=role, password=PASSWORD))
            assert isinstance(error, DatabaseError)
            assert "permission denied" in str(error)
            assert relations(url) == set()
        finally:
            execute(url, f"DROP ROLE {role}")


def test_without_the_driver_the_extra_is_named() -> None:
    """In a process of its own, for which asyncpg is not installed."""
    script = (
        "import sys; sys.modules['asyncpg'] = None\n"
        "import asyncio, socrates.store\n"
        "asyncio.run(socrates.store.Store.open('postgresql://localhost/socrates')._open())"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ConfigurationError: PostgreSQL needs its driver: pip install 'socrates[postgres]'" in done.stderr
