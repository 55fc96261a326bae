"""The conversion of a v1 project, the record that holds nearly everything, into the rows of twelve tables."""

from operator import itemgetter
from typing import Any

from socrates.errors import DamagedRecordError
from socrates.v1.fields import (
    REQUIRED,
    Entry,
    as_dict,
    entries,
    flag,
    integer,
    number,
    tagged,
    text,
    text_items,
    text_list,
    time,
    to_text,
    wrong_type,
)
from socrates.v1.layout import Row, Rows
from socrates.v1.reader import SourceRow
from socrates.v1.reading import Reading, check_key, path
from socrates.v1.records import Record, read_record
from socrates.v1.team import convert_team

PHASES = ("discovery", "analysis", "design", "implementation")

_PROJECT = Record(
    ("project_id",),
    Entry(
        text("name", REQUIRED),
        text("owner", REQUIRED),
        text("phase", REQUIRED),
        text("status", "active"),
        text("project_type", "software"),
        text("chat_mode", "socratic"),
        text("goals", ""),
        text("team_structure", "individual"),
        text("language_preferences", "python"),
        text("deployment_target", "local"),
        text("code_style", "standard"),
        integer("progress", 0),
        flag("is_archived", default=False),
        time("archived_at"),
        time("created_at", REQUIRED, column="fallback"),
        time("updated_at", column="later"),
        also_known=(
            "collaborators",
            "team_members",
            "requirements",
            "tech_stack",
            "constraints",
            "conversation_history",
            "pending_questions",
            "phase_maturity_scores",
            "category_scores",
            "categorized_specs",
            "maturity_history",
            "analytics_metrics",
            "notes",
        ),
    ),
)
_KNOWN = _PROJECT.known
_OWNER, _CREATED_AT, _UPDATED_AT = 2, 15, 16  # indices among the columns of projects
_FIRST_VERSION = 1
_SCORE_COST = 150
# A v1 id has 36 characters, and the shortest entry of a list five bytes.
REPEATED_BASE = 4 * 1024 * 1024
REPEATED_PER_BYTE = 8

_LISTS = (
    ("requirements", "project_requirements"),
    ("tech_stack", "project_tech_stack"),
    ("constraints", "project_constraints"),
)

_MESSAGE = Entry(
    text("content", REQUIRED),
    time("timestamp"),
    text("phase"),
    text("author"),
    integer("question_number"),
    also_known=("type", "role"),
)

_QUESTION = Entry(
    text("question", ""),
    text("phase", ""),
    text("status", "pending"),
    text_list("assigned_to_roles"),
    text_list("assigned_to_users"),
    time("created_at"),
    text("answered_by"),
    text("answer"),
    time("answered_at"),
    time("skipped_at"),
    also_known=("id",),
)

_PHASE_SCORE = number("score")

_CATEGORY = Entry(
    number("current_score"),
    number("target_score"),
    number("confidence"),
    integer("spec_count"),
    also_known=("category",),
)

_SPEC = Entry(
    text("category", ""),
    text("content", ""),
    number("confidence"),
    number("value"),
    text("source_field"),
    time("timestamp"),
)

_EVENT = Entry(
    time("timestamp"),
    text("phase", ""),
    number("score_before"),
    number("score_after"),
    number("delta"),
    text("event_type", ""),
    tagged("details"),
)

_ANALYTICS = Entry(
    number("velocity", 0.0),
    integer("total_qa_sessions", 0),
    number("avg_confidence", 0.0),
    text_list("weak_categories"),
    text_list("strong_categories"),
    time("last_updated"),
)


def convert_project(row: SourceRow, source: dict[Any, Any], reading: Reading) -> Rows:
    """All rows of one project, by table, each list in the order of its primary key. Raises DamagedRecordError."""
    values = read_record(row, _PROJECT, source, reading)
    key: str = values[0]
    if values[_UPDATED_AT] is None:
        values[_UPDATED_AT] = values[_CREATED_AT]
    late = reading.take_unreadable()  # of the project itself: its extra is written last
    team, collaborators = convert_team(source, key, values[_OWNER], values[_CREATED_AT], reading)
    messages = _messages(key, source.get("conversation_history"), reading)
    rows: Rows = {
        "projects": [],
        "conversation_messages": messages,
        "team_members": sorted(team, key=itemgetter(1)),
        "pending_questions": sorted(_questions(key, source.get("pending_questions"), reading), key=itemgetter(1)),
        "phase_maturity_scores": _phase_scores(key, source.get("phase_maturity_scores"), reading),
        "category_scores": _category_scores(key, source.get("category_scores"), reading),
        "categorized_specs": _specs(key, source.get("categorized_specs"), reading),
        "maturity_events": _events(key, source.get("maturity_history"), reading),
        "analytics_metrics": [_analytics(key, source.get("analytics_metrics"), reading)],
    }
    for field, table in _LISTS:
        items = text_items(source.get(field), reading, (), field)
        rows[table] = [(key, position, item) for position, item in enumerate(items)]
    kept = reading.kept(source, "notes")
    if collaborators is not None:
        kept["v1_collaborators"] = collaborators
    reading.entry = late
    extra = reading.extra_text(source, _KNOWN, (), kept)
    rows["projects"].append((*values, len(messages), _FIRST_VERSION, extra))
    _check_repeated_names(rows, key, len(row.blob))
    return rows


