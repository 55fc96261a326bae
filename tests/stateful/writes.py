"""Every method that writes, with what it may be given. Positional arguments are those that it needs."""

from typing import Any

from hypothesis import strategies as st

from socrates.drafts import NewConflict, NewMaturityEvent, NewMessage, NewSpec
from socrates.frozen import freeze
from socrates.repositories.projects import ProjectUpdate
from socrates.views import Analytics, BehaviorPattern, CategoryScore, QuestionEffectiveness, Usage
from tests.stateful.calls import Given, Key, VersionOf, calls_of, key_of, takes
from tests.stateful.values import (
    ANY,
    ATTEMPT,
    BYTES,
    COST,
    EXTRA,
    FLAG,
    KIND,
    LATENCY,
    NEW,
    NUMBER,
    PHASE,
    PROJECT,
    PROVIDER,
    RECORD,
    RESET,
    SCORE,
    TEXT,
    TEXTS,
    TIME,
    TOKENS,
    USER,
    maybe,
)

_FROZEN = EXTRA.map(freeze)
_TUPLE = TEXTS.map(tuple)

_MEMBER = key_of("members", PROJECT, USER)
_QUESTION = key_of("questions", PROJECT, RECORD)
_CONFLICT = key_of("conflicts of projects", PROJECT, RECORD)
_NOTE = key_of("notes", RECORD)
_DOCUMENT = key_of("documents", RECORD)
_SUGGESTION = key_of("suggestions", RECORD)
_CONFIG = key_of("configs", USER, PROVIDER)
_KEY = key_of("keys", USER, PROVIDER)

_COLUMNS = {
    "phase": PHASE,
    "status": TEXT,
    "project_type": TEXT,
    "chat_mode": TEXT,
    "goals": TEXT,
    "team_structure": TEXT,
    "language_preferences": TEXT,
    "deployment_target": TEXT,
    "code_style": TEXT,
    "progress": NUMBER,
    "dynamic_questions": FLAG,
    "extra": EXTRA,
}
_LISTS = {"requirements": TEXTS, "tech_stack": TEXTS, "constraints": TEXTS}
_USER_COLUMNS = {
    "subscription_tier": TEXT,
    "subscription_status": TEXT,
    "subscription_start": maybe(TIME),
    "subscription_end": maybe(TIME),
    "questions_used_this_month": st.sampled_from([0, 1, 2]),
    "usage_reset_date": maybe(RESET),
    "extra": EXTRA,
}
_CLOSED = {"version": NUMBER}
"""A column that no caller can set."""

_OFF_BY = st.sampled_from([0] * 8 + [-1, 1])


@st.composite
def _some(draw: st.DrawFn, columns: dict[str, Any]) -> dict[str, Any]:
    names = draw(st.lists(st.sampled_from(sorted(columns)), max_size=3, unique=True))
    return {name: draw(columns[name]) for name in names}


@st.composite
def _update(draw: st.DrawFn) -> Given:
    project_id = draw(PROJECT)
    columns = {"name": TEXT, **_COLUMNS, **_LISTS}
    changes = draw(_some(columns) | _some(_LISTS) | _some(columns | _CLOSED))
    return (project_id, VersionOf(project_id, draw(_OFF_BY))), changes


@st.composite
def _share(draw: st.DrawFn) -> ProjectUpdate:
    project_id = draw(PROJECT)
    columns = {"name": TEXT, **_COLUMNS}
    changes = draw(_some(columns) | _some(columns | _CLOSED))
    return ProjectUpdate(project_id, VersionOf(project_id, draw(_OFF_BY)), changes)  # type: ignore[arg-type]


@st.composite
def _scores(draw: st.DrawFn) -> Given:
    phase = draw(PHASE)
    score = st.builds(
        CategoryScore,
        st.sampled_from([phase, phase, phase, "another"]),
        TEXT,
        maybe(SCORE),
        maybe(SCORE),
        maybe(SCORE),
        maybe(NUMBER),
        _FROZEN,
    )
    return (draw(PROJECT), phase, draw(st.lists(score, max_size=3))), {}


_MESSAGE = st.builds(
    NewMessage,
    st.sampled_from(["user", "assistant"]),
    TEXT,
    timestamp=maybe(TIME),
    phase=maybe(PHASE),
    author=maybe(USER),
    question_number=maybe(NUMBER),
    extra=EXTRA,
)
_SPEC = st.builds(NewSpec, TEXT, TEXT, maybe(SCORE), maybe(SCORE), maybe(TEXT), maybe(TIME), EXTRA)
_EVENT = st.builds(NewMaturityEvent, PHASE, SCORE, SCORE, TEXT, maybe(TIME), EXTRA)
_NEW_CONFLICT = st.builds(
    NewConflict,
    st.sampled_from(["goals", "tech_stack"]),
    TEXT,
    TEXT,
    st.sampled_from(["low", "medium", "high"]),
    TEXT,
    _TUPLE,
    maybe(USER),
    maybe(USER),
    ANY,
)
_DECISION = st.sampled_from(["keep", "replace", "skip"]).map(lambda choice: (choice, None)) | st.tuples(
    st.sampled_from(["manual", "manual", "both"]), maybe(TEXT)
)
_ANALYTICS = st.builds(Analytics, maybe(SCORE), maybe(NUMBER), maybe(SCORE), _TUPLE, _TUPLE, maybe(TIME), _FROZEN)
_EFFECTIVENESS = st.builds(
    QuestionEffectiveness,
    ANY,
    USER,
    KIND,
    maybe(TEXT),
    maybe(NUMBER),
    maybe(NUMBER),
    maybe(NUMBER),
    maybe(COST),
    maybe(COST),
    maybe(TIME),
    maybe(TIME),
    maybe(TIME),
    _FROZEN,
)
_PATTERN = st.builds(BehaviorPattern, ANY, USER, KIND, _FROZEN, maybe(COST), _TUPLE, maybe(TIME), maybe(TIME), _FROZEN)
_USAGE = st.builds(
    Usage,
    ANY,
    USER,
    PROVIDER,
    KIND,
    maybe(TIME),
    maybe(TOKENS),
    maybe(TOKENS),
    maybe(TOKENS),
    maybe(LATENCY),
    maybe(COST),
    FLAG,
    maybe(TEXT),
    maybe(TEXT),
    _FROZEN,
    maybe(TEXT),
    TOKENS,
    TOKENS,
)

