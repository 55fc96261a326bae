"""Every action of every agent, asked by those who may not: they get nothing, store nothing, and learn nothing."""

import sqlite3
from collections.abc import AsyncIterator, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr

from socrates.agents.base import Agent
from socrates.agents.catalogue import AGENTS
from socrates.agents.contracts.base import Failure, Response
from socrates.drafts import NewConflict
from socrates.events import EventType
from tests.support.rights import CASES, Case
from tests.support.systems import Lab, fresh_system, with_people, with_project

MARK = "plankton"
"""Stands in all that is ada's."""

REFUSED = {
    **dict.fromkeys(("members", "leads", "owner", "administrators"), ("eve", "gone", "old", "ghost")),
    "oneself": ("old", "ghost"),
    "passcode": ("ada",),
}
"""eve is a stranger, gone was removed, old is archived, and ghost is nobody."""

FORBIDDEN = {"owner": ("bob",), "leads": ("bob",), "administrators": ("ada",)}
DOES = {"members": "bob", "leads": "ada", "owner": "ada", "administrators": "root"}
ELSEWHERE = {
    "p1": "p9",
    "n1": "n9",
    "c1": "c9",
    "s1": "s8",
    "s2": "s9",
    "q1": "q8",
    "q2": "q9",
    "plankton.txt": "other.txt",
}
"""What is there, and what is not."""

KINDS = [pytest.param(kind, id=kind.name) for kind in AGENTS]


def of_case(case: Case, *, project_id: str | None = None, names: Mapping[str, str] | None = None) -> dict[str, Any]:
    """The fields of the case, with another project, or with other names in the place of these."""
    replaced = {
        key: (names or {}).get(value, value) if isinstance(value, str) else value for key, value in case.fields.items()
    }
    return replaced | ({} if project_id is None else {"project_id": project_id})


@pytest.fixture
async def lab(tmp_path: Path, kind: type[Agent]) -> AsyncIterator[Lab]:
    """p1 is ada's, where bob and lee work, and old and gone did; p2 is eve's; root is an administrator."""
    knows = any(CASES[kind.name, action].knows for action in kind.actions())
    root = tmp_path / "root"
    root.mkdir()
    (root / "bees.txt").write_text("Bees winter in a cluster.")
    (root / f"{MARK}.txt").write_text(f"{MARK} drifts.")
    settings = {
        "documents_root": root,
        "administrators": frozenset({"root"}),
        "encryption_key": SecretStr("a secret for the keys of users, long enough"),
    }
    async with fresh_system(tmp_path, knowledge=knows, settings=settings) as lab:
        await with_people(lab, "ada", "bob", "lee", "eve", "gone", "old", "root", tier="enterprise")
        members = {"bob": "creator", "lee": "creator", "gone": "lead", "old": "lead"}
        await with_project(lab, members=members, goals=f"Count {MARK}")
        await with_project(lab, "p2", "eve")
        await _filled(lab)
        if knows:
            await lab.done("document_agent", "import_file", file_path=f"{MARK}.txt", project_id="p1")
        await lab.events()
        yield lab


async def _filled(lab: Lab) -> None:
    async with lab.store.begin() as unit:
        await unit.notes.create("p1", MARK, MARK, created_by="ada", note_id="n1")
        await unit.conflicts.add("p1", [NewConflict("goals", f"Count {MARK}", "Count whales", "high", id="c1")])
        for number in (1, 2):
            await unit.knowledge.add_suggestion("p1", MARK, MARK, suggestion_id=f"s{number}")
            await unit.projects.add_question("p1", MARK, "discovery", users=["ada"], question_id=f"q{number}")
        await unit.projects.remove_member("p1", "gone")
        await unit.users.archive("old")
        for name in ("ada", "eve", "bob"):
            await unit.llm.save_key(name, "openai", f"{MARK}-of-{name}", f"{name}-hash")


def stored(lab: Lab) -> list[str]:
    """All rows of all tables, but those that count failures to log in."""
    with closing(sqlite3.connect(f"file:{lab.store.file}?mode=ro", uri=True)) as connection:
        lines = [line for line in connection.iterdump() if line.startswith("INSERT")]
    return [line for line in lines if not line.startswith('INSERT INTO "login_failures"')]


def test_every_action_has_a_case() -> None:
    assert set(CASES) == {(agent.name, name) for agent in AGENTS for name in agent.actions()}


@pytest.mark.parametrize("kind", KINDS)
async def test_an_action_is_for_those_it_is_for(lab: Lab, kind: type[Agent]) -> None:
    """D61, D62: v1 never asked who wants it."""
    before = stored(lab)
    for action in kind.actions():
        await _refused_to_all_others(lab, kind.name, action)
    assert not await lab.events(*set(EventType) - {EventType.AGENT_START, EventType.AGENT_COMPLETE})
    assert stored(lab) == before
    assert not lab.server.requests
    for agent, action in CASES:
        if agent == kind.name:
            await _done_by_whom_it_is_for(lab, agent, action)


async def _refused_to_all_others(lab: Lab, agent: str, action: str) -> None:
    case = CASES[agent, action]
    for nobody in ({}, {"current_user": ""}, {"current_user": None}):
        failure = await lab.system.process_request(agent, {"action": action, **case.fields, **nobody})
        assert isinstance(failure, Failure)
        assert (failure.code, failure.field) == ("INVALID_REQUEST", "current_user")
    for name in REFUSED[case.who]:
        if not (name == "old" and case.archived):
            await _refused_as_if_nothing_were_there(lab, agent, action, name)
    for name in FORBIDDEN.get(case.who, ()):
        assert (await lab.refused(agent, action, name, **case.fields)).code == "FORBIDDEN"


async def _refused_as_if_nothing_were_there(lab: Lab, agent: str, action: str, name: str) -> None:
    """With p1, or with the things of p1 as if they were eve's p2's; and no word differs for what is not there."""
    case = CASES[agent, action]
    in_own = (
        name == "eve"
        and case.fields.get("project_id") == "p1"
        and sum(str(value) in ELSEWHERE for value in case.fields.values()) > 1
    )
    for project_id in (None, "p2") if in_own else (None,):
        there = of_case(case, project_id=project_id)
        elsewhere = of_case(case, names=ELSEWHERE, project_id=project_id)
        told = _without_ids(await lab.refused(agent, action, name, **there))
        assert MARK not in told
        if elsewhere != there:
            assert told == _without_ids(await lab.refused(agent, action, name, **elsewhere)), name


def _without_ids(response: Response) -> str:
    text = response.model_dump_json()
    for there, elsewhere in ELSEWHERE.items():
        text = text.replace(f"'{there}'", "…").replace(f"'{elsewhere}'", "…")
    return text


async def _done_by_whom_it_is_for(lab: Lab, agent: str, action: str) -> None:
    """So that it was for nothing else that the others were refused; everybody gets their own, and changes their own."""
    case = CASES[agent, action]
    if case.who == "oneself":
        before = stored(lab)
        response = await lab.done(agent, action, "eve", **of_case(case, names={"ada": "eve"}))
        assert MARK not in response.model_dump_json()
        assert {line for line in before if "'ada'" in line or "'p1'" in line} <= {*stored(lab)}
    elif case.who != "passcode":
        await lab.done(agent, action, case.by or DOES[case.who], **case.fields)
