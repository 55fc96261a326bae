"""Operations 19 to 26: what comes out of a project at its end, and how to work with it.

Each is read as a stream even where it is returned whole: an artifact takes longer than a single answer may.
"""

from collections.abc import AsyncGenerator
from contextlib import aclosing
from dataclasses import replace
from functools import partial

from socrates.llm import operation
from socrates.llm.briefing import Briefing
from socrates.llm.caller import NOBODY, Caller
from socrates.llm.operation import Operation
from socrates.llm.operations.base import Operations
from socrates.llm.prompts import artifacts as prompts
from socrates.llm.results import Artifact, Piece, Result

_BY_PROJECT_TYPE = {
    "software": operation.GENERATE_CODE,
    "business": operation.GENERATE_BUSINESS_PLAN,
    "research": operation.GENERATE_RESEARCH_PROTOCOL,
    "creative": operation.GENERATE_CREATIVE_BRIEF,
    "marketing": operation.GENERATE_MARKETING_PLAN,
    "educational": operation.GENERATE_CURRICULUM,
}


class ArtifactOperations(Operations):
    """Artifacts and their documentation. A text that is cut off at its limit of tokens says so: `Result.truncated`."""

    async def generate_artifact_async(self, project: Briefing, *, caller: Caller = NOBODY) -> Result[Artifact]:
        """The artifact that fits the project's type; code where it has none, or another. Raises LLMError."""
        return await self._whole(self.stream_artifact_async(project, caller=caller))

    async def stream_artifact_async(
        self, project: Briefing, *, caller: Caller = NOBODY
    ) -> AsyncGenerator[Piece[Artifact], None]:
        """The same, piece by piece; the last piece has the whole as its result. Raises LLMError."""
        asked = _BY_PROJECT_TYPE[project.project_type]
        async with aclosing(self._artifact(asked, project, caller)) as pieces:
            async for piece in pieces:
                yield piece

    async def generate_code_async(self, project: Briefing, *, caller: Caller = NOBODY) -> Result[Artifact]:
        """A complete program with documentation and tests. Raises LLMError."""
        return await self._whole(self._artifact(operation.GENERATE_CODE, project, caller))

    async def generate_business_plan_async(self, project: Briefing, *, caller: Caller = NOBODY) -> Result[Artifact]:
        """A business plan, from the market to its risks. Raises LLMError."""
        return await self._whole(self._artifact(operation.GENERATE_BUSINESS_PLAN, project, caller))

    async def generate_research_protocol_async(self, project: Briefing, *, caller: Caller = NOBODY) -> Result[Artifact]:
        """A research protocol, from the hypothesis to the expected outcome. Raises LLMError."""
        return await self._whole(self._artifact(operation.GENERATE_RESEARCH_PROTOCOL, project, caller))

    async def generate_creative_brief_async(self, project: Briefing, *, caller: Caller = NOBODY) -> Result[Artifact]:
        """A creative brief, from the audience to the deliverables. Raises LLMError."""
        return await self._whole(self._artifact(operation.GENERATE_CREATIVE_BRIEF, project, caller))

    async def generate_marketing_plan_async(self, project: Briefing, *, caller: Caller = NOBODY) -> Result[Artifact]:
        """A marketing plan, from the target market to metrics. Raises LLMError."""
        return await self._whole(self._artifact(operation.GENERATE_MARKETING_PLAN, project, caller))

    async def generate_curriculum_async(self, project: Briefing, *, caller: Caller = NOBODY) -> Result[Artifact]:
        """A curriculum, from learning outcomes to evaluation. Raises LLMError."""
        return await self._whole(self._artifact(operation.GENERATE_CURRICULUM, project, caller))

    async def generate_documentation_async(
        self, project: Briefing, artifact: str | None, artifact_type: str = "code", *, caller: Caller = NOBODY
    ) -> Result[Artifact]:
        """How to work with an artifact, or with one that is yet to come (None); its own type is `documentation`.

        An `artifact_type` that is unknown is taken for code. Raises LLMError.
        """
        return await self._whole(self.stream_documentation_async(project, artifact, artifact_type, caller=caller))

    async def stream_documentation_async(
        self, project: Briefing, artifact: str | None, artifact_type: str = "code", *, caller: Caller = NOBODY
    ) -> AsyncGenerator[Piece[Artifact], None]:
        """The same, piece by piece; the last piece has the whole as its result. Raises LLMError."""
        sections = prompts.documentation_sections(project, artifact, artifact_type)
        prompt = prompts.documentation(artifact_type, sections, self._context_tokens)
        made_of = partial(
            Artifact, artifact_type="documentation", context=prompts.in_words(sections, self._context_tokens)
        )
        stream = self._calls.stream(operation.GENERATE_DOCUMENTATION, prompt, caller, made_of)
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                yield piece

    def _artifact(self, asked: Operation, project: Briefing, caller: Caller) -> AsyncGenerator[Piece[Artifact], None]:
        sections = prompts.artifact_sections(project)
        prompt = prompts.artifact(asked.name, sections, self._context_tokens)
        artifact_type = asked.name.removeprefix("generate_")
        made_of = partial(
            Artifact, artifact_type=artifact_type, context=prompts.in_words(sections, self._context_tokens)
        )
        limited = replace(asked, max_tokens=self._artifact_tokens)
        return self._calls.stream(limited, prompt, caller, made_of)
