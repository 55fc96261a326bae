"""Carrying rows over from damaged files. The files are real, and so is the damage."""

import random
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path

import pytest

from socrates.database.repair.pages import UnsoundError
from socrates.database.repair.salvage import Rescue, salvage
from socrates.database.repair.trees import rank
from tests.support.damage import PAGE, Contents, contents, leaves_under, overwrite, page, pages_of, problems, root_of

NOTES = "CREATE TABLE notes (id TEXT PRIMARY KEY, author TEXT NOT NULL, content TEXT)"
TAGS = "CREATE TABLE tags (note TEXT, position INTEGER, tag TEXT, PRIMARY KEY (note, position)) WITHOUT ROWID"
LABELS = TAGS.replace("tags", "labels")


class Salvaged:
    """The new file, and what was said of the rows that are not in it."""

    def __init__(self, damaged: Path, suspects: frozenset[str] = frozenset()) -> None:
        self.path = damaged.with_name("new.db")
        self.kept: list[tuple[str, Mapping[str, object]]] = []
        self.reasons: list[str] = []
        rescues = salvage(damaged, self.path, self._keep, suspects)
        self.rescues: dict[str, Rescue] = {rescue.table: rescue for rescue in rescues}
        assert problems(self.path) == []

    def _keep(self, table: str, reason: str, row: Mapping[str, object]) -> None:
        self.kept.append((table, row))
        self.reasons.append(reason)

    @property
    def contents(self) -> Contents:
        return contents(self.path)

    def lost_ids(self, table: str) -> set[object]:
        """The keys that an index still names."""
        lost = self.rescues[table].lost
        assert lost is not None
        return {row["id"] for row in lost}


def file_with(path: Path, *schema: str, page_size: int = PAGE) -> sqlite3.Connection:
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute(f"PRAGMA page_size = {page_size}")
    connection.execute("PRAGMA synchronous = OFF")
    for statement in schema:
        connection.execute(statement)
    return connection


