"""`socrates knowledge` with the real model: what is found, and what comes to be known from elsewhere."""

import json
import shutil
from pathlib import Path
from typing import Any

import chromadb
import pytest
from typer.testing import CliRunner, Result

from socrates import sync
from socrates.cli.main import app
from socrates.knowledge.defaults import default_entries
from tests.support.stores import fresh_file

BELL = "\x07"


def knowledge(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["knowledge", *map(str, arguments)])


def facts(*arguments: object, status: int = 0) -> dict[str, Any]:
    result = knowledge(*arguments, "--json")
    assert result.exit_code == status, result.output
    told: dict[str, Any] = json.loads(result.stdout)
    return told


@pytest.fixture(scope="module")
def loaded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What this package brings along, and a project with a document."""
    path = fresh_file(tmp_path_factory.mktemp("loaded"))
    with sync.Store.open(path) as store, store.begin() as unit:
        unit.projects.create("A library", "ada", project_id="library")
    number = len(default_entries())
    assert facts("load-defaults", path) == {"added": number, "changed": 0, "unchanged": 0}
    assert knowledge("load-defaults", path).stdout == f"0 added, 0 changed, {number} there.\n"
    document = path.with_name("rules.txt")
    document.write_text("A book may be kept for three weeks.")
    told = facts("import", document, path, "--project", "library")
    assert told == {
        "files": [{"source": "rules.txt", "words": 8, "chunks": 1, "added": 1, "changed": 0, "unchanged": 0}],
        "failures": [],
    }
    return path


@pytest.fixture
def database(loaded: Path, tmp_path: Path) -> Path:
    shutil.copytree(f"{loaded}.index", f"{tmp_path / loaded.name}.index")
    return Path(shutil.copyfile(loaded, tmp_path / loaded.name))


def test_a_search_finds_by_meaning_what_the_project_may_see(database: Path) -> None:
    query = "How long can somebody borrow a novel?"
    best, *others = facts("search", query, database, "--project", "library", "--top-k", 3)["hits"]
    assert (best["content"], best["project_id"], best["source"]) == (
        "A book may be kept for three weeks.",
        "library",
        "rules.txt",
    )
    assert 1 > best["score"] > others[0]["score"] >= others[1]["score"]
    assert all(hit["project_id"] is None for hit in others)
    assert "A book may be kept" not in knowledge("search", query, database).stdout
    only = facts("search", query, database, "--project", "library", "--category", "imported_document")["hits"]
    assert [hit["source"] for hit in only] == ["rules.txt"]
    assert facts("search", query, database, "--project", "library", "--source", "rules.txt")["hits"] == only
    shown = knowledge("search", query, database, "--project", "library", "--cutoff", best["score"] - 0.001).stdout
    assert shown.splitlines() == [
        f"{best['score']:5.2f}  {best['id']!r} (imported_document, of project 'library', from 'rules.txt')",
        "       A book may be kept for three weeks.",
    ]
    assert knowledge("search", query, database, "--cutoff", "0.99").stdout == "Nothing was found.\n"
    assert facts("search", " ", database) == {"hits": []}


def test_a_directory_is_imported_as_far_as_it_can_be(database: Path, tmp_path: Path) -> None:
    directory = tmp_path / "documents"
    (directory / "within").mkdir(parents=True)
    (directory / "a.txt").write_text("Returned books are put on the shelf.")
    (directory / "within" / f"{BELL}b.txt").write_text("")
    told = facts("import", directory, database, "--no-recursive")
    assert ([file["source"] for file in told["files"]], told["failures"]) == (["a.txt"], [])
    told = facts("import", directory, database, status=1)
    assert ([file["unchanged"] for file in told["files"]], len(told["failures"])) == ([1], 1)
    result = knowledge("import", directory, database)
    assert (result.exit_code, BELL in result.output) == (1, False)
    assert "a.txt: 7 words in 1 entry; added: 0" in result.stdout
    assert "Not imported:" in result.stdout
    assert [each["source"] for each in facts("documents", database)["documents"]] == ["a.txt"]


def test_a_file_that_is_not_there_is_refused(database: Path, tmp_path: Path) -> None:
    result = knowledge("import", tmp_path / "typo.txt", database)
    assert (result.exit_code, result.stderr.startswith("error: ")) == (2, True)
    assert knowledge("adopt", tmp_path / "vector_db", database).exit_code == 2


def vector_db(directory: Path) -> Path:
    """v1's: an entry that everybody knows, one of the library's, and one of a project that is gone."""
    client = chromadb.PersistentClient(str(directory), settings=chromadb.Settings(anonymized_telemetry=False))
    client.create_collection("socratic_knowledge", embedding_function=None).add(
        ids=["reading", "quiet", f"{BELL}lost"],
        documents=["Read aloud to children.", "The second floor is quiet.", "Nobody's."],
        metadatas=[
            {"category": "teaching"},
            *({"project_id": each, "scope": "project"} for each in ("library", "gone")),
        ],
        embeddings=[[1.0, *[0.0] * 383]] * 3,
    )
    client.close()
    return directory


def test_what_v1_knew_is_taken_over(database: Path, tmp_path: Path) -> None:
    directory = vector_db(tmp_path / "vector_db")
    told = facts("adopt", directory, database, status=1)
    assert (told["found"], told["added"], told["vectors_kept"], told["vectors_made"]) == (3, 2, 0, 2)
    assert sorted(told["by_project"], key=str) == [
        {"project_id": "library", "entries": 1},
        {"project_id": None, "entries": 1},
    ]
    assert [(each["id"], each["project_id"]) for each in told["refused"]] == [(f"{BELL}lost", "gone")]
    with sync.Store.open(database) as store:
        assert store.knowledge_entries.entry("quiet", "library").content == "The second floor is quiet."
    result = knowledge("adopt", directory, database)
    assert (result.exit_code, BELL in result.output) == (1, False)
    assert "Found: 3 entries. Added: 0; changed: 0; there already: 2" in result.stdout
    assert "lost' of project 'gone'" in result.stdout
