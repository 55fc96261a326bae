"""How far a project's requirements have come: scores of phases and categories, statements, events, running totals."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import bindparam, delete, func, insert, select

from socrates.caching import cached
from socrates.drafts import NewMaturityEvent, NewSpec
from socrates.errors import InvalidValueError, ProjectNotFoundError
from socrates.models import AnalyticsMetrics, CategorizedSpec, PhaseMaturityScore, Project
from socrates.models import CategoryScore as CategoryScoreRow
from socrates.models import MaturityEvent as MaturityEventRow
from socrates.repositories.base import Mapper, Repository, now, plain_dict, table, utc, with_next
from socrates.repositories.cached_rows import ANALYTICS, CATEGORY_SCORES, MATURITY_EVENTS, PHASE_SCORES, SPECS, rows_of
from socrates.repositories.upsert import upsert
from socrates.views import Analytics, CategoryScore, MaturityEvent, PhaseScore, Spec

_phase = Mapper(PhaseScore, PhaseMaturityScore)
_category = Mapper(CategoryScore, CategoryScoreRow)
_spec = Mapper(Spec, CategorizedSpec)
_event = Mapper(MaturityEvent, MaturityEventRow)
_analytics = Mapper(Analytics, AnalyticsMetrics)

_PHASES = (
    select(*_phase.columns)
    .where(PhaseMaturityScore.project_id == bindparam("project_id"))
    .order_by(PhaseMaturityScore.phase)
)
_CATEGORIES = (
    select(*_category.columns)
    .where(CategoryScoreRow.project_id == bindparam("project_id"))
    .order_by(CategoryScoreRow.phase, CategoryScoreRow.category)
)
_CATEGORIES_OF_PHASE = _CATEGORIES.where(CategoryScoreRow.phase == bindparam("phase"))
_SPECS = (
    select(*_spec.columns)
    .where(CategorizedSpec.project_id == bindparam("project_id"))
    .order_by(CategorizedSpec.phase, CategorizedSpec.position)
)
_SPECS_OF_PHASE = _SPECS.where(CategorizedSpec.phase == bindparam("phase"))
_EVENTS = (
    select(*_event.columns)
    .where(MaturityEventRow.project_id == bindparam("project_id"))
    .order_by(MaturityEventRow.position)
)
_ANALYTICS = select(*_analytics.columns).where(AnalyticsMetrics.project_id == bindparam("project_id"))
_LAST_SPEC = select(func.max(CategorizedSpec.position)).where(
    CategorizedSpec.project_id == bindparam("project_id"), CategorizedSpec.phase == bindparam("phase")
)
_LAST_EVENT = select(func.max(MaturityEventRow.position)).where(MaturityEventRow.project_id == bindparam("project_id"))
# A maximum on its own is one look at the end of the index; joined to the project it would read every row.
_THE_PROJECT = Project.id == bindparam("project_id")
_SPEC_COUNT = select(func.coalesce(_LAST_SPEC.scalar_subquery() + 1, 0)).where(_THE_PROJECT)
_EVENT_COUNT = select(func.coalesce(_LAST_EVENT.scalar_subquery() + 1, 0)).where(_THE_PROJECT)

_SAVE_PHASE = upsert(table(PhaseMaturityScore), ("project_id", "phase"), ("score",))
_categories = table(CategoryScoreRow)
_SAVE_CATEGORY = upsert(
    _categories,
    ("project_id", "phase", "category"),
    ("current_score", "target_score", "confidence", "spec_count", "extra"),
)
_DROP_CATEGORIES = delete(_categories).where(
    _categories.c.project_id == bindparam("project_id"), _categories.c.phase == bindparam("phase")
)
_DROP_OTHERS = with_next(_DROP_CATEGORIES.where(_categories.c.category.not_in(bindparam("kept", expanding=True))))
_ADD_SPEC = with_next(insert(table(CategorizedSpec)))
_ADD_EVENT = with_next(insert(table(MaturityEventRow)))
_TOTALS = ("velocity", "total_qa_sessions", "avg_confidence", "weak_categories", "strong_categories", "last_updated")
_SAVE_ANALYTICS = upsert(table(AnalyticsMetrics), ("project_id",), (*_TOTALS, "extra"))


class MaturityReads(Repository):
    """Reads of a project's maturity. An unknown project has none."""

    @cached("projects.phase_scores", tags=rows_of(PHASE_SCORES))
    async def phase_scores(self, project_id: str) -> tuple[PhaseScore, ...]:
        """The maturity of every phase, by name."""
        await self._session.hold("maturity", project_id)
        return await self._views(_phase, _PHASES, project_id=project_id)

    @cached("projects.category_scores", tags=rows_of(CATEGORY_SCORES))
    async def category_scores(self, project_id: str, phase: str | None = None) -> tuple[CategoryScore, ...]:
        """The points of the categories of all phases, or of one."""
        await self._session.hold("maturity", project_id)
        if phase is None:
            return await self._views(_category, _CATEGORIES, project_id=project_id)
        return await self._views(_category, _CATEGORIES_OF_PHASE, project_id=project_id, phase=phase)

    @cached("projects.specs", tags=rows_of(SPECS))
    async def specs(self, project_id: str, phase: str | None = None) -> tuple[Spec, ...]:
        """The categorised statements of all phases, or of one, in order."""
        await self._session.hold("maturity", project_id)
        if phase is None:
            return await self._views(_spec, _SPECS, project_id=project_id)
        return await self._views(_spec, _SPECS_OF_PHASE, project_id=project_id, phase=phase)

    @cached("projects.maturity_events", tags=rows_of(MATURITY_EVENTS))
    async def maturity_events(self, project_id: str) -> tuple[MaturityEvent, ...]:
        """What changed the scores, in order."""
        await self._session.hold("maturity", project_id)
        return await self._views(_event, _EVENTS, project_id=project_id)

    @cached("projects.analytics", tags=rows_of(ANALYTICS))
    async def analytics(self, project_id: str) -> Analytics:
        """The running totals. Raises ProjectNotFoundError."""
        await self._session.hold("maturity", project_id)
        row = await self._row(_ANALYTICS, project_id=project_id)
        if row is None:
            raise ProjectNotFoundError(project_id)
        return _analytics(row)


