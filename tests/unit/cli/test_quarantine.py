"""`socrates db quarantine`: rows that could not be imported are listed, exported, corrected and retried, and proven."""

import json
import shutil
import sqlite3
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

from socrates import NewMessage, sync
from socrates.cli import quarantine
from socrates.cli.command import interruptible
from socrates.cli.main import app as main_app
from socrates.tagged_json import decode
from tests.support.migrate import alembic, execute, json_value, refused, row, rows, sha256, upgrade, value
from tests.support.v1_files import V1File
from tests.support.v1_records import user_record

Document = dict[str, Any]

app = typer.Typer()
app.add_typer(quarantine.app)

PASSCODE_HASH = user_record("any")["passcode_hash"]
DAMAGED = b"\x80\x04 no pickle"


@pytest.fixture(scope="module")
def imported(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A v1 file with damage of every kind, imported with what could be read of it."""
    with V1File(tmp_path_factory.mktemp("quarantine") / "projects.db") as v1:
        v1.add_user("fine")
        v1.add_user("ada", blob=DAMAGED)
        v1.add_user("nameless", columns={"username": None})
        v1.add_user("latin")
        v1.connection.execute("UPDATE users SET username = CAST(x'6ce9' AS TEXT) WHERE username = 'latin'")
        v1.add_project(project_id="fine")
        v1.add_project(project_id="wordless", conversation_history=[{"type": "user", "phase": "design"}])
        v1.add_project(project_id="half", name="half a pair: \ud83d")
        v1.add_note(note_id="of-wordless", project_id="wordless")
        v1.add_note(note_id="of-nothing", project_id="deleted")
        v1.add_pattern(id="unsure", confidence="rather", pattern_data={1: (2, b"\x00"), "$": {"x"}})
        v1.add_llm_config(id="config", provider="openai", blob=DAMAGED)
        v1.add_api_key(id=None, provider="openai")
        v1.add_usage(id="call", success="perhaps")
    upgrade(v1.path, expected_status=1, on_bad="quarantine")
    return v1.path


@pytest.fixture
def database(imported: Path, tmp_path: Path) -> Path:
    return Path(shutil.copyfile(imported, tmp_path / "projects.db"))


@pytest.fixture
def files(database: Path, tmp_path: Path) -> Path:
    """The rows of `database`, exported."""
    assert told("export", tmp_path / "files", database)["rows"]
    return tmp_path / "files"


def run(*arguments: object) -> Result:
    return CliRunner().invoke(app, ["quarantine", *map(str, arguments)], catch_exceptions=False)


def told(*arguments: object, status: int = 0) -> Any:
    """What a command answers with --json."""
    result = run(*arguments, "--json")
    assert result.exit_code == status, result.output
    return json.loads(result.stdout)


def check(database: Path) -> tuple[int, str]:
    result = CliRunner().invoke(main_app, ["db", "check", str(database)], catch_exceptions=False)
    return result.exit_code, result.output


def id_of(database: Path, table: str, key: str | None, reason: str = "") -> int:
    """The number of a row in quarantine."""
    sql = "SELECT id FROM v1_quarantine WHERE source_table = ? AND source_key IS ? AND instr(reason, ?)"
    return int(value(database, sql, table, key, reason))


def edit(files: Path, identity: int, change: Callable[[Document], object]) -> None:
    path = files / f"{identity}.json"
    document = json.loads(path.read_text("utf-8"))
    change(document)
    path.write_text(json.dumps(document), "utf-8")


WORDS = [{"type": "user", "phase": "design", "content": "Found again."}]
CORRECTIONS: list[tuple[str, str | None, str, str, Document]] = [
    ("users", "ada", "", "value", {"subscription_tier": "pro", "hobby": {"$decimal": "1.50"}}),
    ("users", None, "no text", "columns", {"username": "nameless"}),
    ("users", None, "UTF-8", "columns", {"username": "lé"}),
    ("projects", "wordless", "", "value", {"conversation_history": WORDS}),
    ("projects", "half", "", "value", {"name": "half a pair: 🙂"}),
    ("project_notes", "of-nothing", "", "columns", {"project_id": "fine"}),
    ("behavior_patterns", "unsure", "", "value", {"confidence": {"$decimal": "0.250"}}),
    ("llm_provider_configs", "config", "", "value", {"is_default": True}),
    ("api_keys", None, "", "columns", {"id": "key-7"}),
    ("llm_usage", "call", "", "value", {"success": True}),
]
"""Table, key, a part of the reason, and what is to be changed in a part of the row's file."""


def edit_all(database: Path, files: Path) -> None:
    """Correct everything that is wrong with the rows of the fixture."""
    for table, key, reason, part, changes in CORRECTIONS:
        edit(files, id_of(database, table, key, reason), partial(_correct, part, changes))


def _correct(part: str, changes: Document, document: Document) -> None:
    document[part] = {**(document[part] or {}), **changes}


ROWS = 11
"""How many rows of the fixture are in quarantine."""


def test_the_list_says_where_rows_are_from_and_why_they_are_there_and_shows_no_secret(database: Path) -> None:
    facts = told("list", database)
    assert len(facts["rows"]) == ROWS
    assert facts["since"]["at"] == value(database, "SELECT started_at FROM v1_import_runs")
    assert facts["rows"][id_of(database, "users", "ada") - 1] == {
        "id": id_of(database, "users", "ada"),
        "table": "users",
        "key": "ada",
        "reason": value(database, "SELECT reason FROM v1_quarantine WHERE source_key = 'ada'"),
        "bytes": len(DAMAGED),
        "imported": None,
    }
    result = run("list", database)
    assert result.exit_code == 0
    assert "users without a key" in result.stdout
    assert "conversation_history[0].content is missing" in result.stdout
    for secret in (PASSCODE_HASH, *row(database, "SELECT encrypted_key, key_hash FROM api_keys_v1_backup")):
        assert secret not in result.stdout + json.dumps(facts)


def test_with_nothing_in_quarantine_there_is_nothing_to_do(tmp_path: Path) -> None:
    upgrade(tmp_path / "new.db")
    assert "Nothing is in quarantine" in run("list", tmp_path / "new.db").stdout
    assert "nothing was written" in run("export", tmp_path / "files", tmp_path / "new.db").stdout
    assert told("retry", tmp_path / "new.db")["rows"] == []
    assert not (tmp_path / "files").exists()


def test_an_export_is_the_raw_bytes_and_what_can_be_read(database: Path, files: Path) -> None:
    data = dict(rows(database, "SELECT id, data FROM v1_quarantine WHERE data IS NOT NULL"))
    assert len(data) == ROWS - 1
    assert {path.name for path in files.iterdir()} == {
        *(f"{identity}.json" for identity in range(1, ROWS + 1)),
        *(f"{identity}.pickle" for identity in data),
    }
    assert all((files / f"{identity}.pickle").read_bytes() == content for identity, content in data.items())
    unsure = json.loads((files / f"{id_of(database, 'behavior_patterns', 'unsure')}.json").read_text("utf-8"))
    assert decode(unsure["value"])["pattern_data"] == {1: (2, b"\x00"), "$": {"x"}}
    damaged = json.loads((files / f"{id_of(database, 'users', 'ada')}.json").read_text("utf-8"))
    assert damaged["value"] is None
    assert "value" in damaged["how"]


def test_an_export_overwrites_nothing(database: Path, files: Path, tmp_path: Path) -> None:
    (files / "1.json").write_text("mine")
    result = run("export", files, database)
    assert result.exit_code == 2
    assert "is there already" in result.stderr
    assert (files / "1.json").read_text() == "mine"
    assert run("export", files / "1.json", database).exit_code == 2
    assert run("export", tmp_path / "new", database, "--id", "99").exit_code == 2
    assert not (tmp_path / "new").exists()
    assert len(told("export", tmp_path / "new", database, "--id", "2", "--id", "3", "--id", "2")["rows"]) == 2


def test_all_rows_come_in_as_corrected_and_the_import_is_proven_before_and_after(database: Path, files: Path) -> None:
    assert check(database)[0] == 0
    edit_all(database, files)
    before = rows(database, "SELECT * FROM v1_quarantine")
    facts = told("retry", database, "--from", files)
    assert (facts["imported"], facts["remaining"]) == (ROWS, 0)
    status, output = check(database)
    assert status == 0, output
    assert "quarantine: 0;" in output
    assert rows(database, "SELECT * FROM v1_quarantine") == before
    assert {table for table, *_ in rows(database, "PRAGMA foreign_key_check")} <= {"project_notes_v1_backup"}

    users = "SELECT subscription_tier, passcode_hash, extra FROM users WHERE username = 'ada'"
    assert row(database, users) == ("pro", PASSCODE_HASH, '{"hobby": {"$decimal": "1.50"}}')
    assert {name for (name,) in rows(database, "SELECT username FROM users")} == {"ada", "fine", "lé", "nameless"}
    assert value(database, "SELECT content FROM conversation_messages WHERE project_id = 'wordless'") == "Found again."
    assert value(database, "SELECT name FROM projects WHERE id = 'half'") == "half a pair: 🙂"
    assert rows(database, "SELECT id, project_id FROM project_notes ORDER BY id") == [
        ("of-nothing", "fine"),
        ("of-wordless", "wordless"),
    ]
    assert value(database, "SELECT confidence FROM behavior_patterns") == "0.250"
    assert decode(json_value(database, "SELECT pattern_data FROM behavior_patterns")) == {1: (2, b"\x00"), "$": {"x"}}
    assert row(database, "SELECT id, provider FROM api_keys") == ("key-7", "openai")


def test_what_came_in_is_listed_and_not_tried_again(database: Path, files: Path) -> None:
    edit_all(database, files)
    told("retry", database, "--from", files)
    listed = told("list", database)["rows"]
    assert all(found["imported"] for found in listed)
    as_it_was = id_of(database, "project_notes", "of-wordless")
    assert [found["id"] for found in listed if not found["imported"]["corrected"]] == [as_it_was]
    assert value(database, "SELECT correction FROM v1_quarantine_releases WHERE quarantine_id = ?", as_it_was) is None
    before = sha256(database)
    assert told("retry", database)["rows"] == []
    assert told("retry", database, "--from", files)["imported"] == ROWS
    assert sha256(database) == before
    assert "0 rows wait" in run("list", database).stdout


def test_the_notes_of_a_row_that_came_in_later_follow_the_others(database: Path, files: Path) -> None:
    highest = value(database, "SELECT coalesce(max(position), -1) FROM v1_import_notes")
    edit_all(database, files)
    told("retry", database, "--from", files)
    found = rows(database, "SELECT position, kind, field FROM v1_import_notes WHERE source_key = 'ada'")
    assert [(kind, field) for _, kind, field in found] == [("unknown_key", "hobby")]
    assert found[0][0] > highest


def test_rows_that_still_cannot_be_read_stay_and_the_others_come_in(database: Path) -> None:
    with sync.Store.open(database) as store, store.begin() as unit:
        unit.projects.create("Deleted and made anew", "fine", project_id="deleted")
    facts = told("retry", database, status=1)
    assert [found["source_key"] for found in facts["rows"] if found["imported"]] == ["of-nothing"]
    assert facts["remaining"] == ROWS - 1
    assert value(database, "SELECT project_id FROM project_notes") == "deleted"
    reasons = {found["id"]: found["reason"] for found in facts["rows"]}
    assert reasons.pop(id_of(database, "project_notes", "of-nothing")) is None
    assert reasons == {
        found["id"]: found["reason"] for found in told("list", database)["rows"] if not found["imported"]
    }
    assert check(database)[0] == 0
    result = run("retry", database, "--id", id_of(database, "users", "ada"))
    assert result.exit_code == 1
    assert "stays in quarantine: " in result.stdout


def test_a_rehearsal_tells_the_same_and_changes_nothing(database: Path, files: Path) -> None:
    edit_all(database, files)
    before = sha256(database)
    facts = told("retry", database, "--from", files, "--dry-run")
    assert (facts["imported"], facts["dry_run"]) == (ROWS, True)
    assert "Nothing was changed" in run("retry", database, "--from", files, "--dry-run").stdout
    assert sha256(database) == before


def test_nothing_that_was_written_since_is_overwritten(database: Path, files: Path) -> None:
    with sync.Store.open(database) as store, store.begin() as unit:
        unit.users.create("ada", "new hash")
        unit.llm.save_config("ada", "openai", settings={"new": 1})
    edit_all(database, files)
    facts = told("retry", database, "--from", files, status=1)
    stayed = {found["source_key"]: found["reason"] for found in facts["rows"] if not found["imported"]}
    assert stayed.keys() == {"ada", "config"}
    assert "columns.username" in stayed["ada"]
    assert "user_id and provider" in stayed["config"]
    assert value(database, "SELECT passcode_hash FROM users WHERE username = 'ada'") == "new hash"
    assert json_value(database, "SELECT settings FROM llm_provider_configs") == {"new": 1}
    assert check(database)[0] == 0

    edit(files, id_of(database, "users", "ada"), lambda document: document["columns"].update(username="ada-of-v1"))
    edit(files, id_of(database, "llm_provider_configs", "config"), lambda d: d["columns"].update(user_id="ada-of-v1"))
    assert told("retry", database, "--from", files)["remaining"] == 0
    assert value(database, "SELECT count(*) FROM users WHERE username LIKE 'ada%'") == 2
    assert check(database)[0] == 0


def test_a_key_that_another_row_was_imported_with_is_not_used_again(database: Path, files: Path) -> None:
    execute(database, "DELETE FROM users WHERE username = 'fine'")
    identity = id_of(database, "users", None, "no text")
    edit(files, identity, lambda document: document["columns"].update(username="fine"))
    facts = told("retry", database, "--from", files, "--id", identity, status=1)
    assert "deleted since" in facts["rows"][0]["reason"]


def test_what_is_left_of_a_row_under_the_key_stands_in_the_way(database: Path, files: Path) -> None:
    execute(database, "INSERT INTO project_tech_stack VALUES ('half', 9, 'left over')")
    edit_all(database, files)
    facts = told("retry", database, "--from", files, status=1)
    assert [found["source_key"] for found in facts["rows"] if not found["imported"]] == ["half"]


def test_a_correction_that_cannot_be_stored_stays_outside(database: Path, files: Path) -> None:
    identity = id_of(database, "llm_usage", "call")
    edit(files, identity, lambda document: document["value"].update(success=True, model="\ud800"))
    facts = told("retry", database, "--from", files, "--id", identity, status=1)
    assert "lone surrogate" in facts["rows"][0]["reason"]
    assert rows(database, "SELECT * FROM llm_usage") == []


def test_times_of_another_zone_are_read_in_it_and_proven_later(database: Path, files: Path) -> None:
    edit_all(database, files)
    told("retry", database, "--from", files, "-x", "v1_timezone=Asia/Tokyo")
    assert value(database, "SELECT created_at FROM users WHERE username = 'ada'") == "2025-03-01 00:00:00.123456"
    assert value(database, "SELECT created_at FROM users WHERE username = 'fine'") == "2025-03-01 09:00:00.123456"
    assert check(database)[0] == 0


@pytest.mark.parametrize("options", [("v1_timezone=Nowhere",), ("discard=1",), ("v1_timezone=UTC",) * 2, ("UTC",)])
def test_an_option_that_makes_no_sense_is_refused(database: Path, options: tuple[str, ...]) -> None:
    before = sha256(database)
    arguments = [word for option in options for word in ("-x", option)]
    assert run("retry", database, *arguments).exit_code == 2
    assert sha256(database) == before


def test_a_file_that_makes_no_sense_is_refused_and_nothing_changed(database: Path, files: Path) -> None:
    edit_all(database, files)
    identity = id_of(database, "llm_usage", "call")
    edit(files, identity, lambda document: document["columns"].pop("cost"))
    before = sha256(database)
    result = run("retry", database, "--from", files)
    assert result.exit_code == 2
    assert f"{identity}.json: columns.cost is missing" in result.stderr
    assert "Nothing was changed" in result.stderr
    assert sha256(database) == before


def test_what_belongs_to_no_row_is_refused(database: Path, files: Path, tmp_path: Path) -> None:
    shutil.copyfile(files / "1.json", files / "99.json")
    result = run("retry", database, "--from", files)
    assert result.exit_code == 2
    assert "99.json: there is no such row" in result.stderr
    (files / "1.json").unlink()
    assert run("retry", database, "--from", files, "--id", "1").exit_code == 2
    assert run("retry", database, "--from", tmp_path / "nowhere").exit_code == 2
    assert run("retry", database, "--id", "99").exit_code == 2


def test_other_programs_may_have_the_database_open(database: Path, files: Path) -> None:
    edit_all(database, files)
    with sync.Store.open(database) as store:
        assert [project.id for project in store.projects.for_user("ada")] == ["fine"]
        told("retry", database, "--from", files)
        assert len(store.projects.for_user("ada")) == 3
        with store.begin() as unit:
            unit.conversations.append("half", NewMessage("user", "It goes on."))
    status, output = check(database)
    assert status == 0
    assert "projects 'half'" in output


def test_a_database_that_somebody_writes_to_is_refused(database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(quarantine, "_WAIT_SECONDS", 0.1)
    with closing(sqlite3.connect(database, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        assert told("retry", database, status=2)["error"]["kind"] == "BusyError"
    assert told("retry", database, status=1)["remaining"] == ROWS


def test_ctrl_c_takes_it_all_back_and_says_so(database: Path, capsys: pytest.CaptureFixture[str]) -> None:
    before = sha256(database)

    def interrupted() -> None:
        writing = quarantine._Writing(keep=True)
        with interruptible(False, writing.state), writing.transaction(database) as connection:
            connection.execute("DELETE FROM users")
            raise KeyboardInterrupt

    with pytest.raises(typer.Exit) as ended:
        interrupted()
    assert ended.value.exit_code == 130
    assert "nothing was changed" in capsys.readouterr().err
    assert sha256(database) == before


@pytest.mark.parametrize("command", [("list",), ("export", "files"), ("retry",)])
def test_what_is_no_database_at_head_is_refused(command: tuple[str, ...], tmp_path: Path) -> None:
    with V1File(tmp_path / "v1.db") as v1:
        v1.add_user()
    (tmp_path / "text").write_text("no database")
    words = [str(tmp_path / word) if word == "files" else word for word in command]
    for path in (v1.path, tmp_path / "text", tmp_path / "missing.db", "postgresql://host/database"):
        assert "error" in told(*words, path, status=2)
    assert {path.name for path in tmp_path.iterdir()} == {"v1.db", "text"}


def test_a_downgrade_does_not_forget_corrections_unless_it_may(database: Path, files: Path) -> None:
    edit_all(database, files)
    told("retry", database, "--from", files)
    before = sha256(database)
    assert refused(alembic(database, "downgrade", "base"))
    assert sha256(database) == before
    assert alembic(database, "downgrade", "base", discard=1).status == 0
    assert value(database, "SELECT data FROM users WHERE username = 'ada'") == DAMAGED
