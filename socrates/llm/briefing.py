"""What the operations are told of a project."""

from collections.abc import Sequence
from dataclasses import dataclass

from socrates.rules.categories import PROJECT_TYPES
from socrates.store import Store
from socrates.views import Member, Message, ProjectContext

DEFAULT_ROLE = "lead"
"""The role of somebody whom the team does not list, such as an owner whom v1 did not put into it."""


@dataclass(frozen=True, slots=True)
class Briefing:
    """A project, the last messages of its conversation (the oldest first), and its team."""

    project: ProjectContext
    messages: tuple[Message, ...] = ()
    members: tuple[Member, ...] = ()

    @property
    def project_type(self) -> str:
        """One of the six; `software` where the project has none, or another."""
        wanted = self.project.project_type.strip().lower()
        return wanted if wanted in PROJECT_TYPES else "software"

    def last(self, count: int | None) -> Sequence[Message]:
        """The last messages, all of them for None or 0."""
        return self.messages[-count:] if count else self.messages

    def role_of(self, username: str) -> str:
        """The person's role in the team."""
        return next((member.role for member in self.members if member.username == username), DEFAULT_ROLE)

    @property
    def summary(self) -> str:
        """Up to four lines: goals, requirements, tech stack, constraints, each left out when it is empty."""
        project = self.project
        parts = {
            "Goals": project.goals,
            "Requirements": ", ".join(project.requirements),
            "Tech stack": ", ".join(project.tech_stack),
            "Constraints": ", ".join(project.constraints),
        }
        return "\n".join(f"{name}: {text}" for name, text in parts.items() if text.strip())


async def brief(store: Store, project_id: str, messages: int = 10) -> Briefing:
    """Read what the operations need of a project, with so many of its last messages.

    Raises ProjectNotFoundError, and InvalidValueError for a negative number.
    """
    project = await store.projects.context(project_id)
    last = await store.conversations.last(project_id, messages) if messages else ()
    return Briefing(project, last, await store.projects.members(project_id))
