"""How complete the requirements of one phase are: points per category, a score in percent, warnings, readiness.

Every statement of a phase gives its category value × confidence points, up to the category's target. The score is the
share of all targets that is reached. Nothing is kept between calls and the project's type is an argument (mends D10
and D56, where one calculator that all projects shared still had the type of the last one).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import fsum
from statistics import fmean

from socrates.drafts import NewMaturityEvent
from socrates.frozen import FrozenDict
from socrates.rules.categories import PHASES, categories_of
from socrates.views import CategoryScore, PhaseScore, Spec

READY = 60.0
"""The score in percent from which a phase may be left without a warning."""

COMPLETE = 100.0
"""The score in percent of a phase whose categories have all reached their targets."""

VERY_LOW = 40.0
"""Below this score, in percent, the warning is a stern one."""

DEFAULT_CONFIDENCE = 0.9
"""How sure a statement is that does not say so, from 0 to 1."""

RESPONSE_PROCESSED = "response_processed"
"""The `event_type` of a change that an answer caused: what velocity and plateaus are computed from."""

CONFLICT_RESOLVED = "conflict_resolved"
"""The `event_type` of a change that a decision on conflicts caused: it is no answer, and no session."""

_DEFAULT_VALUE = 1.0
_ROUNDING = 1e-9  # percent: sixty statements of 0.9 are 60 %, also where binary fractions add up to a little less
_MOST_WARNINGS = 3
_FULL = 80.0
_WEAK = 50.0
_BARELY_BEGUN = 30.0


@dataclass(frozen=True, slots=True)
class PhaseMaturity:
    """The maturity of one phase: `overall_score` in percent, not rounded; categories in the order of their table.

    `total_specs` also counts statements whose category the phase does not have, and which score nothing.
    `weakest_categories` begins with the best of them.
    """

    phase: str
    overall_score: float
    category_scores: tuple[CategoryScore, ...]
    total_specs: int
    strongest_categories: tuple[str, ...]
    weakest_categories: tuple[str, ...]
    missing_categories: tuple[str, ...]
    is_ready_to_advance: bool
    is_complete: bool
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PhaseStatus:
    """Where one phase stands by its stored score, in percent."""

    phase: str
    score: float
    ready: bool
    complete: bool


def phase_maturity(project_type: str, phase: str, specs: Iterable[Spec]) -> PhaseMaturity:
    """The maturity of a phase, by its statements; those of other phases are left out, and their order is no matter.

    Mends D06: the score is a share of the targets' sum, so that the generic phases, which sum to 80, can be complete.
    Raises InvalidValueError for an unknown phase.
    """
    targets = categories_of(project_type, phase)
    of_phase = [spec for spec in specs if spec.phase == phase]
    scores = _category_scores(phase, targets, of_phase)
    overall = fsum(_points(score) for score in scores) * 100 / fsum(targets.values())
    ranked = sorted(scores, key=percentage, reverse=True)
    missing = tuple(score.category for score in scores if not score.spec_count)
    return PhaseMaturity(
        phase=phase,
        overall_score=overall,
        category_scores=scores,
        total_specs=len(of_phase),
        strongest_categories=tuple(score.category for score in ranked[:3] if score.spec_count),
        weakest_categories=tuple(score.category for score in ranked[-3:] if percentage(score) < _WEAK),
        missing_categories=missing,
        is_ready_to_advance=is_ready(overall),
        is_complete=is_complete(overall),
        warnings=_warnings(overall, scores, missing),
    )


def percentage(score: CategoryScore) -> float:
    """How much of its target a category has, from 0 to 100; 0 where there is no target."""
    return min(100.0, _points(score) / score.target_score * 100) if score.target_score else 0.0


def confidence_of(spec: Spec) -> float:
    """How sure a statement is, from 0 to 1.

    Mends D09 for statements that v1 stored unchecked: a confidence of 95 does not fill a category. A confidence of 0
    stays 0; only a missing one is the default.
    """
    return DEFAULT_CONFIDENCE if spec.confidence is None else min(1.0, max(0.0, spec.confidence))


def is_ready(score: float) -> bool:
    """Whether a phase with this score, in percent, may be left without a warning."""
    return score >= READY - _ROUNDING


def is_complete(score: float) -> bool:
    """Whether a phase with this score, in percent, has all its points."""
    return score >= COMPLETE - _ROUNDING


def became_ready(before: float | None, after: float) -> bool:
    """Whether this change of score, in percent, makes the phase ready; `before` is None where it had no score yet.

    Mends D77: true once, at 60 and on the way up, where v1 announced it at 100 and on every calculation after that.
    The two scores must be the stored one and the one that replaces it in the same unit of work.
    """
    return is_ready(after) and not is_ready(before or 0.0)


def became_complete(before: float | None, after: float) -> bool:
    """Whether this change of score, in percent, completes the phase: the milestone of D77. See `became_ready`."""
    return is_complete(after) and not is_complete(before or 0.0)


def score_event(
    phase: str,
    before: float | None,
    after: float,
    specs_added: int,
    event_type: str = RESPONSE_PROCESSED,
    answer: int | None = None,
) -> NewMaturityEvent:
    """What the history keeps of new statements: the phase's score, in percent, before and after they counted.

    Mends D03: `before` is the score that was stored until then (None: there was none, which is 0), where v1 read both
    after the calculation, so that every delta was 0. The delta follows from the two when the event is stored. `answer`
    is the position of the message that they come from, if it is one.
    """
    details = {"specs_added": specs_added} | ({} if answer is None else {"answer": answer})
    return NewMaturityEvent(phase, before or 0.0, after, event_type, details=details)


def summary(stored: Iterable[PhaseScore]) -> tuple[PhaseStatus, ...]:
    """Where each of the four phases stands by its stored score; 0 where none is stored."""
    scores = {each.phase: each.score or 0.0 for each in stored}
    return tuple(_status(phase, scores.get(phase, 0.0)) for phase in PHASES)


def _status(phase: str, score: float) -> PhaseStatus:
    return PhaseStatus(phase, score, ready=is_ready(score), complete=is_complete(score))


def _category_scores(phase: str, targets: Mapping[str, float], specs: Sequence[Spec]) -> tuple[CategoryScore, ...]:
    by_category: dict[str, list[Spec]] = {category: [] for category in targets}
    for spec in specs:
        if spec.category in by_category:
            by_category[spec.category].append(spec)
    return tuple(
        _category_score(phase, category, target, by_category[category]) for category, target in targets.items()
    )


def _category_score(phase: str, category: str, target: float, specs: Sequence[Spec]) -> CategoryScore:
    return CategoryScore(
        phase=phase,
        category=category,
        # No statement counts for more than the target: the values of v1's files can be too large to add.
        current_score=min(fsum(min(_value(spec) * confidence_of(spec), target) for spec in specs), target),
        target_score=target,
        confidence=fmean(confidence_of(spec) for spec in specs) if specs else 0.0,
        spec_count=len(specs),
        extra=FrozenDict(),
    )


def _value(spec: Spec) -> float:
    return _DEFAULT_VALUE if spec.value is None else max(0.0, spec.value)


def _points(score: CategoryScore) -> float:
    return score.current_score or 0.0


def _warnings(overall: float, scores: Sequence[CategoryScore], missing: Sequence[str]) -> tuple[str, ...]:
    """What to tell who wants to leave the phase, the gravest first."""
    barely = [each.category for each in scores if each.spec_count and percentage(each) < _BARELY_BEGUN]
    is_lopsided = bool(missing) and any(percentage(each) > _FULL for each in scores)
    warnings = [
        *_score_warning(overall),
        *([f"Nothing is known yet about {_listed(missing, 5)}."] if missing else []),
        *([f"Little is known yet about {', '.join(map(_readable, barely[:3]))}."] if barely else []),
        *(["Some categories are nearly full while others are empty; spread the next answers."] if is_lopsided else []),
    ]
    return tuple(warnings[:_MOST_WARNINGS])


def _score_warning(overall: float) -> list[str]:
    if overall < VERY_LOW:
        return [f"This phase is at only {overall:.1f} %. Answer more of its questions before you go on."]
    if not is_ready(overall):
        return [
            f"This phase is at {overall:.1f} %, below the {READY:.0f} % advised. Going on may mean work done twice."
        ]
    return []


def _listed(categories: Sequence[str], most: int) -> str:
    names = ", ".join(map(_readable, categories[:most]))
    return f"{names} + {len(categories) - most} more" if len(categories) > most else names


def _readable(category: str) -> str:
    return category.replace("_", " ")
