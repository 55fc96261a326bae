"""The team of a v1 project, which v1 kept in two places (v1-format, V6).

`collaborators` decided who had access; `team_members` knew roles and skills and forgot nobody. Nobody is dropped here,
and nobody gains or loses access.
"""

import json
from typing import Any

from socrates.errors import DamagedRecordError
from socrates.v1.fields import Entry, entries, json_of_texts, text, text_items, time
from socrates.v1.layout import Row
from socrates.v1.reading import UNREADABLE, Reading, free_name

OWNER_ROLE = "lead"
COLLABORATOR_ROLE = "creator"
_MEMBER_COST = 800  # more than its row: what it is put together from

_MEMBER = Entry(text("username"), text("role"), time("joined_at"), also_known=("skills",))


class _Member:
    """One person of the team, while it is put together."""

    __slots__ = ("extra", "joined_at", "known_skills", "name", "numbers", "role", "skills")

    def __init__(
        self, name: str, role: str | None, skills: list[str], joined_at: str | None, extra: dict[str, Any]
    ) -> None:
        self.name = name
        self.role = role
        self.skills = skills
        self.joined_at = joined_at
        self.extra = extra
        # What a merge would else look up anew for each of thousands of entries.
        self.known_skills = set(skills)
        self.numbers: dict[str, int] = {}


def convert_team(
    source: dict[Any, Any], key: str, owner: str, created_at: str, reading: Reading
) -> tuple[list[Row], list[str] | None]:
    """The rows of `team_members` of the project `key`, and the order of `collaborators` where the rows don't show it.

    `created_at` is the project's, as stored: the time at which people without an entry joined.
    """
    collaborators = text_items(source.get("collaborators"), reading, (), "collaborators")
    listed = entries(source.get("team_members"), _MEMBER, reading, (), "team_members")
    reading.budget.spend(_MEMBER_COST * (len(listed) + len(collaborators)))
    members = _listed(listed, reading)
    _promote_owner(members, owner, created_at, reading)
    for name in collaborators:
        if name not in members:
            members[name] = _Member(name, COLLABORATOR_ROLE, [], created_at, {})
    with_access = {owner, *collaborators}
    rows: list[Row] = [
        (
            key,
            member.name,
            member.role or COLLABORATOR_ROLE,
            json_of_texts(member.skills, reading),
            member.joined_at,
            int(member.name in with_access),
            position,
            json.dumps(member.extra) if member.extra else "{}",
        )
        for position, member in enumerate(members.values())
    ]
    among = set(collaborators)
    shown = [name for name in members if name in among]
    return rows, collaborators if collaborators != shown else None


def _promote_owner(members: dict[str, _Member], owner: str, created_at: str, reading: Reading) -> None:
    member = members.get(owner)
    if member is None:
        members[owner] = _Member(owner, OWNER_ROLE, [], created_at, {})
    elif member.role != OWNER_ROLE:
        if member.role is not None:
            reading.note("owner_made_lead", f"team_members.{owner}.role", member.role)
            _make_room(member.extra, "v1_role")
            member.extra["v1_role"] = member.role
        member.role = OWNER_ROLE


def _listed(listed: list[dict[Any, Any]], reading: Reading) -> dict[str, _Member]:
    """The entries of `team_members` by name, in order; a second one for a name is merged into the first."""
    members: dict[str, _Member] = {}
    for position, entry in enumerate(listed):
        member = _read(entry, position, reading)
        first = members.setdefault(member.name, member)
        if first is not member:
            reading.note("member_merged", f"team_members[{position}]", entry)
            _merge(first, member)
    return members


def _read(entry: dict[Any, Any], position: int, reading: Reading) -> _Member:
    where = ("team_members", position)
    name, role, joined_at, extra = _MEMBER.read_row(entry, reading, where)
    if name is None:
        raise DamagedRecordError(f"team_members[{position}] names nobody")
    skills = text_items(entry.get("skills"), reading, where, "skills")
    return _Member(name, role, list(skills), joined_at, json.loads(extra) if extra != "{}" else {})


def _merge(first: _Member, second: _Member) -> None:
    """The first role, all skills, the earliest time; further keys that differ stand beside the first's as `name#2`."""
    added = [skill for skill in second.skills if skill not in first.known_skills]
    first.skills.extend(added)
    first.known_skills.update(added)
    if second.joined_at is not None and (first.joined_at is None or second.joined_at < first.joined_at):
        first.joined_at = second.joined_at
    if first.role is None:
        first.role = second.role
    for name, value in second.extra.items():
        there = first.extra.setdefault(name, value)
        if there == value:
            continue
        if name == UNREADABLE and type(there) is dict and type(value) is dict:
            first.extra[name] = {**value, **there}
        else:
            first.extra[free_name(name, first.extra, first.numbers)] = value


def _make_room(extra: dict[str, Any], name: str) -> None:
    """Give an unknown key that bears a name of ours another one."""
    if name in extra:
        extra[free_name(name, extra)] = extra.pop(name)
