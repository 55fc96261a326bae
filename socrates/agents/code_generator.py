"""What comes out of a project at its end: an artifact of its type, and how to work with it."""

from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing

from socrates.agents.access import require_feature, require_member
from socrates.agents.base import Agent, streamed_action
from socrates.agents.contracts.artifacts import ArtifactMade, DocumentationMade, GenerateArtifact, GenerateDocumentation
from socrates.agents.contracts.base import OfProject
from socrates.events import EventType, payloads
from socrates.llm.briefing import Briefing, brief
from socrates.llm.caller import Caller
from socrates.llm.results import Artifact

_MESSAGES = 5
"""So many of the last messages are looked at for what people said (agents, 2.4)."""

ARTIFACT_TYPES: Mapping[str, str] = {
    "software": "code",
    "business": "business_plan",
    "research": "research_protocol",
    "creative": "creative_brief",
    "marketing": "marketing_plan",
    "educational": "curriculum",
}
"""By the type of the project (agents, 2.4)."""


class CodeGenerator(Agent):
    """Members of a project generate its artifact, also when it is archived: nothing of it is stored.

    A model that fails is a Failure, and never a text (mends D31). Who asks needs the feature `code_generation` (D64).
    """

    name = "code_generator"

    @streamed_action
    async def generate_artifact(self, request: GenerateArtifact) -> AsyncGenerator[str | ArtifactMade, None]:
        """Write the artifact that fits the project's type; code where it has none, or another."""
        project = await self._briefed(request, _MESSAGES)
        stream = self._services.llm.stream_artifact_async(project, caller=Caller(request.current_user))
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                if piece.result is None:
                    yield piece.text
                    continue
                made = piece.result.value
                await self._tell_made(EventType.CODE_GENERATED, request, made, made.artifact_type)
                yield ArtifactMade(
                    artifact=made.text,
                    script=made.text,
                    artifact_type=made.artifact_type,
                    context_used=made.context,
                    omitted=piece.result.omitted,
                    truncated=piece.result.truncated,
                )

    @streamed_action
    async def generate_documentation(
        self, request: GenerateDocumentation
    ) -> AsyncGenerator[str | DocumentationMade, None]:
        """Write how to work with an artifact of the project's type."""
        project = await self._briefed(request, 0)
        artifact_type = ARTIFACT_TYPES[project.project_type]
        stream = self._services.llm.stream_documentation_async(
            project, request.artifact or request.script, artifact_type, caller=Caller(request.current_user)
        )
        async with aclosing(stream) as pieces:
            async for piece in pieces:
                if piece.result is None:
                    yield piece.text
                    continue
                made = piece.result.value
                await self._tell_made(EventType.CODE_DOCUMENTATION_GENERATED, request, made, artifact_type)
                yield DocumentationMade(
                    documentation=made.text,
                    artifact_type=artifact_type,
                    context_used=made.context,
                    omitted=piece.result.omitted,
                    truncated=piece.result.truncated,
                )

    async def _briefed(self, request: OfProject, messages: int) -> Briefing:
        """The project, for somebody who may see it and have texts of it generated."""
        await require_member(self._store, request.project_id, request.current_user)
        await require_feature(self._store, request.current_user, "code_generation", self._now())
        return await brief(self._store, request.project_id, messages)

    async def _tell_made(self, event: EventType, request: OfProject, made: Artifact, artifact_type: str) -> None:
        """That a text is whole, mends D35: v1 told nobody."""
        payload = payloads.ArtifactMade(
            project_id=request.project_id,
            user_id=request.current_user,
            artifact_type=artifact_type,
            length=len(made.text),
        )
        await self._emit(event, payload)
