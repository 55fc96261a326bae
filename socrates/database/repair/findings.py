"""What is wrong with a database: what SQLite itself reports, and what breaks the rules that our tables keep."""

import re
import sqlite3
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

from socrates.database.migrations import create_schema
from socrates.database.repair.finding import Finding, Keys, Kind, shown
from socrates.database.repair.stored_tables import quoted
from socrates.database.repair.stored_values import unreadable

DAMAGED_PAGES = "SQLite reports damaged pages"

_MESSAGES = 1000
_INDEX_MESSAGE = re.compile(
    r"row \d+ missing from index (?P<missing>.+)"
    r"|wrong # of entries in index (?P<wrong>.+)"
    r"|non-unique entry in index (?P<double>.+)"
    r"|row \d+ values differ from index (?P<differing>.+)"
    r"|rowid not at end-of-record for row \d+ of index (?P<record>.+)"
)
# Not so a NULL where there must be none, or a number in a column of texts: SQLite writes neither, so a page is wrong.
_CHECK_MESSAGE = re.compile(r"CHECK constraint failed in .+")


class Reference(NamedTuple):
    """A foreign key of one column."""

    table: str
    column: str
    parent: str
    parent_column: str

    @property
    def orphans(self) -> str:
        """The condition that is true of rows whose parent is not there."""
        parents = f"SELECT {quoted(self.parent_column)} FROM {quoted(self.parent)}"  # noqa: S608
        return f"{quoted(self.column)} IS NOT NULL AND {quoted(self.column)} NOT IN ({parents})"


class Part(NamedTuple):
    """A table or an index of the schema."""

    kind: str
    name: str
    table: str
    sql: str


def damage(connection: sqlite3.Connection) -> list[Finding]:
    """What SQLite reports of the file and its values; of any database. Raises sqlite3.Error, but not for damage."""
    pages, constraints = Keys(), Keys()
    indexes: dict[str, Keys] = {}
    messages: list[str] = []
    try:
        for (text,) in connection.execute(f"PRAGMA integrity_check({_MESSAGES})"):
            messages.append(text)
    except sqlite3.DatabaseError as error:
        if not is_damage(error):
            raise
        messages.append(str(error))
    for message in messages if messages != ["ok"] else ():
        if match := _INDEX_MESSAGE.fullmatch(message):
            indexes.setdefault(str(match[str(match.lastgroup)]), Keys()).add(message)
        elif _CHECK_MESSAGE.fullmatch(message):
            constraints.add(message)
        else:
            pages.add(" ".join(message.replace("*** in database main ***", "").split()))
    found = [Finding(Kind.PAGES, DAMAGED_PAGES, None, pages)] if pages.count else []
    found += [
        Finding(Kind.INDEX, f"the index {name} does not fit its table", _table_of(connection, name), keys, name)
        for name, keys in indexes.items()
    ]
    if constraints.count:
        found.append(Finding(Kind.CONSTRAINT, "rows that break a CHECK of the schema", None, constraints))
    return found


def is_damage(error: BaseException | None) -> bool:
    """Whether SQLite says by `error` that the file is damaged."""
    return isinstance(error, sqlite3.Error) and getattr(error, "sqlite_errorcode", 0) & 0xFF == sqlite3.SQLITE_CORRUPT


def lost_parents(connection: sqlite3.Connection) -> list[Finding]:
    """Rows that refer to rows which are not there, table by table; of any database."""
    found = []
    for reference in references(connection):
        keys = _keys_where(connection, reference.table, reference.orphans)
        if keys.count:
            what = f"rows of {reference.table} whose {reference.column} is not in {reference.parent}"
            found.append(Finding(Kind.REFERENCE, what, reference.table, keys))
    return found


def references(connection: sqlite3.Connection) -> list[Reference]:
    """The foreign keys between tables that are there."""
    tables = [name for kind, name, _, _ in parts(connection) if kind == "table"]
    return [
        Reference(table, column, parent, parent_column or "rowid")
        for table in tables
        for _, _, parent, column, parent_column, *_ in connection.execute(f"PRAGMA foreign_key_list({quoted(table)})")
        if parent in tables
    ]


def parts(connection: sqlite3.Connection) -> list[Part]:
    """The tables and indexes of a database that statements made."""
    return [
        Part(*row)
        for row in connection.execute(
            "SELECT type, name, tbl_name, sql FROM sqlite_master"
            " WHERE type IN ('table', 'index') AND sql IS NOT NULL AND name NOT LIKE 'sqlite~_%' ESCAPE '~'"
            " ORDER BY rowid"
        )
    ]


@cache
def schema_at_head() -> tuple[Part, ...]:
    """The schema that a new database gets."""
    with TemporaryDirectory(prefix="socrates-schema-") as directory:
        path = Path(directory) / "projects.db"
        create_schema(path)
        connection = sqlite3.connect(path)
        try:
            return tuple(parts(connection))
        finally:
            connection.close()


def missing_parts(connection: sqlite3.Connection) -> list[Part]:
    """What a database at head lacks of its schema, in the order in which it can be made."""
    there = {part.name for part in parts(connection)}
    return [part for part in schema_at_head() if part.name not in there]


def broken_rules(connection: sqlite3.Connection) -> list[Finding]:
    """What breaks the rules of our tables in a database that is at head, and not damaged."""
    return [*_schema(connection), *_counts(connection), *unreadable(connection)]


def _schema(connection: sqlite3.Connection) -> Iterator[Finding]:
    there = {part.name: part for part in parts(connection)}
    for part in schema_at_head():
        found = there.get(part.name)
        if found is None:
            yield Finding(Kind.SCHEMA, f"the {part.kind} {part.name} is missing", part.table, name=part.name)
        elif _plain(found.sql) != _plain(part.sql):
            yield Finding(Kind.SCHEMA, f"the {part.kind} {part.name} is not as it should be", part.table)


def _plain(sql: str) -> str:
    return " ".join(sql.replace('"', "").split()).replace("( ", "(").replace(" )", ")")


def _counts(connection: sqlite3.Connection) -> list[Finding]:
    counts, gaps = Keys(), Keys()
    if not {"projects", "conversation_messages"} <= {part.name for part in parts(connection)}:
        return []
    for key, count, there, behind in connection.execute(
        "SELECT id, message_count, count(position), coalesce(max(position) + 1, 0)"
        " FROM projects LEFT JOIN conversation_messages ON project_id = id GROUP BY id"
    ):
        if count != behind:
            counts.add(f"{key!r} counts {count}, where the next position is {behind}")
        if there != behind:
            gaps.add(f"{key!r} lacks {behind - there} of {behind}")
    found = [Finding(Kind.COUNT, "projects that count their messages wrongly", "projects", counts)]
    found.append(Finding(Kind.GAP, "conversations with gaps", "conversation_messages", gaps))
    return [finding for finding in found if finding.rows.count]


def _table_of(connection: sqlite3.Connection, index: str) -> str | None:
    row = connection.execute("SELECT tbl_name FROM sqlite_master WHERE name = ?", (index,)).fetchone()
    return None if row is None else str(row[0])


def _keys_where(connection: sqlite3.Connection, table: str, condition: str) -> Keys:
    columns = connection.execute(f"PRAGMA table_info({quoted(table)})").fetchall()
    names = [quoted(column[1]) for column in sorted(columns, key=lambda column: column[5]) if column[5]] or ["rowid"]
    rows = connection.execute(f"SELECT {', '.join(names)} FROM {quoted(table)} WHERE {condition}")  # noqa: S608
    return Keys.of(map(shown, rows))
