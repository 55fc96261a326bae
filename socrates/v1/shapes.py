"""What a v1 file looks like, and what kind of file another one is.

Recognition goes by shape, never by a table's name alone.
"""

import sqlite3
from enum import Enum
from typing import NamedTuple

from socrates.errors import NotRecognisedError

BACKUP_SUFFIX = "_v1_backup"


class V1Table(NamedTuple):
    """A table of v1: its columns in order, its key, and the columns that are unique together."""

    columns: tuple[str, ...]
    key: str
    unique: tuple[str, ...] = ()


def _v1(columns: str, *unique: str) -> V1Table:
    names = tuple(columns.split())
    return V1Table(names, names[0], unique)


V1_TABLES: dict[str, V1Table] = {
    "users": _v1("username passcode_hash data created_at"),
    "projects": _v1("project_id data created_at updated_at"),
    "project_notes": _v1("note_id project_id data created_at"),
    "question_effectiveness": _v1(
        "id user_id question_template_id data created_at updated_at", "user_id", "question_template_id"
    ),
    "behavior_patterns": _v1("id user_id pattern_type data learned_at updated_at", "user_id", "pattern_type"),
    "knowledge_documents": _v1("id project_id user_id data uploaded_at"),
    "llm_provider_configs": _v1("id user_id provider data created_at updated_at", "user_id", "provider"),
    "api_keys": _v1(
        "id user_id provider encrypted_key key_hash created_at updated_at last_used_at", "user_id", "provider"
    ),
    "llm_usage": _v1("id user_id provider model data timestamp cost"),
}
"""v1's tables in the order of the import (v1-format, chapter 2)."""

_ALWAYS_THERE = ("users", "projects")


class FileKind(Enum):
    """What a database is to us."""

    EMPTY = "empty"
    V1 = "v1"
    OURS = "ours"


def v1_tables_in(connection: sqlite3.Connection) -> list[str]:
    """The v1 tables that are there, by name alone."""
    tables = _objects(connection)
    return [name for name in V1_TABLES if tables.get(name) == "table"]


def backups_in(connection: sqlite3.Connection) -> dict[str, str]:
    """v1 table → the table that keeps it since an in-place upgrade."""
    tables = _objects(connection)
    return {name: name + BACKUP_SUFFIX for name in V1_TABLES if tables.get(name + BACKUP_SUFFIX) == "table"}


def tables_in(connection: sqlite3.Connection) -> frozenset[str]:
    """The names of the tables but SQLite's own."""
    return frozenset(name for name, kind in _objects(connection).items() if kind == "table")


def names_in(connection: sqlite3.Connection) -> frozenset[str]:
    """The names of everything in the schema but SQLite's own."""
    return frozenset(_objects(connection))


def recognise(connection: sqlite3.Connection, ours: frozenset[str], path: str) -> FileKind:
    """Say what the database is. `ours`: the names that our own schema needs; `path` is for the message.

    Raises NotRecognisedError for a database that is neither empty nor v1's nor ours, or whose further tables would be
    in our way.
    """
    objects = _objects(connection)
    objects.pop("alembic_version", None)
    if not objects:
        return FileKind.EMPTY
    if _has_revision(connection):
        return FileKind.OURS
    differences = _differences(connection, objects)
    if differences:
        raise NotRecognisedError(
            f"{path} is a SQLite database, but neither one that v1 wrote, nor one of ours, nor empty: "
            f"{'; '.join(differences)}. Nothing was changed. Name the right file, or an empty one."
        )
    # SQLite takes Team_Members and team_members for one name.
    in_the_way = sorted(
        name for name in objects if name not in V1_TABLES and (name.lower() in ours or _looks_like_backup(name.lower()))
    )
    if in_the_way:
        raise NotRecognisedError(
            f"{path} is a v1 database with tables or indexes that bear names of the new schema: "
            f"{', '.join(in_the_way)}. Nothing was changed. Rename or remove them, then run the upgrade again."
        )
    return FileKind.V1


def further_tables(connection: sqlite3.Connection) -> list[str]:
    """The tables of a v1 file that v1 did not make. They are left alone."""
    return sorted(
        name
        for name, kind in _objects(connection).items()
        if kind == "table" and name not in V1_TABLES and name != "alembic_version"
    )


def _looks_like_backup(name: str) -> bool:
    return name.removesuffix(BACKUP_SUFFIX) in V1_TABLES


def _objects(connection: sqlite3.Connection) -> dict[str, str]:
    """Name → type of everything in the schema but SQLite's own."""
    rows = connection.execute("SELECT name, type FROM sqlite_master WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\'")
    return dict(rows.fetchall())


def _has_revision(connection: sqlite3.Connection) -> bool:
    if "alembic_version" not in tables_in(connection):
        return False
    (revisions,) = connection.execute("SELECT count(*) FROM alembic_version").fetchone()
    return bool(revisions)


def _differences(connection: sqlite3.Connection, objects: dict[str, str]) -> list[str]:
    """In what the database differs from every v1 file."""
    found = [f"it has no table {name}" for name in _ALWAYS_THERE if name not in objects]
    for name, shape in V1_TABLES.items():
        if name not in objects:
            continue
        if objects[name] != "table":
            found.append(f"{name} is a {objects[name]}, not a table")
            continue
        columns = connection.execute(f'PRAGMA table_info("{name}")').fetchall()
        if tuple(column[1] for column in columns) != shape.columns:
            found.append(f"the columns of {name} are not v1's")
        elif [column[1] for column in columns if column[5]] != [shape.key]:
            found.append(f"the primary key of {name} is not {shape.key}")
        elif shape.unique and not _is_unique(connection, name, shape.unique):
            found.append(f"{name} is not unique by {' and '.join(shape.unique)}")
    return found


def _is_unique(connection: sqlite3.Connection, table: str, columns: tuple[str, ...]) -> bool:
    for index in connection.execute(f'PRAGMA index_list("{table}")').fetchall():
        members = connection.execute(f'PRAGMA index_info("{index[1]}")').fetchall()
        if index[2] and tuple(member[2] for member in members) == columns:
            return True
    return False
