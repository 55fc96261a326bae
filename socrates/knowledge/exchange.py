"""Entries as plain values, for files and other databases."""

from collections.abc import Mapping, Sequence
from typing import Any

from socrates import tagged_json
from socrates.drafts import NewEntry
from socrates.errors import InvalidValueError
from socrates.views import Entry

_TEXTS = ("id", "content", "category")
_OPTIONAL = ("source",)
_WHERE_IT_WAS = ("project_id", "scope")
"""Metadata with which v1 said whose an entry is, which an import says anew."""


def exported(entry: Entry) -> dict[str, Any]:
    """An entry as `imported` reads it: strings, numbers, lists and dicts. Ids of uploaded documents stay behind."""
    return {
        "id": entry.id,
        "content": entry.content,
        "category": entry.category,
        "source": entry.source,
        "metadata": tagged_json.encode(entry.details),
        "created_at": entry.created_at.isoformat(),
    }


def imported(values: Sequence[Mapping[str, Any]]) -> list[NewEntry]:
    """The entries that `exported` wrote, or v1: which kept the source, and whose an entry is, among its metadata.

    Raises InvalidValueError, which names the place of what is none.
    """
    if isinstance(values, str | Mapping) or not isinstance(values, Sequence):
        raise InvalidValueError("what is imported is a list of entries, as an export gives it")
    return [_imported(place, value) for place, value in enumerate(values)]


def _imported(place: int, value: Any) -> NewEntry:
    if not isinstance(value, Mapping):
        raise InvalidValueError(f"entry {place} of the import is {type(value).__name__}, not a dict")
    for name in (*_TEXTS, *_OPTIONAL):
        given = value.get(name)
        if not isinstance(given, str) and (given is not None or name in _TEXTS):
            raise InvalidValueError(f"entry {place} of the import has no text as its {name}")
    details = _details(place, value.get("metadata"))
    source = value.get("source")
    if "source" not in value:
        details = {key: each for key, each in details.items() if key not in _WHERE_IT_WAS}
        if isinstance(details.get("source"), str):
            source = details.pop("source")
    return NewEntry(value["content"], value["category"], id=value["id"], source=source, details=details)


def _details(place: int, metadata: Any) -> dict[Any, Any]:
    try:
        details = {} if metadata is None else tagged_json.decode(metadata)
    except (ValueError, TypeError, RecursionError) as error:
        raise InvalidValueError(f"entry {place} of the import has metadata that cannot be read: {error}") from error
    if not isinstance(details, dict):
        raise InvalidValueError(f"entry {place} of the import has {type(details).__name__} as its metadata, not a dict")
    return details
