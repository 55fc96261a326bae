"""A copy is the same to the last digit and type, on whichever engines, and otherwise there is none."""

import sqlite3
import tracemalloc
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from socrates import sync
from socrates.database.copying.sides import BYTES_AT_ONCE, ROWS_AT_ONCE, portions
from socrates.database.copying.tables import TABLES, Kind, identical, misfit
from socrates.errors import (
    ConfigurationError,
    DatabaseError,
    InvalidValueError,
    MigrationError,
    NotRecognisedError,
    SchemaError,
)
from socrates.models import Base
from tests.support.migrate import alembic, sha256
from tests.support.postgres import contents, query, relations
from tests.support.postgres import execute as execute_on_server
from tests.support.stores import fresh_file
from tests.support.v1_files import V1File
from tests.unit.database.copying_rows import ROWS, TEXTS, add_user, copied, dump, execute, filled

postgres = pytest.mark.postgres

PROJECT = (
    "INSERT INTO projects SELECT * FROM (SELECT ?, 'n', 'ada', 'd', 's', 't', 'c', '', 'i', 'p', 'l', 'x', 0, 0, NULL,"
    " '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', 0, 1, '{}', 1)"
)


@postgres
def test_every_table_and_value_goes_to_a_server_and_comes_back(postgres_url: str, tmp_path: Path) -> None:
    source = filled(tmp_path)
    there = copied(source, postgres_url)
    assert there.rows == {table.name: ROWS for table in Base.metadata.sorted_tables}
    assert contents(postgres_url) == contents(f"sqlite+aiosqlite:///{source}")
    copied(postgres_url, tmp_path / "back.db")
    assert dump(tmp_path / "back.db") == dump(source)


@postgres
def test_what_is_copied_to_an_empty_server_serves_and_is_at_head(postgres_url: str, tmp_path: Path) -> None:
    add_user(source := fresh_file(tmp_path), "ada")
    copied(source, postgres_url)
    with sync.Store.open(postgres_url) as store:
        assert store.users.get("ada").username == "ada"
    outcome = alembic(postgres_url, "check")
    assert outcome.status == 0, outcome


def test_one_file_becomes_another(tmp_path: Path) -> None:
    source = filled(tmp_path)
    copied(source, tmp_path / "other.db")
    assert dump(tmp_path / "other.db") == dump(source)
    assert {path.name for path in tmp_path.iterdir()} == {"projects.db", "other.db", "other.db.lock"}


def test_a_file_without_a_row_or_without_a_table_can_be_copied_into(tmp_path: Path) -> None:
    source = filled(tmp_path)
    for target in (fresh_file(tmp_path, "without-rows.db"), tmp_path / "without-tables.db"):
        target.touch()
        copied(source, target)
        assert dump(target) == dump(source)


@postgres
def test_a_server_s_database_becomes_another_and_one_at_head_can_be_copied_into(
    postgres_url: str, empty_databases: Any, tmp_path: Path
) -> None:
    source = filled(tmp_path)
    copied(source, postgres_url)
    with empty_databases.lent() as other:
        copied(postgres_url, other)
        assert contents(other) == contents(postgres_url)


@postgres
def test_a_decimal_with_an_exponent_or_a_negative_zero_keeps_its_value(postgres_url: str, tmp_path: Path) -> None:
    source = filled(tmp_path)
    forms = ["1E+2", "1E+900", "-0", "-0.00", "0E+3", "-1E+2", "1E-6000"]
    for digits, key in zip(forms, TEXTS, strict=False):
        execute(source, "UPDATE llm_usage SET cost = ? WHERE id = ?", digits, key)
    copied(source, postgres_url)
    stored = dict(query(postgres_url, "SELECT id, cost FROM llm_usage"))
    assert [stored[key] for key in TEXTS[: len(forms)]] == list(map(Decimal, forms))


