"""Operations 13 to 18 and 27: judging what was said about a project."""

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from socrates.drafts import NewSpec
from socrates.errors import LLMError
from socrates.llm import operation
from socrates.llm.answers import Categorization, Insights, Roles, Verdicts
from socrates.llm.briefing import DEFAULT_ROLE, Briefing
from socrates.llm.caller import NOBODY, Caller
from socrates.llm.categorizing import Fields, fields_of, specs_by_field, specs_of
from socrates.llm.conflicts import ConflictCheck, NoVerdict, checked, statements, unsettled
from socrates.llm.operation import Operation
from socrates.llm.operations.base import Operations
from socrates.llm.prompts import analysis as prompts
from socrates.llm.results import Result
from socrates.rules.conflicts import Field, FoundConflict, as_compared
from socrates.rules.question_roles import roles_by_keyword
from socrates.rules.tech_conflicts import tech_conflicts

_log = logging.getLogger(__name__)

_MOST_TOKENS = 4000
"""Of one answer, however many statements it judges: every model of the table can give as many."""


class AnalysisOperations(Operations):
    """What statements about a project belong to, and what they contradict."""

    async def categorize_insights_async(
        self,
        insights: Insights | Mapping[str, object],
        phase: str,
        project_type: str,
        categories: Sequence[str],
        *,
        caller: Caller = NOBODY,
    ) -> Result[tuple[NewSpec, ...]]:
        """The statements of the insights, each with one of the `categories` that this phase and type have.

        Degraded when the model fails: then the field of a statement decides, with a confidence of 0.7. No model is
        asked where there are no statements or no categories.
        """
        fields = fields_of(insights)
        if not fields or not categories:
            return Result(())
        return await self._or_else(
            self._categorized(fields, phase, project_type, categories, caller), specs_by_field(fields, categories)
        )

    async def _categorized(
        self, fields: Fields, phase: str, project_type: str, categories: Sequence[str], caller: Caller
    ) -> Result[tuple[NewSpec, ...]]:
        prompt = prompts.categorization(fields, phase, project_type, categories, self._context_tokens)
        answer = await self._calls.structured(operation.CATEGORIZE_INSIGHTS, prompt, caller, Categorization)
        specs = specs_of(answer.value.specs, fields, categories)
        return Result(specs, omitted=answer.omitted, usage=answer.usage)

    async def detect_requirement_conflict_async(
        self, new: str | Iterable[str], existing: str | Iterable[str], *, caller: Caller = NOBODY
    ) -> Result[ConflictCheck]:
        """The conflicts of one new requirement, or of several, with those that stand; one call for all.

        Nothing is asked of a requirement that stands already, nor where none stands. Degraded when the model fails on
        any: they are `without_verdict`, which does not mean that they contradict nothing. The limit of 300 tokens is
        for one, that of several is so many times as high, up to 4000.
        """
        return await self._check(operation.DETECT_REQUIREMENT_CONFLICT, "requirements", new, existing, caller)

    async def detect_goal_conflict_async(
        self, new: str | Iterable[str], existing: str, *, caller: Caller = NOBODY
    ) -> Result[ConflictCheck]:
        """As for requirements, for new goals and the project's, one to a line; without explanation and suggestions.

        A new goal is compared with all of them at once: the model sees one text. The limit is 100 tokens for one new
        goal.
        """
        return await self._check(
            operation.DETECT_GOAL_CONFLICT, "goals", unsettled(statements(new), existing.splitlines()), existing, caller
        )

    async def detect_constraint_conflict_async(
        self, new: str | Iterable[str], existing: str | Iterable[str], *, caller: Caller = NOBODY
    ) -> Result[ConflictCheck]:
        """As for requirements, for constraints; without explanation and suggestions. 150 tokens for one."""
        return await self._check(operation.DETECT_CONSTRAINT_CONFLICT, "constraints", new, existing, caller)

    async def detect_conflicts_async(
        self,
        project: Briefing,
        insights: Insights | Mapping[str, object],
        current_user: str | None = None,
        *,
        caller: Caller = NOBODY,
    ) -> Result[ConflictCheck]:
        """The conflicts of everything that `current_user` said with what the project has, all checks at once.

        Technologies are compared by rule. Checks that fail are `without_verdict`, and the result is degraded; what the
        others found is there all the same. What is no failure of a model, such as DatabaseError, is raised, and
        ends the other checks.
        """
        fields, known = fields_of(insights), project.project
        try:
            async with asyncio.TaskGroup() as group:
                checks = [
                    group.create_task(check)
                    for check in (
                        self.detect_requirement_conflict_async(
                            fields.get("requirements", ()), known.requirements, caller=caller
                        ),
                        self.detect_goal_conflict_async(fields.get("goals", ()), known.goals, caller=caller),
                        self.detect_constraint_conflict_async(
                            fields.get("constraints", ()), known.constraints, caller=caller
                        ),
                    )
                ]
        except ExceptionGroup as failures:
            raise failures.exceptions[0] from failures
        by_rule = Result(ConflictCheck(tech_conflicts(fields.get("tech_stack", ()), known.tech_stack)))
        return _together([by_rule, *(check.result() for check in checks)], current_user)

    async def _check(
        self,
        asked_of: Operation,
        field: Field,
        new: str | Iterable[str],
        existing: str | Iterable[str],
        caller: Caller,
    ) -> Result[ConflictCheck]:
        standing = statements(existing)
        asked = unsettled(statements(new), standing)
        if not asked:
            return Result(ConflictCheck())
        return await self._or_else(
            self._judged(asked_of, field, asked, standing, caller),
            ConflictCheck(without_verdict=(NoVerdict(field, asked),)),
        )

    async def _judged(
        self, asked_of: Operation, field: Field, asked: Sequence[str], existing: Sequence[str], caller: Caller
    ) -> Result[ConflictCheck]:
        scaled = replace(asked_of, max_tokens=min(asked_of.max_tokens * len(asked), _MOST_TOKENS))
        prompt = prompts.conflicts(asked_of, asked, existing, self._context_tokens)
        answer = await self._calls.structured(scaled, prompt, caller, Verdicts)
        check = checked(field, asked, existing, answer.value.verdicts, told_all=not prompt.omitted)
        if not check.without_verdict:
            return Result(check, omitted=answer.omitted, usage=answer.usage)
        unknown = sum(len(without.new) for without in check.without_verdict)
        failure = LLMError(
            f"{asked_of.name}: no verdict on {unknown} of {len(asked)} new {field}: the model left them out, "
            "or was not told all there is",
            "PARSE_ERROR",
        )
        await self._warn(failure)
        return Result(check, degraded=True, failure=failure, omitted=answer.omitted, usage=answer.usage)

    async def generate_conflict_resolution_suggestions_async(
        self, conflict: FoundConflict, project: Briefing, *, caller: Caller = NOBODY
    ) -> Result[str]:
        """Three or four ways to resolve a conflict. Raises LLMError."""
        prompt = prompts.resolutions(conflict, project, self._context_tokens)
        return await self._calls.text(operation.SUGGEST_RESOLUTIONS, prompt, caller)

    async def assign_question_roles_async(
        self, question: str, project: Briefing, *, caller: Caller = NOBODY
    ) -> Result[tuple[str, ...]]:
        """Which of the team's roles should answer the question, at least one; `lead` without a team.

        Degraded when the model fails, or names anything but these roles: then words of the question decide. No model is
        asked where there is no choice, or no question.
        """
        roles = tuple(dict.fromkeys(member.role for member in project.members if member.role.strip()))
        present = roles or (DEFAULT_ROLE,)
        by_keyword = roles_by_keyword(question, present)
        if len(present) == 1 or not question.strip():
            return Result(by_keyword)
        return await self._or_else(self._chosen_roles(question, present, by_keyword, caller), by_keyword)

    async def _chosen_roles(
        self, question: str, present: Sequence[str], by_keyword: tuple[str, ...], caller: Caller
    ) -> Result[tuple[str, ...]]:
        prompt = prompts.question_roles(question, present, self._context_tokens)
        answer = await self._calls.structured(operation.ASSIGN_QUESTION_ROLES, prompt, caller, Roles)
        chosen = {as_compared(role) for role in answer.value.roles}
        roles = tuple(role for role in present if as_compared(role) in chosen)
        if not roles or chosen != {as_compared(role) for role in roles}:
            failure = LLMError("assign_question_roles: the model named no role, or one that nobody has", "PARSE_ERROR")
            await self._warn(failure)
            return Result(by_keyword, degraded=True, failure=failure, omitted=answer.omitted, usage=answer.usage)
        return Result(roles, omitted=answer.omitted, usage=answer.usage)

    async def _warn(self, failure: LLMError) -> None:
        """Report an answer that was in form, but no use."""
        _log.warning("%s", failure)
        await self._emit("log.warning", {"message": str(failure), "error_type": failure.error_type})


def _together(results: Sequence[Result[ConflictCheck]], new_author: str | None) -> Result[ConflictCheck]:
    """The results of several checks as one."""
    conflicts = [conflict for result in results for conflict in result.value.conflicts]
    check = ConflictCheck(
        tuple(replace(conflict, new_author=new_author) for conflict in conflicts),
        tuple(unknown for result in results for unknown in result.value.without_verdict),
    )
    failures = [result.failure for result in results if result.failure is not None]
    return Result(
        check,
        degraded=any(result.degraded for result in results),
        failure=failures[0] if failures else None,
        omitted=tuple(left_out for result in results for left_out in result.omitted),
        usage=tuple(row for result in results for row in result.usage),
    )
