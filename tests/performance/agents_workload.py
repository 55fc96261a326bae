"""What the agents will ask of the store while several people work with them: reads that a cache may serve, and writes.

Each action reads anew what it needs, by the project's id and the user's name, as a service does that keeps no objects
between requests. Which reads an action makes is in v1's specification of the agents, by the chapter in brackets; where
v1 was handed a project that lay in memory, it is read here. Calls of models and searches for vectors are left out.

- `open_project`: log in (2.8), the list of projects (2.1 list_projects), the project with a check of access (2.1
  load_project, D61), the conversation on the screen, the questions to the user (2.14 get_user_questions), the profile
  (2.12 get_user_profile).
- `ask`: access; the project's context for the prompt, the subscription for the quota, the last 4 messages (2.2
  generate_question); the provider for the call of the model (2.13 get_provider_config); how well questions and habits
  of the user work, to choose by (2.12 recommend_next_question, get_user_profile: v1 left it to its caller to ask for
  these). One unit stores the question, the use of the quota and the usage.
- `answer`: access; the project's context for the extraction and the conflicts (2.2 extract_insights, 2.6), the last
  messages of the phase for the learning (2.2); the provider. One unit stores the answer, a second one what was learned
  from it about the project (2.11 update_after_response), about the question (2.12 track_question_effectiveness), and
  the usage. Every fifth answer says that the user does not know, which has neither extraction nor learning (B.3).
- `hint`, at every third question (2.15): the project's context and the last 6 messages.
- `look_around`, every fifth turn: maturity (2.11 get_maturity_summary), the project and its notes (2.3 get_statistics),
  who is in the team (2.1 list_collaborators), and the list of projects again.
- `note`, once: write one, list them (2.9).

Nothing is read for the sake of a figure. What a unit of work reads goes past the cache and counts nowhere.
"""

from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import uuid4

from socrates.drafts import NewMaturityEvent, NewMessage, NewSpec
from socrates.frozen import FrozenDict
from socrates.store import Store, UnitOfWork
from socrates.views import Analytics, CategoryScore, ProjectContext, ProjectDetails, QuestionEffectiveness
from tests.performance.datasets import ADA
from tests.performance.v1_workload import ANSWER, QUESTION

PROVIDER, MODEL = "claude", "claude-haiku-4-5-20251001"
TURNS = 10
"""Questions and answers of one session."""


