"""Texts and metadata of a v1 collection, read with SQL from a copy of Chroma's database.

Not through Chroma: the few columns used here are the same from Chroma 0.4 to 1.5, a record that cannot be read harms no
other, and damaged files of vectors do not matter.
"""

import json
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any

from socrates.errors import ConfigurationError, DatabaseError
from socrates.knowledge.adoption.copying import DATABASE

COLLECTION = "socratic_knowledge"
"""v1's name for it (v1-format, chapter 6)."""

PAGE = 500
"""Records read at once: about 2 MB of chunks."""

_DOCUMENT = "chroma:document"
"""The key under which Chroma keeps the text of a record among its metadata."""

_VALUES = ("string_value", "int_value", "float_value")

_COLLECTIONS = "SELECT id, name FROM collections ORDER BY rowid"
_RECORDS = """
    FROM embeddings WHERE segment_id IN (SELECT id FROM segments WHERE collection = :collection AND scope = 'METADATA')
"""
_COUNT = f"SELECT count(*) {_RECORDS}"
_SAMPLE = f"SELECT id, embedding_id {_RECORDS} ORDER BY random() LIMIT :number"
_NEXT = f"SELECT id, embedding_id {_RECORDS} AND id > :after ORDER BY id LIMIT :number"
_METADATA = "SELECT * FROM embedding_metadata WHERE id IN (SELECT value FROM json_each(:rows)) ORDER BY id"


@dataclass(frozen=True, slots=True)
class Record:
    """What Chroma holds of one entry. Bytes that are no text stand in texts as lone surrogates."""

    id: Any
    content: Any
    metadata: dict[str, Any]


class Records:
    """The records of v1's collection. `others` are the names of the other collections in the directory."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use `open_records`."""
        self._connection = connection
        collections = connection.execute(_COLLECTIONS).fetchall()
        ours = next((row["id"] for row in collections if row["name"] == COLLECTION), None)
        self.others = tuple(str(row["name"]) for row in collections if row["id"] != ours)
        if ours is None:
            held = f"only {', '.join(self.others)}" if self.others else "none at all"
            raise ConfigurationError(f"there is no collection {COLLECTION!r} in this directory, {held}: it is not v1's")
        self._collection = ours

    def count(self) -> int:
        """How many there are."""
        return int(self._connection.execute(_COUNT, {"collection": self._collection}).fetchone()[0])

    def sample(self, number: int) -> list[Record]:
        """Some of them by chance; all, where there are no more."""
        return self._with_metadata(
            self._connection.execute(_SAMPLE, {"collection": self._collection, "number": number}).fetchall()
        )

    def pages(self) -> Iterator[list[Record]]:
        """All of them, in the order in which they were added."""
        after = -(1 << 63)
        while rows := self._connection.execute(
            _NEXT, {"collection": self._collection, "after": after, "number": PAGE}
        ).fetchall():
            yield self._with_metadata(rows)
            after = rows[-1]["id"]

    def _with_metadata(self, rows: list[sqlite3.Row]) -> list[Record]:
        found = self._connection.execute(_METADATA, {"rows": json.dumps([row["id"] for row in rows])})
        metadata = {row: {each["key"]: _value(each) for each in of} for row, of in groupby(found, lambda each: each[0])}
        return [_record(row["embedding_id"], metadata.get(row["id"], {})) for row in rows]


@contextmanager
def open_records(directory: Path) -> Iterator[Records]:
    """Read the collection in a copy of v1's directory.

    Raises ConfigurationError where v1's collection is missing, and DatabaseError for a database that cannot be read.
    """
    connection = sqlite3.connect(directory / DATABASE, isolation_level=None, check_same_thread=False)
    connection.row_factory = sqlite3.Row
    connection.text_factory = lambda raw: raw.decode("utf-8", "surrogateescape")
    try:
        _require_sound(connection)
        yield Records(connection)
    except sqlite3.Error as error:
        raise DatabaseError(
            f"v1's {DATABASE} cannot be read, it is damaged or no database of Chroma: {error}"
        ) from error
    finally:
        connection.close()


def _require_sound(connection: sqlite3.Connection) -> None:
    # A damaged database gives fewer rows as well as wrong ones, and nobody would know.
    answer = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
    if answer != "ok":
        raise DatabaseError(f"v1's {DATABASE} is damaged: {answer}. Mend a copy of it with sqlite3's .recover first")


def _record(record_id: Any, metadata: dict[str, Any]) -> Record:
    return Record(record_id, metadata.pop(_DOCUMENT, None), metadata)


def _value(row: sqlite3.Row) -> Any:
    # Chroma before 0.4.15 had no column for it.
    if "bool_value" in row.keys() and row["bool_value"] is not None:  # noqa: SIM118 - a Row is a sequence
        return bool(row["bool_value"])
    return next((row[name] for name in _VALUES if row[name] is not None), None)
