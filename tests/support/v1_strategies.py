"""Hypothesis strategies for v1 records: what v1 wrote, what older and foreign writers left out or added."""

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

from hypothesis import strategies as st

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
NAME = st.sampled_from(["ada", "bob", "cat", "Dan", "dan", "é", "o'x"])
PHASE = st.sampled_from(["discovery", "analysis", "design", "implementation", "réflexion"])
FLOAT = st.floats(allow_nan=False, allow_infinity=False)
INTEGER = st.integers(-(2**63), 2**63 - 1)
# Digits that `str` and `Decimal` agree on, as v1's arithmetic left them.
DECIMAL = st.decimals(allow_nan=False, allow_infinity=False)

MOMENT = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1))
OFFSET = st.integers(-14 * 60, 14 * 60).map(lambda minutes: timezone(timedelta(minutes=minutes)))
AWARE = st.builds(lambda moment, offset: moment.replace(tzinfo=offset), MOMENT, st.just(UTC) | OFFSET)
READABLE_TIME = (
    MOMENT
    | AWARE
    | (MOMENT | AWARE).map(datetime.isoformat)
    | (MOMENT | AWARE).map(lambda moment: moment.isoformat(" "))
    | MOMENT.map(lambda moment: moment.isoformat() + "Z")
)
UNREADABLE_TIME = st.sampled_from(["soon", "2025-02-30T00:00:00", "12:30", "2025/01/01 10:00"])
TIME = st.none() | READABLE_TIME | UNREADABLE_TIME

FREE_SCALAR = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False)
    | TEXT
    | MOMENT
    | AWARE
    | DECIMAL
    | st.binary()
)
FREE = st.recursive(
    FREE_SCALAR,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.lists(inner, max_size=2).map(tuple)
        | st.dictionaries(TEXT | st.integers() | st.sampled_from(["$", "$decimal", "$$x"]), inner, max_size=3)
        | st.sets(st.integers(), max_size=1)
    ),
    max_leaves=5,
)
UNKNOWN = st.dictionaries(st.sampled_from(["mood", "$x", "$$y", "über", "data"]), FREE, max_size=2)
FREE_DICT = st.none() | st.dictionaries(TEXT | st.integers(), FREE, max_size=3)

ITEM = TEXT | st.integers() | st.booleans() | FLOAT | st.none() | DECIMAL
ITEMS = st.none() | st.lists(ITEM, max_size=4)


def record(
    *required: str, unknown: st.SearchStrategy[dict[str, Any]] = UNKNOWN, **fields: st.SearchStrategy[Any]
) -> st.SearchStrategy[dict[str, Any]]:
    """Draw a dict with the fields, of which any but the required may be absent, and some unknown ones."""
    present = st.fixed_dictionaries(
        {name: fields[name] for name in required},
        optional={name: field for name, field in fields.items() if name not in required},
    )
    return st.builds(lambda known, more: more | known, present, unknown)


def stored(*required: str, **fields: st.SearchStrategy[Any]) -> st.SearchStrategy[dict[str, Any]]:
    """Draw the arguments of an `add_` method of V1File: all fields, some of them then missing in the blob."""
    optional = sorted(set(fields) - set(required))
    everything = record(*fields, **fields)
    without = st.lists(st.sampled_from(optional), unique=True)
    return st.builds(lambda known, missing: known | {"without": missing}, everything, without)


def _message(kind: dict[str, str], rest: dict[str, Any]) -> dict[str, Any]:
    return rest | kind


MESSAGE = st.builds(
    _message,
    st.sampled_from([{"type": "user"}, {"role": "user"}, {"type": "assistant", "role": "system"}]),
    record(
        "content",
        content=TEXT,
        timestamp=TIME,
        phase=st.none() | TEXT,
        author=st.none() | NAME,
        question_number=st.none() | INTEGER,
    ),
)
QUESTION = record(
    "question",
    "phase",
    "status",
    id=st.none() | st.sampled_from(["q_1", "q_2", "q_é"]),
    question=TEXT,
    phase=PHASE,
    status=st.sampled_from(["pending", "answered", "skipped"]),
    assigned_to_roles=ITEMS,
    assigned_to_users=ITEMS,
    created_at=TIME,
    answered_by=st.none() | NAME,
    answer=st.none() | TEXT,
    answered_at=TIME,
    skipped_at=TIME,
)
SCORE = FLOAT | record(
    "current_score",
    current_score=FLOAT,
    target_score=st.none() | FLOAT,
    confidence=st.none() | FLOAT,
    spec_count=st.none() | INTEGER,
)
SPEC = record(
    "category",
    "content",
    "confidence",
    "value",
    category=TEXT,
    content=TEXT,
    confidence=FLOAT,
    value=FLOAT,
    source_field=st.none() | TEXT,
    timestamp=TIME,
)
EVENT = record(
    "phase",
    "event_type",
    "score_before",
    "score_after",
    "delta",
    phase=PHASE,
    event_type=TEXT,
    score_before=FLOAT,
    score_after=FLOAT,
    delta=FLOAT,
    timestamp=TIME,
    details=FREE_DICT,
)
ANALYTICS = record(
    velocity=st.none() | FLOAT,
    total_qa_sessions=st.none() | INTEGER,
    avg_confidence=st.none() | FLOAT,
    weak_categories=ITEMS,
    strong_categories=ITEMS,
    last_updated=TIME,
)