@dataclass(frozen=True)
class Visit:
    """One person at work on one project."""

    store: Store
    username: str
    project_id: str

    async def actions(self, turns: int = TURNS) -> AsyncIterator[None]:
        """Do everything, with a pause after each action, in which others are at work."""
        await self.open_project()
        yield
        for turn in range(turns):
            await self.ask(turn)
            yield
            if turn % 3 == 2:
                await self.hint()
                yield
            await self.answer(turn, knows=turn % 5 != 4)
            yield
            if turn % 5 == 4:
                await self.look_around()
                yield
        await self.note()
        yield

    async def open_project(self) -> None:
        await self.store.users.get(self.username)
        await self.store.projects.for_user(self.username)
        await self._project()
        await self.store.conversations.last(self.project_id)
        await self.store.projects.pending_questions(self.project_id, status="pending")
        await self._profile()

    async def ask(self, turn: int) -> None:
        project = await self._context()
        await self.store.users.subscription(self.username)
        await self.store.conversations.last(self.project_id, 4)
        await self.store.llm.configs(self.username)
        await self._profile()
        reset = datetime.now(UTC) + timedelta(days=30)
        async with self.store.begin() as unit:
            await unit.users.use_question(self.username, None, next_reset=reset)
            await unit.conversations.append(
                self.project_id, NewMessage("assistant", f"{QUESTION} ({turn})", phase=project.phase)
            )
            await self._charge(unit)

    async def hint(self) -> None:
        await self._context()
        await self.store.conversations.last(self.project_id, 6)

    async def answer(self, turn: int, knows: bool) -> None:
        project = await self._context()
        await self.store.conversations.last(self.project_id, 4)
        phase = project.phase
        async with self.store.begin() as unit:
            await unit.conversations.append(
                self.project_id, NewMessage("user", f"{ANSWER} ({turn})", phase=phase, author=self.username)
            )
        if knows:
            await self.store.llm.configs(self.username)
            async with self.store.begin() as unit:
                await self._learn_about_project(unit, turn)
                await self._learn_about_question(unit, f"{self.project_id}:{turn}")
                await self._charge(unit)

    async def look_around(self) -> None:
        await self._project()
        await self.store.projects.phase_scores(self.project_id)
        await self.store.notes.for_project(self.project_id)
        await self.store.projects.members(self.project_id)
        await self.store.projects.for_user(self.username)

    async def note(self) -> None:
        async with self.store.begin() as unit:
            await unit.notes.create(self.project_id, "Fees", "Nobody has asked yet.", created_by=self.username)
        await self.store.notes.for_project(self.project_id)

    async def _project(self) -> ProjectDetails:
        assert await self.store.projects.is_member(self.project_id, self.username)
        return await self.store.projects.details(self.project_id)

    async def _context(self) -> ProjectContext:
        assert await self.store.projects.is_member(self.project_id, self.username)
        return await self.store.projects.context(self.project_id)

    async def _profile(self) -> None:
        await self.store.learning.effectiveness_of(self.username)
        await self.store.learning.patterns_of(self.username)

    async def _charge(self, unit: UnitOfWork) -> None:
        await unit.llm.record_usage(self.username, PROVIDER, MODEL, input_tokens=900, output_tokens=60)

    async def _learn_about_project(self, unit: UnitOfWork, turn: int) -> None:
        project = await unit.projects.details(self.project_id)
        phase = project.summary.phase
        requirements = [*project.requirements, f"Books are lent for {turn} weeks."]
        await unit.projects.update(self.project_id, project.version, requirements=requirements)
        spec = NewSpec("functional", requirements[-1], confidence=0.9, value=1.0)
        await unit.projects.add_specs(self.project_id, phase, [spec])
        count = len(project.specs) + 1
        points = CategoryScore(phase, "functional", float(count), 20.0, 0.9, count, FrozenDict())
        await unit.projects.save_category_scores(self.project_id, phase, [points])
        before = next((each.score or 0.0 for each in project.phase_scores if each.phase == phase), 0.0)
        after = min(100.0, before + 1.0)
        await unit.projects.save_phase_scores(self.project_id, {phase: after})
        event = NewMaturityEvent(phase, before, after, "response_processed", details={"specs_added": 1})
        await unit.projects.add_maturity_event(self.project_id, event)
        totals = Analytics(1.0, len(project.maturity_events) + 1, 0.9, (), (), datetime.now(UTC), FrozenDict())
        await unit.projects.save_analytics(self.project_id, totals)

    async def _learn_about_question(self, unit: UnitOfWork, template: str) -> None:
        found = await unit.learning.find_effectiveness(self.username, template)
        at = datetime.now(UTC)
        record = found or QuestionEffectiveness(
            str(uuid4()), self.username, template, "lead", 0, 0, 0, Decimal(0), Decimal(0), None, at, None, FrozenDict()
        )
        asked = (record.times_asked or 0) + 1
        await unit.learning.save_effectiveness(replace(record, times_asked=asked, last_asked_at=at, updated_at=at))


async def visits(store: Store) -> list[Visit]:
    """Five people at work at once: two on one project, three on projects of their own."""
    of_ada = await store.projects.for_user(ADA)
    shared = next(project for project in of_ada if project.owner != ADA)
    alone = [ADA, *(f"user-{number:05}" for number in range(3) if f"user-{number:05}" != shared.owner)][:3]
    own = [next(each for each in await store.projects.for_user(name) if each.owner == name) for name in alone]
    return [
        Visit(store, ADA, shared.id),
        Visit(store, shared.owner, shared.id),
        *(Visit(store, project.owner, project.id) for project in own),
    ]


async def replay(store: Store, turns: int = TURNS) -> None:
    """Have them work side by side, one action each in turn."""
    at_work = [visit.actions(turns) for visit in await visits(store)]
    while at_work:
        at_work = [actions for actions in at_work if await anext(actions, "done") is None]
