"""Taking over what v1 knew, from directories that the real Chroma made."""

import errno
import hashlib
import os
import shutil
import sqlite3
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, closing
from io import BufferedReader, BufferedWriter
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from socrates.drafts import NewEntry
from socrates.errors import BusyError, ConfigurationError, DatabaseError, SocratesError
from socrates.knowledge.adopt import Adoption, adopt
from socrates.knowledge.adoption import copying, reading
from socrates.knowledge.embedder import Purpose, SentenceTransformersEmbedder, Vectors
from socrates.knowledge.embeddings import as_vectors
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.repositories.knowledge_entries import entry_key
from socrates.store import Store
from tests.support.knowledge import Lent, WordEmbedder, fresh_knowledge, with_projects
from tests.support.v1_vectors import V1Entry, WideWordEmbedder, v1_directory, with_vectors

RULES = V1Entry("rules", "loans end after three weeks", {"category": "rules", "topic": "loans", "tags": "loan,time"})
SUGGESTED = V1Entry(
    "suggested_0123456789ab",
    "the shelves are numbered",
    {
        "project_id": "library",
        "scope": "project",
        "source": "agent_suggestion_from_counselor",
        "difficulty": "beginner",
    },
)
CHUNK = V1Entry(
    "0a1b2c3d",
    "the cellar holds old newspapers",
    {"project_id": "library", "source": "cellar.txt", "chunk": 1, "total_chunks": 4, "weight": 0.5, "is_old": True},
)
THREE = (RULES, SUGGESTED, CHUNK)


@asynccontextmanager
async def knowledge_in(
    place: Path, *projects: str, embedder: object = None
) -> AsyncIterator[tuple[Store, KnowledgeBase]]:
    (place / "ours").mkdir(exist_ok=True)
    async with fresh_knowledge(place / "ours", *projects, embedder=embedder or WordEmbedder()) as opened:
        yield opened


def is_complete(done: Adoption) -> bool:
    return (
        done.found == done.added + done.changed + done.unchanged + len(done.refused)
        and done.vectors_kept + done.vectors_made == done.added + done.changed
        and sum(done.by_project.values()) == done.found - len(done.refused)
    )


def reasons(done: Adoption) -> dict[str, str]:
    return {each.id: each.reason for each in done.refused}


