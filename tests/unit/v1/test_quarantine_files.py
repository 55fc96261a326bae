"""Rows of the quarantine as files: what is written, and what is refused when it is read back."""

import json
import os
import shutil
import sqlite3
import stat
from collections.abc import Callable, Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from socrates.errors import InvalidValueError
from socrates.v1.corrections import Correction
from socrates.v1.quarantine import Entry, entry, held
from socrates.v1.quarantine_files import MOST_BYTES, CorrectedFiles, export
from socrates.v1.target import Target
from tests.support.migrate import upgrade
from tests.support.v1_files import V1File

Document = dict[str, Any]


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An import that left one user in quarantine, without a key, and a configuration whose pickle cannot be read."""
    with V1File(tmp_path_factory.mktemp("files") / "projects.db") as v1:
        v1.add_user(columns={"username": None}, odd=[[1, Decimal("1.50")]])
        v1.add_llm_config(id="config", blob=b"damaged")
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    return v1.path


@pytest.fixture
def target(imported: Path) -> Iterator[Target]:
    with closing(sqlite3.connect(imported)) as connection:
        yield Target(connection)


@pytest.fixture
def files(target: Target, tmp_path: Path) -> Path:
    """A directory with the user's two files."""
    export(target, held(target)[:1], tmp_path / "files")
    return tmp_path / "files"


def read_back(files: Path, kept: Entry) -> Correction:
    return CorrectedFiles(files).correction_of(kept)


def test_the_files_are_for_nobody_but_their_owner(files: Path) -> None:
    assert stat.S_IMODE(files.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in files.iterdir()} == {
        "1.json": 0o600,
        "1.pickle": 0o600,
    }


def test_an_export_that_cannot_end_leaves_nothing(target: Target, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    os.symlink(tmp_path / "elsewhere", files / "2.json")
    with pytest.raises(InvalidValueError, match=r"2\.json is there already"):
        export(target, held(target), files)
    assert [path.name for path in files.iterdir()] == ["2.json"]
    assert not (tmp_path / "elsewhere").exists()


def test_a_row_is_a_line_for_each_field_and_for_each_entry_of_a_list(files: Path) -> None:
    lines = (files / "1.json").read_text("utf-8").splitlines()
    assert '    "created_at": {"$datetime": "2025-03-01T09:00:00.123456"},' in lines
    assert '      [1, {"$decimal": "1.50"}]' in lines


def test_what_is_exported_and_left_alone_is_no_correction(tmp_path: Path) -> None:
    odd = {"a": Decimal("1.50"), 1: (True, 1, 1.0), "$x": {b"\x00"}, "\u009b\u2028": "\ud800é", "none": None}
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(name="\ud800", odd=odd, conversation_history=[{"type": "user", "content": "\x1b[2J"}] * 3)
        v1.add_usage(cost=0.1, success="perhaps", columns={"timestamp": 17, "model": b"\xff"})
        v1.add_api_key(id=None, key_hash=b"\xff\x00")
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    with closing(sqlite3.connect(v1.path)) as connection:
        target = Target(connection)
        export(target, held(target), tmp_path / "files")
        files = CorrectedFiles(tmp_path / "files")
        assert [files.correction_of(entry(target, row.id)) for row in held(target)] == [Correction()] * 3
    text = (tmp_path / "files" / "1.json").read_text("utf-8")
    assert "é" in text
    assert not set("\x1b\u009b") & set(text)


@pytest.mark.parametrize("change", [("[1, ", "[1.0, "), ("[1, ", "[true, "), ('"1.50"', '"1.5"')])
def test_a_change_of_type_or_digits_alone_is_a_correction(target: Target, files: Path, change: tuple[str, str]) -> None:
    text = (files / "1.json").read_text("utf-8")
    assert change[0] in text
    (files / "1.json").write_text(text.replace(*change), "utf-8")
    assert read_back(files, entry(target, 1)).value is not None


def set_in(*way: str, to: Any) -> Callable[[Document], object]:
    def change(document: Document) -> None:
        *holders, last = way
        for holder in holders:
            document = document[holder]
        document[last] = to

    return change


def left_out(*way: str) -> Callable[[Document], object]:
    def change(document: Document) -> None:
        *holders, last = way
        for holder in holders:
            document = document[holder]
        del document[last]

    return change


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (set_in("id", to=2), "id"),
        (set_in("id", to=True), "id"),
        (set_in("table", to="projects"), "table"),
        (set_in("key", to="eve"), "key"),
        (set_in("note", to="x"), "note"),
        (left_out("columns"), "columns"),
        (left_out("value"), "value"),
        (left_out("columns", "created_at"), "columns.created_at"),
        (set_in("columns", to=[]), "columns"),
        (set_in("columns", "data", to="x"), "columns.data"),
        (set_in("columns", "username", to={}), "columns.username"),
        (set_in("columns", "username", to=True), "columns.username"),
        (set_in("columns", "username", to=2**63), "columns.username"),
        (set_in("columns", "username", to="\ud800"), "columns.username"),
        (set_in("columns", "username", to={"$bytes": "%"}), "columns.username"),
        (set_in("value", to=[]), "value"),
        (set_in("value", to={"$tuple": []}), "value"),
        (set_in("value", to={"$datetime": "soon"}), "value"),
        (set_in("value", to={"a": {"$nothing": 1}}), "value"),
        (set_in("value", to={"a": {"$set": [{"$set": []}]}}), "value"),
    ],
)
def test_a_file_that_makes_no_sense_is_refused_by_name_and_field(
    target: Target, files: Path, change: Callable[[Document], object], field: str
) -> None:
    document = json.loads((files / "1.json").read_text("utf-8"))
    change(document)
    (files / "1.json").write_text(json.dumps(document), "utf-8")
    with pytest.raises(InvalidValueError, match=rf"1\.json: {field}.* Nothing was changed"):
        read_back(files, entry(target, 1))


