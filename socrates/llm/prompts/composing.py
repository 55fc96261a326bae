"""Putting a prompt together: instructions and data apart, and the data no longer than there is room for.

Instructions come from the TOML files beside this one, and only from there. Data goes into blocks

    <goals 1f3a9c0e5b7d2468>
    A library that lends to everybody.
    </goals 1f3a9c0e5b7d2468>

whose mark is a digest of all the data of its part, and another one wherever data holds it: a text that contains such
tags, or "ignore what was said before", stays data.

What is dropped first, when there is not enough room: hits of a search in what is known, the worst first; then messages
of the conversation, the oldest first, but of the newest the beginning stays; then the end of lists, such as
requirements; at last the end of the texts that the operation is about, of the longest so much that they are equally
long. What is missing is said, to the model and to the caller.
"""

import hashlib
import json
import tomllib
from collections import deque
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import IntEnum
from functools import cache
from importlib import resources
from string import Template
from typing import Any

from socrates.llm.storable import storable

CHARACTERS_PER_TOKEN = 4
"""A rough mean for English; the exact number is known to the provider only."""

_MARK_DIGITS = 16


class Rank(IntEnum):
    """In which order data is given up."""

    KNOWLEDGE = 1
    CONVERSATION = 2
    DETAIL = 3
    SUBJECT = 4


@dataclass(frozen=True, slots=True)
class Section:
    """Data of one kind. `stable`: it stays the same from call to call, so that the provider may keep what it read."""

    name: str
    items: tuple[str, ...]
    rank: Rank = Rank.SUBJECT
    stable: bool = False

    @property
    def text(self) -> str:
        """The items, each on a line of its own; its further lines are indented, so that none looks like another."""
        if len(self.items) == 1 and self.rank is Rank.SUBJECT:
            return self.items[0]
        return "\n".join("\n  ".join(item.splitlines()) for item in self.items)


@dataclass(frozen=True, slots=True)
class Prompt:
    """What is sent to a model: instructions, data that seldom changes, data; and what there was no room for."""

    system: str
    stable: str
    data: str
    omitted: tuple[str, ...] = ()


def subject(name: str, text: str) -> Section:
    """The text that an operation is about, or a part of it."""
    return Section(name, (text,) if text.strip() else ())


def compose(
    family: str, task: str, sections: Sequence[Section], tokens: int, system: str | None = None, **slots: str
) -> Prompt:
    """The prompt of a task, with at most about so many tokens of data.

    Its instructions stand in the file of its family; `slots` are filled into them and must be words of ours. `system`
    goes in their place, for instructions of the caller's own.
    """
    entry = texts(family).get(task, {})
    instructions = Template(entry["system"]).substitute(slots) if system is None else system
    rules = entry.get("rules", texts("common")["data"]["rules"])
    fitting, omitted = fit([section for section in sections if section.items], tokens * CHARACTERS_PER_TOKEN)
    stable = _blocks(section for section in fitting if section.stable)
    data = _blocks(section for section in fitting if not section.stable)
    if omitted:
        data.append(("left_out", "\n".join(omitted)))
    everything = "\n".join(text for _, text in (*stable, *data))
    return Prompt(
        system=f"Task: {task}\n\n{instructions.strip()}\n\n{rules.strip()}",
        stable=_part(stable, everything),
        data=_part(data, everything),
        omitted=omitted,
    )


@cache
def texts(family: str) -> dict[str, Any]:
    """The texts of a family of prompts."""
    return tomllib.loads(resources.files("socrates.llm.prompts").joinpath(f"{family}.toml").read_text("utf-8"))


def fit(sections: Sequence[Section], characters: int) -> tuple[list[Section], tuple[str, ...]]:
    """The sections with what there is room for, and what was left out, in words."""
    kept = list(sections)
    excess = sum(_size(section) for section in kept) - characters
    omitted: list[str] = []
    for rank in Rank:
        places = [place for place, section in enumerate(kept) if section.rank is rank]
        share = _share([_size(kept[place]) for place in places], excess)
        for place in sorted(places, key=lambda place: -_size(kept[place])):
            if excess <= 0:
                break
            before = kept[place]
            kept[place] = _cut(before, share) if rank is Rank.SUBJECT else _shortened(before, excess)
            if kept[place] != before:
                excess -= _size(before) - _size(kept[place])
                omitted.append(_left_out(before, kept[place]))
    return [section for section in kept if section.items], tuple(omitted)


def _size(section: Section) -> int:
    return len("\n".join(section.items))


def _share(sizes: Sequence[int], excess: int) -> int:
    """The size to which the largest have to be cut for all to lose the excess; smaller ones can stay whole."""
    room = sum(sizes) - excess
    for count, size in zip(range(len(sizes), 0, -1), sorted(sizes), strict=True):
        if size * count > room:
            return room // count
        room -= size
    return max(sizes, default=0)


def _shortened(section: Section, excess: int) -> Section:
    """Without as many items as it takes: of a conversation the first, of anything else the last.

    Of a conversation's newest message the beginning stays: it is what the answer follows on.
    """
    items = deque(section.items)
    is_conversation = section.rank is Rank.CONVERSATION
    drop, staying = (items.popleft, 1) if is_conversation else (items.pop, 0)
    while len(items) > staying and excess > 0:
        excess -= len(drop()) + 1
    shortened = replace(section, items=tuple(items))
    return _cut(shortened, _size(shortened) - excess) if is_conversation and excess > 0 else shortened


def _cut(section: Section, room: int) -> Section:
    """With its end cut off. Something is left: a model that is told nothing makes things up."""
    room = max(room, _SHORTEST_SUBJECT)
    items: list[str] = []
    for item in section.items:
        if room <= 0:
            break
        items.append(item[:room])
        room -= len(item) + 1
    return replace(section, items=tuple(items))


_SHORTEST_SUBJECT = 200
"""Characters."""


def _left_out(before: Section, after: Section) -> str:
    if before.rank is Rank.SUBJECT:
        return f"{before.name}: only its first {_size(after)} of {_size(before)} characters"
    left_out = f"{before.name}: {len(before.items) - len(after.items)} of {len(before.items)} left out"
    if before.rank is Rank.CONVERSATION and after.items[-1] != before.items[-1]:
        left_out += f", and of the newest all but its first {_size(after)} characters"
    return left_out


def _blocks(sections: Iterable[Section]) -> list[tuple[str, str]]:
    return [(section.name, storable(section.text)) for section in sections]


def _part(blocks: Sequence[tuple[str, str]], everything: str) -> str:
    """Blocks, and before them what mark they carry: one that `everything`, the data of all parts, does not hold."""
    if not blocks:
        return ""
    digest = hashlib.sha256(json.dumps(blocks).encode())
    while (mark := digest.hexdigest()[:_MARK_DIGITS]) in everything:
        digest.update(mark.encode())
    lines = [f"The data of this message stands between tags that carry the mark {mark}."]
    lines += [f"<{name} {mark}>\n{text}\n</{name} {mark}>" for name, text in blocks]
    return "\n".join(lines)
