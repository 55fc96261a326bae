"""A file is recognised by its shape, not by a table's name."""

import sqlite3
from collections.abc import Iterator

import pytest

from socrates.errors import NotRecognisedError
from socrates.v1.shapes import V1_TABLES as SHAPES
from socrates.v1.shapes import FileKind, backups_in, further_tables, recognise, v1_tables_in
from tests.support.v1_schema import V1_TABLES

OURS = frozenset({"users", "projects", "team_members", "ix_projects_owner_is_archived_updated_at"})


@pytest.fixture
def connection() -> Iterator[sqlite3.Connection]:
    connection = sqlite3.connect(":memory:")
    yield connection
    connection.close()


def create_v1(connection: sqlite3.Connection, tables: int = 9) -> None:
    for statement in list(V1_TABLES.values())[:tables]:
        connection.execute(statement)


def kind_of(connection: sqlite3.Connection) -> FileKind:
    return recognise(connection, OURS, "file.db")


def refusal(connection: sqlite3.Connection) -> str:
    with pytest.raises(NotRecognisedError) as caught:
        kind_of(connection)
    message = str(caught.value)
    assert message.startswith("file.db is a ")
    assert "Nothing was changed" in message
    return message


def test_nothing_is_empty(connection: sqlite3.Connection) -> None:
    assert kind_of(connection) is FileKind.EMPTY


def test_an_empty_version_table_is_empty(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    assert kind_of(connection) is FileKind.EMPTY


@pytest.mark.parametrize("tables", [2, 3, 9])
def test_v1_of_any_age_is_v1(connection: sqlite3.Connection, tables: int) -> None:
    create_v1(connection, tables)
    assert kind_of(connection) is FileKind.V1
    assert len(v1_tables_in(connection)) == tables


def test_v1_beside_an_empty_version_table_is_v1(connection: sqlite3.Connection) -> None:
    create_v1(connection)
    connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    assert kind_of(connection) is FileKind.V1


def test_a_revision_makes_it_ours(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE projects (id TEXT)")
    connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    connection.execute("INSERT INTO alembic_version VALUES ('0002')")
    assert kind_of(connection) is FileKind.OURS


@pytest.mark.parametrize(
    ("statements", "reason"),
    [
        (["CREATE TABLE projects (id TEXT PRIMARY KEY, name TEXT)"], "it has no table users"),
        (["CREATE TABLE other (a)"], "it has no table users; it has no table projects"),
        (["DROP TABLE users", "CREATE TABLE users (username TEXT PRIMARY KEY)"], "the columns of users are not v1's"),
        (
            ["DROP TABLE users", "CREATE TABLE users (username TEXT, passcode_hash TEXT, data BLOB, created_at TEXT)"],
            "the primary key of users is not username",
        ),
        (["ALTER TABLE projects ADD COLUMN more TEXT"], "the columns of projects are not v1's"),
        (["ALTER TABLE projects RENAME COLUMN data TO blob"], "the columns of projects are not v1's"),
        (["DROP TABLE users", "CREATE VIEW users AS SELECT 1"], "users is a view, not a table"),
        (
            [
                "DROP TABLE api_keys",
                "CREATE TABLE api_keys (id TEXT PRIMARY KEY, user_id TEXT, provider TEXT, encrypted_key TEXT,"
                " key_hash TEXT, created_at TEXT, updated_at TEXT, last_used_at TEXT, UNIQUE (user_id))",
            ],
            "api_keys is not unique by user_id and provider",
        ),
    ],
)
def test_what_only_looks_like_v1_is_refused(connection: sqlite3.Connection, statements: list[str], reason: str) -> None:
    if not statements[0].startswith("CREATE"):
        create_v1(connection)
    for statement in statements:
        connection.execute(statement)
    assert reason in refusal(connection)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE TABLE team_members (a)",
        "CREATE VIEW team_members AS SELECT 1",
        "CREATE INDEX ix_projects_owner_is_archived_updated_at ON projects (created_at)",
        "CREATE TABLE users_v1_backup (a)",
        "CREATE TABLE projects_v1_backup (a)",
        "CREATE TABLE Team_Members (a)",
        "CREATE TABLE USERS_V1_BACKUP (a)",
    ],
)
def test_what_stands_in_the_way_of_the_new_tables_is_refused(connection: sqlite3.Connection, statement: str) -> None:
    create_v1(connection)
    connection.execute(statement)
    assert statement.split()[2] in refusal(connection)


def test_further_tables_are_left_alone(connection: sqlite3.Connection) -> None:
    create_v1(connection, 2)
    connection.execute("CREATE TABLE mine (a)")
    connection.execute("CREATE VIEW seen AS SELECT 1")
    connection.execute("CREATE TABLE alembic_version (version_num TEXT)")
    assert kind_of(connection) is FileKind.V1
    assert further_tables(connection) == ["mine"]  # a view is no table: its text follows the renamed tables


def test_tables_of_sqlite_itself_do_not_count(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE gone (a INTEGER PRIMARY KEY AUTOINCREMENT)")
    connection.execute("DROP TABLE gone")
    assert kind_of(connection) is FileKind.EMPTY


def test_a_table_whose_name_only_begins_like_sqlite_s_counts(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE sqliteX (a)")
    assert refusal(connection)


def test_backups_are_found_by_name(connection: sqlite3.Connection) -> None:
    connection.execute("CREATE TABLE users_v1_backup (a)")
    connection.execute("CREATE TABLE other_v1_backup (a)")
    assert backups_in(connection) == {"users": "users_v1_backup"}


def test_the_shapes_are_those_of_v1_s_own_statements(connection: sqlite3.Connection) -> None:
    create_v1(connection)
    assert set(SHAPES) == set(V1_TABLES)
    for name, shape in SHAPES.items():
        columns = connection.execute(f"PRAGMA table_info({name})").fetchall()
        assert tuple(column[1] for column in columns) == shape.columns
        assert [column[1] for column in columns if column[5]] == [shape.key]