@st.composite
def _team(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an owner, the collaborators (never the owner) and the listed members (anybody, twice at times)."""
    owner = draw(NAME)
    collaborators = draw(st.lists(NAME.filter(lambda name: name != owner), max_size=4))
    names = draw(st.lists(NAME, max_size=5))
    role = st.sampled_from(["lead", "creator", "specialist", "analyst", "coordinator"])
    entries = [
        {
            "username": name,
            "role": draw(role),
            # Every skill of a project is another one, so that merging two entries has one outcome.
            "skills": [f"skill {place}.{number}" for number in range(draw(st.integers(0, 2)))],
            "joined_at": draw(st.none() | READABLE_TIME),
        }
        for place, name in enumerate(names)
    ]
    team: dict[str, Any] = {"owner": owner, "collaborators": collaborators, "team_members": entries}
    if draw(st.booleans()):
        team["team_members"] = None
    return team


def _non_empty(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.dictionaries(PHASE, strategy, max_size=2)


def _project(record: dict[str, Any], team: dict[str, Any]) -> dict[str, Any]:
    return record | team


PROJECT = st.builds(
    _project,
    stored(
        "name",
        "phase",
        "created_at",
        "updated_at",
        name=TEXT,
        phase=PHASE,
        created_at=st.none() | READABLE_TIME | UNREADABLE_TIME,
        updated_at=TIME,
        goals=st.none() | TEXT,
        requirements=ITEMS,
        tech_stack=ITEMS,
        constraints=ITEMS,
        team_structure=st.none() | TEXT,
        language_preferences=st.none() | TEXT,
        deployment_target=st.none() | TEXT,
        code_style=st.none() | TEXT,
        chat_mode=st.none() | TEXT,
        status=st.none() | TEXT,
        project_type=st.none() | TEXT,
        progress=st.none() | st.integers(-(2**65), 2**65),
        is_archived=st.none() | st.booleans(),
        archived_at=TIME,
        conversation_history=st.none() | st.lists(MESSAGE, max_size=4),
        pending_questions=st.none() | st.lists(QUESTION, max_size=4),
        notes=st.none() | st.lists(FREE, max_size=1),
        phase_maturity_scores=st.none() | st.dictionaries(PHASE, FLOAT),
        category_scores=st.none() | _non_empty(st.dictionaries(TEXT, SCORE, min_size=1, max_size=2)),
        categorized_specs=st.none() | _non_empty(st.lists(SPEC, min_size=1, max_size=2)),
        maturity_history=st.none() | st.lists(EVENT, max_size=2),
        analytics_metrics=st.none() | ANALYTICS,
    ),
    _team(),
)
USER = stored(
    passcode_hash=st.none() | TEXT,
    created_at=TIME,
    projects=st.none() | st.lists(TEXT, max_size=2),
    is_archived=st.none() | st.booleans(),
    archived_at=TIME,
    subscription_tier=st.none() | TEXT,
    subscription_status=st.none() | TEXT,
    subscription_start=READABLE_TIME | st.none(),
    subscription_end=TIME,
    questions_used_this_month=st.none() | st.integers(),
    usage_reset_date=TIME,
)
NOTE = stored(
    title=st.none() | TEXT,
    content=st.none() | TEXT,
    note_type=st.none() | TEXT,
    created_at=st.none() | READABLE_TIME,
    created_by=st.none() | NAME,
    tags=ITEMS,
)
EXACT = st.none() | DECIMAL | FLOAT | st.just(Decimal("NaN"))
EFFECTIVENESS = stored(
    role=st.none() | TEXT,
    times_asked=st.none() | INTEGER,
    times_answered_well=st.none() | INTEGER,
    average_answer_length=st.none() | INTEGER,
    average_spec_extraction_count=EXACT,
    effectiveness_score=EXACT,
    last_asked_at=TIME,
    created_at=TIME,
    updated_at=TIME,
)
PATTERN = stored(
    pattern_data=FREE_DICT,
    confidence=EXACT,
    learned_from_projects=ITEMS,
    learned_at=st.none() | READABLE_TIME,
    updated_at=TIME,
)
DOCUMENT = stored(
    filename=st.none() | TEXT,
    file_size=st.none() | INTEGER,
    content_type=st.none() | TEXT,
    content=st.none() | TEXT,
    embedding=st.none() | st.binary(max_size=20),
    uploaded_at=st.none() | READABLE_TIME,
)
LLM_CONFIG = stored(
    is_default=st.none() | st.booleans(),
    enabled=st.none() | st.booleans(),
    settings=FREE_DICT,
    created_at=TIME,
    updated_at=TIME,
)
USAGE = stored(
    "cost",
    timestamp=st.none() | READABLE_TIME,
    input_tokens=st.none() | st.integers(),
    output_tokens=st.none() | INTEGER,
    total_tokens=st.none() | INTEGER,
    latency_ms=st.none() | FLOAT,
    cost=FLOAT | DECIMAL | INTEGER,
    success=st.none() | st.booleans(),
    error_message=st.none() | TEXT,
    request_id=st.none() | TEXT,
)
