"""What code_generator is asked, and what it answers."""

from typing import Literal

from socrates.agents.contracts.base import Key, OfProject, Success, Text, asker


class GenerateArtifact(OfProject):
    action: Literal["generate_artifact", "generate_script"] = "generate_artifact"
    current_user: Key = asker("requester")


class GenerateDocumentation(OfProject):
    """`artifact` is what is documented, `script` v1's older name for it; without either, an artifact yet to come."""

    action: Literal["generate_documentation"] = "generate_documentation"
    current_user: Key = asker("requester")
    artifact: Text | None = None
    script: Text | None = None


class ArtifactMade(Success):
    """`script` is `artifact` once more, under v1's older name.

    `context_used` is what the model was told of the project, `omitted` what there was no room for. `truncated`: the
    model ran into its limit of tokens, and the end is missing.
    """

    artifact: str
    script: str
    artifact_type: str
    context_used: str
    omitted: tuple[str, ...]
    truncated: bool


class DocumentationMade(Success):
    """`artifact_type` is the type of what is documented; the rest as in ArtifactMade."""

    documentation: str
    artifact_type: str
    context_used: str
    omitted: tuple[str, ...]
    truncated: bool
