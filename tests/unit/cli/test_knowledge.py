"""`socrates knowledge`: what is told of it, the index that is made anew, and what it refuses.

Nothing here needs a model: the entries have vectors of counted words, under the name of the model of the settings.
"""

import asyncio
import importlib.util
import json
import shutil
import signal
import sqlite3
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import chromadb
import pytest
from typer.testing import CliRunner, Result

from socrates import sync
from socrates.cli.main import app
from socrates.config import DEFAULT_MODEL
from socrates.drafts import NewEntry
from socrates.knowledge.embedder import name_of
from socrates.knowledge.knowledge_base import KnowledgeBase
from socrates.models.knowledge import IMPORTED
from tests.support.knowledge import WordEmbedder
from tests.support.postgres import EmptyDatabases
from tests.support.stores import fresh_file
from tests.support.v1_files import V1File

BELL = "\x07"

COMMANDS: dict[str, list[str]] = {
    "status": [],
    "search": ["a book"],
    "rebuild": [],
    "load-defaults": [],
    "prune": [],
    "export": ["library"],
    "import-entries": ["entries.json"],
    "import": ["file.txt"],
    "documents": [],
    "remove": ["file.txt", "--yes"],
    "adopt": ["vector_db"],
}


def knowledge(*arguments: object, typed: str | None = None) -> Result:
    return CliRunner().invoke(app, ["knowledge", *map(str, arguments)], input=typed)


def facts(*arguments: object) -> dict[str, Any]:
    result = knowledge(*arguments, "--json")
    assert result.exit_code == 0, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


def words() -> WordEmbedder:
    return WordEmbedder(DEFAULT_MODEL)


def fill(database: str | Path) -> None:
    """Three entries of a library's, of which two are chunks of one document, and one of everybody's."""
    with sync.Store.open(database) as store:
        with store.begin() as unit:
            unit.projects.create("A library", "ada", project_id="library")
        with sync.KnowledgeBase.open(store, words()) as known:
            known.add(NewEntry("Loans end after three weeks.", "rules", id="loans"), "library")
            chunks = [NewEntry(text, IMPORTED, source="rules.txt") for text in ("Be quiet.", "Be kind.")]
            known.add_many(chunks, "library")
            known.add(NewEntry("Ask one question at a time.", "teaching", id="ask"))


@pytest.fixture(scope="module")
def filled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = fresh_file(tmp_path_factory.mktemp("filled"))
    fill(path)
    return path


@pytest.fixture
def database(filled: Path, tmp_path: Path) -> Path:
    """A copy, and its index with it: filling one takes longer than most tests."""
    shutil.copytree(index_of(filled), index_of(tmp_path / filled.name))
    return Path(shutil.copyfile(filled, tmp_path / filled.name))


def index_of(database: Path) -> Path:
    return database.with_name(f"{database.name}.index")


def damage(index: Path) -> None:
    (file,) = index.rglob("chroma.sqlite3")
    file.write_bytes(b"no database" * 1_000)


# Status


def assert_tells(told: dict[str, Any]) -> None:
    assert told["entries"] == {
        "total": 4,
        "global": 1,
        "projects": [{"id": "library", "name": "A library", "entries": 3}],
    }
    assert (told["documents"], told["model"], told["models"]) == (1, DEFAULT_MODEL, {DEFAULT_MODEL: 4})
    assert (told["vectors"], told["waiting"]) == ({DEFAULT_MODEL: 4}, {"to_add": 0, "to_remove": 0})
    assert (told["index"]["state"], told["index"]["entries"], told["index"]["problem"]) == ("agrees", 4, None)


def test_the_status_tells_what_is_known_by_whom_and_that_the_index_agrees(database: Path) -> None:
    told = facts("status", database)
    assert_tells(told)
    assert (told["database"], told["index"]["place"]) == (str(database), str(index_of(database)))
    lines = knowledge("status", database).stdout.splitlines()
    assert lines[0] == f"{database}: 4 entries"
    assert lines[1:3] == ["  known to everybody: 1", "  in project 'library' (A library): 3"]
    assert lines[-1] == "  holds as many entries as the database: 4"


