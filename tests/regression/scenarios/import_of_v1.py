"""Databases of v1: what arrives of them, and that people go on with it."""

import asyncio
import json
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from socrates.config import LLMConfig, Settings
from socrates.events import Emitter, Event, EventType
from socrates.orchestrator import Orchestrator
from tests.regression.scenes import Scene, scenario
from tests.support.llm import KEY
from tests.support.migrate import alembic, rows, table_names, value
from tests.support.systems import Lab
from tests.support.v1_files import V1File

SAMPLES = Path(__file__).parents[2] / "support" / "v1_samples"
MANAGER, COUNSELOR = "project_manager", "socratic_counselor"


@scenario()
async def every_record_of_nine_tables_arrives(scene: Scene) -> None:
    await _import(scene, SAMPLES / "nine-tables.db")
    path = _file(scene)
    tables = sorted(name for name in table_names(path) if not name.startswith("sqlite") and "v1_" not in name)
    scene.see("rows", {name: value(path, f"SELECT count(*) FROM {name}") for name in tables})
    async with _opened(scene) as old:
        store = old.store
        await old.ask(MANAGER, "list_projects", "ibex")
        shown = await store.projects.for_user("ibex")
        most = max(shown, key=lambda project: (project.message_count, project.id))
        scene.see("the project with the longest talk", await store.projects.details(most.id))
        scene.see("the end of its talk", await store.conversations.last(most.id, 4))
        scene.see("its notes", await store.notes.for_project(most.id))
        await old.ask("learning", "get_user_profile", "ibex")


@scenario()
async def people_go_on_where_v1_stopped(scene: Scene) -> None:
    talk = [
        {"timestamp": "2025-03-01T10:00:00", "type": "assistant", "content": "Who may borrow?", "phase": "discovery"},
        {"timestamp": "2025-03-01T10:01:00", "type": "user", "content": "Children.", "author": "ada"},
    ]
    with V1File(scene.directory / "v1.db") as v1:
        v1.add_user("ada")
        v1.add_user("bob")
        v1.add_project(conversation_history=talk, is_archived=False, colour="red")
        v1.add_note()
        v1.add_project(project_id="undated", created_at="yesterday", progress=float("nan"))
        v1.add_project(project_id="broken", blob=b"no pickle")
        v1.add_note(project_id="gone")
        v1.add_effectiveness()
        v1.add_usage()
    await _import(scene, scene.directory / "v1.db", on_bad="quarantine")
    in_quarantine = "SELECT source_table, source_key, reason FROM v1_quarantine ORDER BY source_table, source_key"
    scene.see("in quarantine", rows(_file(scene), in_quarantine))
    async with _opened(scene) as old:
        await old.ask(MANAGER, "list_projects")
        await old.ask(MANAGER, "load_project", project_id="project-1")
        await old.ask(COUNSELOR, "generate_question", project_id="project-1")
        await old.ask(COUNSELOR, "process_response", project_id="project-1", response="It must work offline.")
        await old.ask("note_manager", "search_notes", project_id="project-1", query="FINES")
        await old.ask("user_manager", "delete_user_permanently", username="ada", confirmation="DELETE")


def _file(scene: Scene) -> Path:
    return scene.directory / "old" / "projects.db"


async def _import(scene: Scene, source: Path, **x: Any) -> None:
    """Import a file of v1 into the database of `_opened`, and see what the command says."""
    file, report = _file(scene), scene.directory / "report.json"
    file.parent.mkdir()
    shutil.copyfile(source, file)
    options = {"v1_timezone": "UTC", "report": report, "backup_dir": scene.directory} | x
    # In a thread, as the command runs an event loop of its own.
    outcome = await asyncio.to_thread(alembic, file, "upgrade", "head", **options)
    scene.see("the exit status", outcome.status)
    by_table = json.loads(report.read_text("utf-8"))["import"]["tables"]
    told = {table: {name: said for name, said in about.items() if said} for table, about in by_table.items()}
    scene.see("what the report says", {table: about for table, about in told.items() if about})


@asynccontextmanager
async def _opened(scene: Scene) -> AsyncIterator[Scene]:
    """The same scene on the imported database, with the same clock and model."""
    lab, emitter, heard = scene.lab, Emitter(), list[Event]()
    for kind in EventType:
        emitter.on(kind, heard.append)
    llm = LLMConfig(claude_base_url=lab.server.url, llm_max_retries=0)
    async with Orchestrator.open(
        _file(scene),
        Settings(llm_config=llm),
        emitter=emitter,
        knowledge=False,
        key=SecretStr(KEY),
        clock=lab.clock,
    ) as system:
        old = Lab(system, lab.server, lab.clock, heard)
        await old.events()
        yield replace(scene, lab=old)
