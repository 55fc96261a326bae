"""What v1 did for one action of a user, as plain functions over its database: the baselines of the bench.

They do what v1's agents and its terminal did with the database, in their order; the calls of the model and the vector
search in between are left out, since both sides would pay for them.
"""

import hashlib
import uuid
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from tests.performance.datasets import ADA
from tests.support.v1_database import V1Database
from tests.support.v1_entities import ProjectContext, ProjectNote, QuestionEffectiveness

PASSCODE = "test"
"""Its hash is that of every generated user."""

ANSWER = "Members lend books for four weeks, and children never pay a fine. " * 3
QUESTION = "Which readers may borrow which books, and what happens when one of them comes back late?"


def list_projects(v1: V1Database, username: str = ADA) -> list[dict[str, Any]]:
    return v1.get_user_projects(username)


def load_project(v1: V1Database, project_id: str) -> ProjectContext:
    project = v1.load_project(project_id)
    assert project is not None, project_id
    return project


def append_message(v1: V1Database, project_id: str, content: str = ANSWER, author: str = ADA) -> None:
    """Load the project, put one message behind its conversation, save it whole."""
    project = load_project(v1, project_id)
    add_answer(project, content, author)
    save(v1, project)


def save_changed(v1: V1Database, project: ProjectContext) -> None:
    """Save a project, which is in memory as v1's was, after a change of one field."""
    project.progress = (project.progress + 1) % 101
    save(v1, project)


@dataclass(frozen=True)
class Session:
    """What a working session gave back, to be compared with what another system gives."""

    listed: int
    messages: int
    """In the conversation at the end."""
    asked: int
    """Questions used up this month."""
    found: int
    """Notes that contain the searched text."""
    exported: dict[str, Any]


def working_session(
    v1: V1Database,
    project_id: str,
    username: str = ADA,
    questions: int = 10,
    search: Callable[[], object] = lambda: None,
) -> Session:
    """Log in, list the projects, open one, answer questions, write and search notes, export the project.

    A question counts against the user's quota, and is saved with the project only once it is answered. `search` is what
    is looked for among what is known before each question.
    """
    log_in(v1, username)
    listed = list_projects(v1, username)
    project = load_project(v1, project_id)
    for number in range(questions):
        search()
        ask(v1, project, username, f"{QUESTION} ({number + 1})")
        answer(v1, project, username, f"{ANSWER} ({number + 1})")
    write_note(v1, project_id, username)
    v1.get_project_notes(project_id)
    found = v1.search_notes(project_id, "late fee")
    exported = export(v1, project_id)
    user = v1.load_user(username)
    assert user is not None
    return Session(
        listed=len(listed),
        messages=len(exported["conversation_history"]),
        asked=user.questions_used_this_month,
        found=len(found),
        exported=exported,
    )


def log_in(v1: V1Database, username: str, passcode: str = PASSCODE) -> None:
    user = v1.load_user(username)
    assert user is not None
    assert user.passcode_hash == hashlib.sha256(passcode.encode()).hexdigest()


def ask(v1: V1Database, project: ProjectContext, username: str, question: str) -> None:
    """Put a question to the user: the project changes in memory, the user's counter in the database."""
    user = v1.load_user(username)
    assert user is not None
    history = project.conversation_history
    asked = sum(message["type"] == "assistant" and message["phase"] == project.phase for message in history)
    history.append(
        {
            "timestamp": datetime.now().isoformat(),
            "type": "assistant",
            "content": question,
            "phase": project.phase,
            "question_number": asked + 1,
        }
    )
    user.increment_question_usage()
    v1.save_user(user)


def answer(v1: V1Database, project: ProjectContext, username: str, content: str) -> None:
    """Take the answer: learn how well the question worked, save the whole project."""
    add_answer(project, content, username)
    learn(v1, project, username, len(content))
    save(v1, project)


def add_answer(project: ProjectContext, content: str, author: str) -> None:
    project.conversation_history.append(
        {
            "timestamp": datetime.now().isoformat(),
            "type": "user",
            "content": content,
            "phase": project.phase,
            "author": author,
        }
    )


def learn(v1: V1Database, project: ProjectContext, username: str, answer_length: int) -> None:
    """Count the question as asked, under the first 50 characters of its text."""
    template = project.conversation_history[-2]["content"][:50]
    record = v1.get_question_effectiveness(username, template)
    if record is None:
        record = QuestionEffectiveness(str(uuid.uuid4()), username, template, role="lead")
    record.times_asked += 1
    record.average_answer_length = int(0.3 * answer_length + 0.7 * record.average_answer_length)
    record.effectiveness_score = Decimal(record.times_answered_well) / record.times_asked
    record.last_asked_at = record.updated_at = datetime.now(UTC)
    v1.save_question_effectiveness(record)


def write_note(v1: V1Database, project_id: str, username: str) -> None:
    content = "Nobody has asked yet whether a late fee is wanted at all."
    note = ProjectNote(str(uuid.uuid4()), project_id, "Fees", content, created_by=username, tags=["money"])
    v1.save_note(note)


def export(v1: V1Database, project_id: str) -> dict[str, Any]:
    """Read again all that a document about the project is made of."""
    notes = [asdict(note) for note in v1.get_project_notes(project_id)]
    return asdict(load_project(v1, project_id)) | {"notes": notes}


def save(v1: V1Database, project: ProjectContext) -> None:
    project.updated_at = datetime.now()
    v1.save_project(project)
