"""V14 and V19: damaged and hostile records stop the import, or go to quarantine whole."""

import json
import pickle
import random
import time
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from socrates.tagged_json import decode
from tests.support.hostile_blobs import DAMAGED_BLOBS, nested_lists, shell_command
from tests.support.migrate import alembic, json_value, refused, row, rows, sha256, told, upgrade, value
from tests.support.v1_files import V1File
from tests.support.v1_records import project_record


def with_damage(path: Path, blob: object) -> Path:
    with V1File(path / "projects.db") as v1:
        v1.add_user("before")
        v1.add_user("ada", columns={"data": blob})
        v1.add_user("behind")
    return v1.path


# One of each that is found out at another place: the column, the scan, the unpickling, the record.
STOPPING = ("NULL", "text in place of bytes", "a number", "empty", "os.system", "far too deep", "a ring", "a list")


@pytest.mark.parametrize("name", STOPPING)
def test_damage_stops_a_strict_import_and_leaves_the_file_as_it_was(tmp_path: Path, name: str) -> None:
    path = with_damage(tmp_path, DAMAGED_BLOBS[name])
    before = sha256(path)
    outcome = alembic(path, "upgrade", "head", v1_timezone="UTC")
    assert refused(outcome), outcome
    assert "'ada'" in told(outcome, tmp_path)
    assert sha256(path) == before


