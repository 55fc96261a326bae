"""Documents: what is imported, from where, by whom, what is told, and what is removed."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from socrates.events import EventType
from tests.support.systems import Lab, fresh_system, with_people, with_project

BEES = "Bees winter in a cluster. They eat the honey of the summer."


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """The directory that documents are read from."""
    (tmp_path / "root").mkdir()
    (tmp_path / "root" / "bees.txt").write_text(BEES)
    return tmp_path / "root"


@pytest.fixture
async def lab(tmp_path: Path, root: Path) -> AsyncIterator[Lab]:
    """ada owns p1, where bob works, and p2; root is an administrator, eve a stranger."""
    settings = {"documents_root": root, "administrators": frozenset({"root"}), "max_document_mb": 0.01}
    async with fresh_system(tmp_path, knowledge=True, settings=settings) as lab:
        await with_people(lab, "ada", "bob", "eve", "root")
        await with_project(lab, members={"bob": "creator"})
        await with_project(lab, "p2")
        yield lab


async def found(lab: Lab, query: str, project_id: str | None) -> list[str]:
    """The sources of what a search finds that has anything to do with it."""
    hits = await lab.system.services.known.search(query, project_id=project_id, category="imported_document")
    return [str(hit.entry.source) for hit in hits]


async def test_a_file_is_imported_found_listed_and_told(lab: Lab) -> None:
    """D20, D32: v1 listed nothing, and counted calls. D35: nobody was told."""
    imported = await lab.done("document_agent", "import_file", "bob", file_path="bees.txt", project_id="p1")
    assert imported.model_dump() == {
        "status": "success",
        "file_name": "bees.txt",
        "file_path": "bees.txt",
        "project_id": "p1",
        "words_extracted": 12,
        "chunks_created": 1,
        "entries_added": 1,
        "entries_unchanged": 0,
        "imported": True,
    }
    (event,) = await lab.events()
    assert event.type == EventType.DOCUMENT_IMPORTED
    assert event.payload.model_dump() == {
        "agent": "document_agent",
        "project_id": "p1",
        "user_id": "bob",
        "file_name": "bees.txt",
        "words_extracted": 12,
        "chunks_created": 1,
        "entries_added": 1,
    }
    listed = await lab.done("document_agent", "list_documents", "bob", project_id="p1")
    (document,) = listed.documents
    assert (document.source, document.document_id, document.chunks, listed.count) == ("bees.txt", None, 1, 1)
    assert await found(lab, "Bees winter", "p1") == ["bees.txt"]


async def test_what_is_there_already_is_not_counted_as_added(lab: Lab) -> None:
    """D32: v1 reported every chunk as added, whether it was stored or not."""
    await lab.done("document_agent", "import_file", file_path="bees.txt", project_id="p1")
    again = await lab.done("document_agent", "import_file", file_path="bees.txt", project_id="p1")
    assert (again.chunks_created, again.entries_added, again.entries_unchanged) == (1, 0, 1)


async def test_the_chunks_of_a_file_are_embedded_in_one_batch(lab: Lab, root: Path) -> None:
    """D68: v1 embedded and stored one chunk after another."""
    (root / "long.txt").write_text("Bees are out. " * 600)
    embedder = lab.system.services.known.embeddings._embedder
    embedder.calls.clear()
    imported = await lab.done("document_agent", "import_file", file_path="long.txt", project_id="p1")
    assert imported.chunks_created > 3
    assert len(embedder.calls) == 1


async def test_a_document_of_one_project_is_not_found_in_another(lab: Lab) -> None:
    """D53: v1's imported chunks were seen by every project. D28: a second project did not get the same text."""
    await lab.done("document_agent", "import_file", file_path="bees.txt", project_id="p1")
    assert await found(lab, "Bees winter", "p2") == []
    assert (await lab.done("document_agent", "list_documents", project_id="p2")).documents == ()
    again = await lab.done("document_agent", "import_file", file_path="bees.txt", project_id="p2")
    assert again.entries_added == 1
    assert await found(lab, "Bees winter", "p2") == ["bees.txt"]


