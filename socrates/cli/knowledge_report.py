"""What `socrates knowledge` tells of the tables and of the index beside them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqlalchemy import URL, Connection, func, select, text

from socrates.cli.command import looking, say
from socrates.config import Settings
from socrates.errors import BusyError, DatabaseError
from socrates.models import CachedEmbedding, KnowledgeEntry, KnowledgeRemoval, Project
from socrates.models.knowledge import IS_IMPORTED
from socrates.store import Store
from socrates.views import Entry, SearchHit

_MOST_PROJECTS = 20
"""How many projects a text names; JSON has all."""

_SHOWN = 200
"""Characters of an entry that a text shows; JSON has it whole."""

_NUMBER = func.count().label("number")
_GLOBAL = select(func.count()).select_from(KnowledgeEntry).where(KnowledgeEntry.project_id.is_(None))
_BY_PROJECT = (
    select(Project.id, Project.name, _NUMBER)
    .join(KnowledgeEntry, KnowledgeEntry.project_id == Project.id)
    .group_by(Project.id, Project.name)
    .order_by(_NUMBER.desc(), Project.id)
)
_DOCUMENTS = (
    select(KnowledgeEntry.project_id, KnowledgeEntry.source, KnowledgeEntry.document_id)
    .where(text(IS_IMPORTED), KnowledgeEntry.source.is_not(None))
    .distinct()
    .subquery()
)
_MODELS = select(KnowledgeEntry.model, _NUMBER).group_by(KnowledgeEntry.model).order_by(KnowledgeEntry.model)
_VECTORS = select(CachedEmbedding.model, _NUMBER).group_by(CachedEmbedding.model).order_by(CachedEmbedding.model)
_WAITING = select(func.count()).select_from(KnowledgeEntry).where(~KnowledgeEntry.is_indexed)
_TO_REMOVE = select(func.count()).select_from(KnowledgeRemoval)


def facts_of_tables(url: URL) -> dict[str, Any]:
    """What the database holds, ready for JSON. Raises NotRecognisedError, SchemaError or DatabaseError."""
    return looking(url, _facts_in)


async def facts_of_index(database: str, entries: int) -> dict[str, Any]:
    """Where the index is, and whether it holds as many entries as the database. One that is not there is not made."""
    # Within the function, as in the commands: these take a second to load, and numpy is an extra.
    from socrates.knowledge.index import open_index  # noqa: PLC0415
    from socrates.knowledge.knowledge_base import index_place  # noqa: PLC0415

    async with Store.open(database) as store:
        place, name = index_place(store)
        model = model_of(store.settings)
    facts: dict[str, Any] = {"place": shown_place(place), "state": "absent", "entries": None, "problem": None}
    if isinstance(place, Path) and not place.exists():
        return facts
    try:
        index = await open_index(place, model, name)
    except BusyError as error:
        return {**facts, "state": "busy", "problem": str(error)}
    except DatabaseError as error:
        return {**facts, "state": "failing", "problem": str(error)}
    try:
        held = await index.count()
    except DatabaseError as error:
        return {**facts, "state": "failing", "problem": str(error)}
    finally:
        await index.close()
    return {**facts, "state": "agrees" if held == entries else "differs", "entries": held}


def model_of(settings: Settings) -> str:
    """The name that the model of the settings goes by in the database. Raises ConfigurationError."""
    from socrates.knowledge.embedder import name_of  # noqa: PLC0415 - numpy is an extra

    return name_of(settings.embedding_model)


def shown_place(place: Path | str) -> str:
    """A directory, or a server without the name and the secret that its URL may hold."""
    return str(place) if isinstance(place, Path) else urlsplit(place)._replace(netloc=_host(place)).geturl()


def _host(url: str) -> str:
    return urlsplit(url).netloc.rpartition("@")[2]


def print_status(facts: Mapping[str, Any]) -> None:
    """For people."""
    entries = facts["entries"]
    say(f"{facts['database']}: {counted(entries['total'], 'entry', 'entries')}")
    say(f"  known to everybody: {entries['global']:,}")
    for project in entries["projects"][:_MOST_PROJECTS]:
        say(f"  in project {project['id']!r} ({project['name']}): {project['entries']:,}")
    if more := entries["projects"][_MOST_PROJECTS:]:
        say(f"  in {counted(len(more), 'more project', 'more projects')}: {sum(each['entries'] for each in more):,}")
    say(f"Imported documents: {facts['documents']:,}")
    say(f"Model: {facts['model']}")
    for model, number in facts["models"].items():
        if model != facts["model"]:
            say(f"  {counted(number, 'entry has its vector', 'entries have their vectors')} of {model}: set "
                "SOCRATES_EMBEDDING_MODEL to that, or: socrates knowledge rebuild")  # fmt: skip
    say(f"Vectors kept for texts seen before: {sum(facts['vectors'].values()):,}")
    _print_index(facts["index"], facts["waiting"], entries["total"])


def _print_index(index: Mapping[str, Any], waiting: Mapping[str, int], total: int) -> None:
    say(f"Index: {index['place']}")
    if index["state"] == "absent":
        say("  not made yet; it is when the knowledge is opened first")
    elif index["state"] == "busy":
        say("  another process has it open, so it was not looked into")
    elif index["state"] == "failing":
        say(f"  cannot be used: {index['problem']}")
        say("  It holds nothing that the database does not: socrates knowledge rebuild")
    elif index["state"] == "agrees":
        say(f"  holds as many entries as the database: {total:,}")
    else:
        say(f"  holds {index['entries']:,} entries and the database {total:,}; it is brought back when it is opened")
    if any(waiting.values()):
        say(f"  waits for {waiting['to_add']:,} to be added and {waiting['to_remove']:,} to be removed")


def entry_as_json(entry: Entry) -> dict[str, Any]:
    """What is told of an entry that was found."""
    return {
        "id": entry.id,
        "project_id": entry.project_id,
        "category": entry.category,
        "source": entry.source,
        "content": entry.content,
    }


def print_hits(hits: tuple[SearchHit, ...]) -> None:
    """For people, the best first."""
    if not hits:
        say("Nothing was found.")
    for hit in hits:
        entry = hit.entry
        source = "" if entry.source is None else f", from {entry.source!r}"
        say(f"{hit.score:5.2f}  {entry.id!r} ({entry.category}, {whose(entry.project_id)}{source})")
        say(f"       {_short(entry.content)}")


def whose(project_id: str | None) -> str:
    """In words whose an entry is."""
    return "known to everybody" if project_id is None else f"of project {project_id!r}"


def _short(content: str) -> str:
    line = " ".join(content.split())
    return line if len(line) <= _SHOWN else f"{line[: _SHOWN - 1]}…"


def counted(number: int, one: str, many: str) -> str:
    """A number with the word for so many."""
    return f"{number:,} {one if number == 1 else many}"


def _facts_in(connection: Connection) -> dict[str, Any]:
    everybody = connection.scalar(_GLOBAL) or 0
    projects = [{"id": row.id, "name": row.name, "entries": row.number} for row in connection.execute(_BY_PROJECT)]
    return {
        "entries": {
            "total": everybody + sum(project["entries"] for project in projects),
            "global": everybody,
            "projects": projects,
        },
        "documents": connection.scalar(select(func.count()).select_from(_DOCUMENTS)),
        "models": {row.model: row.number for row in connection.execute(_MODELS)},
        "vectors": {row.model: row.number for row in connection.execute(_VECTORS)},
        "waiting": {"to_add": connection.scalar(_WAITING), "to_remove": connection.scalar(_TO_REMOVE)},
    }