@postgres
def test_the_source_is_copied_as_it_is_at_one_moment(postgres_url: str, tmp_path: Path) -> None:
    add_user(source := fresh_file(tmp_path), "ada")
    sync.Store.open(source).__enter__().close()  # puts it in WAL mode, in which one can write while another reads

    def write_to_the_file(*_step: object) -> None:
        execute(source, "UPDATE users SET subscription_tier = subscription_tier || '+'")

    copied(source, postgres_url, write_to_the_file)
    assert query(postgres_url, "SELECT subscription_tier FROM users") == [("free",)]

    def write_to_the_server(*_step: object) -> None:
        execute_on_server(postgres_url, "UPDATE users SET subscription_tier = subscription_tier || '-'")

    copied(postgres_url, tmp_path / "back.db", write_to_the_server)
    with closing(sqlite3.connect(tmp_path / "back.db")) as connection:
        assert connection.execute("SELECT subscription_tier FROM users").fetchall() == [("free",)]


@postgres
def test_memory_does_not_grow_with_the_database(postgres_url: str, tmp_path: Path) -> None:
    source = filled(tmp_path)
    execute(source, "UPDATE projects SET goals = ?", "x" * 2_000_000)  # 32 MB in all
    copied(fresh_file(tmp_path, "first.db"), tmp_path / "second.db")  # loads what is loaded once
    tracemalloc.start()
    try:
        copied(source, postgres_url)
        copied(postgres_url, tmp_path / "back.db")
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 28_000_000


