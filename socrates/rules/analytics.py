"""What a project's scores and its history tell: strong and weak categories, pace, and what to do next (agents, 5.4).

Percentages are of a category's target and are not clamped; a limit itself belongs to neither side of it. Categories
come in the order of the project type's table, and ties keep it. Functions that take a type and a phase raise
InvalidValueError for an unknown phase.
"""

import tomllib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cache
from importlib import resources
from itertools import groupby
from statistics import fmean
from typing import Literal

from socrates.rules.categories import categories_of, phase_categories
from socrates.rules.maturity import RESPONSE_PROCESSED, confidence_of
from socrates.views import Analytics, CategoryScore, MaturityEvent, Spec

_URGENT, _WEAK, _STRONG = 20.0, 30.0, 70.0  # percent
_WIDEST_GAP = 50.0  # percentage points
_STAGNATION = 0.5  # percentage points that an answer gains
_MOST_RECOMMENDATIONS = 10
_BALANCE = "balance"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far one category is: `current` of `target` points, from `spec_count` statements."""

    category: str
    percentage: float
    current: float
    target: float
    spec_count: int


@dataclass(frozen=True, slots=True)
class Balance:
    """How evenly the categories of a phase are covered, and what to tell people about it."""

    status: Literal["UNKNOWN", "BALANCED", "IMBALANCED"]
    messages: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Performance:
    """The categories of one phase: weak ones from the weakest up, strong ones from the strongest down.

    Those without a statement are `missing`, and not weak.
    """

    phase: str
    weak_categories: tuple[Standing, ...]
    strong_categories: tuple[Standing, ...]
    missing_categories: tuple[str, ...]
    balance: Balance


@dataclass(frozen=True, slots=True)
class Plateau:
    """A run of answers that gained next to nothing; `start_session` counts answers from 1.

    `avg_delta` in percentage points. The plateau is current when it reaches the newest answer.
    """

    start_session: int
    duration: int
    avg_delta: float
    is_current: bool


@dataclass(frozen=True, slots=True)
class Trends:
    """How the project gets on; `velocity` in percentage points per answer, `current_score` in percent."""

    velocity: float
    total_sessions: int
    current_phase: str
    current_score: float
    insights: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Recommendation:
    """What to work on next; `current` and `target` in percent, `gap` in percentage points.

    For the category `balance` they are 0 and `spec_count` is None: it speaks of all categories.
    """

    priority: Literal["high", "medium"]
    category: str
    phase: str
    current: float
    target: float
    gap: float
    spec_count: int | None
    action: str


def standings(project_type: str, phase: str, scores: Iterable[CategoryScore]) -> tuple[Standing, ...]:
    """How far each scored category of the phase is; those that the type does not know come last, by name."""
    place = {category: at for at, category in enumerate(categories_of(project_type, phase))}
    of_phase = (_standing(score) for score in scores if score.phase == phase)
    return tuple(sorted(of_phase, key=lambda each: (place.get(each.category, len(place)), each.category)))


def category_performance(project_type: str, phase: str, scores: Iterable[CategoryScore]) -> Performance:
    """Which categories of the phase are weak, strong or without a statement, and how even they are."""
    all_of_phase = standings(project_type, phase, scores)
    known = [each for each in all_of_phase if each.spec_count]
    return Performance(
        phase,
        weak_categories=tuple(sorted(_weak(known), key=lambda each: each.percentage)),
        strong_categories=tuple(sorted(_strong(known), key=lambda each: -each.percentage)),
        missing_categories=tuple(each.category for each in all_of_phase if not each.spec_count),
        balance=balance(all_of_phase),
    )


def balance(categories: Sequence[Standing]) -> Balance:
    """Whether the strongest category is more than 50 percentage points ahead of the weakest."""
    if not categories:
        return Balance("UNKNOWN", ())
    strongest = max(categories, key=lambda each: each.percentage)
    weakest = min(categories, key=lambda each: each.percentage)
    gap = strongest.percentage - weakest.percentage
    if gap <= _WIDEST_GAP:
        return Balance("BALANCED", (_message("balanced", gap=gap),))
    difference = _message(
        "imbalanced",
        strongest=_readable(strongest.category).title(),
        high=strongest.percentage,
        weakest=_readable(weakest.category).title(),
        low=weakest.percentage,
    )
    return Balance("IMBALANCED", (difference, _message("even_out")))


def missing_categories(project_type: str, scores: Iterable[CategoryScore]) -> dict[str, tuple[str, ...]]:
    """The categories without a statement, by phase; phases that miss none are left out."""
    known = {(score.phase, score.category) for score in scores if score.spec_count}
    missing = {
        phase: tuple(each for each in categories if (phase, each) not in known)
        for phase, categories in phase_categories(project_type).items()
    }
    return {phase: categories for phase, categories in missing.items() if categories}


def gains(events: Iterable[MaturityEvent]) -> tuple[float, ...]:
    """What each answer gained, in percentage points and in order.

    Mends D03: v1 wrote the new score as both of an event's scores. What such an event gained is counted from the event
    before it in its phase, or from 0, so that the history of an upgraded project does not look like one long plateau.
    """
    reached: dict[str, float] = {}
    found = []
    for event in events:
        gain = event.delta or 0.0
        if event.score_after is not None:
            if event.score_before == event.score_after:
                gain = event.score_after - reached.get(event.phase, 0.0)
            reached[event.phase] = event.score_after
        if event.event_type == RESPONSE_PROCESSED:
            found.append(gain)
    return tuple(found)


def velocity(events: Iterable[MaturityEvent]) -> float:
    """The mean gain per answer, in percentage points; 0 without answers."""
    of_answers = gains(events)
    return fmean(of_answers) if of_answers else 0.0


def plateaus(events: Iterable[MaturityEvent]) -> tuple[Plateau, ...]:
    """Two or more answers in a row that gained less than half a percentage point; none with fewer than three answers.

    Mends D24: a run that reaches the newest answer is one too.
    """
    of_answers = gains(events)
    return _plateaus(of_answers) if len(of_answers) >= 3 else ()


def progression_trends(events: Iterable[MaturityEvent], current_phase: str, current_score: float) -> Trends:
    """How the project gets on, with what people should know about it."""
    of_answers = gains(events)
    pace = fmean(of_answers) if of_answers else 0.0
    return Trends(pace, len(of_answers), current_phase, current_score, _progression(of_answers))


def running_totals(
    before: Analytics,
    events: Iterable[MaturityEvent],
    specs: Iterable[Spec],
    current: Sequence[Standing],
    now: datetime,
) -> Analytics:
    """The running totals after an answer, from all events and specs and the `current` phase's categories.

    What there is nothing to compute from stays as it was `before`.
    """
    of_answers = gains(events)
    confidences = [confidence_of(each) for each in specs]
    return replace(
        before,
        velocity=fmean(of_answers) if of_answers else before.velocity,
        total_qa_sessions=len(of_answers),
        avg_confidence=fmean(confidences) if confidences else before.avg_confidence,
        weak_categories=tuple(each.category for each in _weak(current)),
        strong_categories=tuple(each.category for each in _strong(current)),
        last_updated=now,
    )


def recommendations(project_type: str, phase: str, scores: Iterable[CategoryScore]) -> tuple[Recommendation, ...]:
    """What to work on in the phase, the most urgent first, at most ten.

    Mends D25: a category without a statement is recommended once, and not as weak and as missing.
    """
    scored = standings(project_type, phase, scores)
    by_name = {category: Standing(category, 0.0, 0.0, 0.0, 0) for category in categories_of(project_type, phase)}
    by_name |= {each.category: each for each in scored}
    found = [_recommendation(phase, each) for each in _lacking(by_name.values())]
    evenness = balance(scored)
    if evenness.status == "IMBALANCED":
        action = " ".join(evenness.messages)
        found.append(Recommendation("medium", _BALANCE, phase, 0.0, 0.0, 0.0, None, action))
    found.sort(key=lambda each: (each.priority != "high", -each.gap))
    return tuple(found[:_MOST_RECOMMENDATIONS])


def suggested_questions(recommended: Sequence[Recommendation], count: int = 5) -> tuple[str, ...]:
    """A question for each of the first `count` recommendations; balance has none and is not replaced."""
    return tuple(_text("questions", each.category) for each in recommended[:count] if each.category != _BALANCE)


def _standing(score: CategoryScore) -> Standing:
    current, target = score.current_score or 0.0, score.target_score or 0.0
    percentage = 100 * current / target if target > 0 else 0.0
    return Standing(score.category, percentage, current, target, score.spec_count or 0)


def _weak(categories: Iterable[Standing]) -> list[Standing]:
    return [each for each in categories if each.percentage < _WEAK]


def _strong(categories: Iterable[Standing]) -> list[Standing]:
    return [each for each in categories if each.percentage > _STRONG]


def _lacking(categories: Iterable[Standing]) -> list[Standing]:
    """Weak categories and those without a statement, whatever points they have."""
    return [each for each in categories if not each.spec_count or each.percentage < _WEAK]


def _recommendation(phase: str, standing: Standing) -> Recommendation:
    current = standing.percentage if standing.spec_count else 0.0
    return Recommendation(
        priority="high" if current < _URGENT else "medium",
        category=standing.category,
        phase=phase,
        current=current,
        target=_STRONG,
        gap=_STRONG - current,
        spec_count=standing.spec_count,
        action=_text("advice", standing.category),
    )


def _plateaus(of_answers: Sequence[float]) -> tuple[Plateau, ...]:
    found = []
    for stagnant, run in groupby(enumerate(of_answers, 1), key=lambda each: each[1] < _STAGNATION):
        sessions, low = zip(*run, strict=True)
        if stagnant and len(low) >= 2:
            found.append(Plateau(sessions[0], len(low), fmean(low), is_current=sessions[-1] == len(of_answers)))
    return tuple(found)


def _progression(of_answers: Sequence[float]) -> tuple[str, ...]:
    """What to tell people about their pace. Of several plateaus it is the current one, else the first."""
    if not of_answers:
        return ()
    pace = fmean(of_answers)
    found = []
    if pace > 0:
        found.append(_message("growth", velocity=pace))
    by_interest = sorted(_plateaus(of_answers), key=lambda each: not each.is_current)
    found.extend(_told(plateau) for plateau in by_interest[:1])
    if len(of_answers) >= 5 and min(of_answers[-3:]) > pace:
        found.append(_message("acceleration"))
    return tuple(found) or (_message("no_pattern"),)


def _told(plateau: Plateau) -> str:
    if plateau.is_current:
        return _message("current_plateau", duration=plateau.duration)
    last = plateau.start_session + plateau.duration - 1
    return _message("plateau", first=plateau.start_session, last=last)


def _text(kind: Literal["advice", "questions"], category: str) -> str:
    """The category's own sentence, or the one for any category."""
    for_any = _message("question" if kind == "questions" else kind, category=_readable(category))
    return _texts()[kind].get(category, for_any)


def _message(name: str, **figures: str | float) -> str:
    return _texts()["messages"][name].format(**figures)


def _readable(category: str) -> str:
    return category.replace("_", " ")


@cache
def _texts() -> dict[str, dict[str, str]]:
    return tomllib.loads(resources.files("socrates.rules").joinpath("analytics.toml").read_text("utf-8"))