def test_damage_of_every_kind_goes_to_quarantine_whole_and_its_neighbours_come_through(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user("before")
        for name, blob in DAMAGED_BLOBS.items():
            v1.add_user(name, columns={"data": blob})
        v1.add_user("behind")
    began = time.process_time()
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert time.process_time() - began < 20
    assert rows(v1.path, "SELECT username FROM users ORDER BY username") == [("before",), ("behind",)]
    kept = rows(v1.path, "SELECT source_table, source_key, data, reason, row_columns FROM v1_quarantine")
    assert [(table, key) for table, key, *_ in kept] == [("users", name) for name in sorted(DAMAGED_BLOBS)]
    for _, name, data, reason, columns in kept:
        blob = DAMAGED_BLOBS[name]
        assert reason, name
        assert data == blob or not (isinstance(blob, bytes) or blob is None), name
        assert json.loads(columns)["created_at"] == "2025-03-01T09:00:00.123456", name


def test_code_in_a_blob_never_runs(tmp_path: Path) -> None:
    witness = tmp_path / "witness"
    path = with_damage(tmp_path, shell_command(f"touch {witness}"))
    upgrade(path, expected_status=1, on_bad="quarantine")
    assert not witness.exists()


def test_quarantine_is_told_on_the_screen_and_in_the_report(tmp_path: Path) -> None:
    path = with_damage(tmp_path, b"damage")
    outcome = upgrade(path, expected_status=1, on_bad="quarantine", report=tmp_path / "report.json")
    assert "quarantine" in told(outcome, tmp_path)
    report = json.loads((tmp_path / "report.json").read_text("utf-8"))
    for tables in (report["import"]["tables"], json_value(path, "SELECT report FROM v1_import_runs")["tables"]):
        assert (tables["users"]["read"], tables["users"]["imported"], tables["users"]["quarantined"]) == (3, 2, 1)


@pytest.mark.parametrize("protocol", [3, 4, 5])
def test_protocols_3_to_5_are_read(tmp_path: Path, protocol: int) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(protocol=protocol)
        v1.add_effectiveness(protocol=protocol)
        v1.add_document(protocol=protocol, embedding=b"\x00\xff" * 300)
    upgrade(v1.path)
    assert value(v1.path, "SELECT name FROM projects") == "Library"
    assert value(v1.path, "SELECT embedding FROM knowledge_documents") == b"\x00\xff" * 300


def test_the_four_allowed_globals_are_read(tmp_path: Path) -> None:
    aware = datetime(2025, 1, 1, tzinfo=timezone(timedelta(hours=2)))
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(settings_seen=[datetime(2025, 1, 1), aware, Decimal("1.10"), datetime(2025, 1, 1, tzinfo=UTC)])
    upgrade(v1.path)
    seen = decode(json_value(v1.path, "SELECT extra FROM users"))["settings_seen"]
    assert [item.isoformat() for item in seen[:2]] == ["2025-01-01T00:00:00", "2025-01-01T00:00:00+02:00"]
    assert str(seen[2]) == "1.10"
    assert seen[3] == datetime(2025, 1, 1, tzinfo=UTC)


WRONG_CONTAINERS: list[dict[str, Any]] = [
    {"requirements": "search"},
    {"requirements": {"a": 1}},
    {"conversation_history": {"0": "x"}},
    {"conversation_history": ["not a message"]},
    {"team_members": ["bob"]},
    {"collaborators": "bob"},
    {"phase_maturity_scores": [1.0]},
    {"category_scores": {"design": [1.0]}},
    {"categorized_specs": {"design": {"a": 1}}},
    {"maturity_history": [3]},
    {"analytics_metrics": []},
    {"pending_questions": [None]},
]


@pytest.mark.parametrize("changes", WRONG_CONTAINERS, ids=str)
def test_a_wrong_container_is_damage(tmp_path: Path, changes: dict[str, Any]) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(**changes)
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert value(v1.path, "SELECT source_key FROM v1_quarantine") == "project-1"
    assert rows(v1.path, "SELECT * FROM projects") == []


@pytest.mark.parametrize("field", ["phase_maturity_scores", "category_scores", "categorized_specs"])
def test_a_key_that_is_not_text_is_damage_outside_the_free_dicts(tmp_path: Path, field: str) -> None:
    inner: Any = {"phase_maturity_scores": 1.0, "category_scores": {}, "categorized_specs": []}[field]
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(**{field: {7: inner}})
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert value(v1.path, "SELECT source_key FROM v1_quarantine") == "project-1"


def test_any_scalar_may_be_a_key_inside_the_free_dicts(tmp_path: Path) -> None:
    free = {1: "a", 2.5: "b", None: "c", False: "d", "text": {b"bytes": 1}, Decimal("1.50"): 2}
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user(unknown=free)
        v1.add_pattern(pattern_data=free)
        v1.add_llm_config(settings=free)
        v1.add_project(maturity_history=[{"phase": "p", "event_type": "t", "details": free}])
    upgrade(v1.path)
    assert decode(json_value(v1.path, "SELECT extra FROM users")) == {"unknown": free}
    assert decode(json_value(v1.path, "SELECT pattern_data FROM behavior_patterns")) == free
    assert decode(json_value(v1.path, "SELECT settings FROM llm_provider_configs")) == free
    assert decode(json_value(v1.path, "SELECT details FROM maturity_events")) == free


def test_a_depth_of_ninety_comes_through(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_pattern(pattern_data={"deep": nested_lists(90)})
    upgrade(v1.path)
    assert json_value(v1.path, "SELECT pattern_data FROM behavior_patterns") == {"deep": nested_lists(90)}


def test_values_shared_within_a_record_are_read_as_often_as_they_stand(tmp_path: Path) -> None:
    shared = ["sql"]
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(requirements=shared, tech_stack=shared, first=shared, second=shared)
    upgrade(v1.path)
    assert value(v1.path, "SELECT value FROM project_requirements") == "sql"
    assert value(v1.path, "SELECT value FROM project_tech_stack") == "sql"
    assert json_value(v1.path, "SELECT extra FROM projects") == {"first": ["sql"], "second": ["sql"]}


SURROGATE = "half a pair: \ud83d"


def test_a_lone_surrogate_in_a_column_is_quarantined_with_that_reason(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(name=SURROGATE)
        v1.add_project(requirements=["fine", SURROGATE])
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert rows(v1.path, "SELECT id FROM projects") == []
    reasons = [reason for (reason,) in rows(v1.path, "SELECT reason FROM v1_quarantine")]
    assert len(reasons) == 2
    assert all("surrogate" in reason for reason in reasons)


def test_a_lone_surrogate_stops_a_strict_import(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(goals=SURROGATE)
    before = sha256(v1.path)
    assert refused(upgrade(v1.path, expected_status=2))
    assert sha256(v1.path) == before


def test_nul_characters_are_kept_in_sqlite(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_project(goals="be\x00fore", requirements=["\x00"], mood="\x00")
    upgrade(v1.path)
    assert value(v1.path, "SELECT goals FROM projects") == "be\x00fore"
    assert value(v1.path, "SELECT value FROM project_requirements") == "\x00"
    assert json_value(v1.path, "SELECT extra FROM projects") == {"mood": "\x00"}


def test_a_column_that_is_not_utf_8_is_no_crash(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        v1.add_user()
        v1.connection.execute("UPDATE users SET passcode_hash = CAST(x'ff41' AS TEXT)")
    before = sha256(v1.path)
    outcome = alembic(v1.path, "upgrade", "head", v1_timezone="UTC")
    assert "Traceback" not in outcome.err
    assert outcome.status in (0, 2)
    assert outcome.status == 0 or sha256(v1.path) == before


def test_all_damage_at_once_is_counted(tmp_path: Path) -> None:
    with V1File(tmp_path / "projects.db") as v1:
        for place, blob in enumerate(DAMAGED_BLOBS.values()):
            v1.add_user(f"user-{place}", columns={"data": blob})
        v1.add_user("fine")
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert value(v1.path, "SELECT count(*) FROM v1_quarantine") == len(DAMAGED_BLOBS)
    assert rows(v1.path, "SELECT username FROM users") == [("fine",)]


def mutated(blob: bytes, chance: random.Random) -> bytes:
    damaged = bytearray(blob)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(2, len(damaged))
        match chance.randrange(3):
            case 0:
                damaged[place] = chance.randrange(256)
            case 1:
                del damaged[place : place + chance.randint(1, 4)]
            case _:
                damaged[place:place] = chance.randbytes(chance.randint(1, 4))
    return bytes(damaged)


@pytest.mark.parametrize("seed", range(5))
def test_randomly_damaged_blobs_are_imported_or_quarantined_and_never_crash(tmp_path: Path, seed: int) -> None:
    chance = random.Random(seed)
    blob = pickle.dumps(project_record("any"), protocol=4)
    with V1File(tmp_path / "projects.db") as v1:
        for _ in range(200):
            v1.add_project(blob=mutated(blob, chance))
    started = time.monotonic()
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    assert time.monotonic() - started < 60
    counts = row(v1.path, "SELECT (SELECT count(*) FROM projects), (SELECT count(*) FROM v1_quarantine)")
    assert sum(counts) == 200
    assert counts[1] > 50
