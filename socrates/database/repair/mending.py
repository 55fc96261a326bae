"""Mends what breaks the rules of our tables, in a transaction of the caller's, on a connection of Python's own.

Foreign keys must not be enforced on it: a parent's children would go with it, and nobody would hear of them.
"""

import sqlite3
from collections import Counter
from collections.abc import Callable, Mapping

from socrates.database.repair.findings import Part, Reference, missing_parts, parts, references, schema_at_head
from socrates.database.repair.stored_tables import quoted

MESSAGES = "conversation_messages"

Moved = Callable[[str, str, Mapping[str, object]], None]
"""Called with a table, a reason, and the values of a row before it is deleted."""


def make_missing_parts(connection: sqlite3.Connection) -> list[Part]:
    """Make the tables, empty, and the indexes that the schema at head has and the database lacks; return which."""
    made = missing_parts(connection)
    for part in made:
        connection.execute(part.sql)
    return made


def move_out_orphans(
    connection: sqlite3.Connection, moved: Moved, spared: frozenset[str] = frozenset()
) -> Counter[str]:
    """Delete the rows of our tables whose parent is not there, and in turn their children; return how many of which.

    v1's own tables, which keep such rows by right, are left alone, and so are those in `spared`.
    """
    by_table: dict[str, list[Reference]] = {}
    for reference in references(connection):
        by_table.setdefault(reference.table, []).append(reference)
    counts: Counter[str] = Counter()
    for part in schema_at_head():  # parents come before their children
        for reference in by_table.get(part.name, []) if part.name not in spared else []:
            reason = f"its {reference.column} is not in {reference.parent}"
            cursor = connection.execute(f"SELECT * FROM {quoted(reference.table)} WHERE {reference.orphans}")  # noqa: S608
            names = [column[0] for column in cursor.description]
            for row in cursor:
                moved(reference.table, reason, dict(zip(names, row, strict=True)))
                counts[reference.table] += 1
            connection.execute(f"DELETE FROM {quoted(reference.table)} WHERE {reference.orphans}")  # noqa: S608
    return counts


def recount_messages(connection: sqlite3.Connection) -> int:
    """Have every project's count lead to the position behind its last message; return how many were wrong.

    Not the number of its messages: where one is missing between others, the next one must not take a position that is
    taken.
    """
    cursor = connection.execute(
        "UPDATE projects SET message_count = next FROM (SELECT id AS project, coalesce(max(position) + 1, 0) AS next"
        " FROM projects LEFT JOIN conversation_messages ON project_id = id GROUP BY id)"
        " WHERE id = project AND message_count <> next"
    )
    return cursor.rowcount


def complete_conversations(connection: sqlite3.Connection) -> set[str]:
    """The projects that have as many messages as they count."""
    rows = connection.execute(
        "SELECT id FROM projects LEFT JOIN conversation_messages ON project_id = id"
        " GROUP BY id HAVING count(position) = message_count"
    )
    return {key for (key,) in rows}


def write_revision(connection: sqlite3.Connection, revision: str) -> bool:
    """Write down that the database is at `revision`, the head, if it does not say at which it is and its schema is
    that of the head. Return whether that was so."""
    there = {part.name: part for part in parts(connection)}
    if "alembic_version" not in there or any(part.name not in there for part in schema_at_head()):
        return False
    if connection.execute("SELECT count(*) FROM alembic_version").fetchone() != (0,):
        return False
    connection.execute("INSERT INTO alembic_version VALUES (?)", (revision,))
    return True
