"""The data that is measured on: one generator, which fills a v1 file or, for the largest sizes, our tables at once.

Every data set has the same reader, `ada`. However many projects there are, she owns ADA_OWNS of them and is an active
collaborator on ADA_HELPS, spread evenly over the file (of fewer than 25 projects all are hers, every fifth as a
collaborator). The other projects belong to a user per ten projects. Each of ada's projects has NOTES notes and a
document, every third of the others a note. She has LEARNED records of question effectiveness and CALLS calls of a
language model, the others one each.

A *bare* project has no message and empty lists. Texts repeat after TEMPLATES projects, which no reader can profit from
and which makes 100,000 projects a matter of a minute.
"""

import random
import shutil
import sqlite3
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Any

from socrates.database.migrations import head_revision
from socrates.v1.importer import convert
from socrates.v1.layout import TABLES_OF, Row
from socrates.v1.reader import SourceRow
from socrates.v1.target import Target
from socrates.v1.times import Zone
from tests.support.migrate import REPOSITORY, upgrade
from tests.support.v1_entities import PHASES
from tests.support.v1_files import V1File, generated_project, words
from tests.support.v1_records import CREATED, UPDATED

DATA = REPOSITORY / "build" / "bench" / "data"
VERSION = f"1-{head_revision()}"
"""Part of the name under which data is kept: raise the number with every change of what is generated. A new revision
makes the data anew, for a store refuses any other."""

ADA = "ada"
ADA_OWNS, ADA_HELPS = 20, 5
NOTES, LEARNED, CALLS = 3, 30, 50
TEMPLATES = 50

SIZES = {"bare": (107, 0), "usual": (107, 200), "large": (2_000, 200), "many": (10_000, 20)}
"""Projects and messages of the data sets that stand in both forms, by the names that the benches use."""

GROWTH_SIZES = (1_000, 3_000, 10_000, 30_000, 100_000)
GROWTH_MESSAGES = 20

QUICK_SIZES = {"bare": (30, 0), "usual": (30, 10), "large": (60, 10), "many": (90, 4)}
QUICK_GROWTH_SIZES = (50, 100, 200)

_ROWS_AT_ONCE = 20_000


@dataclass(frozen=True)
class Dataset:
    """One set of data in two forms. The files are shared between runs: write to a copy."""

    v1: Path
    """As v1 kept it."""
    ours: Path
    """The same after `alembic upgrade head`."""
    projects: int
    messages: int
    """Of each project."""

    def copied_to(self, directory: Path) -> "Dataset":
        """Copy both files to a directory, to be written to."""
        directory.mkdir(parents=True, exist_ok=True)
        v1 = Path(shutil.copy(self.v1, directory / "v1.db"))
        ours = Path(shutil.copy(self.ours, directory / "ours.db"))
        return Dataset(v1, ours, self.projects, self.messages)

    def project_of_ada(self, place: int = 0) -> str:
        """Return the id of one of the projects that ada owns."""
        owned, _helped = adas_projects(self.projects)
        return _project_id(owned[place])


def dataset(projects: int, messages: int, directory: Path = DATA) -> Dataset:
    """Return so many projects of so many messages each, 0 for bare ones; made once, then taken from `directory`."""

    def make(place: Path) -> None:
        with V1File(place / "v1.db") as v1:
            fill(v1, projects, messages)
        shutil.copyfile(place / "v1.db", place / "ours.db")
        upgrade(place / "ours.db")
        for backup in place.glob("ours.db.backup_*"):
            backup.unlink()

    made = _cached(directory / f"{projects}x{messages}-{VERSION}", make)
    return Dataset(made / "v1.db", made / "ours.db", projects, messages)


def grown(projects: int, messages: int = GROWTH_MESSAGES, directory: Path = DATA) -> Path:
    """Return a file with our half of such a data set, written without a v1 file and without v1's tables beside."""

    def make(place: Path) -> None:
        with OurFile(place / "ours.db") as ours:
            fill(ours, projects, messages)

    return _cached(directory / f"{projects}x{messages}-ours-{VERSION}", make) / "ours.db"


def _cached(place: Path, make: Callable[[Path], None]) -> Path:
    """Make a directory's content beside it and rename it, so that nobody meets half of it."""
    if place.exists():
        return place
    place.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=place.parent, prefix=f".{place.name}-") as making:
        finished = Path(making) / "finished"
        finished.mkdir()
        make(finished)
        try:
            finished.rename(place)
        except OSError:
            if not place.exists():  # else another process was faster, with the same content
                raise
    return place


