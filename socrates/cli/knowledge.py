"""`socrates knowledge`: look after what is known, and search it."""

import asyncio
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Any

import typer

from socrates.cli import knowledge_imports
from socrates.cli.command import AsJson, Database, answer, say
from socrates.cli.knowledge_access import GOES_ON, OfProject, doing, in_knowledge, in_store, progress
from socrates.cli.knowledge_report import (
    entry_as_json,
    facts_of_index,
    facts_of_tables,
    model_of,
    print_hits,
    print_status,
)
from socrates.config import Settings
from socrates.database.urls import database_url, sqlite_path
from socrates.errors import InvalidValueError
from socrates.store import Store

app = typer.Typer(help="Search what is known, import documents, and look after the index.", no_args_is_help=True)
app.add_typer(knowledge_imports.app)


@app.command()
def status(database: Database = None, as_json: AsJson = False) -> None:
    """Show what is known by whom, which model made the vectors, and whether the index agrees with the database."""
    with doing(as_json):
        settings = Settings()
        url = database_url(settings, database)
        tables = facts_of_tables(url)
        index = asyncio.run(facts_of_index(url.render_as_string(hide_password=False), tables["entries"]["total"]))
        shown = str(sqlite_path(url) or url.render_as_string(hide_password=True))
        facts = {"database": shown, **tables, "model": model_of(settings), "index": index}
        answer(facts, as_json, lambda: print_status(facts))


@app.command()
def search(
    query: Annotated[str, typer.Argument(help="What is looked for, in words.")],
    database: Database = None,
    project: Annotated[
        str | None, typer.Option("--project", metavar="ID", help="Search this project's knowledge, too.")
    ] = None,
    top_k: Annotated[int, typer.Option("--top-k", metavar="N", min=1, help="How many hits at most.")] = 5,
    category: Annotated[str | None, typer.Option("--category", help="Entries of this category only.")] = None,
    source: Annotated[str | None, typer.Option("--source", help="Entries of this document only.")] = None,
    cutoff: Annotated[
        float | None, typer.Option("--cutoff", metavar="X", help="The lowest score, from -1 to 1; default: the setting")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Find the entries that are nearest in meaning to a query, the best first."""
    with doing(as_json):
        hits = in_knowledge(
            database,
            lambda knowledge: knowledge.search(
                query, project_id=project, top_k=top_k, category=category, source=source, cutoff=cutoff
            ),
            project,
        )
        facts = {"hits": [{"score": hit.score, **entry_as_json(hit.entry)} for hit in hits]}
        answer(facts, as_json, lambda: print_hits(hits))


@app.command()
def rebuild(database: Database = None, as_json: AsJson = False) -> None:
    """Make the index anew from the database; entries with vectors of another model get new ones.

    Other databases with an index in the same directory lose theirs, and make it anew when it is opened next.
    """
    with doing(as_json, "the entries are in the database; what the index lacks is added when it is opened next"):
        with progress("entries") as show:
            number = in_store(database, lambda store: _rebuilt(store, show))
        answer({"entries": number}, as_json, lambda: say(f"The index is made anew: {number:,} entries."))


async def _rebuilt(store: Store, show: Any) -> int:
    from socrates.knowledge.index import erase_index  # noqa: PLC0415 - an extra
    from socrates.knowledge.knowledge_base import KnowledgeBase, index_place  # noqa: PLC0415 - an extra

    place, _ = index_place(store)
    if isinstance(place, Path):
        # Never opened before: damaged files can end the whole process.
        await erase_index(place)
    async with KnowledgeBase.open(store, check=False) as knowledge:
        return await knowledge.rebuild(show)


@app.command("load-defaults")
def load_defaults(database: Database = None, as_json: AsJson = False) -> None:
    """Add the entries that this package brings along, for everybody to know, as far as they are not there yet."""
    with doing(as_json, GOES_ON):
        put = in_knowledge(database, lambda knowledge: knowledge.load_defaults())
        facts = {"added": put.added, "changed": put.changed, "unchanged": put.unchanged}
        answer(facts, as_json, lambda: say(f"{put.added:,} added, {put.changed:,} changed, {put.unchanged:,} there."))


@app.command()
def prune(
    database: Database = None,
    days: Annotated[int, typer.Option("--days", metavar="N", min=0, max=36_500, help="Older than this.")] = 90,
    as_json: AsJson = False,
) -> None:
    """Delete vectors that were kept for texts seen before, where that was days ago.

    Nothing is lost but time: entries have vectors of their own, and who asks the same again waits for the model.
    """
    with doing(as_json):
        before = datetime.now(UTC) - timedelta(days=days)
        number = in_store(database, lambda store: store.transact(lambda unit: unit.embeddings.prune(before)))
        answer({"deleted": number}, as_json, lambda: say(f"Kept vectors that were deleted: {number:,}"))


@app.command("export")
def export_(project: Annotated[str, typer.Argument(help="The project's id.")], database: Database = None) -> None:
    """Write a project's entries to standard output, as JSON that `import-entries` reads."""
    with doing(as_json=False):
        from socrates.knowledge.exchange import exported  # noqa: PLC0415 - an extra

        entries = in_store(database, lambda store: store.knowledge_entries.entries(project), project)
        typer.echo(json.dumps([exported(entry) for entry in entries], indent=2))


@app.command("import-entries")
def import_entries(
    file: Annotated[Path, typer.Argument(help="What `export` wrote.")],
    database: Database = None,
    project: OfProject = None,
    as_json: AsJson = False,
) -> None:
    """Add the entries of an export; those whose ids are known are changed."""
    with doing(as_json, GOES_ON):
        from socrates.knowledge.exchange import imported  # noqa: PLC0415 - an extra

        try:
            entries = imported(json.loads(file.read_text(encoding="utf-8")))
        except (ValueError, RecursionError) as error:
            raise InvalidValueError(f"{file} is not what an export wrote: {error}") from error
        with progress("entries") as show:
            put = in_knowledge(database, lambda knowledge: knowledge.add_many(entries, project, show), project)
        facts = {"added": put.added, "changed": put.changed, "unchanged": put.unchanged}
        answer(facts, as_json, lambda: say(f"{put.added:,} added, {put.changed:,} changed, {put.unchanged:,} there."))