WRITES = calls_of(
    {
        "conversations.append": takes(PROJECT, _MESSAGE),
        "conversations.append_many": takes(PROJECT, st.lists(_MESSAGE, max_size=4)),
        "conflicts.add": takes(PROJECT, st.lists(_NEW_CONFLICT, max_size=3)),
        "conflicts.settle": takes(_CONFLICT, _DECISION.map(Key), maybe(USER)),
        "users.create": takes(USER, TEXT, created_at=TIME, **_USER_COLUMNS),
        "users.archive": takes(USER, archive_projects=FLAG),
        "users.restore": takes(USER),
        "users.delete_permanently": takes(USER),
        "users.use_question": takes(USER, maybe(st.sampled_from([0, 1, 3])), needs={"next_reset": RESET}, at=TIME),
        "users.update": st.tuples(st.tuples(USER), _some({"passcode_hash": TEXT, **_USER_COLUMNS})),
        "projects.create": takes(TEXT, USER, needs={"project_id": PROJECT}, **_COLUMNS, **_LISTS),
        "projects.update": _update(),
        "projects.bulk_update": takes(st.lists(_share(), max_size=3)),
        "projects.archive": takes(PROJECT),
        "projects.restore": takes(PROJECT),
        "projects.transfer": takes(PROJECT, USER),
        "projects.delete": takes(PROJECT),
        "projects.add_member": takes(PROJECT, USER, role=KIND, skills=TEXTS),
        "projects.update_member": takes(_MEMBER, role=KIND | st.just("lead"), skills=TEXTS),
        "projects.remove_member": takes(_MEMBER),
        "projects.add_question": takes(PROJECT, TEXT, PHASE, needs={"question_id": NEW}, roles=TEXTS, users=TEXTS),
        "projects.answer_question": takes(_QUESTION, TEXT, USER),
        "projects.skip_question": takes(_QUESTION),
        "projects.save_phase_scores": takes(PROJECT, st.dictionaries(PHASE, SCORE, max_size=3)),
        "projects.save_category_scores": _scores(),
        "projects.add_specs": takes(PROJECT, PHASE, st.lists(_SPEC, max_size=3)),
        "projects.add_maturity_event": takes(PROJECT, _EVENT),
        "projects.save_analytics": takes(PROJECT, _ANALYTICS),
        "notes.create": takes(
            PROJECT,
            TEXT,
            TEXT,
            needs={"note_id": NEW},
            note_type=KIND,
            created_by=USER,
            tags=TEXTS,
            created_at=TIME,
        ),
        "notes.update": takes(_NOTE, title=TEXT, content=TEXT, note_type=KIND, tags=TEXTS),
        "notes.delete": takes(_NOTE),
        "knowledge.add_document": takes(
            PROJECT,
            USER,
            TEXT,
            TEXT,
            needs={"document_id": NEW},
            content_type=TEXT,
            file_size=NUMBER,
            embedding=BYTES,
            uploaded_at=TIME,
        ),
        "knowledge.delete_document": takes(_DOCUMENT),
        "knowledge.add_suggestion": takes(
            PROJECT,
            TEXT,
            TEXT,
            needs={"suggestion_id": NEW},
            topic=TEXT,
            difficulty=TEXT,
            reason=TEXT,
            agent=TEXT,
            created_at=TIME,
        ),
        "knowledge.decide": takes(_SUGGESTION, st.sampled_from(["approved"] * 3 + ["rejected", "pending"]), by=USER),
        "knowledge.clear_suggestions": takes(PROJECT, keep_pending=FLAG),
        "learning.save_effectiveness": takes(_EFFECTIVENESS),
        "learning.save_pattern": takes(_PATTERN),
        "llm.save_config": takes(_CONFIG, settings=EXTRA, is_default=FLAG, enabled=FLAG),
        "llm.set_default": takes(_CONFIG),
        "llm.save_key": takes(_KEY, TEXT, TEXT),
        "llm.touch_key": takes(_KEY, at=TIME),
        "llm.delete_key": takes(_KEY),
        "llm.record_usage": takes(
            USER,
            PROVIDER,
            KIND,
            needs={"usage_id": NEW},
            input_tokens=TOKENS,
            output_tokens=TOKENS,
            total_tokens=TOKENS,
            latency_ms=LATENCY,
            cost=COST,
            success=FLAG,
            error_message=TEXT,
            request_id=TEXT,
            timestamp=TIME,
            extra=EXTRA,
            operation=TEXT,
            cache_read_tokens=TOKENS,
            cache_write_tokens=TOKENS,
        ),
        "llm.record_usages": takes(st.lists(_USAGE, max_size=3)),
        "login_failures.count": takes(USER, ATTEMPT),
        "login_failures.clear": takes(USER),
    }
)
"""Every method that writes."""
