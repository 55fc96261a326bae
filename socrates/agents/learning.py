"""What is learned of people, which questions suit them, and the documents that they add to what a project knows."""

import asyncio
from dataclasses import asdict
from decimal import Decimal
from uuid import uuid4

from socrates.agents.access import require_member, require_user, require_writer
from socrates.agents.base import Agent, News, action
from socrates.agents.contracts.learning import (
    DocumentUploaded,
    EffectivenessShown,
    EffectivenessTracked,
    GetUserProfile,
    LearnBehaviorPattern,
    PatternLearned,
    PatternShown,
    QuestionRecommended,
    RecommendNextQuestion,
    TrackQuestionEffectiveness,
    UploadKnowledgeDocument,
    UserProfile,
    template_id_of,
)
from socrates.agents.effectiveness import track
from socrates.events import EventType
from socrates.events.payloads import DocumentImported
from socrates.rules.learning import confirmed, new_pattern, next_question, profile
from socrates.store import UnitOfWork
from socrates.views import BehaviorPattern, DocumentSummary, QuestionEffectiveness


class Learning(Agent):
    """People record and read what is learned of themselves; who may write to a project adds documents to it."""

    name = "learning"

    @action
    async def track_question_effectiveness(self, request: TrackQuestionEffectiveness) -> EffectivenessTracked:
        """Count an answer to a question."""

        async def work(unit: UnitOfWork, news: News) -> QuestionEffectiveness:
            await require_user(unit, request.current_user)
            return await track(
                unit,
                news,
                user_id=request.current_user,
                question_id=request.question_template_id,
                role=request.role,
                answer_length=request.answer_length,
                specs_extracted=request.specs_extracted,
                at=self._now(),
                quality=request.answer_quality,
            )

        record = await self._store_and_tell(work)
        return EffectivenessTracked(
            effectiveness_score=float(record.effectiveness_score or 0),
            times_asked=record.times_asked or 0,
            times_answered_well=record.times_answered_well or 0,
        )

    @action
    async def learn_behavior_pattern(self, request: LearnBehaviorPattern) -> PatternLearned:
        """Learn a habit, or be surer of one that is known: found and saved in one unit of work (mends D79)."""

        async def work(unit: UnitOfWork, _news: News) -> PatternLearned:
            await require_user(unit, request.current_user)
            if request.project_id is not None:
                await require_member(unit, request.project_id, request.current_user)
            found = await unit.learning.find_pattern(request.current_user, request.pattern_type)
            stored = await unit.learning.save_pattern(self._learned(found, request))
            return PatternLearned(pattern_id=stored.id, confidence=float(stored.confidence or 0))

        return await self._store_and_tell(work)

    @action
    async def recommend_next_question(self, request: RecommendNextQuestion) -> QuestionRecommended:
        """The question on offer that worked best; it looks at each record once (mends D69)."""
        await require_user(self._store, request.current_user)
        # The first of several with one id, as ties go.
        offered = {template_id_of(question): question for question in reversed(request.available_questions)}
        ids = [template_id_of(question) for question in request.available_questions]
        best = next_question(ids, await self._store.learning.effectiveness_of(request.current_user))
        return QuestionRecommended(
            recommended_question=None if best.question_template_id is None else offered[best.question_template_id],
            effectiveness_score=None if best.effectiveness_score is None else float(best.effectiveness_score),
            times_asked=best.times_asked,
            reason=best.reason,
        )

    @action
    async def upload_knowledge_document(self, request: UploadKnowledgeDocument) -> DocumentUploaded:
        """Add a document to a project, so that searches find it, or not at all (mends D22).

        Where there is no knowledge base, it is refused: v1 stored what nobody ever found.
        """
        await require_writer(self._store, request.project_id, request.current_user)

        async def permit(unit: UnitOfWork) -> None:
            await require_writer(unit, request.project_id, request.current_user)

        document = await self._services.known.documents.upload(
            request.project_id,
            request.current_user,
            request.filename,
            request.content,
            content_type=request.content_type,
            permit=permit,
        )
        await self._tell_uploaded(document, request.content)
        return DocumentUploaded(
            document_id=document.id,
            project_id=document.project_id,
            filename=document.filename,
            file_size=document.file_size or 0,
        )

    @action
    async def get_user_profile(self, request: GetUserProfile) -> UserProfile:
        """What is known of whoever asks."""
        username, learned = request.current_user, self._store.learning
        await require_user(self._store, username)
        patterns, records = await asyncio.gather(learned.patterns_of(username), learned.effectiveness_of(username))
        return UserProfile(
            **asdict(profile(username, records, patterns)),
            behavior_patterns=tuple(map(PatternShown.of, patterns)),
            question_effectiveness=tuple(map(EffectivenessShown.model_validate, records)),
        )

    async def _tell_uploaded(self, document: DocumentSummary, text: str) -> None:
        from socrates.knowledge.documents.chunks import count_words  # noqa: PLC0415 - the package needs an extra

        stored = await self._store.knowledge_entries.documents(document.project_id)
        chunks = sum(each.chunks for each in stored if each.document_id == document.id)
        payload = DocumentImported(
            project_id=document.project_id,
            user_id=document.user_id,
            file_name=document.filename,
            words_extracted=await asyncio.to_thread(count_words, text),
            chunks_created=chunks,
            entries_added=chunks,
        )
        await self._emit(EventType.DOCUMENT_IMPORTED, payload)

    def _learned(self, found: BehaviorPattern | None, request: LearnBehaviorPattern) -> BehaviorPattern:
        data, project_id, now = request.pattern_data, request.project_id, self._now()
        if found is not None:
            return confirmed(found, data, project_id, now)
        confidence = Decimal(str(request.confidence))
        return new_pattern(str(uuid4()), request.current_user, request.pattern_type, data, confidence, project_id, now)
