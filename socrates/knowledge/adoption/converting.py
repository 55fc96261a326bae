"""What v1's metadata mean: whose an entry is, and which of them have columns in our tables."""

from dataclasses import dataclass
from typing import Any

from socrates.drafts import NewEntry
from socrates.knowledge.adoption.reading import Record
from socrates.models.knowledge import IMPORTED

CUSTOM = "custom"
"""The category of an entry that v1 kept none of (agents.md, D29)."""


@dataclass(frozen=True, slots=True)
class Refused:
    """An entry that was not taken over, and why; it still is in v1's directory."""

    id: str
    project_id: str | None
    reason: str


@dataclass(frozen=True, slots=True)
class Taken:
    """An entry to be added to a project's knowledge, or to what everybody knows."""

    entry: NewEntry
    project_id: str | None


def converted(record: Record) -> Taken | Refused:
    """The entry that v1 meant. Lists and dicts stay the texts that v1 made of them, which do not tell what they were.

    Metadata with a column go there, and stay in the details where the column does not hold just the same.
    """
    reason = _reason(record)
    project_id = record.metadata.get("project_id")
    if reason is not None:
        return Refused(_printable(record.id), None if project_id is None else _printable(project_id), reason)
    columns = {
        "project_id": project_id,
        "scope": "global" if project_id is None else "project",
        "category": _text(record, "category") or (IMPORTED if "chunk" in record.metadata else CUSTOM),
        "source": _text(record, "source"),
    }
    details = {
        key: value
        for key, value in record.metadata.items()
        if not (isinstance(value, str) and value == columns.get(key))
    }
    entry = NewEntry(record.content, str(columns["category"]), id=record.id, source=columns["source"], details=details)
    return Taken(entry, project_id)


def _reason(record: Record) -> str | None:
    """Why it cannot be taken over, if it cannot. What might be private is never made known to everybody."""
    metadata = record.metadata
    if not all(map(_is_unicode, (record.id, record.content, *metadata, *metadata.values()))):
        return "it holds bytes that are no text"
    if not isinstance(record.id, str) or not record.id.strip():
        return "its id is no text, or blank"
    if not isinstance(record.content, str) or not record.content.strip():
        return "it has no text, or a blank one"
    if "project_id" in metadata:
        return None if _text(record, "project_id") else "its project_id is no text, or blank"
    if metadata.get("scope", "global") == "global":
        return None
    return f"its scope is {metadata['scope']!r}, and it does not say of which project"


def _text(record: Record, key: str) -> str | None:
    value = record.metadata.get(key)
    return value if isinstance(value, str) and value.strip() else None


def _is_unicode(value: Any) -> bool:
    return not isinstance(value, str) or not any("\ud800" <= character <= "\udfff" for character in value)


def _printable(value: Any) -> str:
    return str(value).encode("utf-8", "backslashreplace").decode()