class OurFile(V1File):
    """Takes the records that a V1File takes and writes the rows that the import makes of them, many at a time."""

    def __init__(self, path: Path) -> None:
        upgrade(path)
        self.path = path
        self.rows_added = 0
        self.connection = sqlite3.connect(path, isolation_level=None)
        self.connection.execute("PRAGMA synchronous = OFF")
        self.connection.execute("BEGIN")
        self._zone = Zone("UTC")
        self._waiting: dict[str, list[Row]] = {table.name: [] for tables in TABLES_OF.values() for table in tables}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            self._flush()
        super().__exit__(kind, error, trace)

    def _insert(self, table: str, row: dict[str, Any]) -> None:
        converted, _notes = convert(SourceRow(table, row), self._zone)
        for name, rows in converted.items():
            self._waiting[name].extend(rows)
        if any(len(self._waiting[name]) >= _ROWS_AT_ONCE for name in converted):
            self._flush()

    def _flush(self) -> None:
        target = Target(self.connection)
        for tables in TABLES_OF.values():
            for table in tables:
                target.insert(table, self._waiting[table.name])
                self._waiting[table.name].clear()


def fill(file: V1File, projects: int, messages: int) -> None:
    """Write a data set: the users, the projects, then what belongs to either."""
    chance = random.Random(0)
    owners = [f"user-{number:05}" for number in range(projects // 10 + 1)]
    owned_by_ada, helped_by_ada = map(frozenset, adas_projects(projects))
    for username in (ADA, *owners):
        file.add_user(username, subscription_tier="enterprise")
    templates = [generated_project(chance, "", "", messages) for _ in range(TEMPLATES)] if messages else [BARE]
    for number in range(projects):
        owner = ADA if number in owned_by_ada else owners[number % len(owners)]
        helpers = [ADA] if number in helped_by_ada else []
        file.add_project(**_project(number, owner, helpers, templates[number % len(templates)]))
    hers = owned_by_ada | helped_by_ada
    for number in range(projects):
        for _ in range(NOTES if number in hers else number % 3 == 0):
            file.add_note(project_id=_project_id(number), content=words(chance, 60, 300))
    for number in sorted(hers):
        file.add_document(project_id=_project_id(number), content=words(chance, 400, 800))
    for username in (*[ADA] * LEARNED, *owners):
        file.add_effectiveness(user_id=username)
    for username in (*[ADA] * CALLS, *owners):
        file.add_usage(user_id=username, cost=chance.randrange(10**6) / 10**6)


BARE: dict[str, Any] = {
    "name": "A bare project",
    "goals": "",
    "requirements": [],
    "tech_stack": [],
    "constraints": [],
    "collaborators": [],
    "team_members": [],
    "conversation_history": [],
    "pending_questions": [],
    "phase_maturity_scores": dict.fromkeys(PHASES, 0.0),
    "category_scores": {},
    "categorized_specs": {},
    "maturity_history": [],
    "analytics_metrics": {
        "velocity": 0.0,
        "total_qa_sessions": 0,
        "avg_confidence": 0.0,
        "weak_categories": [],
        "strong_categories": [],
        "last_updated": None,
    },
}


def _project(number: int, owner: str, helpers: list[str], content: dict[str, Any]) -> dict[str, Any]:
    """Return the n-th project: a content that other projects have too, with an id, an owner and a team of its own."""
    collaborators = [*content["collaborators"], *helpers]
    return content | {
        "project_id": _project_id(number),
        "owner": owner,
        "status": "active",
        "updated_at": UPDATED + timedelta(minutes=number),
        "collaborators": collaborators,
        "team_members": [_member(owner, "lead"), *(_member(name, "analyst") for name in collaborators)],
        "conversation_history": [
            message | {"author": owner} if message["type"] == "user" else message
            for message in content["conversation_history"]
        ],
    }


def _member(username: str, role: str) -> dict[str, Any]:
    return {"username": username, "role": role, "skills": [], "joined_at": CREATED}


def _project_id(number: int) -> str:
    # Padded, so that the order of the ids is that of the file, for either way of writing.
    return f"project-{number:06}"


def adas_projects(projects: int) -> tuple[list[int], list[int]]:
    """Return which of so many projects ada owns, and on which she collaborates."""
    count = min(projects, ADA_OWNS + ADA_HELPS)
    hers = [place * projects // count for place in range(count)]
    return [number for place, number in enumerate(hers) if place % 5 != 4], hers[4::5]
