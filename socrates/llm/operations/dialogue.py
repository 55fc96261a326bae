"""Operations 5 to 12: the guided dialogue, and what people ask beside it."""

from collections.abc import AsyncGenerator, Iterable, Sequence
from contextlib import aclosing
from dataclasses import replace

from cachetools import LRUCache

from socrates.config import LLMConfig
from socrates.errors import InvalidValueError
from socrates.llm import operation
from socrates.llm.answers import Insights, Interpretation, Interpretations, texts_of
from socrates.llm.briefing import Briefing
from socrates.llm.caller import NOBODY, Caller
from socrates.llm.calls import Calls
from socrates.llm.commands import Command
from socrates.llm.emitting import Emit
from socrates.llm.fallbacks import nothing_to_summarise, static_suggestions
from socrates.llm.operations.base import KnowledgeSearch, Known, Operations
from socrates.llm.prompts import dialogue as prompts
from socrates.llm.prompts.composing import Prompt
from socrates.llm.results import AnswerToQuestion, Piece, Result
from socrates.llm.storable import storable

_UNCERTAIN = frozenset({"i don't know", "idk", "not sure", "no idea", "dunno", "unsure"})

_SHORTEST_ANSWER = 3
"""Characters; less states nothing (llm-client, operation 6)."""

_MOST_INTERPRETATIONS = 3
_INTERPRETED_KEPT = 50
"""Interpretations that are not asked for again (llm-client, operation 12)."""