def test_portions_are_bounded_in_rows_and_in_bytes() -> None:
    assert [len(portion) for portion in portions(range(1200), lambda _: 1)] == [ROWS_AT_ONCE, ROWS_AT_ONCE, 200]
    sizes = [BYTES_AT_ONCE // 2, BYTES_AT_ONCE // 2, 1, 3 * BYTES_AT_ONCE, 1]
    assert list(portions(sizes, int)) == [sizes[:2], [1], [3 * BYTES_AT_ONCE], [1]]


def test_the_columns_of_every_table_have_a_kind_and_parents_come_first() -> None:
    names = [table.name for table in TABLES]
    assert set(names) == set(Base.metadata.tables)
    for table in Base.metadata.sorted_tables:
        assert all(names.index(key.column.table.name) < names.index(table.name) for key in table.foreign_keys)


@postgres
def test_no_table_counts_its_own_keys_so_there_is_no_sequence_to_set(postgres_url: str, tmp_path: Path) -> None:
    copied(fresh_file(tmp_path), postgres_url)
    assert query(postgres_url, "SELECT relname FROM pg_class WHERE relkind = 'S'") == []


@postgres
def test_what_a_server_cannot_hold_is_named_and_nothing_is_copied(postgres_url: str, tmp_path: Path) -> None:
    source = filled(tmp_path)
    for key, column, value in [
        ("A", "goals", "secret\0text"),
        ("a", "goals", b"secret"),
        ("ß", "owner", "secret" * 500),
        ("é", "extra", '{"secret": NaN}'),
        ("中", "created_at", "secretly"),
    ]:
        execute(source, f"UPDATE projects SET {column} = ? WHERE id = ?", value, key)
    execute(source, "UPDATE projects SET goals = CAST(? AS TEXT) WHERE id = 'Zebra'", b"secret\xff")
    execute(source, "UPDATE llm_usage SET cost = '1E-17000' WHERE id = 'A'")
    with pytest.raises(InvalidValueError) as refusal:
        copied(source, postgres_url)
    assert [line.strip() for line in str(refusal.value).splitlines()[1:]] == [
        "llm_usage.cost of 'A' has more digits than PostgreSQL's numeric can hold",
        "projects.goals of 'A' holds a NUL character, which PostgreSQL's text cannot hold",
        "projects.goals of 'Zebra' holds text that is not UTF-8",
        "projects.goals of 'a' holds bytes where text belongs",
        "projects.owner, is_archived, updated_at of 'ß' is too long for an index of PostgreSQL",
        "projects.extra of 'é' holds what is no JSON",
        "projects.created_at of '中' holds what is no time",
    ]
    assert relations(postgres_url) == set()


@postgres
def test_the_first_twenty_are_named_together(postgres_url: str, tmp_path: Path) -> None:
    source = filled(tmp_path)
    execute(source, "UPDATE projects SET goals = ?, name = ?", "a\0", "b\0")
    with pytest.raises(InvalidValueError) as refusal:
        copied(source, postgres_url)
    assert str(refusal.value).count("holds a NUL") == 20
    assert "and perhaps more" in str(refusal.value)


@postgres
def test_a_key_that_an_import_let_in_is_copied_though_it_is_longer_than_new_ones_may_be(
    postgres_url: str, tmp_path: Path
) -> None:
    add_user(source := fresh_file(tmp_path), "é" * 1250)
    copied(source, postgres_url)
    assert query(postgres_url, "SELECT octet_length(username) FROM users") == [(2500,)]


@postgres
@pytest.mark.parametrize(
    ("change", "named"),
    [
        ("NEW.goals := NEW.goals || ' '; RETURN NEW", "projects.goals of ''"),
        ("IF NEW.id = 'A' THEN RETURN NULL; END IF; RETURN NEW", "projects: 'A' is not in both"),
    ],
)
def test_a_server_that_stores_something_else_is_found_out_and_left_empty(
    empty_databases: Any, tmp_path: Path, change: str, named: str
) -> None:
    source = fresh_file(tmp_path)
    for key in ("", "A"):
        execute(source, PROJECT, key)
    with empty_databases.lent() as url:
        execute_on_server(
            url,
            f"CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN {change}; END $$",
            "CREATE TRIGGER spoil BEFORE INSERT ON projects FOR EACH ROW EXECUTE FUNCTION spoil()",
        )
        try:
            with pytest.raises(MigrationError) as refusal:
                copied(source, url)
            assert named in str(refusal.value)
            assert query(url, "SELECT * FROM projects") == []
        finally:
            execute_on_server(url, "DROP FUNCTION spoil CASCADE")


def test_a_file_that_stores_something_else_is_found_out_and_left_empty(tmp_path: Path) -> None:
    source, target = filled(tmp_path), fresh_file(tmp_path, "target.db")
    execute(target, "CREATE TRIGGER spoil AFTER INSERT ON users BEGIN DELETE FROM users WHERE username = 'ß'; END")
    with pytest.raises(MigrationError, match="users: 'ß' is not in both"):
        copied(source, target)
    with closing(sqlite3.connect(target)) as connection:
        assert connection.execute("SELECT count(*) FROM users").fetchone() == (0,)


@postgres
@pytest.mark.parametrize("step", ["projects", "users, compared"])
def test_an_interrupt_leaves_the_target_as_it_was(postgres_url: str, tmp_path: Path, step: str) -> None:
    add_user(source := fresh_file(tmp_path), "ada")
    execute(source, PROJECT, "p")
    before = dump(fresh_file(tmp_path, "empty.db"))

    def interrupt(what: str, _done: int, _total: int) -> None:
        if what == step:
            raise KeyboardInterrupt

    for target in (postgres_url, tmp_path / "new.db", tmp_path / "empty.db"):
        with pytest.raises(KeyboardInterrupt):
            copied(source, target, interrupt)
    assert relations(postgres_url) == set()
    assert [path.name for path in tmp_path.glob("new.db*")] == ["new.db.lock"]
    assert dump(tmp_path / "empty.db") == before


def test_what_a_kill_left_is_in_nobody_s_way(tmp_path: Path) -> None:
    source = filled(tmp_path)
    (tmp_path / "new.db.copying").write_bytes(source.read_bytes())
    (tmp_path / "new.db.copying-journal").write_bytes(b"half of one")
    copied(source, tmp_path / "new.db")
    assert dump(tmp_path / "new.db") == dump(source)
    assert not list(tmp_path.glob("*.copying*"))


@postgres
def test_a_target_that_holds_rows_is_refused(postgres_url: str, tmp_path: Path) -> None:
    source = filled(tmp_path)
    add_user(occupied := fresh_file(tmp_path, "occupied.db"), "ada")
    before = sha256(occupied)
    copied(occupied, postgres_url)
    for target in (occupied, postgres_url):
        with pytest.raises(MigrationError, match=r"holds rows already \(in users\)"):
            copied(source, target)
    assert sha256(occupied) == before
    assert len(query(postgres_url, "SELECT * FROM users")) == 1


@postgres
def test_a_target_of_somebody_else_is_refused(postgres_url: str, tmp_path: Path) -> None:
    source = filled(tmp_path)
    execute(tmp_path / "theirs.db", "CREATE TABLE theirs (x)")
    execute_on_server(postgres_url, "CREATE TABLE theirs (x int)")
    for target in (tmp_path / "theirs.db", postgres_url):
        with pytest.raises(NotRecognisedError):
            copied(source, target)
    assert relations(postgres_url) == {"theirs"}


def test_a_source_that_is_not_at_head_is_refused_with_the_command_that_mends_it(tmp_path: Path) -> None:
    alembic(tmp_path / "old.db", "upgrade", "0003")
    with pytest.raises(SchemaError, match="socrates db upgrade"):
        copied(tmp_path / "old.db", tmp_path / "new.db")
    with V1File(tmp_path / "v1.db") as v1:
        v1.add_user("ada")
    with pytest.raises(NotRecognisedError, match="socrates db upgrade"):
        copied(tmp_path / "v1.db", tmp_path / "new.db")
    with pytest.raises(DatabaseError, match="there is no file"):
        copied(tmp_path / "missing.db", tmp_path / "new.db")
    with pytest.raises(ConfigurationError, match="the same one"):
        copied(tmp_path / "old.db", tmp_path / "old.db")
    assert not (tmp_path / "new.db").exists()
    assert not (tmp_path / "missing.db").exists()


def test_rows_without_their_parents_are_sent_to_repair(tmp_path: Path) -> None:
    source = filled(tmp_path)
    execute(source, "DELETE FROM projects WHERE id = 'A'")  # with foreign keys off, as in sqlite3's own shell
    with pytest.raises(DatabaseError, match=r"project_notes.*socrates db repair"):
        copied(source, tmp_path / "new.db")


@pytest.mark.parametrize(("one", "other"), [(1, 1.0), (1, True), (0.0, -0.0), ("1", 1), (b"1", "1"), ("0.5", "0.50")])
def test_values_that_only_look_equal_are_not_identical(one: object, other: object) -> None:
    assert identical(one, one)
    assert not identical(one, other)
    assert not identical(None, one)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.INTEGER, 1.5),
        (Kind.INTEGER, True),
        (Kind.FLAG, 2),
        (Kind.TIME, "2026-01-01 00:00:00"),
        (Kind.TIME, "2026-01-01T00:00:00.000000"),
        (Kind.DECIMAL, "1e2"),
        (Kind.DECIMAL, "NaN"),
        (Kind.DECIMAL, "abc"),
        (Kind.JSON, "{"),
        (Kind.JSON, "[" * 100_000),
    ],
)
def test_a_stored_value_that_its_column_is_not_made_for_is_a_misfit(kind: Kind, value: object) -> None:
    assert misfit(kind, value) is not None
    assert misfit(kind, None) is None


def test_progress_is_told_to_the_end(tmp_path: Path) -> None:
    told: dict[str, tuple[int, int]] = {}

    def note(what: str, done: int, total: int) -> None:
        told[what] = (done, total)

    copied(filled(tmp_path), tmp_path / "new.db", note)
    assert told["users"] == told["users, compared"] == (ROWS, ROWS)
