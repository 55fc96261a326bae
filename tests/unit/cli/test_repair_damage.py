"""`socrates db repair` where pages are damaged: no row is made up, and none is lost in silence."""

import json
import random
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from socrates.store import Store
from tests.concurrency.checks import LONG, assert_sound
from tests.migration.test_failures import hide_from_the_index
from tests.support.damage import (
    PAGE,
    contents,
    damage_at_random,
    leaves_under,
    lost,
    overwrite,
    page,
    problems,
    root_of,
)
from tests.support.migrate import row, rows, upgrade, value
from tests.support.stores import fresh_file
from tests.support.v1_files import V1File
from tests.unit.cli.repairing import (
    assert_refused,
    beside,
    like_another_program,
    proven,
    repair,
    repaired,
    template,
    v1_template,
)

ROUNDS = 150 if LONG else 15


@pytest.fixture
def v1_file(tmp_path: Path) -> Path:
    """A usual file of v1: 12 projects of 30 messages."""
    return Path(shutil.copy(v1_template(), tmp_path / "projects.db"))


@pytest.fixture
def database(tmp_path: Path) -> Path:
    """The same, upgraded."""
    return Path(shutil.copy(template(), tmp_path / "projects.db"))


async def test_nothing_comes_back_when_nobody_knows_what_was_deleted(database: Path) -> None:
    async with Store.open(database) as store, store.begin() as unit:
        await unit.projects.delete("project-3")
    overwrite(database, root_of(database, "v1_import_deletions"), bytes(PAGE))
    facts = repaired(database, status=1)
    assert value(database, "SELECT count(*) FROM projects WHERE id = 'project-3'") == 0
    assert [table["table"] for table in facts["tables"]] == ["v1_import_deletions"]


@pytest.mark.parametrize("kind", ["zeros", "noise"])
def test_damaged_pages_cost_nothing_that_v1_still_has(database: Path, kind: str) -> None:
    before = contents(database)
    for name in (
        "projects",
        "conversation_messages",
        "users",
        "team_members",
        "ix_projects_owner_is_archived_updated_at",
    ):
        leaf = leaves_under(database, root_of(database, name))[0]
        overwrite(database, leaf, bytes(PAGE) if kind == "zeros" else random.Random(leaf).randbytes(PAGE))
    damaged = database.read_bytes()
    facts = repaired(database)
    assert contents(database) == before
    assert Path(facts["replaced"]).read_bytes() == damaged
    assert facts["tables"] == []
    assert_sound(database)
    assert proven(database)


@pytest.mark.parametrize("other", ["conversation_messages", "project_requirements", "project_tech_stack"])
def test_rows_of_another_table_in_the_place_of_lost_ones_are_no_orphans(database: Path, other: str) -> None:
    """SQLite finds nothing wrong with such a page but that its rows have no parent."""
    before = contents(database)
    leaf = leaves_under(database, root_of(database, other))[0]
    overwrite(database, root_of(database, "project_note_tags"), page(database, leaf))
    assert problems(database) == []
    # Where the rows could be of either table, they are kept as well: status 1.
    facts = repaired(database, status=0 if other == "conversation_messages" else 1)
    assert facts["findings"][0]["what"] == "pages of other tables in the place of lost ones"
    assert contents(database) == before
    assert proven(database)


def test_two_tables_may_hold_the_same(database: Path) -> None:
    """Their pages are then the same, which is no damage."""
    like_another_program(
        database,
        "DELETE FROM project_tech_stack",
        "DELETE FROM project_constraints",
        "INSERT INTO project_tech_stack VALUES ('project-3', 0, 'Paper')",
        "INSERT INTO project_constraints VALUES ('project-3', 0, 'Paper')",
        "INSERT INTO project_note_tags VALUES ('gone', 0, 'Paper')",
    )
    facts = repaired(database)
    assert facts["kept"]["rows"] == {"project_note_tags": 1}
    assert rows(database, "SELECT * FROM project_tech_stack") == [("project-3", 0, "Paper")]


def test_what_is_lost_is_named(database: Path) -> None:
    """A project that was written since, whose messages v1 does not have."""
    like_another_program(
        database,
        "UPDATE projects SET message_count = 60 WHERE id = 'project-5'",
        "INSERT INTO conversation_messages SELECT project_id, position + 30, type, content || ' Since.', timestamp,"
        " phase, author, question_number, extra FROM conversation_messages WHERE project_id = 'project-5'",
    )
    before = contents(database)
    leaf = next(
        leaf
        for leaf in leaves_under(database, root_of(database, "conversation_messages"))
        if page(database, leaf).count(b" Since.") > 3
    )
    overwrite(database, leaf, bytes(PAGE))
    facts = repaired(database, status=1)
    missing = lost(before, contents(database))
    assert set(missing) == {"conversation_messages"}
    (table,) = facts["tables"]
    assert "project-5" in table["rows_may_be_missing"][0]
    (gap,) = facts["remaining"]
    assert gap["first"] == [f"'project-5' lacks {missing['conversation_messages']} of 60"]


def test_a_file_of_v1_is_carried_over_with_its_own_schema(v1_file: Path) -> None:
    before, schema = contents(v1_file), rows(v1_file, "SELECT type, name, sql FROM sqlite_master ORDER BY rowid")
    overwrite(v1_file, root_of(v1_file, "sqlite_autoindex_projects_1"), bytes(PAGE))
    overwrite(v1_file, root_of(v1_file, "llm_usage"), bytes(PAGE))
    facts = repaired(v1_file, status=1)
    assert lost(before, contents(v1_file)) == {"llm_usage": len(before["llm_usage"])}
    assert rows(v1_file, "SELECT type, name, sql FROM sqlite_master ORDER BY rowid") == schema
    assert [(table["table"], table["lost"]["count"]) for table in facts["tables"]] == [("llm_usage", 2)]
    upgrade(v1_file)


