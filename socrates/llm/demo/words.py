"""The words of a project, as they stand in the data blocks of a request."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

_LONGEST = 160
"""Characters of a phrase that an answer repeats."""

_MOST = 8
"""Phrases of a list that an answer repeats."""

_UNSAID = frozenset({"", "-", "none", "not specified", "not specified."})

_PRODUCTS = {
    "software": "program",
    "business": "business",
    "creative": "design",
    "research": "study",
    "marketing": "campaign",
    "educational": "course",
}


@dataclass(frozen=True)
class Words:
    """What an answer can say about the project; lists are empty, and texts "", where nothing is said."""

    name: str
    kind: str
    phase: str
    goals: tuple[str, ...]
    requirements: tuple[str, ...]
    tech_stack: tuple[str, ...]
    constraints: tuple[str, ...]
    fields: Mapping[str, str]

    @classmethod
    def read(cls, blocks: Mapping[str, str]) -> "Words":
        """From the blocks goals, requirements, tech_stack, constraints, project and summary."""
        said = fields(blocks.get("summary", "")) | fields(blocks.get("project", ""))

        def listed(name: str) -> tuple[str, ...]:
            if name in blocks:
                return phrases(blocks[name].splitlines())
            return phrases(re.split(r"[,;] ", said.get(name.replace("_", " "), "")))

        return cls(
            name=shortened(said.get("name", "")) or "the project",
            kind=said.get("type", "").lower() or "software",
            phase=said.get("phase", "").lower(),
            goals=listed("goals"),
            requirements=listed("requirements"),
            tech_stack=phrases(item for line in listed("tech_stack") for item in line.split(",")),
            constraints=listed("constraints"),
            fields=said,
        )

    def slots(self) -> dict[str, str]:
        """Values for the slots of the texts: whole lists as Markdown bullets, and single phrases for sentences."""
        return {
            "name": self.name,
            "product": _PRODUCTS.get(self.kind, "product"),
            "goal": _first(self.goals, "what you want to achieve"),
            "requirement": _first(self.requirements, "the most important requirement"),
            "constraint": _first(self.constraints, "the limits of time and money"),
            "tech": ", ".join(self.tech_stack) or "the tools that the team knows best",
            "goals": _bullets(self.goals, "Still to be agreed: what the project is for."),
            "requirements": _bullets(self.requirements, "Still to be agreed: what it must do."),
            "constraints": _bullets(self.constraints, "None are known so far."),
        }


def fields(text: str) -> dict[str, str]:
    """The lines "name: value" of a text by their lower-case names."""
    pairs = (line.split(":", 1) for line in text.splitlines() if ":" in line)
    return {name.strip(" -*").lower().replace("_", " "): value.strip() for name, value in pairs}


def phrases(lines: Iterable[str]) -> tuple[str, ...]:
    """The first lines as short phrases without bullets; each once, and those that say nothing left out."""
    said: dict[str, None] = {}
    for line in lines:
        phrase = shortened(line.strip().lstrip("-*• "))
        if phrase.lower() not in _UNSAID:
            said[phrase] = None
        if len(said) == _MOST:
            break
    return tuple(said)


def shortened(text: str) -> str:
    """One line of a length that can be repeated, of characters that can be printed in UTF-8."""
    line = " ".join(text.strip()[: 2 * _LONGEST].split()).encode(errors="replace").decode()
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1].rstrip() + "…"


def _first(items: tuple[str, ...], otherwise: str) -> str:
    return items[0].rstrip(".!") if items else otherwise


def _bullets(items: tuple[str, ...], otherwise: str) -> str:
    return "\n".join(f"- {item}" for item in items or (otherwise,))