def notes_file(path: Path, count: int = 300, size: int = 200, *more: str) -> Path:
    """A table with row numbers, of many pages, whose key has an index."""
    with closing(file_with(path, NOTES, *more)) as connection:
        rows = [(f"note-{number:04}", f"author-{number % 7}", f"{number} " * (size // 4)) for number in range(count)]
        connection.executemany("INSERT INTO notes VALUES (?, ?, ?)", rows)
    return path


def tags_file(path: Path, count: int = 60) -> Path:
    """Two tables of the same shape, without row numbers, one of many pages and one of one."""
    with closing(file_with(path, TAGS, LABELS)) as connection:
        for number in range(count):
            rows = [(f"note-{number:04}", place, f"tag {number} " * 10) for place in range(9)]
            connection.executemany("INSERT INTO tags VALUES (?, ?, ?)", rows)
        connection.executemany("INSERT INTO labels VALUES (?, ?, ?)", [(f"note-{n:04}", 0, f"l{n}") for n in range(20)])
    return path


def in_page(path: Path, number: int, rows: set[tuple[object, ...]]) -> set[tuple[object, ...]]:
    """Those of `rows` that lie in a page, by the text of their first value."""
    content = page(path, number)
    return {row for row in rows if isinstance(row[0], bytes) and row[0] in content}


@pytest.mark.parametrize("page_size", [512, 1024, 4096, 65536])
def test_a_sound_file_comes_over_whole(tmp_path: Path, page_size: int) -> None:
    path = tmp_path / "old.db"
    chance = random.Random(page_size)
    schema = (
        "CREATE TABLE things (number INTEGER PRIMARY KEY, a, b REAL, c BLOB, d TEXT)",
        "CREATE TABLE pairs (x TEXT, c BLOB, y INTEGER, PRIMARY KEY (y, x)) WITHOUT ROWID",
        "CREATE INDEX by_a ON things (a) WHERE a IS NOT NULL",
        "CREATE VIEW few AS SELECT a FROM things LIMIT 3",
        "CREATE TRIGGER no_more BEFORE INSERT ON things BEGIN SELECT raise(ABORT, 'no more'); END",
    )
    with closing(file_with(path, *schema[:-1], page_size=page_size)) as connection:
        integers = [0, 1, -1, *(sign * 2**bits - sign for bits in (7, 8, 15, 23, 31, 47, 63) for sign in (1, -1))]
        values = [None, 1.5, 7.0, "", "ß\x00x", "x" * 60_000, b"", bytes(9000), *integers]
        for number, value in enumerate(values):
            row = (number - 5, value, number / 3, chance.randbytes(number * 60), "y" * chance.randrange(20_000))
            connection.execute("INSERT INTO things VALUES (?, ?, ?, ?, ?)", row)
            connection.execute("INSERT INTO pairs VALUES (?, ?, ?)", (str(value)[:2000], row[3], number))
        connection.execute("UPDATE things SET b = 1, c = x'00', d = CAST(x'c3ff' AS TEXT) WHERE number = 3")
        connection.execute(schema[-1])
        connection.execute("PRAGMA user_version = 7")
    new = Salvaged(path)
    assert new.contents == contents(path)
    assert all(rescue.is_whole for rescue in new.rescues.values())
    assert new.kept == []
    with closing(sqlite3.connect(path)) as old, closing(sqlite3.connect(new.path)) as made:
        for query in ("SELECT sql FROM sqlite_master ORDER BY rowid", "PRAGMA user_version", "PRAGMA page_size"):
            assert sorted(made.execute(query), key=str) == sorted(old.execute(query), key=str)


@pytest.mark.parametrize("content", [bytes(PAGE), random.Random(1).randbytes(PAGE)], ids=["zeros", "noise"])
def test_a_damaged_leaf_costs_its_own_rows_which_the_index_names(tmp_path: Path, content: bytes) -> None:
    path = notes_file(tmp_path / "old.db")
    before = contents(path)["notes"]
    leaf = leaves_under(path, root_of(path, "notes"))[3]
    doomed = in_page(path, leaf, before)
    overwrite(path, leaf, content)
    new = Salvaged(path)
    assert doomed
    assert new.contents["notes"] == before - doomed
    assert new.lost_ids("notes") == {row[0].decode() for row in doomed if isinstance(row[0], bytes)}
    assert not new.rescues["notes"].is_whole


def test_rows_below_a_damaged_inner_page_are_found_again(tmp_path: Path) -> None:
    path = notes_file(tmp_path / "old.db")
    before = contents(path)
    overwrite(path, root_of(path, "notes"), bytes(PAGE))
    new = Salvaged(path)
    assert new.contents == before
    assert new.rescues["notes"].is_whole


def test_without_row_numbers_an_inner_page_costs_the_rows_that_lie_in_it(tmp_path: Path) -> None:
    path = tags_file(tmp_path / "old.db")
    before = contents(path)
    root = root_of(path, "tags")
    count = int.from_bytes(page(path, root)[3:5], "big")
    overwrite(path, root, bytes(PAGE))
    new = Salvaged(path)
    assert new.contents["tags"] < before["tags"]
    assert len(before["tags"] - new.contents["tags"]) == count > 0
    assert new.contents["labels"] == before["labels"]
    assert not new.rescues["tags"].is_whole


def test_what_was_deleted_does_not_come_back(tmp_path: Path) -> None:
    path = notes_file(tmp_path / "old.db", 600)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM notes WHERE id >= 'note-0200'")
    before = contents(path)
    assert b"note-0400" in path.read_bytes()
    overwrite(path, root_of(path, "notes"), bytes(PAGE))
    new = Salvaged(path)
    assert new.contents == before
    assert new.kept == []


def test_with_a_damaged_free_list_only_what_an_index_knows_comes_back(tmp_path: Path) -> None:
    path = notes_file(tmp_path / "old.db", 600)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM notes WHERE id >= 'note-0200'")
    before = contents(path)
    overwrite(path, int.from_bytes(path.read_bytes()[32:36], "big"), bytes(PAGE))
    overwrite(path, root_of(path, "notes"), bytes(PAGE))
    new = Salvaged(path)
    assert new.contents == before
    assert {row["id"] for _, row in new.kept} >= {"note-0300", "note-0400"}


def test_without_an_index_and_a_free_list_nothing_deleted_comes_back(tmp_path: Path) -> None:
    path = tags_file(tmp_path / "old.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("PRAGMA secure_delete = OFF")
        connection.execute("DELETE FROM tags WHERE note >= 'note-0020'")
    before = contents(path)
    overwrite(path, int.from_bytes(path.read_bytes()[32:36], "big"), bytes(PAGE))
    overwrite(path, root_of(path, "tags"), bytes(PAGE))
    new = Salvaged(path)
    assert new.contents["tags"] <= before["tags"]
    assert len(new.kept) >= len(before["tags"] - new.contents["tags"]) > 0


def test_an_old_page_in_the_place_of_another_leaves_a_hole(tmp_path: Path) -> None:
    path = tags_file(tmp_path / "old.db")
    leaves = leaves_under(path, root_of(path, "tags"))
    old = page(path, leaves[1])
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        changed = next(f"note-{n:04}" for n in range(60) if f"note-{n:04}".encode() in old)
        connection.execute("UPDATE tags SET tag = upper(tag) WHERE note = ?", (changed,))
    before = contents(path)
    overwrite(path, leaves[4], old)
    new = Salvaged(path)
    assert new.contents["tags"] < before["tags"]
    (hole,) = new.rescues["tags"].holes
    assert "does not belong where it stands" in hole.reason
    assert all(hole.holds(rank([row[0].decode(), row[1]])) for row in before["tags"] - new.contents["tags"])


@pytest.mark.parametrize("source", ["labels", "tags"])
def test_a_page_that_was_written_to_the_wrong_place_invents_no_row(tmp_path: Path, source: str) -> None:
    path = tags_file(tmp_path / "old.db")
    before = contents(path)
    leaves = leaves_under(path, root_of(path, "tags"))
    written = root_of(path, "labels") if source == "labels" else leaves[1]
    near = in_page(path, leaves[4], before["tags"])
    overwrite(path, leaves[4], page(path, written))
    new = Salvaged(path)
    assert new.contents["labels"] == before["labels"]
    assert before["tags"] > new.contents["tags"] >= before["tags"] - near


def test_a_page_over_the_only_page_of_a_table_of_the_same_shape_is_kept_beside(tmp_path: Path) -> None:
    """Nobody can say whose rows they were."""
    path = tags_file(tmp_path / "old.db", count=3)
    before = contents(path)
    overwrite(path, root_of(path, "labels"), page(path, root_of(path, "tags")))
    new = Salvaged(path)
    assert new.contents["labels"] == new.contents["tags"] == set()
    assert len(new.kept) == len(before["tags"])
    assert {table for table, _ in new.kept} == {"tags or labels"}


def test_an_index_tells_whose_rows_they_are(tmp_path: Path) -> None:
    path = notes_file(tmp_path / "old.db", 10, 200, NOTES.replace("notes", "drafts"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO drafts VALUES ('draft', 'ada', 'x')")
    before = contents(path)
    overwrite(path, root_of(path, "drafts"), page(path, root_of(path, "notes")))
    new = Salvaged(path)
    assert new.contents["notes"] == before["notes"]
    assert new.contents["drafts"] == set()
    assert new.lost_ids("drafts") == {"draft"}


def test_rows_in_the_place_of_others_are_taken_out(tmp_path: Path) -> None:
    """An earlier page of the same table, by which SQLite finds that its index does not fit."""
    path = notes_file(tmp_path / "old.db", 10)
    old = page(path, root_of(path, "notes"))
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("UPDATE notes SET id = 'renamed' WHERE id = 'note-0004'")
    before = contents(path)
    overwrite(path, root_of(path, "notes"), old)
    new = Salvaged(path, suspects=frozenset(["sqlite_autoindex_notes_1"]))
    assert new.contents["notes"] < before["notes"]
    assert new.lost_ids("notes") == {"renamed"}
    assert [row["id"] for _, row in new.kept] == ["note-0004"]


def test_a_long_row_whose_end_is_gone_is_kept_as_far_as_it_goes(tmp_path: Path) -> None:
    path = notes_file(tmp_path / "old.db", 5, 40_000)
    before = contents(path)["notes"]
    chained = next(n for n in range(2, pages_of(path)) if page(path, n)[4:].startswith(b"2 2 2 "))
    overwrite(path, chained, bytes(PAGE))
    new = Salvaged(path)
    assert len(before - new.contents["notes"]) == 1
    assert new.kept == [("notes", {"id": "note-0002", "author": "author-2"})]
    assert new.lost_ids("notes") == {"note-0002"}


def test_bytes_that_end_in_noise_are_not_taken_for_the_row(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(file_with(path, "CREATE TABLE files (id TEXT PRIMARY KEY, data BLOB)")) as connection:
        connection.executemany("INSERT INTO files VALUES (?, ?)", [("a", b"a" * 20_000), ("b", b"b" * 20_000)])
    before = contents(path)["files"]
    last = max(n for n in range(2, pages_of(path) + 1) if page(path, n)[4:].startswith(b"bbbb"))
    overwrite(path, last, random.Random(2).randbytes(PAGE))
    new = Salvaged(path)
    assert new.contents["files"] == {row for row in before if row[0] == b"a"}
    assert new.kept == [("files", {"id": "b"})]


def test_two_long_rows_with_one_end_are_both_kept_beside(tmp_path: Path) -> None:
    path = notes_file(tmp_path / "old.db", 5, 40_000)
    before = contents(path)["notes"]
    ends = [
        [n for n in range(2, pages_of(path)) if page(path, n)[4:].startswith(text)] for text in (b"2 2 2", b"3 3 3")
    ]
    overwrite(path, ends[0][1], page(path, ends[1][1]))
    new = Salvaged(path)
    assert new.contents["notes"] < before
    assert {row["id"] for _, row in new.kept} == {"note-0002", "note-0003"}


def test_one_bad_row_in_a_page_makes_the_page_doubtful_and_loses_none_of_it(tmp_path: Path) -> None:
    path = notes_file(tmp_path / "old.db")
    before = contents(path)["notes"]
    leaf = leaves_under(path, root_of(path, "notes"))[3]
    there = in_page(path, leaf, before)
    cell = int.from_bytes(page(path, leaf)[8:10], "big")
    with path.open("r+b") as file:
        file.seek((leaf - 1) * PAGE + cell)
        file.write(b"\xff" * 12)
    new = Salvaged(path)
    assert new.contents["notes"] == before - there
    assert len(new.kept) == len(there) - 1
    assert len(new.lost_ids("notes")) == len(there)


def damaged_schema(path: Path) -> None:
    overwrite(path, leaves_under(path, 1)[1], bytes(PAGE))


def no_header(path: Path) -> None:
    overwrite(path, 1, bytes(PAGE))


def not_utf8(path: Path) -> None:
    with path.open("r+b") as file:
        file.seek(56)
        file.write((2).to_bytes(4, "big"))


@pytest.mark.parametrize("damage", [damaged_schema, no_header, not_utf8])
def test_what_cannot_be_known_is_not_guessed(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    path = notes_file(
        tmp_path / "old.db", 3, 20, *(NOTES.replace("notes", f"notes_{n} /*{'-' * 200}*/") for n in range(40))
    )
    damage(path)
    with pytest.raises(UnsoundError):
        Salvaged(path)


def test_a_virtual_table_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(file_with(path, NOTES, "CREATE VIRTUAL TABLE found USING fts5 (content)")):
        pass
    with pytest.raises(UnsoundError, match="virtual table"):
        Salvaged(path)


def test_a_row_that_breaks_a_rule_is_kept_beside(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    with closing(file_with(path, "CREATE TABLE counts (id TEXT PRIMARY KEY, n INTEGER CHECK (n >= 0))")) as connection:
        connection.execute("PRAGMA ignore_check_constraints = ON")
        connection.execute("INSERT INTO counts VALUES ('a', 1), ('b', -1)")
    new = Salvaged(path)
    assert new.contents["counts"] == {(b"a", 1)}
    assert new.kept == [("counts", {"id": "b", "n": -1})]


def test_a_number_where_a_text_belongs_is_no_row_of_that_table(tmp_path: Path) -> None:
    path = notes_file(tmp_path / "old.db", 3, 20, "CREATE TABLE counts (id INTEGER, author INTEGER, content INTEGER)")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("INSERT INTO counts VALUES (1, 2, 3)")
        content = page(path, root_of(path, "counts"))
        connection.execute("DELETE FROM counts")
    overwrite(path, root_of(path, "notes"), content)
    new = Salvaged(path)
    assert new.contents["notes"] == set()
    assert new.kept == [("notes", {"id": 1, "author": 2, "content": 3})]


def test_columns_that_were_added_later_get_their_default(tmp_path: Path) -> None:
    path = notes_file(tmp_path / "old.db", 3)
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute("ALTER TABLE notes ADD COLUMN kind TEXT DEFAULT 'general' NOT NULL")
    before = contents(path)
    new = Salvaged(path)
    assert new.contents == before


ADDED_LATER = {
    "llm_usage": {
        "operation": "TEXT",
        "cache_read_tokens": "INTEGER DEFAULT 0 NOT NULL",
        "cache_write_tokens": "INTEGER DEFAULT 0 NOT NULL",
    },
    "projects": {"dynamic_questions": "BOOLEAN DEFAULT 1 NOT NULL"},
}
CHANGES = {"llm_usage": "operation = 'insights'", "projects": "dynamic_questions = 0"}


@pytest.mark.parametrize("table", ADDED_LATER)
def test_rows_from_before_a_revision_added_columns_are_found_again(tmp_path: Path, table: str) -> None:
    path = notes_file(tmp_path / "old.db")
    with closing(sqlite3.connect(path, isolation_level=None)) as connection:
        connection.execute(f"ALTER TABLE notes RENAME TO {table}")
        for name, declaration in ADDED_LATER[table].items():
            connection.execute(f"ALTER TABLE {table} ADD COLUMN {name} {declaration}")
        connection.execute(f"UPDATE {table} SET {CHANGES[table]} WHERE id > 'note-0200'")
    before = contents(path)
    overwrite(path, root_of(path, table), bytes(PAGE))
    new = Salvaged(path)
    assert new.contents == before
    assert new.kept == []
