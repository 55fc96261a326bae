"""What a conversation and a project amount to: analysed, searched, summarised, counted."""

from asyncio import gather
from collections import Counter

from socrates.agents.access import require_member, require_user
from socrates.agents.base import Agent, News, action
from socrates.agents.contracts.context import (
    Analysis,
    AnalyzeContext,
    ContextAnalyzed,
    ContextSummary,
    ConversationsFound,
    EngagementLevel,
    FindSimilar,
    GenerateSummary,
    GetStatistics,
    GetSummary,
    KnowledgeShown,
    MessageFound,
    SearchConversations,
    SimilarFound,
    Statistics,
    StatisticsGiven,
    SummaryGenerated,
)
from socrates.agents.failures import RefusedError
from socrates.agents.suggestions import Suggested, is_suggested, suggest
from socrates.events import EventType
from socrates.events.payloads import ContextAnalyzed as ContextAnalyzedPayload
from socrates.llm.briefing import brief
from socrates.llm.caller import Caller
from socrates.repositories.conversations import END
from socrates.store import UnitOfWork
from socrates.views import ProjectContext, SearchHit, Suggestion

_TOP_K = 5
"""Entries of what is known that an analysis shows (agents, 2.3)."""

_HIGH = 10
_MEDIUM = 5
"""Messages beyond which the engagement is high, and medium (agents, 2.3)."""

_RELEVANT = 0.3
"""The score from which an entry says something about a project's goals. Of the entries that this package brings along,
the best scored 0.31 to 0.52 for eight goals that they cover, and at most 0.26 for eight of nine that they do not."""

_LONGEST_TOPIC = 100
"""Characters of goals that name the topic of a suggestion."""

_LONGEST_SUMMARY = 1000
"""Messages that a summary takes at most: beyond, no model has room for them."""


