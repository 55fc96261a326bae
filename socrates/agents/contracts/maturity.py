"""What quality_controller is asked, and what it answers. Scores and percentages are in per cent, 100 is complete."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Literal

from pydantic import Field

from socrates.agents.contracts.base import Limit, OfProject, Phase, Shown, Success
from socrates.agents.contracts.dialogue import PhaseStanding
from socrates.agents.contracts.insights import ConfirmedInsights
from socrates.agents.contracts.projects import MaturityEventShown
from socrates.rules.maturity import PhaseMaturity


class CalculateMaturity(OfProject):
    """Without a `phase` it is the project's, as in all that follows."""

    action: Literal["calculate_maturity"] = "calculate_maturity"
    phase: Phase | None = None


class GetReadiness(OfProject):
    action: Literal["get_readiness"] = "get_readiness"
    phase: Phase | None = None


class UpdateAfterResponse(OfProject):
    """Insights that are confirmed: they are scored, and checked against nothing. Keys not known are left out."""

    action: Literal["update_after_response"] = "update_after_response"
    insights: ConfirmedInsights


class GetMaturitySummary(OfProject):
    action: Literal["get_maturity_summary"] = "get_maturity_summary"


class VerifyAdvancement(OfProject):
    action: Literal["verify_advancement"] = "verify_advancement"
    from_phase: Phase


class GetHistory(OfProject):
    """With a `limit` the newest so many events."""

    action: Literal["get_history"] = "get_history"
    limit: Limit | None = None


class GetAnalytics(OfProject):
    """Beyond v1's agents; `question_count` is how many recommendations get a question."""

    action: Literal["get_analytics"] = "get_analytics"
    phase: Phase | None = None
    question_count: Annotated[int, Field(ge=1, le=10)] = 5


class CategoryShown(Shown):
    """The points of one category, out of `target_score`; `confidence` from 0 to 1."""

    category: str
    current_score: float
    target_score: float
    confidence: float
    spec_count: int


class MaturityShown(Shown):
    """How complete a phase is; the categories in the order of their table."""

    phase: str
    overall_score: float
    category_scores: Mapping[str, CategoryShown]
    total_specs: int
    strongest_categories: tuple[str, ...]
    weakest_categories: tuple[str, ...]
    missing_categories: tuple[str, ...]
    is_ready_to_advance: bool
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, maturity: PhaseMaturity) -> "MaturityShown":
        """As responses show it."""
        scores = {each.category: CategoryShown.model_validate(each) for each in maturity.category_scores}
        return cls(
            phase=maturity.phase,
            overall_score=maturity.overall_score,
            category_scores=scores,
            total_specs=maturity.total_specs,
            strongest_categories=maturity.strongest_categories,
            weakest_categories=maturity.weakest_categories,
            missing_categories=maturity.missing_categories,
            is_ready_to_advance=maturity.is_ready_to_advance,
            warnings=maturity.warnings,
        )


class VerificationShown(Shown):
    """What to know before leaving a phase: ready from 60 on, complete at 100; `details` is all of it."""

    maturity_score: float
    warnings: tuple[str, ...]
    missing_categories: tuple[str, ...]
    ready: bool
    complete: bool
    details: MaturityShown

    @classmethod
    def of(cls, maturity: PhaseMaturity) -> "VerificationShown":
        """As responses show it."""
        return cls(
            maturity_score=maturity.overall_score,
            warnings=maturity.warnings,
            missing_categories=maturity.missing_categories,
            ready=maturity.is_ready_to_advance,
            complete=maturity.is_complete,
            details=MaturityShown.of(maturity),
        )


class TotalsShown(Shown):
    """The running totals, as the last answer left them; `velocity` in percentage points per answer."""

    velocity: float | None
    total_qa_sessions: int | None
    avg_confidence: float | None
    weak_categories: tuple[str, ...]
    strong_categories: tuple[str, ...]
    last_updated: datetime | None


class TrendsShown(Shown):
    """How the project gets on; `velocity` in percentage points per answer."""

    velocity: float
    total_sessions: int
    current_phase: str
    current_score: float
    insights: tuple[str, ...]


class PlateauShown(Shown):
    """A run of answers, counted from 1, that gained next to nothing; `is_current`: it reaches the newest one."""

    start_session: int
    duration: int
    avg_delta: float
    is_current: bool


class StandingShown(Shown):
    """How far one category is: `current` of `target` points."""

    category: str
    percentage: float
    current: float
    target: float
    spec_count: int


class BalanceShown(Shown):
    """How evenly the categories of the phase are covered."""

    status: Literal["UNKNOWN", "BALANCED", "IMBALANCED"]
    messages: tuple[str, ...]


class PerformanceShown(Shown):
    """Weak categories from the weakest up, strong ones from the strongest down, and those without a statement."""

    phase: str
    weak_categories: tuple[StandingShown, ...]
    strong_categories: tuple[StandingShown, ...]
    missing_categories: tuple[str, ...]
    balance: BalanceShown


class RecommendationShown(Shown):
    """What to work on next; `current` and `target` in per cent. The category `balance` speaks of all categories."""

    priority: Literal["high", "medium"]
    category: str
    phase: str
    current: float
    target: float
    gap: float
    spec_count: int | None
    action: str


class MaturityCalculated(Success):
    maturity: MaturityShown


class MaturityScored(Success):
    """Where it is `degraded`, no model sorted the statements into categories but their fields; `warning` says why."""

    maturity: MaturityShown
    specs_added: int
    degraded: bool
    warning: str


class Verified(Success):
    verification: VerificationShown


class MaturitySummary(Success):
    """By phase, in their order."""

    summary: Mapping[str, PhaseStanding]


class MaturityHistory(Success):
    """Oldest first; `total_events` counts those beyond the limit too."""

    history: tuple[MaturityEventShown, ...]
    total_events: int


class AnalyticsShown(Success):
    """`missing_categories` are those without a statement, by phase; phases that miss none are left out."""

    phase: str
    totals: TotalsShown
    trends: TrendsShown
    plateaus: tuple[PlateauShown, ...]
    performance: PerformanceShown
    missing_categories: Mapping[str, tuple[str, ...]]
    recommendations: tuple[RecommendationShown, ...]
    suggested_questions: tuple[str, ...]