def _check_repeated_names(rows: Rows, key: str, blob_size: int) -> None:
    """Raise DamagedRecordError when long names, of which a blob holds one, would be written for each of many rows."""
    written = len(key) * sum(map(len, rows.values()))
    for table in ("phase_maturity_scores", "category_scores", "categorized_specs"):
        written += sum(len(str(row[1])) for row in rows[table])
    written += sum(len(str(row[2])) for row in rows["category_scores"])
    if written > REPEATED_BASE + REPEATED_PER_BYTE * blob_size:
        raise DamagedRecordError("its names of phases and categories would take far more room than all of its data")


def _messages(key: str, history: object, reading: Reading) -> list[Row]:
    rows: list[Row] = []
    for position, entry in enumerate(entries(history, _MESSAGE, reading, (), "conversation_history")):
        where = ("conversation_history", position)
        kind, kept = _speaker(entry, reading, where)
        rows.append((key, position, kind, *_MESSAGE.read_row(entry, reading, where, kept)))
    return rows


def _speaker(entry: dict[Any, Any], reading: Reading, where: tuple[object, ...]) -> tuple[str, dict[str, Any] | None]:
    """Who speaks: `type`, or `role` as foreign writers call it; with both, `role` is kept in `extra` (V10)."""
    kind, role = entry.get("type"), entry.get("role")
    if kind is None:
        kind, role = role, None
    if kind is None:
        raise DamagedRecordError(f"{path(where, 'type')} is missing")
    if type(kind) is not str:
        kind = to_text(kind, reading, where, "type")
    return kind, None if role is None else {"role": reading.encoded(role)}


def _questions(key: str, questions: object, reading: Reading) -> list[Row]:
    rows: list[Row] = []
    found = entries(questions, _QUESTION, reading, (), "pending_questions")
    identities = _QuestionIds(found)
    for position, entry in enumerate(found):
        where = ("pending_questions", position)
        identity = identities.give(entry, position, reading)
        rows.append((key, identity, position, *_QUESTION.read_row(entry, reading, where)))
    return rows


_ID = Entry(text("id"))


class _QuestionIds:
    """The ids of one project's pending questions: a missing one is made, and a second one numbered (V15)."""

    def __init__(self, questions: list[dict[Any, Any]]) -> None:
        self._stored = {question.get("id") for question in questions if type(question.get("id")) is str}
        self._taken: set[str] = set()
        self._occurrences: dict[str, int] = {}

    def give(self, entry: dict[Any, Any], position: int, reading: Reading) -> str:
        (stored,) = _ID.read(entry, reading, ("pending_questions", position))
        identity = stored
        if stored is None or stored in self._taken:
            identity = self._numbered(f"q_v1_{position}" if stored is None else stored)
            reading.note("id_given", f"pending_questions[{position}].id", stored)
        self._taken.add(identity)
        return str(identity)

    def _numbered(self, wanted: str) -> str:
        """`wanted`, or with `#2`, `#3` … behind it, whichever is free and nobody's own."""
        identity, occurrence = wanted, self._occurrences.get(wanted, 1)
        while identity in self._taken or identity in self._stored:
            occurrence += 1
            identity = f"{wanted}#{occurrence}"
        self._occurrences[wanted] = occurrence
        return identity


def _phase_scores(key: str, scores: object, reading: Reading) -> list[Row]:
    if scores is None:
        return [(key, phase, 0.0) for phase in sorted(PHASES)]
    by_phase = as_dict(scores, (), "phase_maturity_scores")
    reading.budget.spend(_SCORE_COST * len(by_phase))
    rows: list[Row] = []
    for phase in sorted(_text_keys(by_phase)):
        score = by_phase[phase]
        if score is not None:
            score = _PHASE_SCORE.convert(score, reading, ("phase_maturity_scores",), phase)
        rows.append((key, phase, score))
    return rows


def _category_scores(key: str, scores: object, reading: Reading) -> list[Row]:
    rows: list[Row] = []
    by_phase = as_dict(scores, (), "category_scores")
    for phase in sorted(_text_keys(by_phase)):
        by_category = as_dict(by_phase[phase], ("category_scores",), phase)
        reading.budget.spend(_CATEGORY.cost * len(by_category))
        for category in sorted(_text_keys(by_category)):
            entry = by_category[category]
            where = ("category_scores", phase, category)
            if type(entry) is not dict:
                entry = {"current_score": entry}  # a bare number, as the old annotation said
            inner = entry.get("category", category)
            kept = {"category": inner} if type(inner) is str and inner != category else None
            if kept is None and inner is not None and inner != category:
                raise wrong_type(inner, where, "category", "text")
            rows.append((key, phase, category, *_CATEGORY.read_row(entry, reading, where, kept)))
    return rows


def _specs(key: str, specs: object, reading: Reading) -> list[Row]:
    rows: list[Row] = []
    by_phase = as_dict(specs, (), "categorized_specs")
    for phase in sorted(_text_keys(by_phase)):
        for position, entry in enumerate(entries(by_phase[phase], _SPEC, reading, ("categorized_specs",), phase)):
            where = ("categorized_specs", phase, position)
            rows.append((key, phase, position, *_SPEC.read_row(entry, reading, where)))
    return rows


def _events(key: str, events: object, reading: Reading) -> list[Row]:
    rows: list[Row] = []
    for position, entry in enumerate(entries(events, _EVENT, reading, (), "maturity_history")):
        where = ("maturity_history", position)
        rows.append((key, position, *_EVENT.read_row(entry, reading, where)))
    return rows


def _analytics(key: str, metrics: object, reading: Reading) -> Row:
    entry = as_dict(metrics, (), "analytics_metrics")
    return (key, *_ANALYTICS.read_row(entry, reading, ("analytics_metrics",)))


def _text_keys(source: dict[Any, Any]) -> list[str]:
    for name in source:
        check_key(name)
    return list(source)