class DialogueOperations(Operations):
    """The dialogue about a project."""

    def __init__(self, calls: Calls, search: KnowledgeSearch | None, config: LLMConfig, emit: Emit) -> None:
        super().__init__(calls, search, config, emit)
        self._interpreted: LRUCache[tuple[str, str | None, Prompt], Result[Interpretations]] = LRUCache(
            _INTERPRETED_KEPT
        )

    async def generate_socratic_question_async(
        self, project: Briefing, question_count: int, current_user: str | None = None, *, caller: Caller = NOBODY
    ) -> Result[str]:
        """The next question of the dialogue; `question_count` questions of this phase were asked before.

        In a team of more than one it is put to the role of `current_user`. Raises LLMError.
        """
        known = await self._known(project.summary, project.project.id, top_k=3, characters=200)
        prompt = prompts.socratic_question(project, question_count, current_user, known.section, self._context_tokens)
        return await self._calls.text(operation.GENERATE_SOCRATIC_QUESTION, known.told(prompt), caller)

    async def extract_insights_async(
        self, user_response: str, project: Briefing, *, caller: Caller = NOBODY
    ) -> Result[Insights]:
        """What an answer of the user's states about the project; degraded and empty when the model fails.

        No model is asked about fewer than three characters, nor about the words of somebody who does not know: then
        the insights have a `note`, and nothing to store.
        """
        words = user_response.strip()
        if len(words) < _SHORTEST_ANSWER:
            return Result(Insights())
        if words.lower().replace("’", "'").rstrip(".! ") in _UNCERTAIN:
            return Result(Insights.of_somebody_uncertain())
        prompt = prompts.insights(words, project, self._context_tokens)
        return await self._or_else(
            self._calls.structured(operation.EXTRACT_INSIGHTS, prompt, caller, Insights), Insights()
        )

    async def generate_suggestions_async(
        self, current_question: str, project: Briefing, *, caller: Caller = NOBODY
    ) -> Result[str]:
        """Three or four suggestions for somebody who is stuck on the question.

        When the model fails they are those of the project's phase, and degraded. Raises InvalidValueError for a blank
        question.
        """
        question = _required("question", current_question)
        known = await self._known(question, project.project.id, top_k=3, characters=300)
        prompt = prompts.suggestions(question, project, known.section, self._context_tokens)
        return await self._or_else(
            self._calls.text(operation.GENERATE_SUGGESTIONS, known.told(prompt), caller), static_suggestions(project)
        )

    async def explain_insights_async(
        self, category: str, values: str | Iterable[str], source_text: str, *, caller: Caller = NOBODY
    ) -> Result[str]:
        """Why these values, insights of one category, were taken from the text: one or two sentences.

        Raises LLMError, and InvalidValueError when there are no values or no text.
        """
        text = _required("text that the insights come from", source_text)
        insights = texts_of([values] if isinstance(values, str) else values)
        if not insights:
            raise InvalidValueError("there are no insights to explain: give one at least")
        prompt = prompts.explanation(category, insights, text, self._context_tokens)
        return await self._calls.text(operation.EXPLAIN_INSIGHTS, prompt, caller)

    async def answer_question_async(
        self, question: str, project: Briefing | None = None, *, caller: Caller = NOBODY
    ) -> Result[AnswerToQuestion]:
        """The answer to any question, from the project, what is known, and what the model knows.

        Raises LLMError, and InvalidValueError for a blank question.
        """
        prompt, sources = await self._question(question, project)
        answer = await self._calls.text(operation.ANSWER_QUESTION, prompt, caller)
        return Result(
            AnswerToQuestion(answer.value, sources), answer.truncated, omitted=answer.omitted, usage=answer.usage
        )

    async def stream_answer_async(
        self, question: str, project: Briefing | None = None, *, caller: Caller = NOBODY
    ) -> AsyncGenerator[Piece[AnswerToQuestion], None]:
        """The same, piece by piece; the last piece has the whole as its result.

        Raises LLMError, and InvalidValueError for a blank question.
        """
        prompt, sources = await self._question(question, project)

        def answer(text: str) -> AnswerToQuestion:
            return AnswerToQuestion(text.strip(), sources)

        async with aclosing(self._calls.stream(operation.ANSWER_QUESTION, prompt, caller, answer)) as pieces:
            async for piece in pieces:
                yield piece

    async def explain_topic_async(
        self, topic: str, project: Briefing | None = None, *, caller: Caller = NOBODY
    ) -> Result[str]:
        """What a topic is, why it matters, examples, and what it has to do with the project.

        Raises LLMError, and InvalidValueError for a blank topic.
        """
        topic = _required("topic", topic)
        known = await self._known(topic, _id(project), top_k=5, characters=200)
        prompt = prompts.topic(topic, project, known.section, self._context_tokens)
        return await self._calls.text(operation.EXPLAIN_TOPIC, known.told(prompt), caller)

    async def summarize_conversation_async(
        self, project: Briefing, limit: int | None = 10, *, caller: Caller = NOBODY
    ) -> Result[str]:
        """Decisions, requirements, progress and open questions of the conversation's last messages.

        `limit`: how many of the messages that the briefing has, None or 0 for all of them. No model is asked when there
        are none. Raises LLMError.
        """
        messages = project.last(limit)
        if not messages:
            return Result(nothing_to_summarise())
        prompt = prompts.summary(project, messages, self._context_tokens)
        return await self._calls.text(operation.SUMMARIZE_CONVERSATION, prompt, caller)

    async def interpret_command_async(
        self,
        user_input: str,
        commands: Sequence[Command],
        user: str,
        project: Briefing | None = None,
        *,
        caller: Caller = NOBODY,
    ) -> Result[Interpretations]:
        """Up to three of the commands that the input may stand for, the best first.

        What a user was told lately is told again without a call. Raises LLMError, and InvalidValueError for a blank
        input.
        """
        prompt = prompts.interpretation(_required("input", user_input), commands, user, project, self._context_tokens)
        # The prompt has the input and the commands, and of the project's data what the answer depends on.
        key = (user, _id(project), prompt)
        if key in self._interpreted:
            return self._interpreted[key]
        result = await self._calls.structured(operation.INTERPRET_COMMAND, prompt, caller, Interpretations)
        result = replace(result, value=_best(result.value.interpretations, commands))
        self._interpreted[key] = replace(result, usage=())
        return result

    async def _question(self, question: str, project: Briefing | None) -> tuple[Prompt, tuple[str, ...]]:
        """The prompt of a question, and the ids of the entries of knowledge that it holds."""
        question = _required("question", question)
        known = await self._known(question, _id(project), top_k=3, characters=200)
        prompt = known.told(prompts.answer(question, project, known.section, self._context_tokens))
        return prompt, _sources(known, prompt)


def _required(name: str, text: str) -> str:
    """The text, trimmed. Raises InvalidValueError when nothing is left."""
    trimmed = text.strip()
    if not trimmed:
        raise InvalidValueError(f"the {name} is blank: give one")
    return trimmed


def _id(project: Briefing | None) -> str | None:
    return None if project is None else project.project.id


def _sources(known: Known, prompt: Prompt) -> tuple[str, ...]:
    """Of the entries that were found, those for which the prompt had room: the last were left out first."""
    for count in range(len(known.sources), 0, -1):
        told = replace(known.section, items=known.section.items[:count]).text
        if f"\n{storable(told)}\n</{known.section.name} " in prompt.data:
            return known.sources[:count]
    return ()


def _best(found: Iterable[Interpretation], commands: Iterable[Command]) -> Interpretations:
    names = {command.name for command in commands}
    existing = sorted((one for one in found if one.command in names), key=lambda one: -one.confidence)
    return Interpretations(interpretations=tuple(existing[:_MOST_INTERPRETATIONS]))