def test_an_index_of_v1_that_lacks_a_row_is_made_anew(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user("ada")
    hide_from_the_index(v1.path, "hidden")
    before = contents(v1.path)
    facts = repaired(v1.path)
    assert facts["findings"][0]["kind"] == "index"
    assert contents(v1.path) == before
    upgrade(v1.path)
    assert rows(v1.path, "SELECT username FROM users ORDER BY 1") == [("ada",), ("hidden",)]


def test_a_lost_revision_is_written_down_anew(database: Path) -> None:
    overwrite(database, root_of(database, "alembic_version"), bytes(PAGE))
    facts = repaired(database)
    assert "wrote down anew that the schema is at revision" in facts["done"][0]
    assert proven(database)


def no_header(path: Path) -> None:
    overwrite(path, 1, bytes(PAGE))


def no_schema(path: Path) -> None:
    overwrite(path, leaves_under(path, 1)[1], bytes(PAGE))


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: 3 * PAGE])


@pytest.mark.parametrize("harm", [no_header, no_schema, cut_short])
def test_beyond_repair_the_sound_backups_are_named_the_newest_first(
    database: Path, harm: Callable[[Path], None]
) -> None:
    sound, unsound = database.read_bytes(), bytes(PAGE) + database.read_bytes()[PAGE:]
    copies = {"backup_20250101T000000Z": sound, "replaced_20260101T000000Z": sound, "backup_20270101T000000Z": unsound}
    for name, content in copies.items():
        database.with_name(f"projects.db.{name}").write_bytes(content)
    harm(database)
    before, there = database.read_bytes(), beside(database)
    result = repair(database, "--yes")
    assert result.exit_code == 2, result.output
    assert f"socrates db restore {database}.replaced_20260101T000000Z {database}" in result.stderr
    assert "projects.db.replaced_20260101T000000Z, projects.db.backup_20250101T000000Z." in result.stderr
    assert (database.read_bytes(), beside(database)) == (before, there)


def test_a_schema_of_bytes_that_are_no_text_is_damage(database: Path) -> None:
    """What SQLite says of it is no text either, and Python fails on that."""
    overwrite(
        database,
        leaves_under(database, 1)[1],
        page(database, leaves_under(database, root_of(database, "projects_v1_backup"))[0]),
    )
    before = database.read_bytes()
    message = assert_refused(repair(database, "--yes"), database, before)
    assert "the list of its tables cannot be read" in message


def test_without_a_backup_that_is_said(database: Path) -> None:
    no_header(database)
    before = database.read_bytes()
    assert "There is no sound backup beside it" in assert_refused(repair(database, "--yes"), database, before)


def test_what_a_killed_program_left_beside_the_damaged_file_comes_along(tmp_path: Path) -> None:
    living, path = fresh_file(tmp_path, "living.db"), tmp_path / "projects.db"
    with closing(sqlite3.connect(living, isolation_level=None)) as connection:
        connection.execute("PRAGMA wal_autocheckpoint = 0")
        connection.execute("INSERT INTO embedding_cache VALUES ('m', 'h', 1, x'00000000', '2025-01-02 03:04:05')")
        for name in ("", "-wal"):  # as if it were killed now
            shutil.copy(f"{living}{name}", f"{path}{name}")
    overwrite(path, root_of(path, "users"), bytes(PAGE))
    assert repaired(path)["tables"] == []
    assert row(path, "SELECT model FROM embedding_cache") == ("m",)


@pytest.mark.parametrize("kind", ["ours", "v1"])
def test_whatever_page_is_damaged_no_row_is_made_up_and_none_is_lost_in_silence(tmp_path: Path, kind: str) -> None:
    original_file = template() if kind == "ours" else v1_template()
    original = contents(original_file)
    for seed in range(ROUNDS):
        directory = tmp_path / str(seed)
        directory.mkdir()
        path = Path(shutil.copy(original_file, directory / "projects.db"))
        done = damage_at_random(path, random.Random(f"{kind} {seed}"))
        damaged = path.read_bytes()
        result = repair(path, "--yes", "--json")
        facts = json.loads(result.stdout)
        if not facts.get("repaired"):
            assert path.read_bytes() == damaged, (seed, done)
            assert beside(path) == [], (seed, done)
            if result.exit_code == 0 and not any(damage.hit_long_row or damage.hit_whole_table for damage in done):
                assert not lost(original, contents(path)), (seed, done)
            continue
        assert Path(facts["replaced"]).read_bytes() == damaged, (seed, done)
        assert problems(path) == [], (seed, done)
        now = contents(path)
        told = {table["table"] for table in facts["tables"]} | {finding["table"] for finding in facts["remaining"]}
        for table, rows_now in now.items():
            made_up = {_comparable(table, row) for row in rows_now} - {
                _comparable(table, row) for row in original[table]
            }
            assert not made_up or any(damage.hit_long_row for damage in done), (seed, done, table, made_up)
        missing = lost(original, now)
        missing.pop(
            "projects" if "projects" not in told and len(now["projects"]) == len(original["projects"]) else "", 0
        )
        assert set(missing) <= told or any(damage.hit_whole_table for damage in done), (seed, done, missing)
        assert result.exit_code == (1 if facts["tables"] or facts["remaining"] else 0), (seed, done)
        shutil.rmtree(directory)


def _comparable(table: str, row: tuple[object, ...]) -> tuple[object, ...]:
    """Without the count of messages, which is counted again where messages are lost."""
    return row[:17] + row[18:] if table == "projects" else row
