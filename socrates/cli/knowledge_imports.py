"""What comes to be known from elsewhere: documents, and the knowledge of v1."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from socrates.cli.command import FAILED, AsJson, Database, Yes, answer, require_consent, say
from socrates.cli.knowledge_access import GOES_ON, OfProject, doing, in_knowledge, in_store, progress
from socrates.cli.knowledge_report import counted, whose
from socrates.errors import NotFoundError
from socrates.views import ImportedDocument

if TYPE_CHECKING:  # these load numpy, which is an extra
    from socrates.knowledge.documents import ImportedDirectory, ImportedFile

app = typer.Typer()


@app.command("import")
def import_(
    path: Annotated[Path, typer.Argument(help="A file (text, code, PDF or docx), or a directory of such.")],
    database: Database = None,
    project: OfProject = None,
    recursive: Annotated[bool, typer.Option("--recursive/--no-recursive", help="Directories within, too.")] = True,
    as_json: AsJson = False,
) -> None:
    """Cut documents into entries and add them. What was imported from a document before is replaced.

    Exit status 1 when some of a directory's files could not be imported.
    """
    with doing(as_json, GOES_ON):
        done = _imported(database, path, project, recursive)
        facts = {
            "files": [_file_as_json(file) for file in done.files],
            "failures": [{"path": str(failed.path), "reason": failed.reason} for failed in done.failures],
        }
        answer(facts, as_json, lambda: _print_imported(facts))
        _fail_if(facts["failures"])


@app.command()
def documents(database: Database = None, project: OfProject = None, as_json: AsJson = False) -> None:
    """List the documents that were imported: everybody's, or a project's."""
    with doing(as_json):
        found = in_store(database, lambda store: store.knowledge_entries.documents(project), project)
        facts = {"documents": [{**asdict(each), "imported_at": each.imported_at.isoformat()} for each in found]}
        answer(facts, as_json, lambda: _print_documents(found))


@app.command()
def remove(
    source: Annotated[str, typer.Argument(help="The document's name, as `documents` lists it.")],
    database: Database = None,
    project: OfProject = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Delete the entries that a document was cut into, and the document itself where it was uploaded."""
    with doing(as_json):
        listed = in_store(database, lambda store: store.knowledge_entries.documents(project), project)
        found = [each for each in listed if each.source == source]
        if not found:
            raise NotFoundError("imported document", source)
        if not as_json:
            _print_documents(found)
        require_consent("Delete this? Nothing brings it back but another import.", yes, as_json)
        number = in_knowledge(database, lambda knowledge: knowledge.documents.remove(source, project))
        answer({"source": source, "deleted": number}, as_json, lambda: say(f"Entries that were deleted: {number:,}"))


@app.command()
def adopt(
    directory: Annotated[Path, typer.Argument(help="v1's directory, `vector_db`. It is only read.")],
    database: Database = None,
    as_json: AsJson = False,
) -> None:
    """Take over what v1 knew: every entry into the database, with its vector where the model is the same.

    Exit status 1 when some entries could not be taken over.
    """
    with doing(as_json, GOES_ON):
        from socrates.knowledge.adopt import adopt as adopting  # noqa: PLC0415 - an extra

        with progress("entries") as show:
            done = in_knowledge(database, lambda knowledge: adopting(knowledge, directory, show))
        facts = {
            **asdict(done),
            "by_project": [{"project_id": each, "entries": number} for each, number in done.by_project.items()],
        }
        answer(facts, as_json, lambda: _print_adopted(facts))
        _fail_if(facts["refused"])


def _imported(database: str | None, path: Path, project: str | None, recursive: bool) -> "ImportedDirectory":
    from socrates.knowledge.documents import ImportedDirectory  # noqa: PLC0415 - an extra

    if path.is_dir():
        with progress("files") as show:
            return in_knowledge(
                database,
                lambda knowledge: knowledge.documents.import_directory(
                    path, project, recursive=recursive, progress=show
                ),
                project,
            )
    with progress("chunks") as show:
        file = in_knowledge(
            database, lambda knowledge: knowledge.documents.import_file(path, project, progress=show), project
        )
    return ImportedDirectory((file,), ())


def _fail_if(left: Sequence[object]) -> None:
    if left:
        raise typer.Exit(FAILED)


def _file_as_json(file: "ImportedFile") -> dict[str, Any]:
    put = file.put
    return {
        "source": file.source,
        "words": file.words,
        "chunks": file.chunks,
        "added": put.added,
        "changed": put.changed,
        "unchanged": put.unchanged,
    }


def _print_imported(facts: Mapping[str, Any]) -> None:
    for file in facts["files"]:
        entries = counted(file["chunks"], "entry", "entries")
        say(f"{file['source']}: {file['words']:,} words in {entries}; added: {file['added']:,}")
    for failed in facts["failures"]:
        say(f"Not imported: {failed['path']}: {failed['reason']}")
    if not facts["files"] and not facts["failures"]:
        say("There is nothing in it that can be imported.")


def _print_documents(found: Sequence[ImportedDocument]) -> None:
    for each in found:
        kind = "imported" if each.document_id is None else f"uploaded as {each.document_id!r}"
        say(f"{each.source!r}: {counted(each.chunks, 'entry', 'entries')}, {kind} {each.imported_at:%Y-%m-%d %H:%M:%S}")
    if not found:
        say("No document was imported here.")


def _print_adopted(facts: Mapping[str, Any]) -> None:
    say(
        f"Found: {facts['found']:,} entries. Added: {facts['added']:,}; changed: {facts['changed']:,}; "
        f"there already: {facts['unchanged']:,}"
    )
    say(f"Vectors kept: {facts['vectors_kept']:,}; made anew: {facts['vectors_made']:,}")
    for each in facts["by_project"]:
        say(f"  {whose(each['project_id'])}: {each['entries']:,}")
    for name in facts["other_collections"]:
        say(f"Left alone: the collection {name!r}, which is not of v1's knowledge")
    for refused in facts["refused"]:
        say(f"Not taken over: {refused['id']!r} {whose(refused['project_id'])}: {refused['reason']}")