class MaturityWrites(MaturityReads):
    """Writes of a project's maturity, inside a unit of work. They raise ProjectNotFoundError."""

    async def save_phase_scores(self, project_id: str, scores: Mapping[str, float]) -> None:
        """Set the maturity of the phases given, in percent; others stay."""
        await self._session.hold("maturity", project_id)
        rows = [{"project_id": project_id, "phase": phase, "score": score} for phase, score in scores.items()]
        await self._write_to_project(project_id, _SAVE_PHASE, rows)

    async def save_category_scores(self, project_id: str, phase: str, scores: Sequence[CategoryScore]) -> None:
        """Make these the categories of one phase; those not given go."""
        if any(score.phase != phase for score in scores):
            raise InvalidValueError(f"every score must be of the phase {phase!r}")
        await self._session.hold("maturity", project_id)
        if not scores:
            await self._write(_DROP_CATEGORIES, project_id=project_id, phase=phase)
            return
        rows = [{"project_id": project_id, **_columns(score)} for score in scores]
        await self._write_to_project(project_id, _SAVE_CATEGORY, rows)
        kept = [score.category for score in scores]
        await self._write(_DROP_OTHERS, project_id=project_id, phase=phase, kept=kept)

    async def add_specs(self, project_id: str, phase: str, specs: Iterable[NewSpec]) -> tuple[Spec, ...]:
        """Append statements to one phase, in order."""
        await self._session.hold("maturity", project_id)
        first = await self._value(_SPEC_COUNT, project_id=project_id, phase=phase)
        if first is None:
            raise ProjectNotFoundError(project_id)
        at = now()
        added = [
            {
                "phase": phase,
                "position": position,
                "category": spec.category,
                "content": spec.content,
                "confidence": spec.confidence,
                "value": spec.value,
                "source_field": spec.source_field,
                "timestamp": utc(spec.timestamp) or at,
                "extra": plain_dict("extra", spec.extra),
            }
            for position, spec in enumerate(specs, first)
        ]
        await self._write_many(_ADD_SPEC, [{"project_id": project_id, **row} for row in added])
        return tuple(_spec(tuple(row.values())) for row in added)

    async def add_maturity_event(self, project_id: str, event: NewMaturityEvent) -> MaturityEvent:
        """Append one event; `delta` follows from the two scores."""
        await self._session.hold("maturity", project_id)
        position = await self._value(_EVENT_COUNT, project_id=project_id)
        if position is None:
            raise ProjectNotFoundError(project_id)
        row = {
            "position": position,
            "timestamp": utc(event.timestamp) or now(),
            "phase": event.phase,
            "score_before": event.score_before,
            "score_after": event.score_after,
            "delta": event.score_after - event.score_before,
            "event_type": event.event_type,
            "details": plain_dict("details", event.details),
            "extra": {},
        }
        await self._write(_ADD_EVENT, project_id=project_id, **row)
        return _event(tuple(row.values()))

    async def save_analytics(self, project_id: str, analytics: Analytics) -> None:
        """Store the running totals."""
        await self._session.hold("maturity", project_id)
        await self._write_to_project(project_id, _SAVE_ANALYTICS, [{"project_id": project_id, **_columns(analytics)}])


def _columns(view: CategoryScore | Analytics) -> dict[str, object]:
    """The view's fields as the columns take them."""
    row = {name: getattr(view, name) for name in view.__dataclass_fields__}
    return {name: list(value) if isinstance(value, tuple) else value for name, value in row.items()}
