"""What the system has learned about its users: how questions work with them, and their habits."""

from dataclasses import fields
from typing import Any

from sqlalchemy import bindparam, select

from socrates.caching import cached
from socrates.models import BehaviorPattern, QuestionEffectiveness
from socrates.repositories.base import Mapper, Repository, table
from socrates.repositories.cached_rows import EFFECTIVENESS, PATTERNS, rows_of
from socrates.repositories.upsert import upsert
from socrates.views import BehaviorPattern as PatternView
from socrates.views import QuestionEffectiveness as EffectivenessView

_effectiveness = Mapper(EffectivenessView, QuestionEffectiveness)
_pattern = Mapper(PatternView, BehaviorPattern)

_EFFECTIVENESS_OF_USER = (
    select(*_effectiveness.columns)
    .where(QuestionEffectiveness.user_id == bindparam("user_id"))
    .order_by(QuestionEffectiveness.question_template_id)
)
_EFFECTIVENESS = _EFFECTIVENESS_OF_USER.where(
    QuestionEffectiveness.question_template_id == bindparam("question_template_id")
)
_PATTERNS_OF_USER = (
    select(*_pattern.columns)
    .where(BehaviorPattern.user_id == bindparam("user_id"))
    .order_by(BehaviorPattern.pattern_type)
)
_PATTERN = _PATTERNS_OF_USER.where(BehaviorPattern.pattern_type == bindparam("pattern_type"))

_EFFECTIVENESS_KEY = ("user_id", "question_template_id")
_PATTERN_KEY = ("user_id", "pattern_type")
_MADE_ONCE = {"id", "created_at"}


def _overwritten(view: type[Any], key: tuple[str, ...]) -> list[str]:
    """The columns in which saving replaces what an earlier record has."""
    return [field.name for field in fields(view) if field.name not in {*key, *_MADE_ONCE}]


_SAVE_EFFECTIVENESS = upsert(
    table(QuestionEffectiveness), _EFFECTIVENESS_KEY, _overwritten(EffectivenessView, _EFFECTIVENESS_KEY)
).returning(*_effectiveness.columns)
_SAVE_PATTERN = upsert(table(BehaviorPattern), _PATTERN_KEY, _overwritten(PatternView, _PATTERN_KEY)).returning(
    *_pattern.columns
)


class LearningReads(Repository):
    """Reads of what was learned. An unknown user has nothing yet."""

    @cached("learning.find_effectiveness", tags=rows_of(EFFECTIVENESS))
    async def find_effectiveness(self, user_id: str, question_template_id: str) -> EffectivenessView | None:
        """How well one question works with the user; None when it was never asked."""
        await self._session.hold("effectiveness", user_id, question_template_id)
        row = await self._row(_EFFECTIVENESS, user_id=user_id, question_template_id=question_template_id)
        return None if row is None else _effectiveness(row)

    @cached("learning.effectiveness_of", tags=rows_of(EFFECTIVENESS))
    async def effectiveness_of(self, user_id: str) -> tuple[EffectivenessView, ...]:
        """All questions that the user was asked, ordered by the id of their template."""
        return await self._views(_effectiveness, _EFFECTIVENESS_OF_USER, user_id=user_id)

    @cached("learning.find_pattern", tags=rows_of(PATTERNS))
    async def find_pattern(self, user_id: str, pattern_type: str) -> PatternView | None:
        """One habit of the user; None when it was not learned yet."""
        await self._session.hold("pattern", user_id, pattern_type)
        row = await self._row(_PATTERN, user_id=user_id, pattern_type=pattern_type)
        return None if row is None else _pattern(row)

    @cached("learning.patterns_of", tags=rows_of(PATTERNS))
    async def patterns_of(self, user_id: str) -> tuple[PatternView, ...]:
        """All habits of the user, ordered by their type."""
        return await self._views(_pattern, _PATTERNS_OF_USER, user_id=user_id)


class LearningRepository(LearningReads):
    """Reads and writes of what was learned, inside a unit of work.

    To count on from what is stored, find and save in one unit: nobody else writes in between.
    """

    async def save_effectiveness(self, record: EffectivenessView) -> EffectivenessView:
        """Store the record as the one of its user and question, and return it as stored.

        One that is there already keeps its `id` and `created_at`; all else becomes as given, `updated_at` too. Raises
        InvalidValueError, and for the first one AlreadyExistsError when the `id` belongs to another user or question.
        """
        await self._session.hold("effectiveness", record.user_id, record.question_template_id)
        (row,) = await self._rows(_SAVE_EFFECTIVENESS, **_values(record))
        return _effectiveness(row)

    async def save_pattern(self, pattern: PatternView) -> PatternView:
        """Store the habit as the one of its user and type, and return it as stored.

        One that is there already keeps its `id`; all else becomes as given. Raises InvalidValueError, and for the first
        one AlreadyExistsError when the `id` belongs to another user or type.
        """
        await self._session.hold("pattern", pattern.user_id, pattern.pattern_type)
        (row,) = await self._rows(_SAVE_PATTERN, **_values(pattern))
        return _pattern(row)


def _values(view: EffectivenessView | PatternView) -> dict[str, Any]:
    return {field.name: getattr(view, field.name) for field in fields(view)}
