"""The tables, as declarative SQLAlchemy entities: nothing but tables.

Entities live inside a unit of work. Every relationship raises when it is read without having been loaded.
"""

from socrates.models.account import LoginFailure
from socrates.models.base import Base
from socrates.models.conflict import ProjectConflict
from socrates.models.conversation import ConversationMessage
from socrates.models.knowledge import (
    CachedEmbedding,
    KnowledgeDocument,
    KnowledgeEntry,
    KnowledgeRemoval,
    KnowledgeSuggestion,
)
from socrates.models.learning import BehaviorPattern, QuestionEffectiveness
from socrates.models.llm import APIKey, LLMProviderConfig, LLMUsage
from socrates.models.maturity import (
    AnalyticsMetrics,
    CategorizedSpec,
    CategoryScore,
    MaturityEvent,
    PhaseMaturityScore,
)
from socrates.models.note import ProjectNote, ProjectNoteTag
from socrates.models.project import Project, ProjectConstraint, ProjectRequirement, ProjectTechnology
from socrates.models.team import PendingQuestion, TeamMember
from socrates.models.user import User
from socrates.models.v1_import import (
    BackupChange,
    ImportDeletion,
    ImportDigest,
    ImportNote,
    ImportRun,
    QuarantinedRow,
    QuarantineRelease,
)

__all__ = [
    "APIKey",
    "AnalyticsMetrics",
    "BackupChange",
    "Base",
    "BehaviorPattern",
    "CachedEmbedding",
    "CategorizedSpec",
    "CategoryScore",
    "ConversationMessage",
    "ImportDeletion",
    "ImportDigest",
    "ImportNote",
    "ImportRun",
    "KnowledgeDocument",
    "KnowledgeEntry",
    "KnowledgeRemoval",
    "KnowledgeSuggestion",
    "LLMProviderConfig",
    "LLMUsage",
    "LoginFailure",
    "MaturityEvent",
    "PendingQuestion",
    "PhaseMaturityScore",
    "Project",
    "ProjectConflict",
    "ProjectConstraint",
    "ProjectNote",
    "ProjectNoteTag",
    "ProjectRequirement",
    "ProjectTechnology",
    "QuarantineRelease",
    "QuarantinedRow",
    "QuestionEffectiveness",
    "TeamMember",
    "User",
]