def picture(directory: Path) -> dict[str, tuple[str, int]]:
    """Of every file its digest and the time of its last write."""
    return {
        str(path.relative_to(directory)): (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_mtime_ns)
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


def change(directory: Path, statement: str, *parameters: object) -> None:
    with closing(sqlite3.connect(directory / "chroma.sqlite3")) as connection, connection:
        connection.execute(statement, parameters)


def set_metadata(directory: Path, entry_id: str, key: str, expression: str) -> None:
    change(
        directory,
        f"UPDATE embedding_metadata SET string_value = {expression} "
        "WHERE key = ? AND id = (SELECT id FROM embeddings WHERE embedding_id = ?)",
        key,
        entry_id,
    )


async def test_every_entry_comes_with_all_its_metadata(tmp_path: Path) -> None:
    v1 = await v1_directory(tmp_path, THREE)
    async with knowledge_in(tmp_path, "library") as (store, knowledge):
        done = await adopt(knowledge, v1)
        (rules,) = await store.knowledge_entries.entries()
        chunk, suggested = sorted(await store.knowledge_entries.entries("library"), key=lambda each: each.id)
    assert (done.found, done.added, done.by_project) == (3, 3, {None: 1, "library": 2})
    assert is_complete(done)
    assert (rules.id, rules.content, rules.category, rules.source) == ("rules", RULES.content, "rules", None)
    assert rules.details == {"topic": "loans", "tags": "loan,time"}
    assert (suggested.id, suggested.category) == ("suggested_0123456789ab", "custom")
    assert (suggested.source, suggested.details) == ("agent_suggestion_from_counselor", {"difficulty": "beginner"})
    assert (chunk.id, chunk.category, chunk.source) == ("0a1b2c3d", "imported_document", "cellar.txt")
    assert chunk.details == {"chunk": 1, "total_chunks": 4, "weight": 0.5, "is_old": True}
    assert chunk.details["is_old"] is True


async def test_what_came_to_a_project_is_found_there_and_in_no_other(tmp_path: Path) -> None:
    v1 = await v1_directory(tmp_path, THREE)
    async with knowledge_in(tmp_path, "library", "archive") as (_, knowledge):
        await adopt(knowledge, v1)
        found = {
            project: {hit.entry.id for hit in await knowledge.search("the loans", project_id=project, cutoff=-1)}
            for project in ("library", "archive", None)
        }
    assert found == {"library": {each.id for each in THREE}, "archive": {"rules"}, None: {"rules"}}


async def test_vectors_of_the_same_model_are_kept_and_the_old_directory_is_not_touched(
    tmp_path: Path, real_embedder: SentenceTransformersEmbedder
) -> None:
    vectors = await real_embedder.embed([entry.content or "" for entry in THREE], "document")
    v1 = with_vectors(tmp_path, THREE, vectors)
    before = picture(v1)
    async with knowledge_in(tmp_path, "library", embedder=Lent(real_embedder)) as (store, knowledge):
        done = await adopt(knowledge, v1)
        keys = [entry_key(each.metadata.get("project_id"), each.id) for each in THREE]
        stored = {entry.id: vector for entry, vector in await store.knowledge_entries.visible(keys, "library")}
    assert (done.vectors_kept, done.vectors_made) == (3, 0)
    assert np.array_equal(as_vectors(stored[each.id] for each in THREE), vectors)
    assert picture(v1) == before  # though Chroma has been at it


async def test_vectors_that_another_model_made_are_made_anew(tmp_path: Path) -> None:
    vectors = np.eye(len(THREE), 384, 300, dtype=np.float32)  # as long as they should be, and of other texts
    v1 = with_vectors(tmp_path, THREE, vectors)
    async with knowledge_in(tmp_path, "library", embedder=WideWordEmbedder()) as (_, knowledge):
        done = await adopt(knowledge, v1)
        (hit, *_) = await knowledge.search("old newspapers in the cellar", project_id="library")
    assert (done.vectors_kept, done.vectors_made, hit.entry.id) == (0, 3, "0a1b2c3d")


async def test_a_vector_of_another_length_is_made_anew_and_the_others_are_kept(tmp_path: Path) -> None:
    vectors = await WideWordEmbedder().embed([entry.content or "" for entry in THREE], "document")
    v1 = with_vectors(tmp_path, THREE, vectors * np.array([[1], [2], [1]], dtype=np.float32))
    async with knowledge_in(tmp_path, "library", embedder=WideWordEmbedder()) as (_, knowledge):
        done = await adopt(knowledge, v1)
    assert (done.vectors_kept, done.vectors_made) == (2, 1)


async def test_what_v1_has_not_yet_moved_out_of_its_log_comes_too(tmp_path: Path) -> None:
    v1 = await v1_directory(tmp_path, THREE)
    with closing(sqlite3.connect(v1 / "chroma.sqlite3")) as running:
        running.execute("PRAGMA journal_mode = WAL")
        running.execute("UPDATE embedding_metadata SET string_value = 'late' WHERE string_value = ?", [RULES.content])
        running.commit()
        before = picture(v1)
        assert before["chroma.sqlite3-wal"]
        async with knowledge_in(tmp_path, "library") as (_, knowledge):
            await adopt(knowledge, v1)
            (rules,) = await knowledge.store.knowledge_entries.entries()
        assert rules.content == "late"
        assert picture(v1) == before


async def test_a_second_time_changes_nothing_and_embeds_nothing(tmp_path: Path) -> None:
    v1 = await v1_directory(tmp_path, THREE)
    embedder = WordEmbedder()
    async with knowledge_in(tmp_path, "library", embedder=embedder) as (store, knowledge):
        await adopt(knowledge, v1)
        entries, calls = await store.knowledge_entries.entries("library"), len(embedder.calls)
        again = await adopt(knowledge, v1 / "chroma.sqlite3")  # as somebody might name it
        assert await store.knowledge_entries.entries("library") == entries
    assert (again.unchanged, again.added, again.changed, len(embedder.calls)) == (3, 0, 0, calls)
    assert is_complete(again)


async def test_an_entry_whose_id_is_known_is_changed(tmp_path: Path) -> None:
    v1 = await v1_directory(tmp_path, THREE)
    async with knowledge_in(tmp_path, "library") as (store, knowledge):
        await knowledge.add(NewEntry("loans end never", "rules", id="rules"))
        done = await adopt(knowledge, v1)
        assert (await store.knowledge_entries.entry("rules")).content == RULES.content
    assert (done.added, done.changed) == (2, 1)


async def test_what_could_become_known_to_the_wrong_people_is_refused(tmp_path: Path) -> None:
    v1 = await v1_directory(
        tmp_path,
        [
            RULES,
            V1Entry("nobody's", "whose is this", {"scope": "project"}),
            V1Entry("team's", "whose is this", {"scope": "team"}),
            V1Entry("number", "whose is this", {"project_id": 7}),
            V1Entry("blank", "whose is this", {"project_id": " "}),
            V1Entry("unknown", "whose is this", {"project_id": "gone", "scope": "project"}),
            V1Entry("global", "of a project all the same", {"project_id": "library", "scope": "global"}),
        ],
    )
    embedder = WordEmbedder()
    async with knowledge_in(tmp_path, "library", embedder=embedder) as (store, knowledge):
        done = await adopt(knowledge, v1)
        assert [entry.id for entry in await store.knowledge_entries.entries()] == ["rules"]
        (entry,) = await store.knowledge_entries.entries("library")
        assert (entry.id, entry.details) == ("global", {"scope": "global"})
        assert set(reasons(done)) == {"nobody's", "team's", "number", "blank", "unknown"}
        assert "scope" in reasons(done)["team's"]
        assert "no such project" in reasons(done)["unknown"]
        assert is_complete(done)
        assert not any("whose is this" in call for call in embedder.calls)
        await with_projects(store, "gone")
        again = await adopt(knowledge, v1)
        assert (again.added, again.unchanged, again.by_project["gone"]) == (1, 2, 1)


async def test_what_our_tables_cannot_hold_is_refused_alone(tmp_path: Path) -> None:
    ids = ("silent", "blank", "bytes", "key", "odd")
    v1 = await v1_directory(
        tmp_path,
        [
            *THREE,
            V1Entry("silent", None, {"topic": "nothing"}),
            *(V1Entry(each, f"text of {each}", {"topic": "odd", "category": "c", "source": "s"}) for each in ids[1:]),
            V1Entry("bare", "no metadata at all"),
        ],
    )
    set_metadata(v1, "blank", "chroma:document", "'  '")
    set_metadata(v1, "bytes", "chroma:document", "CAST(x'41ff42' AS TEXT)")
    set_metadata(v1, "key", "topic", "CAST(x'eda080' AS TEXT)")  # half of a pair, as UTF-8 would write it
    set_metadata(v1, "odd", "topic", "NULL")
    for key in ("category", "source"):
        change(v1, "UPDATE embedding_metadata SET string_value = NULL, int_value = 7 WHERE key = ? AND id IN "
               "(SELECT id FROM embeddings WHERE embedding_id = 'odd')", key)  # fmt: skip
    async with knowledge_in(tmp_path, "library") as (store, knowledge):
        done = await adopt(knowledge, v1)
        odd, bare = await store.knowledge_entries.entry("odd"), await store.knowledge_entries.entry("bare")
    assert set(reasons(done)) == {"silent", "blank", "bytes", "key"}
    assert is_complete(done)
    assert (odd.category, odd.source, odd.details) == ("custom", None, {"topic": None, "category": 7, "source": 7})
    assert (bare.category, bare.details) == ("custom", {})


async def test_texts_come_when_chroma_cannot_read_the_vectors(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    v1 = await v1_directory(tmp_path, THREE)
    (header,) = v1.glob("*/header.bin")
    os.truncate(header, 50)  # which ends the process that reads it
    async with knowledge_in(tmp_path, "library", embedder=WideWordEmbedder()) as (_, knowledge):
        done = await adopt(knowledge, v1)
    assert (done.added, done.vectors_kept, done.vectors_made) == (3, 0, 3)
    assert "made anew" in caplog.text


async def test_a_database_of_the_first_versions_of_chroma_is_read(tmp_path: Path) -> None:
    v1 = await v1_directory(tmp_path, THREE)
    for statement in (
        "DROP TABLE embedding_metadata_array",
        "DROP INDEX IF EXISTS embedding_metadata_bool_value",
        "ALTER TABLE embedding_metadata DROP COLUMN bool_value",
    ):
        change(v1, statement)
    async with knowledge_in(tmp_path, "library") as (_, knowledge):
        assert (await adopt(knowledge, v1)).added == 3


async def test_other_collections_are_told_of_and_left_alone(tmp_path: Path) -> None:
    await v1_directory(tmp_path, [V1Entry("else", "something else")], name="another_one")
    v1 = await v1_directory(tmp_path, THREE)
    async with knowledge_in(tmp_path, "library") as (_, knowledge):
        done = await adopt(knowledge, v1)
    assert (done.found, done.other_collections) == (3, ("another_one",))


async def test_one_that_was_interrupted_goes_on_when_repeated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Failing(WordEmbedder):
        has_failed = False

        async def embed(self, texts: Sequence[str], purpose: Purpose) -> Vectors:
            if len(self.calls) == 2 and not self.has_failed:
                self.has_failed = True
                raise OSError(errno.EIO, "the model is gone")
            return await super().embed(texts, purpose)

    monkeypatch.setattr(reading, "PAGE", 2)
    v1 = await v1_directory(tmp_path, [V1Entry(f"e{number}", f"text {number}") for number in range(7)])
    told: list[tuple[int, int]] = []
    async with knowledge_in(tmp_path, embedder=Failing()) as (store, knowledge):
        with pytest.raises(OSError, match="the model is gone"):
            await adopt(knowledge, v1)
        assert await store.knowledge_entries.count() == 4
        done = await adopt(knowledge, v1, lambda *numbers: told.append(numbers))
    assert (done.unchanged, done.added) == (4, 3)
    assert told == [(2, 7), (4, 7), (6, 7), (7, 7)]


async def test_links_in_the_directory_are_not_followed(tmp_path: Path) -> None:
    v1 = await v1_directory(tmp_path, THREE)
    (segment,) = (path for path in v1.iterdir() if path.is_dir())
    (segment / "secret").symlink_to(tmp_path / "ours")
    os.mkfifo(segment / "pipe")
    (v1 / "notes.txt").write_text("of somebody else")
    copying.copy(v1, tmp_path / "copy")
    copied = {path.name for path in (tmp_path / "copy").rglob("*")}
    assert {"chroma.sqlite3", segment.name, "header.bin"} <= copied
    assert not copied & {"secret", "pipe", "notes.txt"}


@pytest.fixture
def v1_writes(monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """What v1 writes to the end of a file just after that was copied, one element after each."""
    waiting: list[bytes] = []
    copy_file = shutil.copyfileobj

    def copy_while_v1_writes(source: BufferedReader, target: BufferedWriter, size: int) -> None:
        copy_file(source, target, size)
        if waiting:
            with open(f"/proc/self/fd/{source.name}", "ab") as file:
                file.write(waiting.pop())

    monkeypatch.setattr(shutil, "copyfileobj", copy_while_v1_writes)
    return waiting


def some_directory(place: Path) -> Path:
    directory = place / "vector_db"
    directory.mkdir()
    (directory / "chroma.sqlite3").write_bytes(b"a")
    return directory


async def test_what_v1_wrote_meanwhile_is_copied_too(tmp_path: Path, v1_writes: list[bytes]) -> None:
    v1 = some_directory(tmp_path)
    v1_writes += [b"b"]
    copying.copy(v1, tmp_path / "copy")
    assert (tmp_path / "copy" / "chroma.sqlite3").read_bytes() == b"ab"


async def test_a_directory_that_changes_all_the_time_is_refused(tmp_path: Path, v1_writes: list[bytes]) -> None:
    v1 = some_directory(tmp_path)
    v1_writes += [b"b"] * 10
    with pytest.raises(BusyError, match="close v1"):
        copying.copy(v1, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


async def test_a_full_disk_is_said_before_anything_is_copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    v1 = await v1_directory(tmp_path, THREE)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=1_000))
    with pytest.raises(ConfigurationError, match="TMPDIR"):
        copying.copy(v1, tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


async def refusal(place: Path, directory: Path) -> SocratesError:
    async with knowledge_in(place) as (_, knowledge):
        with pytest.raises(SocratesError) as caught:
            await adopt(knowledge, directory)
    return caught.value


async def test_a_directory_that_is_not_v1s_is_refused_with_the_reason(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "chroma.sqlite3").write_text("not a database")
    other = await v1_directory(tmp_path / "other", [V1Entry("else", "something else")], name="another_one")
    damaged = await v1_directory(tmp_path / "damaged", THREE)
    os.truncate(damaged / "chroma.sqlite3", 100_000)
    for directory, kind, said in (
        (tmp_path / "nowhere", ConfigurationError, "there is no directory"),
        (tmp_path / "empty", ConfigurationError, "holds no file chroma.sqlite3"),
        (tmp_path / "text", DatabaseError, "cannot be read"),
        (other, ConfigurationError, "only another_one"),
        (damaged, DatabaseError, "damaged"),
        (tmp_path / "ours" / "index", ConfigurationError, "our own index"),
    ):
        error = await refusal(tmp_path, directory)
        assert isinstance(error, kind), directory
        assert said in str(error)
