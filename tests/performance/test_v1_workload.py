"""The baselines do the work that they are measured for."""

from dataclasses import asdict
from pathlib import Path

import pytest

from tests.performance import v1_workload as workload
from tests.performance.datasets import ADA, Dataset, dataset
from tests.support.migrate import value
from tests.support.v1_database import V1Database


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    return dataset(30, 10, tmp_path)


@pytest.fixture
def v1(data: Dataset) -> V1Database:
    return V1Database(data.v1)


def test_a_list_holds_adas_projects(v1: V1Database) -> None:
    assert len(workload.list_projects(v1)) == 25


def test_a_message_is_appended_and_nothing_else_changes(v1: V1Database, data: Dataset) -> None:
    key = data.project_of_ada()
    before = asdict(workload.load_project(v1, key))
    workload.append_message(v1, key, "Yes.")
    after = asdict(workload.load_project(v1, key))
    *earlier, last = after["conversation_history"]
    assert earlier == before["conversation_history"]
    assert (last["type"], last["content"], last["author"]) == ("user", "Yes.", ADA)
    assert {name for name in after if after[name] != before[name]} == {"conversation_history", "updated_at"}


def test_a_change_of_one_field_is_saved(v1: V1Database, data: Dataset) -> None:
    key = data.project_of_ada()
    before = asdict(workload.load_project(v1, key))
    workload.save_changed(v1, workload.load_project(v1, key))
    after = asdict(workload.load_project(v1, key))
    assert {name for name in after if after[name] != before[name]} == {"progress", "updated_at"}


def test_a_working_session_leaves_all_that_it_did(v1: V1Database, data: Dataset) -> None:
    key = data.project_of_ada(1)
    asked_before = v1.load_user(ADA).questions_used_this_month
    notes_before = len(v1.get_project_notes(key))
    session = workload.working_session(v1, key, questions=4)
    assert session.listed == 25
    assert session.messages == 10 + 8
    assert session.found == 1
    assert session.exported["project_id"] == key
    assert len(session.exported["notes"]) == notes_before + 1
    kinds = [message["type"] for message in workload.load_project(v1, key).conversation_history[-8:]]
    assert kinds == ["assistant", "user"] * 4
    # The counter is that of a month long past, so the first question resets it.
    assert asked_before == 7
    assert session.asked == v1.load_user(ADA).questions_used_this_month == 4
    learned = v1.get_question_effectiveness(ADA, workload.QUESTION[:50])
    assert (learned.times_asked, learned.effectiveness_score) == (4, 0)
    assert value(data.v1, "SELECT count(*) FROM question_effectiveness WHERE user_id = ?", ADA) == 31


def test_a_wrong_passcode_is_refused(v1: V1Database) -> None:
    with pytest.raises(AssertionError):
        workload.log_in(v1, ADA, "guess")
