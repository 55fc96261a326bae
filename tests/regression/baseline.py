"""The recorded baseline: a JSON file that people can read, and how it differs from what happens now."""

import json
from collections.abc import Mapping
from difflib import unified_diff
from pathlib import Path

from tests.regression.plain import Json

FILE = Path(__file__).with_name("baseline.json")

_WIDTH = 160
"""Characters up to which a dict or a list stands on one line."""


def load(file: Path = FILE) -> dict[str, Json]:
    """What was recorded, by scenario."""
    found: dict[str, Json] = json.loads(file.read_text("utf-8"))
    return found


def save(recorded: Mapping[str, Json], file: Path = FILE) -> None:
    """Write all of it."""
    file.write_text(written(dict(recorded)) + "\n", "utf-8", newline="\n")


def difference(name: str, recorded: Json, now: Json) -> str:
    """The unified difference between what was recorded of a scenario and what happens now; empty for none."""
    lines = unified_diff(
        written(recorded).split("\n"), written(now).split("\n"), f"{name} (baseline)", f"{name} (now)", lineterm=""
    )
    return "\n".join(lines)


def written(value: Json, indent: int = 0) -> str:
    """As JSON with sorted keys: what is short on one line, everything else by lines."""
    line = json.dumps(value, sort_keys=True, ensure_ascii=False)
    if not isinstance(value, dict | list) or not value or len(line) + indent <= _WIDTH:
        return line
    if isinstance(value, dict):
        begin, end = "{", "}"
        parts = [f"{json.dumps(key, ensure_ascii=False)}: {written(value[key], indent + 1)}" for key in sorted(value)]
    else:
        begin, end = "[", "]"
        parts = [written(item, indent + 1) for item in value]
    lead = "\n" + " " * (indent + 1)
    return f"{begin}{lead}{f',{lead}'.join(parts)}\n{' ' * indent}{end}"
