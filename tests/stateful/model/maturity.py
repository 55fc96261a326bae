"""How far a project's requirements have come."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from socrates.drafts import NewMaturityEvent, NewSpec
from socrates.errors import InvalidValueError, ProjectNotFoundError
from socrates.frozen import FrozenDict, freeze
from socrates.views import Analytics, CategoryScore, MaturityEvent, PhaseScore, ProjectDetails, Spec
from tests.stateful.model.state import Face


class Maturity(Face):
    def phase_scores(self, project_id: str) -> tuple[PhaseScore, ...]:
        project = self._project_if_any(project_id)
        return project.phase_scores if project else ()

    def category_scores(self, project_id: str, phase: str | None = None) -> tuple[CategoryScore, ...]:
        project = self._project_if_any(project_id)
        return tuple(each for each in project.category_scores if phase in (None, each.phase)) if project else ()

    def specs(self, project_id: str, phase: str | None = None) -> tuple[Spec, ...]:
        project = self._project_if_any(project_id)
        return tuple(spec for spec in project.specs if phase in (None, spec.phase)) if project else ()

    def maturity_events(self, project_id: str) -> tuple[MaturityEvent, ...]:
        project = self._project_if_any(project_id)
        return project.maturity_events if project else ()

    def analytics(self, project_id: str) -> Analytics:
        analytics = self.a_project(project_id).analytics
        if analytics is None:
            raise ProjectNotFoundError(project_id)
        return analytics

    def save_phase_scores(self, project_id: str, scores: Mapping[str, float]) -> None:
        if scores:
            project = self.a_project(project_id)
            all_scores = {each.phase: each.score for each in project.phase_scores} | dict(scores)
            by_phase = tuple(PhaseScore(phase, score) for phase, score in sorted(all_scores.items()))
            self.state.projects[project_id] = replace(project, phase_scores=by_phase)

    def save_category_scores(self, project_id: str, phase: str, scores: Sequence[CategoryScore]) -> None:
        if any(score.phase != phase for score in scores):
            raise InvalidValueError("another phase")
        if not scores and project_id not in self.state.projects:
            return
        project = self.a_project(project_id)
        others = [score for score in project.category_scores if score.phase != phase]
        these = {score.category: score for score in scores}
        by_name = sorted([*others, *these.values()], key=lambda score: (score.phase, score.category))
        self.state.projects[project_id] = replace(project, category_scores=tuple(by_name))

    def add_specs(self, project_id: str, phase: str, specs: Iterable[NewSpec]) -> tuple[Spec, ...]:
        project = self.a_project(project_id)
        added = tuple(
            Spec(
                phase,
                position,
                spec.category,
                spec.content,
                spec.confidence,
                spec.value,
                spec.source_field,
                spec.timestamp or self.now,
                freeze(spec.extra),
            )
            for position, spec in enumerate(specs, len(self.specs(project_id, phase)))
        )
        in_order = sorted([*project.specs, *added], key=lambda spec: (spec.phase, spec.position))
        self.state.projects[project_id] = replace(project, specs=tuple(in_order))
        return added

    def add_maturity_event(self, project_id: str, event: NewMaturityEvent) -> MaturityEvent:
        project = self.a_project(project_id)
        added = MaturityEvent(
            position=len(project.maturity_events),
            timestamp=event.timestamp or self.now,
            phase=event.phase,
            score_before=event.score_before,
            score_after=event.score_after,
            delta=event.score_after - event.score_before,
            event_type=event.event_type,
            details=freeze(event.details),
            extra=FrozenDict(),
        )
        self.state.projects[project_id] = replace(project, maturity_events=(*project.maturity_events, added))
        return added

    def save_analytics(self, project_id: str, analytics: Analytics) -> None:
        self.state.projects[project_id] = replace(self.a_project(project_id), analytics=analytics)

    def _project_if_any(self, project_id: str) -> ProjectDetails | None:
        return self.state.projects.get(project_id)