async def test_only_administrators_import_for_everybody(lab: Lab) -> None:
    failure = await lab.refused("document_agent", "import_file", "ada", file_path="bees.txt")
    assert (failure.code, failure.field) == ("FORBIDDEN", "project_id")
    failure = await lab.refused("document_agent", "import_directory", "ada", directory_path=".")
    assert failure.code == "FORBIDDEN"
    await lab.done("document_agent", "import_file", "root", file_path="bees.txt")
    assert await found(lab, "Bees winter", "p2") == ["bees.txt"]
    assert (await lab.done("document_agent", "list_documents", "eve")).count == 1
    assert (await lab.refused("document_agent", "delete_document", "ada", source="bees.txt")).code == "FORBIDDEN"
    await lab.done("document_agent", "delete_document", "root", source="bees.txt")
    assert await found(lab, "Bees winter", "p2") == []


async def test_nothing_outside_the_root_is_read(lab: Lab, root: Path, tmp_path: Path) -> None:
    """D67: v1 imported any path of the host, of any size."""
    secret = tmp_path / "secret.txt"
    secret.write_text("secret")
    (root / "link.txt").symlink_to(secret)
    for path in (str(secret), "../secret.txt", "link.txt"):
        failure = await lab.refused("document_agent", "import_file", file_path=path, project_id="p1")
        assert failure.code == "INVALID_VALUE"
        assert "documents_root" in failure.message
    failure = await lab.refused("document_agent", "import_directory", directory_path="..", project_id="p1")
    assert "documents_root" in failure.message
    (root / "large.txt").write_text("x" * 10_001)
    failure = await lab.refused("document_agent", "import_file", file_path="large.txt", project_id="p1")
    assert "SOCRATES_MAX_DOCUMENT_MB" in failure.message
    assert await lab.store.knowledge_entries.count("p1") == 0
    assert await lab.events() == []


async def test_a_file_that_is_missing_is_no_import(lab: Lab, root: Path) -> None:
    (root / "empty.md").write_text(" ")
    for path in ("nothing.txt", "empty.md"):
        failure = await lab.refused("document_agent", "import_file", file_path=path, project_id="p1")
        assert failure.code == "DOCUMENT_ERROR"
    (root / "table.csv").write_text("1,2")
    failure = await lab.refused("document_agent", "import_file", file_path="table.csv", project_id="p1")
    assert failure.code == "INVALID_VALUE"


async def test_without_a_root_nothing_is_imported(tmp_path: Path, root: Path) -> None:
    """D67: a request may come from a server, which must not read whatever file somebody names."""
    async with fresh_system(tmp_path) as lab:
        await with_people(lab, "ada")
        await with_project(lab)
        for action, field in (("import_file", "file_path"), ("import_directory", "directory_path")):
            path = str(root / "bees.txt")
            failure = await lab.refused("document_agent", action, **{field: path}, project_id="p1")
            assert failure.code == "CONFIGURATION_ERROR"
            assert "SOCRATES_DOCUMENTS_ROOT" in failure.message


async def test_a_directory_is_imported_with_all_its_types_and_told(lab: Lab, root: Path) -> None:
    """D21: v1 passed over names in capitals. D35: nobody was told."""
    (root / "deep").mkdir()
    (root / "deep" / "HIVES.MD").write_text("Hives stand in the sun.")
    (root / "empty.txt").write_text("")
    (root / "picture.png").write_bytes(b"no text")
    imported = await lab.done("document_agent", "import_directory", "bob", directory_path=".", project_id="p1")
    assert (imported.files_processed, imported.files_failed, imported.imported) == (2, 1, True)
    assert (imported.total_words_extracted, imported.total_chunks_created, imported.total_entries_stored) == (17, 2, 2)
    assert [(failed.file, "no text" in failed.reason) for failed in imported.failures] == [("empty.txt", True)]
    listed = await lab.done("document_agent", "list_documents", project_id="p1")
    assert [document.source for document in listed.documents] == ["bees.txt", "deep/HIVES.MD"]
    events = await lab.events()
    assert [event.payload.done for event in events if event.type == EventType.PROGRESS_UPDATE] == [1, 2, 3]
    told = [event for event in events if event.type != EventType.PROGRESS_UPDATE]
    assert [event.type for event in told] == 2 * [EventType.DOCUMENT_IMPORTED] + [EventType.DOCUMENTS_INDEXED]
    assert told[-1].payload.model_dump() == {
        "agent": "document_agent",
        "project_id": "p1",
        "user_id": "bob",
        "files_processed": 2,
        "files_failed": 1,
        "entries_added": 2,
    }


