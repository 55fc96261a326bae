"""How complete a phase is: stored with every answer, calculated anew, or looked at for who wants to go on.

Points, warnings and limits are those of socrates/rules/maturity.py. The answers of one project are scored one after
another: what scores read first holds the project's maturity until the unit of work ends, so that none is lost (D55).
"""

from collections.abc import Sequence
from typing import cast

from socrates.agents.access import Reads
from socrates.agents.base import News
from socrates.agents.contracts.base import Phase
from socrates.agents.services import utc_now
from socrates.drafts import NewSpec
from socrates.events import EventType
from socrates.events.payloads import MaturityReached, MaturityUpdated, Payload, QualityWarned, ReadyToAdvance
from socrates.rules.analytics import running_totals, standings
from socrates.rules.maturity import (
    READY,
    RESPONSE_PROCESSED,
    PhaseMaturity,
    became_complete,
    became_ready,
    phase_maturity,
    score_event,
)
from socrates.store import UnitOfWork
from socrates.views import ProjectSummary, Spec


async def score(
    unit: UnitOfWork,
    news: News,
    project: ProjectSummary,
    phase: str,
    specs: Sequence[NewSpec],
    user_id: str,
    event_type: str = RESPONSE_PROCESSED,
    answer: int | None = None,
) -> PhaseMaturity:
    """Add statements to a phase: scores, history and running totals follow, or nothing is stored.

    They are an answer's, the one at this position, unless the `event_type` says otherwise. Mends D03: the history keeps
    the score of before and of after. Mends D34: where the running totals cannot be calculated, the answer is not scored
    either. Raises InvalidValueError for an unknown phase.
    """
    await unit.projects.add_specs(project.id, phase, specs)
    known = await unit.projects.specs(project.id)
    before, maturity = await _stored(unit, news, project, phase, known, user_id)
    event = score_event(phase, before, maturity.overall_score, len(specs), event_type, answer)
    await unit.projects.add_maturity_event(project.id, event)
    await _update_totals(unit, project, known)
    return maturity


async def recalculate(unit: UnitOfWork, news: News, project: ProjectSummary, phase: str, user_id: str) -> PhaseMaturity:
    """Store the scores of a phase as its stored statements have it, and tell of them.

    Raises InvalidValueError for an unknown phase.
    """
    known = await unit.projects.specs(project.id, phase)
    _, maturity = await _stored(unit, news, project, phase, known, user_id)
    return maturity


async def verified(reads: Reads, project_id: str, project_type: str, phase: str) -> PhaseMaturity:
    """How complete the phase is by its stored statements; nothing is stored or told.

    Raises InvalidValueError for an unknown phase.
    """
    return phase_maturity(project_type, phase, await reads.projects.specs(project_id, phase))


def verdict(maturity: PhaseMaturity, project_id: str, user_id: str) -> tuple[EventType, Payload]:
    """What is told of a phase that somebody means to leave. It keeps nobody from leaving."""
    reached = _reached(maturity, project_id, user_id)
    if maturity.warnings:
        return EventType.QUALITY_CHECK_WARNING, QualityWarned(**reached.model_dump(), warnings=maturity.warnings)
    return EventType.QUALITY_CHECK_PASSED, reached


async def stored_score(reads: Reads, project_id: str, phase: str) -> float | None:
    """The phase's stored score, in percent; None where there is none yet."""
    scores = await reads.projects.phase_scores(project_id)
    return next((each.score for each in scores if each.phase == phase), None)


async def _stored(
    unit: UnitOfWork, news: News, project: ProjectSummary, phase: str, known: Sequence[Spec], user_id: str
) -> tuple[float | None, PhaseMaturity]:
    """The phase's score until now, and what takes its place by the `known` statements."""
    before = await stored_score(unit, project.id, phase)
    maturity = phase_maturity(project.project_type, phase, known)
    await unit.projects.save_category_scores(project.id, phase, maturity.category_scores)
    await unit.projects.save_phase_scores(project.id, {phase: maturity.overall_score})
    _tell(news, project.id, before, maturity, user_id)
    return before, maturity


async def _update_totals(unit: UnitOfWork, project: ProjectSummary, known: Sequence[Spec]) -> None:
    projects = unit.projects
    of_phase = await projects.category_scores(project.id, project.phase)
    totals = running_totals(
        await projects.analytics(project.id),
        await projects.maturity_events(project.id),
        known,
        standings(project.project_type, project.phase, of_phase),
        utc_now(),
    )
    await projects.save_analytics(project.id, totals)


def _tell(news: News, project_id: str, before: float | None, maturity: PhaseMaturity, user_id: str) -> None:
    """What everybody hears of a new score, and what only of one that passes a limit (mends D77)."""
    reached = _reached(maturity, project_id, user_id)
    known = reached.model_dump()
    updated = MaturityUpdated(**known, ready=maturity.is_ready_to_advance, complete=maturity.is_complete)
    news.tell(EventType.PHASE_MATURITY_UPDATED, updated)
    if became_ready(before, maturity.overall_score):
        message = f"The phase {maturity.phase} has reached {READY:.0f} %: the project can go on to the next one."
        news.tell(EventType.PHASE_READY_TO_ADVANCE, ReadyToAdvance(**known, message=message))
    if became_complete(before, maturity.overall_score):
        news.tell(EventType.MATURITY_MILESTONE, reached)


def _reached(maturity: PhaseMaturity, project_id: str, user_id: str) -> MaturityReached:
    phase = cast(Phase, maturity.phase)
    return MaturityReached(project_id=project_id, user_id=user_id, phase=phase, score=maturity.overall_score)
