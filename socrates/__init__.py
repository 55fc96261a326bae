"""Socrates: the data layer of a tutor that elicits a project's requirements by Socratic questions.

The names below are loaded on first use, so that `import socrates` stays cheap (under 100 ms) and pulls in
neither SQLAlchemy nor anything heavier. `KnowledgeBase` is one of them where the extra `knowledge` is installed;
`LLMClient` needs none, but calling Claude needs the extra `llm`.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from socrates.caching import bypassed
    from socrates.config import CacheConfig, Settings
    from socrates.drafts import NewEntry, NewMaturityEvent, NewMessage, NewSpec
    from socrates.errors import (
        AlreadyExistsError,
        BusyError,
        ClosedError,
        ConfigurationError,
        ConflictError,
        DatabaseError,
        DocumentError,
        InvalidValueError,
        LLMConfigurationError,
        LLMError,
        LoginRefusedError,
        MigrationError,
        NotFoundError,
        QuotaExceededError,
        SchemaError,
        SerializationError,
        SocratesError,
        ThrottledError,
    )
    from socrates.events import Emitter, EventType
    from socrates.knowledge.knowledge_base import KnowledgeBase as KnowledgeBase
    from socrates.llm.briefing import brief
    from socrates.llm.caller import Caller
    from socrates.llm.client import LLMClient
    from socrates.orchestrator import Orchestrator
    from socrates.store import Store, UnitOfWork

__version__ = "2.0.0a1"

__all__ = [
    "AlreadyExistsError",
    "BusyError",
    "CacheConfig",
    "Caller",
    "ClosedError",
    "ConfigurationError",
    "ConflictError",
    "DatabaseError",
    "DocumentError",
    "Emitter",
    "EventType",
    "InvalidValueError",
    "LLMClient",
    "LLMConfigurationError",
    "LLMError",
    "LoginRefusedError",
    "MigrationError",
    "NewEntry",
    "NewMaturityEvent",
    "NewMessage",
    "NewSpec",
    "NotFoundError",
    "Orchestrator",
    "QuotaExceededError",
    "SchemaError",
    "SerializationError",
    "Settings",
    "SocratesError",
    "Store",
    "ThrottledError",
    "UnitOfWork",
    "__version__",
    "brief",
    "bypassed",
]

# KnowledgeBase is public but not among them: it needs an extra, without which a star import would fail.
_HOME_OF = {
    "CacheConfig": "socrates.config",
    "Caller": "socrates.llm.caller",
    "Emitter": "socrates.events",
    "EventType": "socrates.events",
    "KnowledgeBase": "socrates.knowledge.knowledge_base",
    "LLMClient": "socrates.llm.client",
    "NewEntry": "socrates.drafts",
    "NewMaturityEvent": "socrates.drafts",
    "NewMessage": "socrates.drafts",
    "NewSpec": "socrates.drafts",
    "Orchestrator": "socrates.orchestrator",
    "Settings": "socrates.config",
    "Store": "socrates.store",
    "UnitOfWork": "socrates.store",
    "brief": "socrates.llm.briefing",
    "bypassed": "socrates.caching",
} | {name: "socrates.errors" for name in __all__ if name.endswith("Error")}


def __getattr__(name: str) -> Any:
    home = _HOME_OF.get(name)
    if home is None:
        raise AttributeError(f"module 'socrates' has no attribute {name!r}")
    return getattr(import_module(home), name)


def __dir__() -> list[str]:
    return sorted(__all__)
