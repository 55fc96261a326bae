"""The phase that a project is in, how complete it is, and going on to the one after it."""

from typing import cast

from socrates.agents.base import News
from socrates.agents.contracts.base import Phase
from socrates.agents.contracts.dialogue import ConfirmationNeeded, PhaseLeft
from socrates.agents.failures import RefusedError
from socrates.agents.scoring import verdict, verified
from socrates.events import EventType
from socrates.events.payloads import PhaseAdvanced
from socrates.rules.categories import PHASES
from socrates.store import UnitOfWork
from socrates.views import ProjectSummary


def known_phase(phase: str) -> Phase:
    """The project's phase. Raises RefusedError (UNKNOWN_PHASE) for what v1 stored without looking."""
    if phase not in PHASES:
        known = ", ".join(PHASES)
        message = (
            f"the project is in the phase {phase!r}, which there is not. No agent sets a phase by its name:"
            f" `unit.projects.update` in a unit of work of the store does, with one of {known}"
        )
        raise RefusedError("UNKNOWN_PHASE", message, "project_id")
    return cast(Phase, phase)


def phase_after(phase: Phase) -> Phase:
    """The next phase. Raises RefusedError (LAST_PHASE)."""
    following = PHASES[PHASES.index(phase) + 1 :]
    if not following:
        raise RefusedError("LAST_PHASE", f"{phase} is the last phase: there is none to go on to", "project_id")
    return cast(Phase, following[0])


async def advance(
    unit: UnitOfWork, news: News, project: ProjectSummary, username: str, *, confirmed: bool
) -> PhaseLeft | ConfirmationNeeded:
    """Put the project into its next phase, unless this one has warnings, is not ready, and nobody has confirmed it."""
    phase = known_phase(project.phase)
    following = phase_after(phase)
    maturity = await verified(unit, project.id, project.project_type, phase)
    score, warnings = maturity.overall_score, maturity.warnings
    news.tell(*verdict(maturity, project.id, username))
    if warnings and not maturity.is_ready_to_advance and not confirmed:
        return ConfirmationNeeded(from_phase=phase, new_phase=following, maturity_score=score, warnings=warnings)
    await unit.projects.update(project.id, project.version, phase=following)
    told = PhaseAdvanced(
        project_id=project.id, user_id=username, from_phase=phase, to_phase=following, maturity_at_advancement=score
    )
    news.tell(EventType.PHASE_ADVANCED, told)
    return PhaseLeft(from_phase=phase, new_phase=following, maturity_score=score, warnings=warnings)
