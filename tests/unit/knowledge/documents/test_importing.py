"""Documents become entries that are found, all of one or none, and go again as a whole."""

import asyncio
import os
from collections.abc import Callable
from functools import partial
from itertools import pairwise
from pathlib import Path
from time import perf_counter

import pytest

from socrates.drafts import NewEntry
from socrates.errors import DocumentError, InvalidValueError, NotFoundError, ProjectNotFoundError
from socrates.knowledge.documents import ImportedFile
from socrates.models.knowledge import IMPORTED
from socrates.repositories.knowledge_entries import Put
from socrates.store import Store
from tests.support.knowledge import Lent, WordEmbedder, fresh_knowledge
from tests.unit.knowledge.documents.made import pdf_of, sentences, word_document


def written(path: Path, content: str | bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


async def numbers(store: Store, project_id: str | None = None) -> list[int]:
    """The numbers of the chunks that are there."""
    return sorted(entry.details["chunk"] for entry in await store.knowledge_entries.entries(project_id))


async def test_a_file_becomes_entries_that_say_where_they_are_from(tmp_path: Path) -> None:
    file = written(tmp_path / "files/Guide.MD", sentences(100))
    async with fresh_knowledge(tmp_path, "library") as (store, knowledge):
        steps: list[tuple[int, int]] = []
        imported = await knowledge.documents.import_file(file, "library", progress=lambda *step: steps.append(step))
        assert imported == ImportedFile("Guide.MD", 1_000, 3, Put(3, 0, 0))
        assert steps[-1] == (3, 3)
        entries = await store.knowledge_entries.entries("library")
        assert {(each.category, each.source, each.document_id) for each in entries} == {(IMPORTED, "Guide.MD", None)}
        assert sorted(str(dict(each.details)) for each in entries) == [
            str({"source": "Guide.MD", "chunk": number, "total_chunks": 3}) for number in (1, 2, 3)
        ]
        (hit, *_) = await knowledge.search("loan99", project_id="library", source="Guide.MD")
        assert hit.entry.details["chunk"] == 3
        assert await knowledge.search("loan99") == ()


@pytest.mark.parametrize(
    ("name", "content"), [("a.pdf", pdf_of("Loans end.", "Fees begin.")), ("a.docx", word_document("Loans end."))]
)
async def test_documents_that_are_parsed_are_found(name: str, content: bytes, tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path) as (_, knowledge):
        await knowledge.documents.import_file(str(written(tmp_path / name, content)))
        (hit,) = await knowledge.search("loans end.")
        assert "Loans end." in hit.entry.content


async def test_importing_the_same_again_costs_nothing(tmp_path: Path) -> None:
    file = written(tmp_path / "a.txt", sentences(100))
    embedder = WordEmbedder()
    async with fresh_knowledge(tmp_path, embedder=embedder) as (_, knowledge):
        await knowledge.documents.import_file(file)
        calls = len(embedder.calls)
        assert (await knowledge.documents.import_file(file)).put == Put(0, 0, 3)
        assert len(embedder.calls) == calls


async def test_a_changed_file_replaces_its_chunks(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    async with fresh_knowledge(tmp_path, "library") as (store, knowledge):
        for number, chunks in ((400, 9), (100, 3), (10, 1), (200, 5)):
            await knowledge.documents.import_file(written(file, sentences(number)), "library")
            assert await numbers(store, "library") == list(range(1, chunks + 1))
            assert len(await knowledge.search("loan0", project_id="library", top_k=100)) == chunks


async def test_more_chunks_than_one_statement_takes_go_too(tmp_path: Path) -> None:
    file = tmp_path / "a.txt"
    async with fresh_knowledge(tmp_path) as (store, knowledge):
        await knowledge.documents.import_file(written(file, sentences(700, words=400)))
        await knowledge.documents.import_file(written(file, "short"))
        assert await numbers(store) == [1]


async def test_a_file_replaces_chunks_of_it_that_came_from_elsewhere(tmp_path: Path) -> None:
    file = written(tmp_path / "a.txt", "what the file says now")
    async with fresh_knowledge(tmp_path, "library") as (store, knowledge):
        for source in ("a.txt", "b.txt"):
            chunk = NewEntry("what v1 knew", IMPORTED, id=f"v1's of {source}", source=source)
            await knowledge.add(chunk, "library")
            await knowledge.add(chunk)
        await knowledge.documents.import_file(file, "library")
        assert {entry.id for entry in await store.knowledge_entries.entries("library")} == {
            "file:a.txt#1",
            "v1's of b.txt",
        }
        assert await store.knowledge_entries.count() == 2
        # Nothing in the file has changed when they come back, by taking over v1's knowledge once more.
        await knowledge.add(NewEntry("what v1 knew", IMPORTED, id="v1's", source="a.txt"), "library")
        assert (await knowledge.documents.import_file(file, "library")).put == Put(0, 0, 1)
        assert await store.knowledge_entries.count("library") == 2
        assert "v1's" not in {hit.entry.id for hit in await knowledge.search("v1 knew", project_id="library")}


async def test_a_changed_file_leaves_an_uploaded_one_of_its_name_alone(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "library") as (_, knowledge):
        document = await knowledge.documents.upload("library", "ada", "a.txt", sentences(100))
        await knowledge.documents.import_file(written(tmp_path / "a.txt", sentences(60)), "library")
        await knowledge.documents.import_file(written(tmp_path / "a.txt", "short"), "library")
        listed = await knowledge.documents.list("library")
        assert {(each.document_id, each.chunks) for each in listed} == {(None, 1), (document.id, 3)}


REFUSED: dict[str, tuple[str | bytes, type[Exception], str]] = {
    "a.exe": ("text", InvalidValueError, "of no type"),
    "blank.txt": (" \n", DocumentError, "holds no text"),
    "blank.pdf": (pdf_of(""), DocumentError, "holds no text"),
    "binary.txt": (b"a\0b", DocumentError, "no text in UTF-8"),
    "damaged.pdf": (b"%PDF", DocumentError, "damaged"),
    "large.txt": ("a" * 300_001, InvalidValueError, "larger than 0.3 MB"),
    "many.txt": (sentences(500), InvalidValueError, "more than 10 chunks"),
    "endless.txt": ("a" * 300_000, InvalidValueError, "more than 10 chunks"),
}


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize("uploaded", [False, True])
async def test_what_is_refused_leaves_nothing(name: str, uploaded: bool, tmp_path: Path) -> None:
    content, error, words = REFUSED[name]
    file = written(tmp_path / name, content)
    async with fresh_knowledge(tmp_path, "library", max_document_mb=0.3, max_document_chunks=10) as (store, knowledge):
        documents = knowledge.documents
        upload = partial(documents.upload, "library", "ada", name, file.read_bytes())
        with pytest.raises(error, match=words):
            await (upload() if uploaded else documents.import_file(file, "library"))
        assert await store.knowledge_entries.count("library") == 0
        assert await store.knowledge.documents_of_project("library") == ()


async def test_an_unknown_project_is_told_before_anything_is_done(tmp_path: Path) -> None:
    embedder = WordEmbedder()
    file = written(tmp_path / "files/a.txt", "text")
    async with fresh_knowledge(tmp_path, embedder=embedder) as (_, knowledge):
        documents = knowledge.documents
        for call in (
            documents.import_file(file, "nowhere"),
            documents.import_directory(file.parent, "nowhere"),
            documents.upload("nowhere", "ada", "a.txt", "text"),
            documents.index_uploaded("nowhere"),
        ):
            with pytest.raises(ProjectNotFoundError):
                await call
        assert embedder.calls == []


@pytest.mark.parametrize("path", [None, 5, b"a.txt"])
async def test_what_is_no_path_is_refused(path: object, tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path) as (_, knowledge):
        for call in (knowledge.documents.import_file, knowledge.documents.import_directory):
            with pytest.raises(InvalidValueError, match="a path is"):
                await call(path)  # type: ignore[arg-type]


async def test_a_directory_is_imported_as_far_as_it_can_be(tmp_path: Path) -> None:
    directory = tmp_path / "files"
    for name in ("a.txt", "b/a.txt", "b/c/d.PY"):
        written(directory / name, f"text of {name}")
    written(directory / "picture.png", b"\x89PNG")
    written(directory / "binary.txt", b"\0")
    os.mkfifo(directory / "pipe.txt")
    written(Path(os.fsdecode(os.fsencode(directory) + b"/caf\xe9.txt")), "a name that is no text")
    async with fresh_knowledge(tmp_path, "library") as (_, knowledge):
        steps: list[tuple[int, int]] = []
        done = await knowledge.documents.import_directory(
            directory, "library", progress=lambda *step: steps.append(step)
        )
        assert [file.source for file in done.files] == ["a.txt", "b/a.txt", "b/c/d.PY"]
        assert [os.fsencode(each.path.name) for each in done.failures] == [b"binary.txt", b"caf\xe9.txt", b"pipe.txt"]
        assert steps == [(number, 6) for number in range(1, 7)]
        assert [each.source for each in await knowledge.documents.list("library")] == ["a.txt", "b/a.txt", "b/c/d.PY"]
        assert len(await knowledge.search("text", project_id="library")) == 3
        only = await knowledge.documents.import_directory(directory, "library", recursive=False)
        assert [(file.source, file.put) for file in only.files] == [("a.txt", Put(0, 0, 1))]


async def test_links_in_a_directory_do_not_leave_the_root(tmp_path: Path) -> None:
    written(tmp_path / "secret.txt", "secret")
    root = written(tmp_path / "root/a.txt", "open").parent
    (root / "link.txt").symlink_to("../secret.txt")
    async with fresh_knowledge(tmp_path, documents_root=root) as (_, knowledge):
        done = await knowledge.documents.import_directory(root)
        assert [file.source for file in done.files] == ["a.txt"]
        assert [each.path.name for each in done.failures] == ["link.txt"]
        with pytest.raises(InvalidValueError, match="leads out"):
            await knowledge.documents.import_file(tmp_path / "secret.txt")
        with pytest.raises(InvalidValueError, match="leads out"):
            await knowledge.documents.import_directory(tmp_path)


class Failing(WordEmbedder):
    """Fails with some texts."""

    async def embed(self, texts: object, purpose: object) -> object:  # type: ignore[override]
        if any("fail" in text for text in texts):  # type: ignore[attr-defined]
            raise RuntimeError("the model broke")
        return await super().embed(texts, purpose)  # type: ignore[arg-type]


async def test_what_is_not_a_files_fault_ends_the_import_of_a_directory(tmp_path: Path) -> None:
    for number in range(20):
        written(tmp_path / f"files/{number}.txt", f"text {number}")
    written(tmp_path / "files/5.txt", "fail")
    async with fresh_knowledge(tmp_path, embedder=Failing()) as (_, knowledge):
        with pytest.raises(RuntimeError, match="the model broke"):
            await knowledge.documents.import_directory(tmp_path / "files")


async def test_an_upload_that_fails_leaves_neither_document_nor_entries(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "library", embedder=Failing()) as (store, knowledge):
        with pytest.raises(RuntimeError, match="the model broke"):
            await knowledge.documents.upload("library", "ada", "a.txt", "fail")
        with pytest.raises(InvalidValueError):
            await knowledge.documents.upload("library", "ada", "a.txt", "half a character: \ud800")
        assert await store.knowledge.documents_of_project("library") == ()
        assert await store.knowledge_entries.count("library") == 0


@pytest.mark.parametrize(
    ("name", "content", "size"),
    [("C:\\mine\\a.txt", "größer", 8), ("../a.pdf", pdf_of("größer"), None), ("scan of a.png", "größer", 8)],
)
async def test_an_upload_is_a_document_and_its_entries(
    name: str, content: str | bytes, size: int | None, tmp_path: Path
) -> None:
    async with fresh_knowledge(tmp_path, "library") as (store, knowledge):
        document = await knowledge.documents.upload("library", "ada", name, content, content_type="any")
        assert (document.filename, document.user_id, document.content_type) == (
            name.replace("\\", "/").split("/")[-1],
            "ada",
            "any",
        )
        assert document.file_size == (len(content) if size is None else size)
        (entry,) = await store.knowledge_entries.entries("library")
        assert (entry.document_id, entry.source) == (document.id, document.filename)
        assert entry.content == (await store.knowledge.document(document.id)).content


@pytest.mark.parametrize("name", ["", " ", ".", "..", "a/..", "\\", None])
async def test_a_name_that_is_none_is_refused(name: str, tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "library") as (_, knowledge):
        with pytest.raises(InvalidValueError, match="is no name of a file"):
            await knowledge.documents.upload("library", "ada", name, "text")


async def test_documents_uploaded_without_entries_get_them_once(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "library", "other", max_document_chunks=5) as (store, knowledge):
        async with store.begin() as unit:
            for name, content in (("a.txt", "loans end"), ("blank.txt", " "), ("many.txt", sentences(500))):
                await unit.knowledge.add_document("library", "ada", name, content)
            await unit.knowledge.add_document("other", "ada", "other.txt", "loans end")
        await knowledge.documents.upload("library", "ada", "new.txt", "fees")
        with pytest.raises(InvalidValueError, match=r"1 documents are found now, and 1 not: many.txt has more than 5"):
            await knowledge.documents.index_uploaded("library")
        (hit,) = await knowledge.search("loans end", project_id="library", cutoff=0.9)
        assert hit.entry.source == "a.txt"
        assert await knowledge.documents.index_uploaded("other") == 1
        assert await knowledge.documents.index_uploaded("other") == 0


async def test_what_is_removed_is_no_longer_found_nor_listed(tmp_path: Path) -> None:
    async with fresh_knowledge(tmp_path, "library") as (store, knowledge):
        await knowledge.documents.upload("library", "ada", "a.txt", sentences(100))
        await knowledge.documents.import_file(written(tmp_path / "a.txt", sentences(100)))
        assert await knowledge.documents.remove("a.txt", "library") == 3
        assert await knowledge.documents.list("library") == ()
        assert await store.knowledge.documents_of_project("library") == ()
        assert {hit.entry.project_id for hit in await knowledge.search("loan1", project_id="library")} == {None}
        assert await knowledge.documents.remove("a.txt") == 3
        assert await knowledge.search("loan1", project_id="library") == ()
        with pytest.raises(NotFoundError):
            await knowledge.documents.remove("a.txt")


async def longest_pause(while_running: Callable[[], object]) -> float:
    """The longest time in seconds for which the event loop served nobody."""
    task = asyncio.ensure_future(while_running())  # type: ignore[arg-type]
    turns = [perf_counter()]
    while not task.done():
        await asyncio.sleep(0.002)
        turns.append(perf_counter())
    with pytest.raises(InvalidValueError, match="chunks"):
        task.result()
    return max(after - before for before, after in pairwise(turns))


async def test_ten_megabytes_do_not_hold_up_the_event_loop(tmp_path: Path) -> None:
    text = sentences(160_000)
    file = written(tmp_path / "a.txt", text)
    assert 8_000_000 < len(text) < 10_000_000
    # Refused after nearly all of it was cut, so that no embedder takes part.
    async with fresh_knowledge(tmp_path, max_document_chunks=3_500) as (_, knowledge):
        pauses = [await longest_pause(lambda: knowledge.documents.import_file(file)) for _ in range(2)]
        assert min(pauses) < 0.5, pauses


@pytest.mark.long
async def test_an_uploaded_document_is_found_by_meaning(tmp_path: Path, real_embedder: object) -> None:
    async with fresh_knowledge(tmp_path, "library", embedder=Lent(real_embedder)) as (_, knowledge):
        await knowledge.documents.upload("library", "ada", "cook.txt", "Boil the noodles in salted water.")
        await knowledge.documents.upload(
            "library", "ada", "rules.docx", word_document("A borrowed book must be brought back after three weeks.")
        )
        hit, _ = await knowledge.search("when do I have to return what I lent from the shelf?", project_id="library")
        assert hit.entry.source == "rules.docx"
