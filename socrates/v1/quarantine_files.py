"""Rows of the quarantine as files: written for a person to look at and correct, and read back.

Each row is two files, named by its number alone, for v1's keys are not to be trusted: `<id>.pickle` are the raw bytes,
and `<id>.json` is what can be read of the row, which is what a person corrects. Both can hold passcode hashes and keys,
so nobody but their owner may read them.
"""

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from socrates.errors import DamagedRecordError, InvalidValueError
from socrates.tagged_json import encode
from socrates.v1.corrections import Correction, columns_of, parse, value_of
from socrates.v1.importer import OrphanError
from socrates.v1.quarantine import Entry, Held, chosen, entry, require_project
from socrates.v1.reader import SourceRow
from socrates.v1.reading import printable
from socrates.v1.shapes import V1_TABLES
from socrates.v1.target import Target
from socrates.v1.unpickling import load

# As much as a pickle of the same size may take to read. What is exported of v1's own data takes about twice its size.
MOST_BYTES = 64 * 1024 * 1024
MOST_PER_BYTE = 8

_GIVEN = ("id", "table", "key", "reason", "how", "columns", "value")
_NEEDED = ("id", "table", "columns", "value")
_NAME = re.compile(r"([1-9][0-9]{0,17})\.json")
_LEVELS_OPENED = 3  # the document, the value, its lists: so an entry of a list is one line, and a file stays small


class Exported(NamedTuple):
    """One row that was written."""

    id: int
    files: list[Path]
    readable: bool
    """Whether all that it holds can be read, and so be corrected in the JSON."""


def export(target: Target, rows: list[Held], directory: Path) -> list[Exported]:
    """Write `rows` to `directory`, which is made if it is missing.

    Raises InvalidValueError when a file is there already, OSError when one cannot be written; then none is left.
    """
    with _all_or_none(directory) as written:
        return [_export(target, entry(target, row.id), directory, written) for row in rows]


def _export(target: Target, kept: Entry, directory: Path, written: list[Path]) -> Exported:
    value: dict[Any, Any] | None = None
    if kept.data is not None:
        with suppress(DamagedRecordError):  # the document says that it cannot be read
            value = load(kept.data)
    document = {
        "id": kept.id,
        "table": kept.table,
        "key": kept.key,
        "reason": kept.reason,
        "how": _how(target, kept, readable=value is not None),
        "columns": encode(kept.columns),
        "value": None if value is None else encode(value),
    }
    files = []
    if kept.data is not None:
        files.append(_write(directory / f"{kept.id}.pickle", kept.data, written))
    files.append(_write(directory / f"{kept.id}.json", f"{_lines(document)}\n".encode(), written))
    return Exported(kept.id, files, value is not None or kept.table == "api_keys")


def _how(target: Target, kept: Entry, *, readable: bool) -> str:
    """One sentence about what to correct."""
    row = kept.row(Correction())
    needs = [f"write text into columns.{name}" for name in kept.columns if not _is_readable(row, name)]
    key = V1_TABLES[kept.table].key
    if row.key is None and _is_readable(row, key):
        needs.append(f"write a text that no other row has into columns.{key}")
    if _is_orphan(target, row):
        needs.append("import its project before it or with it, or write a project's id into columns.project_id")
    if not readable and kept.table != "api_keys":
        needs.append("write what the raw bytes should have held into value, as an object with v1's field names")
    told = "; ".join(needs or ["correct what the reason names, in value or in columns"])
    return f"{told[0].upper()}{told[1:]}; then run: socrates db quarantine retry --from DIRECTORY"


def _is_readable(row: SourceRow, column: str) -> bool:
    try:
        row.value(column)
    except DamagedRecordError:
        return False
    return True


def _is_orphan(target: Target, row: SourceRow) -> bool:
    try:
        require_project(target, row)
    except DamagedRecordError as error:
        return isinstance(error, OrphanError)  # or else the column cannot be read, which was said
    return False


def _lines(value: Any, level: int = 0) -> str:
    """JSON with a line for each field, and for each entry of a list; in an entry there are no further lines."""
    is_form = type(value) is dict and len(value) == 1 and next(iter(value)).startswith("$")
    if level == _LEVELS_OPENED or type(value) not in (dict, list) or not value or is_form:
        return printable(json.dumps(value, ensure_ascii=False))  # its escapes for half a pair are JSON's own
    inside = "  " * (level + 1)
    if type(value) is dict:
        parts = [f"{_lines(name, _LEVELS_OPENED)}: {_lines(item, level + 1)}" for name, item in value.items()]
        brackets = "{}"
    else:
        parts = [_lines(item, level + 1) for item in value]
        brackets = "[]"
    lines = ",\n".join(inside + part for part in parts)
    return f"{brackets[0]}\n{lines}\n{'  ' * level}{brackets[1]}"


