"""A whole v1 file of hostile blobs: what cannot be read is kept byte for byte, or the file stays as it was."""

from collections.abc import Callable
from itertools import cycle
from pathlib import Path

import pytest

from tests.hostile import bombs
from tests.support.hostile_blobs import DAMAGED_BLOBS
from tests.support.migrate import alembic, refused, rows, sha256, upgrade
from tests.support.v1_files import V1File
from tests.unit.v1.hostile import DAMAGED, code_runners

LARGEST = 10**6
KEYS = {"users": "username", "projects": "project_id", "project_notes": "note_id", "llm_usage": "id"}

Hostile = dict[tuple[str, str], bytes]
"""The blobs of a file, by v1 table and key."""


def corpus(marker: Path) -> dict[str, bytes]:
    every = code_runners(str(marker)) | DAMAGED | DAMAGED_BLOBS | bombs.SMALL
    return {name: blob for name, blob in every.items() if isinstance(blob, bytes) and len(blob) < LARGEST}


def hostile_file(path: Path, blobs: dict[str, bytes]) -> Hostile:
    """Write a v1 file with one row for each, turn by turn in four tables, beside an honest user and project."""
    written: Hostile = {}
    with V1File(path) as v1:
        v1.add_user("ada")
        v1.add_project(project_id="project-1")
        add: dict[str, Callable[[str, bytes], None]] = {
            "users": lambda key, blob: v1.add_user(key, blob=blob),
            "projects": lambda key, blob: v1.add_project(project_id=key, blob=blob),
            "project_notes": lambda key, blob: v1.add_note(note_id=key, project_id="project-1", blob=blob),
            "llm_usage": lambda key, blob: v1.add_usage(id=key, blob=blob),
        }
        for (name, blob), table in zip(blobs.items(), cycle(add), strict=False):
            add[table](name, blob)
            written[table, name] = blob
    return written


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "projects.db"


def test_every_row_is_imported_or_kept_whole(path: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    hostile = hostile_file(path, corpus(marker))

    upgrade(path, expected_status=1, on_bad="quarantine")

    kept = {
        (table, key): (data, reason)
        for table, key, data, reason in rows(
            path, "SELECT source_table, source_key, data, reason FROM v1_quarantine WHERE source_key IS NOT NULL"
        )
    }
    imported = set(rows(path, "SELECT source_table, source_key FROM v1_import_digests"))
    assert imported | kept.keys() == hostile.keys() | {("users", "ada"), ("projects", "project-1")}
    assert not imported & kept.keys()
    assert {row: data for row, (data, _) in kept.items()} == {row: hostile[row] for row in kept}
    assert [row for row, (_, reason) in kept.items() if not (reason and reason.isprintable())] == []
    assert not marker.exists()


def test_no_exploit_and_no_damage_is_imported(path: Path, tmp_path: Path) -> None:
    refusable = code_runners(str(tmp_path / "marker")) | DAMAGED
    hostile = hostile_file(path, refusable)

    upgrade(path, expected_status=1, on_bad="quarantine")

    assert set(rows(path, "SELECT source_table, source_key FROM v1_quarantine")) == hostile.keys()


def test_a_strict_import_leaves_the_file_as_it_was(path: Path, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    hostile_file(path, corpus(marker))
    before = sha256(path)

    outcome = alembic(path, "upgrade", "head", v1_timezone="UTC")

    assert refused(outcome)
    assert sha256(path) == before
    assert not marker.exists()
