"""How complete the phases of a project are, what is missing, and how it gets on."""

from socrates.agents.access import require_feature, require_member, require_writer
from socrates.agents.base import Agent, News, action
from socrates.agents.contracts.base import Phase
from socrates.agents.contracts.dialogue import PhaseStanding
from socrates.agents.contracts.maturity import (
    AnalyticsShown,
    CalculateMaturity,
    GetAnalytics,
    GetHistory,
    GetMaturitySummary,
    GetReadiness,
    MaturityCalculated,
    MaturityHistory,
    MaturityScored,
    MaturityShown,
    MaturitySummary,
    PerformanceShown,
    PlateauShown,
    RecommendationShown,
    TotalsShown,
    TrendsShown,
    UpdateAfterResponse,
    VerificationShown,
    Verified,
    VerifyAdvancement,
)
from socrates.agents.contracts.projects import MaturityEventShown
from socrates.agents.failures import RefusedError
from socrates.agents.phases import known_phase
from socrates.agents.scoring import recalculate, score, stored_score, verdict, verified
from socrates.drafts import NewSpec
from socrates.llm.caller import Caller
from socrates.llm.results import Result
from socrates.rules.analytics import (
    category_performance,
    missing_categories,
    plateaus,
    progression_trends,
    recommendations,
    suggested_questions,
)
from socrates.rules.categories import categories_of
from socrates.rules.maturity import PhaseMaturity, summary
from socrates.rules.subscription import Feature
from socrates.store import UnitOfWork
from socrates.views import ProjectSummary

_UNSORTED = "The statements are scored by their fields, no model sorted them: "


class QualityController(Agent):
    """Members see where a project stands, if their tier has it; scores change with answers, and by calculating anew.

    The type of a project is read with it at every request, and kept nowhere (mends D10 and D56).
    """

    name = "quality_controller"

    @action
    async def calculate_maturity(self, request: CalculateMaturity) -> MaturityCalculated:
        """Calculate a phase's scores from its stored statements, and store them."""
        username = request.current_user

        async def work(unit: UnitOfWork, news: News) -> PhaseMaturity:
            project = await require_writer(unit, request.project_id, username)
            await require_feature(unit, username, "maturity_tracking", self._now())
            phase = request.phase or known_phase(project.phase)
            return await recalculate(unit, news, project, phase, username)

        return MaturityCalculated(maturity=MaturityShown.of(await self._store_and_tell(work)))

    @action
    async def get_readiness(self, request: GetReadiness) -> Verified:
        """Whether a phase may be left without a warning, by its stored statements; nothing is stored or told."""
        project = await self._seen(request.project_id, request.current_user, "maturity_tracking")
        phase = request.phase or known_phase(project.phase)
        maturity = await verified(self._store, project.id, project.project_type, phase)
        return Verified(verification=VerificationShown.of(maturity))

    @action
    async def update_after_response(self, request: UpdateAfterResponse) -> MaturityScored:
        """Sort what an answer says into the categories of the project's phase, and score it; all of it or nothing."""
        project_id, username = request.project_id, request.current_user
        project = await require_writer(self._store, project_id, username)
        phase = known_phase(project.phase)
        async with self._services.order.place(project_id) as reached:
            found = await self._categorized(request, project, phase)
            await reached()

            async def work(unit: UnitOfWork, news: News) -> PhaseMaturity:
                current = await require_writer(unit, project_id, username)
                _require_same_type(project, current)
                return await score(unit, news, current, phase, found.value, username)

            maturity = await self._store_and_tell(work)
        return MaturityScored(
            maturity=MaturityShown.of(maturity),
            specs_added=len(found.value),
            degraded=found.degraded,
            warning=f"{_UNSORTED}{found.failure}" if found.degraded else "",
        )

    @action
    async def get_maturity_summary(self, request: GetMaturitySummary) -> MaturitySummary:
        """Where the four phases stand, by their stored scores."""
        await self._seen(request.project_id, request.current_user, "maturity_tracking")
        statuses = summary(await self._store.projects.phase_scores(request.project_id))
        return MaturitySummary(summary={each.phase: PhaseStanding.model_validate(each) for each in statuses})

    @action
    async def verify_advancement(self, request: VerifyAdvancement) -> Verified:
        """What to know before a phase is left, and tell those who listen. It never keeps anybody from leaving.

        Every tier has it, because every tier goes on to the next phase.
        """
        await require_member(self._store, request.project_id, request.current_user)
        project = await self._store.projects.summary(request.project_id)
        maturity = await verified(self._store, project.id, project.project_type, request.from_phase)
        await self._emit(*verdict(maturity, project.id, request.current_user))
        return Verified(verification=VerificationShown.of(maturity))

    @action
    async def get_history(self, request: GetHistory) -> MaturityHistory:
        """What changed the scores, oldest first."""
        await self._seen(request.project_id, request.current_user, "maturity_tracking")
        events = await self._store.projects.maturity_events(request.project_id)
        shown = events if request.limit is None else events[-request.limit :]
        return MaturityHistory(history=tuple(map(MaturityEventShown.of, shown)), total_events=len(events))

    @action
    async def get_analytics(self, request: GetAnalytics) -> AnalyticsShown:
        """Strong and weak categories of a phase, the project's pace, and what to do next."""
        project = await self._seen(request.project_id, request.current_user, "advanced_analytics")
        phase = request.phase or known_phase(project.phase)
        events = await self._store.projects.maturity_events(project.id)
        scores = await self._store.projects.category_scores(project.id)
        reached = await stored_score(self._store, project.id, phase) or 0.0
        kind = project.project_type
        recommended = recommendations(kind, phase, scores)
        return AnalyticsShown(
            phase=phase,
            totals=TotalsShown.model_validate(await self._store.projects.analytics(project.id)),
            trends=TrendsShown.model_validate(progression_trends(events, phase, reached)),
            plateaus=tuple(map(PlateauShown.model_validate, plateaus(events))),
            performance=PerformanceShown.model_validate(category_performance(kind, phase, scores)),
            missing_categories=missing_categories(kind, scores),
            recommendations=tuple(map(RecommendationShown.model_validate, recommended)),
            suggested_questions=suggested_questions(recommended, request.question_count),
        )

    async def _seen(self, project_id: str, username: str, feature: Feature) -> ProjectSummary:
        """A project of theirs, for who has the feature."""
        await require_member(self._store, project_id, username)
        await require_feature(self._store, username, feature, self._now())
        return await self._store.projects.summary(project_id)

    async def _categorized(
        self, request: UpdateAfterResponse, project: ProjectSummary, phase: Phase
    ) -> Result[tuple[NewSpec, ...]]:
        return await self._services.llm.categorize_insights_async(
            request.insights,
            phase,
            project.project_type,
            tuple(categories_of(project.project_type, phase)),
            caller=Caller(request.current_user),
        )


def _require_same_type(before: ProjectSummary, now: ProjectSummary) -> None:
    """The type by which the statements were sorted. Raises RefusedError (TYPE_CHANGED)."""
    if now.project_type != before.project_type:
        raise RefusedError(
            "TYPE_CHANGED", "the project's type was changed while its answer was sorted: ask again", "project_id"
        )
