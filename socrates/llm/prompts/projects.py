"""What prompts tell of a project."""

from collections.abc import Iterable

from socrates.llm.briefing import Briefing
from socrates.llm.prompts.composing import Rank, Section, subject
from socrates.views import Message

NOT_SPECIFIED = "not specified"


def about(project: Briefing, **more: str) -> Section:
    """The project by name, type and phase, and what else is to be told in a line each."""
    facts = {"name": project.project.name, "type": project.project_type.upper(), "phase": project.project.phase} | more
    return Section("project", tuple(f"{name.replace('_', ' ')}: {text}" for name, text in facts.items()), stable=True)


def goals(project: Briefing) -> Section:
    """What it is for."""
    return Section("goals", (project.project.goals.strip() or NOT_SPECIFIED,), stable=True)


def listed(name: str, values: Iterable[str]) -> Section:
    """A list of the project's: requirements, tech stack or constraints."""
    return Section(name, tuple(values) or (NOT_SPECIFIED,), Rank.DETAIL, stable=True)


def conversation(messages: Iterable[Message]) -> Section:
    """Messages, the oldest first, each with who spoke."""
    return Section(
        "conversation", tuple(f"{speaker(message)}: {message.content}" for message in messages), Rank.CONVERSATION
    )


def speaker(message: Message) -> str:
    """Who spoke. Imported messages can have it as `role` (llm-client, chapter 1)."""
    return message.type or str(message.extra.get("role") or "unknown")


def summary(project: Briefing) -> Section:
    """Goals, requirements, tech stack and constraints, a line each, as far as there are any."""
    return subject("summary", project.summary)