@contextmanager
def _all_or_none(directory: Path) -> Iterator[list[Path]]:
    """A list for the files that are written, all of which are removed when one cannot be."""
    is_new = not directory.exists()
    if is_new:
        directory.mkdir(mode=0o700)
    elif not directory.is_dir():
        raise InvalidValueError(f"{directory} is no directory. Nothing was written.")
    written: list[Path] = []
    try:
        yield written
    except BaseException:
        for path in written:
            path.unlink(missing_ok=True)
        if is_new:
            with suppress(OSError):  # somebody else's file may be in it by now
                directory.rmdir()
        raise


def _write(path: Path, content: bytes, written: list[Path]) -> Path:
    try:
        with open(path, "xb", opener=_for_owner_only) as file:
            written.append(path)
            file.write(content)
    except FileExistsError as error:
        raise InvalidValueError(
            f"{path} is there already, and is not overwritten. Nothing was written. Name another directory."
        ) from error
    return path


def _for_owner_only(path: str, flags: int) -> int:
    return os.open(path, flags, mode=0o600)


class CorrectedFiles:
    """The JSON files of a directory, as their owner left them."""

    def __init__(self, directory: Path) -> None:
        """Raises InvalidValueError for a file `*.json` whose name is not that of an exported row."""
        if not directory.is_dir():
            raise InvalidValueError(f"there is no directory {directory}. Nothing was changed.")
        self.paths: dict[int, Path] = {}
        for path in sorted(directory.glob("*.json")):
            named = _NAME.fullmatch(path.name)
            if named is None or not path.is_file():
                raise InvalidValueError(
                    f"{printable(str(path))} is not a row that was exported: these are files named <id>.json. "
                    "Nothing was changed. Move it elsewhere."
                )
            self.paths[int(named[1])] = path

    def chosen(self, rows: list[Held], ids: list[int]) -> list[Held]:
        """Those of `rows` with these ids; without any id those that have a file. Raises InvalidValueError."""
        if ids:
            return chosen(rows, ids)
        unknown = self.paths.keys() - {row.id for row in rows}
        if unknown:
            path = self.paths[min(unknown)]
            raise InvalidValueError(f"{path}: there is no such row in quarantine. Nothing was changed.")
        return [row for row in rows if row.id in self.paths]

    def correction_of(self, kept: Entry) -> Correction:
        """What the file of `kept` corrects. Raises InvalidValueError, which names the file and the field."""
        if kept.id not in self.paths:
            raise InvalidValueError(f"there is no {kept.id}.json for the row {kept.id}. Nothing was changed.")
        path = self.paths[kept.id]
        try:
            return _correction(_read(path, MOST_BYTES + MOST_PER_BYTE * len(kept.data or b"")), kept)
        except DamagedRecordError as error:
            raise InvalidValueError(f"{path}: {error}. Nothing was changed.") from error


def _read(path: Path, most: int) -> str:
    with path.open("rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise DamagedRecordError(f"it holds more than {most:,} bytes")
    try:
        return content.decode("utf-8-sig")  # some editors begin a file with a mark
    except UnicodeDecodeError as error:
        raise DamagedRecordError(f"byte {error.start} is not valid UTF-8") from error


def _correction(text: str, kept: Entry) -> Correction:
    document = parse(text)
    if type(document) is not dict:
        raise DamagedRecordError("an object belongs here, with the fields of an exported row")
    for name in document:
        if name not in _GIVEN:
            raise DamagedRecordError(f"{printable(name[:100])}: there is no such field; there are {', '.join(_GIVEN)}")
    for name in _NEEDED:
        if name not in document:
            raise DamagedRecordError(f"{name} is missing")
    for name, found in (("id", kept.id), ("table", kept.table), ("key", kept.key)):
        given = document.get(name, found)
        if type(given) is not type(found) or given != found:
            raise DamagedRecordError(f"{name}: it says which row this is, and cannot be corrected; columns can")
    columns = columns_of(document["columns"], kept.table)
    value = document["value"]
    if value is not None and kept.table == "api_keys":
        raise DamagedRecordError("value: v1's api_keys have none; correct columns")
    return Correction(
        None if _text(columns) == kept.columns_text else columns,
        None if value is None else _changed(value_of(value, len(text)), kept),
    )


def _changed(value: dict[Any, Any], kept: Entry) -> dict[Any, Any] | None:
    """`value`, or None where the pickle holds the same: then the raw bytes will do."""
    if kept.data is None:
        return value
    try:
        before = load(kept.data)
    except DamagedRecordError:
        return value
    return None if _text(before) == _text(value) else value


def _text(value: dict[Any, Any]) -> str:
    return json.dumps(encode(value))
