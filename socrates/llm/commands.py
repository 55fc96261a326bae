"""The commands that free text can be taken for."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Command:
    """A command by its `name`, such as "/project create", and its `usage`, such as "/project create <name>"."""

    name: str
    usage: str
    description: str