@pytest.mark.postgres
def test_the_status_works_on_postgresql(
    empty_databases: EmptyDatabases, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCRATES_DATA_DIR", str(tmp_path))
    with empty_databases.lent() as url:
        fill(url)
        told = facts("status", url)
        assert_tells(told)
        assert Path(told["index"]["place"]).parent == tmp_path / "indexes"
        assert facts("rebuild", url) == {"entries": 4}


def test_of_an_index_that_another_program_has_open_nothing_is_said(database: Path) -> None:
    with sync.Store.open(database) as store, sync.KnowledgeBase.open(store, words()):
        told = facts("status", database)
        assert (told["index"]["state"], told["entries"]["total"]) == ("busy", 4)
        assert "another process has it open" in knowledge("status", database).stdout
        refused = knowledge("rebuild", database)
        assert (refused.exit_code, "SOCRATES_CHROMA_URL" in refused.stderr) == (2, True)


def test_an_index_that_is_not_there_is_not_made_by_asking(tmp_path: Path) -> None:
    path = fresh_file(tmp_path)
    assert facts("status", path)["index"]["state"] == "absent"
    assert "not made yet" in knowledge("status", path).stdout
    assert not index_of(path).exists()


def test_the_status_tells_of_an_index_that_is_behind(database: Path) -> None:
    with closing(sqlite3.connect(database)) as connection, connection:
        connection.execute("DELETE FROM knowledge_entries WHERE id = 'loans'")
        connection.execute("UPDATE knowledge_entries SET is_indexed = 0 WHERE id = 'ask'")
    told = facts("status", database)
    assert (told["index"]["state"], told["index"]["entries"], told["waiting"]["to_add"]) == ("differs", 4, 1)
    text = knowledge("status", database).stdout
    assert "holds 4 entries and the database 3" in text
    assert "waits for 1 to be added and 0 to be removed" in text


def test_the_status_tells_of_vectors_of_another_model(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_EMBEDDING_MODEL", "another")
    assert facts("status", database)["model"] == "another"
    assert f"4 entries have their vectors of {DEFAULT_MODEL}" in knowledge("status", database).stdout


@pytest.mark.parametrize("place", ["directory", f"sentence-transformers/{DEFAULT_MODEL}"])
def test_the_status_names_the_model_as_the_entries_do(
    database: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    (tmp_path / "directory").mkdir()
    (tmp_path / "directory/weights").write_text("0.1")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("SOCRATES_EMBEDDING_MODEL", place)
    told = facts("status", database)
    assert told["model"] == name_of(place)
    assert told["index"]["state"] == ("agrees" if told["model"] in told["models"] else "differs")


def test_the_password_in_the_url_of_a_server_is_not_shown(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_CHROMA_URL", "http://ada:secret@localhost:1")
    assert "secret" not in knowledge("status", database).output


def test_names_do_nothing_to_the_terminal(database: Path) -> None:
    with sync.Store.open(database) as store:
        with store.begin() as unit:
            unit.projects.create(f"{BELL}name", "ada", project_id=f"{BELL}id")
        with sync.KnowledgeBase.open(store, words()) as known:
            known.add(NewEntry(f"{BELL} text", IMPORTED, source=f"{BELL}.txt"), f"{BELL}id")
    for arguments in (["status"], ["documents", "--project", f"{BELL}id"]):
        result = knowledge(arguments[0], database, *arguments[1:])
        assert (result.exit_code, BELL in result.output, "x07" in result.stdout) == (0, False, True)


# The index


def test_an_index_can_be_made_anew(database: Path) -> None:
    assert facts("rebuild", database) == {"entries": 4}
    assert knowledge("rebuild", database).stdout == "The index is made anew: 4 entries.\n"
    assert_tells(facts("status", database))


def test_a_directory_that_is_no_index_any_more_is_made_one_again(database: Path) -> None:
    damage(index_of(database))
    (index_of(database) / "notes.txt").write_text("mine")
    assert facts("status", database)["index"]["state"] == "failing"
    assert "socrates knowledge rebuild" in knowledge("status", database).stdout
    result = knowledge("rebuild", database)
    assert (result.exit_code, result.stdout, result.stderr) == (0, "The index is made anew: 4 entries.\n", "")
    assert_tells(facts("status", database))
    assert (index_of(database) / "notes.txt").read_text() == "mine"


def test_what_is_in_the_directory_is_not_opened_before_it_is_gone(
    database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    damage(index_of(database))
    opened: list[list[Path]] = []
    open_it = chromadb.PersistentClient

    def noting(*arguments: Any, **named: Any) -> Any:
        opened.append(list(index_of(database).rglob("chroma.sqlite3")))
        return open_it(*arguments, **named)

    monkeypatch.setattr(chromadb, "PersistentClient", noting)
    assert facts("rebuild", database) == {"entries": 4}
    assert opened == [[]]


def test_another_database_with_its_index_in_the_same_directory_makes_it_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOCRATES_INDEX_DIR", str(tmp_path / "indexes"))
    one, other = (fresh_file(tmp_path, name) for name in ("one.db", "other.db"))
    for path in (one, other):
        fill(path)
    assert facts("rebuild", one) == {"entries": 4}
    assert facts("status", other)["index"]["state"] == "differs"
    with sync.Store.open(other) as store, sync.KnowledgeBase.open(store, words()) as known:
        assert known.search("Loans end", project_id="library")[0].entry.id == "loans"
    for path in (one, other):
        assert_tells({**facts("status", path), "vectors": {DEFAULT_MODEL: 4}})


def test_of_a_server_nothing_is_erased(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOCRATES_CHROMA_URL", "http://localhost:1")
    refused = knowledge("rebuild", database)
    assert (refused.exit_code, "localhost:1" in refused.stderr) == (2, True)
    monkeypatch.delenv("SOCRATES_CHROMA_URL")
    assert_tells(facts("status", database))


def test_ctrl_c_says_what_became_of_it(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rebuild = KnowledgeBase.rebuild

    async def interrupted(self: KnowledgeBase, *arguments: Any) -> None:
        await rebuild(self, *arguments)
        signal.raise_signal(signal.SIGINT)
        await asyncio.sleep(60)

    monkeypatch.setattr(KnowledgeBase, "rebuild", interrupted)
    result = knowledge("rebuild", database, "--json")
    assert result.exit_code == 130
    assert "added when it is opened next" in json.loads(result.stdout)["error"]["message"]


# Entries and vectors


def test_an_export_can_be_imported_into_another_project(database: Path, tmp_path: Path) -> None:
    exported = knowledge("export", "library", database)
    assert {entry["content"] for entry in json.loads(exported.stdout)} == {
        "Loans end after three weeks.",
        "Be quiet.",
        "Be kind.",
    }
    file = tmp_path / "entries.json"
    file.write_text(exported.stdout)
    with sync.Store.open(database) as store, store.begin() as unit:
        unit.projects.create("Another", "ada", project_id="another")
    # The model is not asked: the vectors of these texts are there.
    assert facts("import-entries", file, database, "--project", "another") == {
        "added": 3,
        "changed": 0,
        "unchanged": 0,
    }
    assert (
        knowledge("import-entries", file, database, "--project", "another").stdout == "0 added, 0 changed, 3 there.\n"
    )
    assert facts("status", database)["entries"]["total"] == 7


@pytest.mark.parametrize("content", ["", "{", "[1]", "[" * 100_000, '{"a": 1}', "\ud800"])
def test_a_file_that_is_no_export_is_refused(database: Path, tmp_path: Path, content: str) -> None:
    file = tmp_path / "entries.json"
    file.write_bytes(content.encode("utf-8", "surrogatepass"))
    refused = knowledge("import-entries", file, database)
    assert (refused.exit_code, refused.stderr.startswith("error: ")) == (2, True)


def test_kept_vectors_are_deleted_once_they_are_old(database: Path) -> None:
    with sync.Store.open(database) as store, sync.KnowledgeBase.open(store, words()) as known:
        known.search("how long may I keep a book?")
    assert facts("status", database)["vectors"] == {DEFAULT_MODEL: 5}
    assert facts("prune", database) == {"deleted": 0}
    assert knowledge("prune", database, "--days", 0).stdout == "Kept vectors that were deleted: 5\n"
    assert facts("prune", database, "--days", 0) == {"deleted": 0}
    assert facts("rebuild", database) == {"entries": 4}  # which needs no model: entries have vectors of their own


# Documents


def test_documents_are_listed(database: Path) -> None:
    (told,) = facts("documents", database, "--project", "library")["documents"]
    assert (told["source"], told["project_id"], told["document_id"], told["chunks"]) == (
        "rules.txt",
        "library",
        None,
        2,
    )
    assert knowledge("documents", database, "--project", "library").stdout.startswith(
        "'rules.txt': 2 entries, imported "
    )
    assert knowledge("documents", database).stdout == "No document was imported here.\n"


def test_a_document_is_removed_when_its_owner_agrees(database: Path) -> None:
    refused = knowledge("remove", "rules.txt", database, "--project", "library")
    assert (refused.exit_code, "'rules.txt': 2 entries" in refused.stdout) == (2, True)
    assert facts("remove", "rules.txt", database, "--project", "library", "--yes")["deleted"] == 2
    again = knowledge("remove", "rules.txt", database, "--project", "library", "--yes")
    assert (again.exit_code, again.stderr) == (2, "error: there is no imported document 'rules.txt'\n")
    told = facts("status", database)
    assert (told["entries"]["total"], told["documents"], told["index"]["state"]) == (2, 0, "agrees")


# What is refused


@pytest.mark.parametrize("command", COMMANDS)
def test_without_the_extra_every_command_says_so(command: str, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    find = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda name, *more: None if name == "numpy" else find(name, *more))
    for name in [name for name in sys.modules if name.startswith("socrates.knowledge")]:
        monkeypatch.delitem(sys.modules, name)
    result = knowledge(command, *COMMANDS[command][:1], database, *COMMANDS[command][1:])
    message = "error: knowledge needs more than the data layer does: pip install 'socrates[knowledge]'\n"
    assert (result.exit_code, result.stderr, result.stdout) == (2, message, "")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_file_that_is_not_there_is_not_made(command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "entries.json").write_text("[]")
    (tmp_path / "file.txt").write_text("text")
    (tmp_path / "vector_db").mkdir()
    there = sorted(tmp_path.iterdir())
    options = [each for each in COMMANDS[command] if each.startswith("--")]
    result = knowledge(command, *COMMANDS[command][: 1 - len(options)] or [], "typo.db", *options)
    assert (result.exit_code, "there is no file" in result.stderr) == (2, True), result.output
    assert sorted(tmp_path.iterdir()) == there


def test_a_file_of_v1_is_refused_with_the_way_on(tmp_path: Path) -> None:
    with V1File(tmp_path / "v1.db") as v1:
        v1.add_user("ada")
    for command in ("status", "documents"):
        refused = knowledge(command, v1.path)
        assert (refused.exit_code, "socrates db upgrade" in refused.stderr) == (2, True)


def test_a_project_that_is_not_there_is_refused(database: Path) -> None:
    for arguments in (["documents"], ["search", "a book"], ["remove", "rules.txt", "--yes"]):
        refused = knowledge(*arguments[:2], database, *arguments[2:], "--project", "typo")
        assert (refused.exit_code, refused.stderr) == (2, "error: there is no project 'typo'\n"), arguments
    assert knowledge("export", "typo", database).exit_code == 2


@pytest.mark.parametrize("options", [["--cutoff", "2"], ["--top-k", "0"], ["--cutoff", "nan"]])
def test_a_search_that_makes_no_sense_is_refused(database: Path, options: list[str]) -> None:
    assert knowledge("search", "a book", database, *options).exit_code == 2
