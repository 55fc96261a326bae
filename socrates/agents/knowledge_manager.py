"""What a project should know: suggested by agents and people, approved or rejected by who leads it."""

from socrates.agents.access import require_lead, require_member, require_writer
from socrates.agents.base import Agent, News, action
from socrates.agents.contracts.knowledge import (
    ApproveSuggestion,
    ClearSuggestions,
    GetQueueStatus,
    GetSuggestions,
    QueueStatus,
    RejectSuggestion,
    SuggestionApproved,
    SuggestionList,
    SuggestionSaved,
    SuggestionsCleared,
    SuggestionShown,
    SuggestKnowledge,
)
from socrates.agents.indexing import catch_up
from socrates.agents.suggestions import Suggested, suggest, suggestion_of
from socrates.drafts import NewEntry
from socrates.store import UnitOfWork
from socrates.views import Suggestion


class KnowledgeManager(Agent):
    """Members see a project's suggestions and make some; its owner and leads decide. They are stored (mends D44)."""

    name = "knowledge_manager"

    @action
    async def suggest_knowledge(self, request: SuggestKnowledge) -> SuggestionSaved:
        """Put a suggestion into the project's queue."""
        suggested = Suggested(
            project_id=request.project_id,
            content=request.content,
            category=request.category,
            topic=request.topic or request.category,
            agent=request.agent_name,
            difficulty=request.difficulty,
            reason=request.reason,
        )

        async def work(unit: UnitOfWork, news: News) -> SuggestionSaved:
            await require_writer(unit, request.project_id, request.current_user)
            stored = SuggestionShown.model_validate(await suggest(unit, news, suggested))
            return SuggestionSaved(message=f"suggested: {stored.topic}", suggestion=stored)

        return await self._store_and_tell(work)

    @action
    async def get_suggestions(self, request: GetSuggestions) -> SuggestionList:
        """The project's suggestions of one status, or of all, oldest first."""
        await require_member(self._store, request.project_id, request.current_user)
        after = None if request.after is None else await suggestion_of(self._store, request.project_id, request.after)
        status = None if request.status == "all" else request.status
        found = await self._store.knowledge.suggestions(request.project_id, status, limit=request.limit, after=after)
        shown = tuple(map(SuggestionShown.model_validate, found))
        return SuggestionList(suggestions=shown, count=len(shown))

    @action
    async def approve_suggestion(self, request: ApproveSuggestion) -> SuggestionApproved:
        """Make a pending suggestion part of what the project knows; decision and entry are one (mends D14 and D32).

        Its vector is made before the unit of work, so whoever decides second has it made in vain, which costs little.
        """
        await require_lead(self._store, request.project_id, request.current_user)
        known = self._services.known
        suggestion = await suggestion_of(self._store, request.project_id, request.suggestion_id)
        entry = self._entry(suggestion)
        embedded = await known.embeddings.embedded([entry])

        async def work(unit: UnitOfWork, _news: News) -> Suggestion:
            await require_lead(unit, request.project_id, request.current_user)
            decided = await unit.knowledge.decide(suggestion.id, "approved", request.current_user)
            await unit.knowledge_entries.put(embedded, request.project_id)
            return decided

        decided = await self._store_and_tell(work)
        return SuggestionApproved(
            message=f"the project knows it now: {decided.topic}",
            suggestion=SuggestionShown.model_validate(decided),
            entry_id=str(entry.id),
            warning=await catch_up(known),
        )

    @action
    async def reject_suggestion(self, request: RejectSuggestion) -> SuggestionSaved:
        """Reject a pending suggestion; one that is decided stays as it is (mends D14)."""

        async def work(unit: UnitOfWork, _news: News) -> SuggestionSaved:
            await require_lead(unit, request.project_id, request.current_user)
            suggestion = await suggestion_of(unit, request.project_id, request.suggestion_id)
            decided = await unit.knowledge.decide(suggestion.id, "rejected", request.current_user)
            shown = SuggestionShown.model_validate(decided)
            return SuggestionSaved(message=f"rejected: {shown.topic}", suggestion=shown)

        return await self._store_and_tell(work)

    @action
    async def get_queue_status(self, request: GetQueueStatus) -> QueueStatus:
        """How many of the project's suggestions are in each state."""
        await require_member(self._store, request.project_id, request.current_user)
        counts = await self._store.knowledge.suggestion_counts(request.project_id)
        return QueueStatus(
            pending=counts.pending,
            approved=counts.approved,
            rejected=counts.rejected,
            total=counts.pending + counts.approved + counts.rejected,
        )

    @action
    async def clear_suggestions(self, request: ClearSuggestions) -> SuggestionsCleared:
        """Forget the project's decided suggestions, or all of them; what was approved is known all the same."""

        async def work(unit: UnitOfWork, _news: News) -> SuggestionsCleared:
            await require_lead(unit, request.project_id, request.current_user)
            return SuggestionsCleared(
                cleared=await unit.knowledge.clear_suggestions(request.project_id, request.keep_pending)
            )

        return await self._store_and_tell(work)

    def _entry(self, suggestion: Suggestion) -> NewEntry:
        return NewEntry(
            suggestion.content,
            suggestion.category,
            id=f"suggested_{suggestion.id}",
            details={
                "topic": suggestion.topic,
                "difficulty": suggestion.difficulty,
                "source": f"agent_suggestion_from_{suggestion.agent}",
                "reason": suggestion.reason,
                "approved_at": self._now().isoformat(),
            },
        )
