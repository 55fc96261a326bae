"""The prompts of operations 19 to 26."""

from socrates.llm.briefing import Briefing
from socrates.llm.prompts.composing import CHARACTERS_PER_TOKEN, Prompt, Rank, Section, compose, fit, subject, texts
from socrates.llm.prompts.projects import NOT_SPECIFIED, about, goals, listed, speaker

_FAMILY = "artifacts"
_MESSAGES_LOOKED_AT = 5

_SHOWN_OF_ARTIFACT = 2000
"""Characters of an artifact that its documentation is written from (llm-client, operation 26)."""


def artifact_sections(project: Briefing) -> tuple[Section, ...]:
    """What an artifact is made from: the project, and what people said last."""
    context = project.project
    return (
        about(
            project,
            deployment_target=context.deployment_target.strip() or NOT_SPECIFIED,
            code_style=context.code_style.strip() or NOT_SPECIFIED,
        ),
        goals(project),
        listed("requirements", context.requirements),
        listed("tech_stack", context.tech_stack),
        listed("constraints", context.constraints),
        _said_by_users(project),
    )


def documentation_sections(project: Briefing, artifact: str | None, artifact_type: str) -> tuple[Section, ...]:
    """What documentation is made from: the project in short, and the beginning of the artifact."""
    return (
        about(project, artifact_type=_known_type(artifact_type)),
        goals(project),
        subject("artifact", _beginning(artifact or "")),
    )


def artifact(task: str, sections: tuple[Section, ...], tokens: int) -> Prompt:
    """A whole artifact; `task` says which."""
    return compose(_FAMILY, task, sections, tokens)


def documentation(artifact_type: str, sections: tuple[Section, ...], tokens: int) -> Prompt:
    """How to work with an artifact; what is no known type is taken for code."""
    outline = texts(_FAMILY)["outlines"][_known_type(artifact_type)]
    return compose(_FAMILY, "generate_documentation", sections, tokens, outline=outline.strip())


def in_words(sections: tuple[Section, ...], tokens: int) -> str:
    """The data of a prompt as people read it: the same sections, cut in the same way."""
    fitting, _ = fit([section for section in sections if section.items], tokens * CHARACTERS_PER_TOKEN)
    return "\n\n".join(f"{section.name.replace('_', ' ').capitalize()}\n{section.text}" for section in fitting)


def _said_by_users(project: Briefing) -> Section:
    last = project.last(_MESSAGES_LOOKED_AT)
    said = tuple(f"- {message.content}" for message in last if speaker(message) == "user")
    # Never empty: all else is stable, and the API refuses a message one part of which is empty.
    return Section("conversation", said or ("- nothing yet",), Rank.CONVERSATION)


def _known_type(artifact_type: str) -> str:
    wanted = artifact_type.strip().lower()
    return wanted if wanted in texts(_FAMILY)["outlines"] else "code"


def _beginning(artifact: str) -> str:
    if not artifact.strip():
        return "There is no artifact yet."
    return artifact if len(artifact) <= _SHOWN_OF_ARTIFACT else f"{artifact[:_SHOWN_OF_ARTIFACT]}…"