HOSTILE_TEXTS = {
    "no JSON": b"{",
    "not UTF-8": b"\xff{}",
    "not an object": b"[]",
    "NaN": b'{"id": NaN}',
    "a key twice": b'{"id": 1, "id": 1}',
    "deeper than Python's stack": b'{"value": ' + b"[" * 200_000,
    "a number of too many digits": b'{"id": ' + b"1" * 10_000 + b"}",
}


@pytest.mark.parametrize("content", HOSTILE_TEXTS.values(), ids=HOSTILE_TEXTS.keys())
def test_a_file_that_is_no_exported_row_is_refused(target: Target, files: Path, content: bytes) -> None:
    (files / "1.json").write_bytes(content)
    with pytest.raises(InvalidValueError, match=r"1\.json: "):
        read_back(files, entry(target, 1))


def test_a_file_that_is_too_large_is_not_read(target: Target, files: Path) -> None:
    os.truncate(files / "1.json", MOST_BYTES + 10_000)
    with pytest.raises(InvalidValueError, match=r"1\.json: it holds more than"):
        read_back(files, entry(target, 1))


def test_a_file_as_an_editor_of_another_system_leaves_it_is_read(target: Target, files: Path) -> None:
    text = (files / "1.json").read_text("utf-8").replace("\n", "\r\n")
    (files / "1.json").write_text(text, "utf-8-sig", newline="")
    assert read_back(files, entry(target, 1)) == Correction()


@pytest.mark.parametrize("name", ["1 copy.json", "01.json", "-1.json", "١.json", "1.json.json"])
def test_a_file_with_another_name_is_refused(files: Path, name: str) -> None:
    shutil.copyfile(files / "1.json", files / name)
    with pytest.raises(InvalidValueError, match="is not a row that was exported"):
        CorrectedFiles(files)


@pytest.mark.parametrize("make", [os.mkdir, os.mkfifo])
def test_what_is_no_regular_file_is_refused(files: Path, make: Callable[[Path], None]) -> None:
    make(files / "7.json")
    with pytest.raises(InvalidValueError, match=r"7\.json"):
        CorrectedFiles(files)
