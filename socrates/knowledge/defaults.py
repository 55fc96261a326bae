"""The entries that this package brings along, for everybody to know."""

import json
from functools import cache
from importlib.resources import files

from socrates.drafts import NewEntry

SOURCE = "socrates"
"""The source of these entries, which tells them from what somebody has put in their place."""


@cache
def default_entries() -> tuple[NewEntry, ...]:
    """All of them, as the file beside this module has them; what they tell of themselves is in their details.

    One that left the file stays where it was loaded: nobody asked for it to be deleted.
    """
    text = files("socrates.knowledge").joinpath("default_knowledge.json").read_text(encoding="utf-8")
    return tuple(
        NewEntry(entry["content"], entry["category"], id=entry["id"], source=SOURCE, details=entry["metadata"])
        for entry in json.loads(text)["default_knowledge"]
    )