class ContextAnalyzer(Agent):
    """Members ask about their projects; a search never leaves what they may see (mends D46)."""

    name = "context_analyzer"

    @action
    async def analyze_context(self, request: AnalyzeContext) -> ContextAnalyzed:
        """How a conversation goes, and what is known about the goals; where that is too little, it is suggested."""
        project_id = request.project_id
        if project_id is None:
            await require_user(self._store, request.current_user)
            response = _of_talk(Counter(each.type for each in request.conversation))
        else:
            await require_member(self._store, project_id, request.current_user)
            response = await self._analyzed(project_id, request)
        payload = ContextAnalyzedPayload(project_id=project_id, user_id=request.current_user)
        await self._emit(EventType.CONTEXT_ANALYZED, payload)
        return response

    @action
    async def get_summary(self, request: GetSummary) -> ContextSummary:
        """Goals, requirements, tech stack and constraints, a line each where there are any."""
        await require_member(self._store, request.project_id, request.current_user)
        return ContextSummary(summary=(await brief(self._store, request.project_id, messages=0)).summary)

    @action
    async def find_similar(self, request: FindSimilar) -> SimilarFound:
        """What is known that is near in meaning: by everybody, and in the project where one is given."""
        if request.project_id is None:
            await require_user(self._store, request.current_user)
        else:
            await require_member(self._store, request.project_id, request.current_user)
        hits = await self._services.known.search(request.query, project_id=request.project_id, top_k=request.top_k)
        return SimilarFound(similar_projects=tuple(map(KnowledgeShown.of, hits)))

    @action
    async def search_conversations(self, request: SearchConversations) -> ConversationsFound:
        """The messages that contain a text, whatever its case, the newest first; the database filters."""
        await require_member(self._store, request.project_id, request.current_user)
        before = END if request.before is None else request.before
        hits = await self._store.conversations.search(request.project_id, request.query, before, request.limit)
        results = tuple(map(MessageFound.of, hits))
        return ConversationsFound(results=results, count=len(results), query=request.query.lower())

    @action
    async def generate_summary(self, request: GenerateSummary) -> SummaryGenerated:
        """Decisions, requirements, progress and open questions of the last messages, in their order (mends D19)."""
        await require_member(self._store, request.project_id, request.current_user)
        project = await brief(self._store, request.project_id, request.limit or _LONGEST_SUMMARY)
        summary = await self._services.llm.summarize_conversation_async(
            project, limit=None, caller=Caller(request.current_user)
        )
        return SummaryGenerated(summary=summary.value, truncated=summary.truncated, omitted=summary.omitted)

    @action
    async def get_statistics(self, request: GetStatistics) -> StatisticsGiven:
        """A project in numbers."""
        await require_member(self._store, request.project_id, request.current_user)
        store, project_id = self._store, request.project_id
        project, context, members, notes, spoken = await gather(
            store.projects.summary(project_id),
            store.projects.context(project_id),
            store.projects.members(project_id),
            store.notes.count(project_id),
            self._spoken(project_id),
        )
        return StatisticsGiven(
            statistics=Statistics(
                project_name=project.name,
                owner=project.owner,
                current_phase=project.phase,
                progress=project.progress,
                status=project.status,
                created_at=project.created_at,
                updated_at=project.updated_at,
                days_active=max(0, (self._now() - project.created_at).days),
                collaborators=sum(member.username != project.owner for member in members),
                requirements=len(context.requirements),
                tech_stack=len(context.tech_stack),
                constraints=len(context.constraints),
                total_conversations=spoken.total(),
                questions_asked=spoken["assistant"],
                responses_given=spoken["user"],
                notes=notes,
            )
        )

    async def _analyzed(self, project_id: str, request: AnalyzeContext) -> ContextAnalyzed:
        """The analysis of a project: its conversation is looked at while its goals are searched for."""
        project = await self._store.projects.context(project_id)
        spoken, topics, hits = await gather(self._spoken(project_id), self._topics(project_id), self._known_of(project))
        if not spoken:
            spoken = Counter(each.type for each in request.conversation)
        response = _of_talk(spoken, topics)
        if hits is None:
            return response
        suggestion = None
        if not hits or hits[0].score < _RELEVANT:
            suggestion = await self._suggest_goals(project, request.current_user)
        return response.model_copy(
            update={
                "relevant_knowledge": tuple(map(KnowledgeShown.of, hits)),
                "searched": True,
                "suggestion_id": None if suggestion is None else suggestion.id,
            }
        )

    async def _spoken(self, project_id: str) -> Counter[str]:
        """How many messages there are of each type (mends D18: v1 counted by a key that no message has)."""
        return Counter(await self._store.conversations.count_by_type(project_id))

    async def _topics(self, project_id: str) -> tuple[str, ...]:
        """The categories about which something is known of the project, in order."""
        scores = await self._store.projects.category_scores(project_id)
        return tuple(dict.fromkeys(score.category for score in scores if score.spec_count))

    async def _known_of(self, project: ProjectContext) -> tuple[SearchHit, ...] | None:
        """What is known about its goals; None where there are none, or nothing to search in."""
        if self._services.knowledge is None or not project.goals.strip():
            return None
        return await self._services.knowledge.search(project.goals, project_id=project.id, top_k=_TOP_K)

    async def _suggest_goals(self, project: ProjectContext, username: str) -> Suggestion | None:
        """Suggest that something about the goals should be known; None where that was suggested before.

        Once rejected it is not suggested again, until the queue is cleared or the goals are others.
        """
        topic = " ".join(project.goals.split())[:_LONGEST_TOPIC]
        suggested = Suggested(
            project_id=project.id,
            content=f"Goals of {project.name}: {project.goals}",
            category="goals",
            topic=topic,
            agent=self.name,
        )
        if await is_suggested(self._store, project.id, topic):
            return None

        async def work(unit: UnitOfWork, news: News) -> Suggestion | None:
            await require_member(unit, project.id, username)
            # Reading the project's row also keeps others from suggesting the same before this is stored.
            if (await unit.projects.summary(project.id)).is_archived:
                return None
            if await is_suggested(unit, project.id, topic):
                return None
            return await suggest(unit, news, suggested)

        return await self._store_and_tell(work)


def _of_talk(spoken: Counter[str], topics: tuple[str, ...] = ()) -> ContextAnalyzed:
    """The analysis of so many messages by type. Raises RefusedError (NO_CONVERSATION) for none."""
    if not spoken:
        raise RefusedError(
            "NO_CONVERSATION", "there is nothing to analyse: name a project with messages, or give some", "conversation"
        )
    analysis = Analysis(
        question_count=spoken["assistant"],
        response_count=spoken["user"],
        topics_covered=topics,
        engagement_level=_engagement(spoken.total()),
    )
    return ContextAnalyzed(analysis=analysis, relevant_knowledge=(), searched=False, suggestion_id=None)


def _engagement(messages: int) -> EngagementLevel:
    if messages > _HIGH:
        return "high"
    return "medium" if messages > _MEDIUM else "low"
