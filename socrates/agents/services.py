"""What agents work with."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from socrates.agents.order import ProjectOrder
from socrates.errors import ConfigurationError
from socrates.events import Emitter
from socrates.llm.client import LLMClient
from socrates.store import Store

if TYPE_CHECKING:
    from socrates.knowledge.knowledge_base import KnowledgeBase


def utc_now() -> datetime:
    """The current time, aware (mends D74)."""
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class Services:
    """The open parts of a system, shared by its agents; none keeps anything else between two requests.

    The knowledge base is None where there is none, and `order` keeps writes to a project in the order of requests.
    """

    store: Store
    llm: LLMClient
    emitter: Emitter
    knowledge: "KnowledgeBase | None" = None
    clock: Callable[[], datetime] = utc_now
    order: ProjectOrder = field(default_factory=ProjectOrder)

    @property
    def known(self) -> "KnowledgeBase":
        """The knowledge base. Raises ConfigurationError in a system that has none."""
        if self.knowledge is None:
            raise ConfigurationError(
                "this system has no knowledge base: install the extra, pip install 'socrates[knowledge]', "
                "and do not open the orchestrator with knowledge=False"
            )
        return self.knowledge