async def test_progress_is_told_a_hundred_times_at_most(lab: Lab, root: Path) -> None:
    for number in range(130):
        (root / f"{number}.txt").write_text("")
    imported = await lab.done("document_agent", "import_directory", directory_path=".", project_id="p1")
    assert imported.files_failed == 130
    updates = await lab.events(EventType.PROGRESS_UPDATE)
    assert len(updates) <= 100
    assert (updates[-1].payload.done, updates[-1].payload.total) == (131, 131)


async def test_a_directory_without_documents_says_so(lab: Lab, root: Path) -> None:
    (root / "deep").mkdir()
    (root / "deep" / "hives.md").write_text("Hives")
    (root / "bees.txt").unlink()
    imported = await lab.done(
        "document_agent", "import_directory", directory_path=str(root), project_id="p1", recursive=False
    )
    assert (imported.files_processed, imported.imported) == (0, False)


async def test_the_owner_and_who_uploaded_a_document_remove_it(lab: Lab) -> None:
    """D20: v1's imports could not be removed."""
    await lab.done("document_agent", "import_file", "bob", file_path="bees.txt", project_id="p1")
    documents = lab.system.services.known.documents
    await documents.upload("p1", "bob", "hives.md", "Hives stand in the sun.")
    await documents.upload("p1", "ada", "honey.md", "Honey is sweet.")
    for source in ("bees.txt", "honey.md"):
        failure = await lab.refused("document_agent", "delete_document", "bob", source=source, project_id="p1")
        assert (failure.code, failure.field) == ("FORBIDDEN", "current_user")
    removed = await lab.done("document_agent", "delete_document", "bob", source="hives.md", project_id="p1")
    assert (removed.entries_removed, removed.warning) == (1, "")
    await lab.done("document_agent", "delete_document", "ada", source="bees.txt", project_id="p1")
    assert await found(lab, "Bees winter", "p1") == ["honey.md"]
    failure = await lab.refused("document_agent", "delete_document", source="bees.txt", project_id="p1")
    assert failure.code == "NOT_FOUND"
    assert await lab.store.index_work.to_remove(10) == ()


async def test_strangers_do_nothing_to_a_project(lab: Lab) -> None:
    """D61: v1 asked nobody who they are."""
    requests = {
        "import_file": {"file_path": "bees.txt"},
        "import_directory": {"directory_path": "."},
        "list_documents": {},
        "delete_document": {"source": "bees.txt"},
    }
    for action, fields in requests.items():
        failure = await lab.refused("document_agent", action, "eve", **fields, project_id="p1")
        assert failure.code == "PROJECT_NOT_FOUND"
    async with lab.store.begin() as unit:
        await unit.projects.archive("p1")
    for action, fields in requests.items():
        if action != "list_documents":
            failure = await lab.refused("document_agent", action, **fields, project_id="p1")
            assert failure.code == "PROJECT_ARCHIVED"


async def test_a_right_that_is_taken_away_meanwhile_does_not_count(lab: Lab) -> None:
    async with lab.store.begin() as unit:
        await unit.projects.remove_member("p1", "bob")
        importing = asyncio.create_task(
            lab.refused("document_agent", "import_file", "bob", file_path="bees.txt", project_id="p1")
        )
        # The first look at the right finds what is committed; what is to be stored waits for this unit's end.
        await asyncio.sleep(0.2)
    assert (await importing).code == "PROJECT_NOT_FOUND"
    assert await lab.store.knowledge_entries.count("p1") == 0
    assert await lab.events() == []


async def test_the_event_loop_goes_on_while_a_directory_is_imported(lab: Lab, root: Path) -> None:
    """D47: v1's import held a thread until it was done; here others are answered meanwhile."""
    for number in range(40):
        (root / f"{number}.txt").write_text(f"Hive {number}. " * 400)
    importing = asyncio.create_task(lab.done("document_agent", "import_directory", directory_path=".", project_id="p1"))
    answered = 0
    while not importing.done():
        await lab.done("document_agent", "list_documents", project_id="p1")
        answered += 1
    assert answered > 2
    assert (await importing).files_processed == 41
