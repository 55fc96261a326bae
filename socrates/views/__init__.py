"""What reads return: frozen, without lists, safe to cache, to share between tasks and to send.

Times are aware UTC. A field that v1 wrote may be None where its number was NaN or its time unreadable (rules V4 and V18
of the v1 format); the types say where. `extra` holds what v1 wrote and no column knows.
"""

from socrates.views.conflict import ConflictChoice, ConflictField, ConflictSeverity, ProjectConflict
from socrates.views.conversation import Message, MessageHit
from socrates.views.knowledge import (
    Document,
    DocumentSummary,
    Entry,
    EntryText,
    ImportedDocument,
    IndexedEntry,
    ProjectVectors,
    SearchHit,
    Suggestion,
    SuggestionCounts,
)
from socrates.views.learning import BehaviorPattern, QuestionEffectiveness
from socrates.views.llm import ProviderConfig, StoredKey, Usage, UsageOfDay, UsageRow, UsageTotals
from socrates.views.project import (
    Analytics,
    CategoryScore,
    MaturityEvent,
    Member,
    Note,
    PendingQuestion,
    PhaseScore,
    ProjectContext,
    ProjectDetails,
    ProjectSummary,
    Spec,
)
from socrates.views.user import ArchivedUser, Subscription, User

__all__ = [
    "Analytics",
    "ArchivedUser",
    "BehaviorPattern",
    "CategoryScore",
    "ConflictChoice",
    "ConflictField",
    "ConflictSeverity",
    "Document",
    "DocumentSummary",
    "Entry",
    "EntryText",
    "ImportedDocument",
    "IndexedEntry",
    "MaturityEvent",
    "Member",
    "Message",
    "MessageHit",
    "Note",
    "PendingQuestion",
    "PhaseScore",
    "ProjectConflict",
    "ProjectContext",
    "ProjectDetails",
    "ProjectSummary",
    "ProjectVectors",
    "ProviderConfig",
    "QuestionEffectiveness",
    "SearchHit",
    "Spec",
    "StoredKey",
    "Subscription",
    "Suggestion",
    "SuggestionCounts",
    "Usage",
    "UsageOfDay",
    "UsageRow",
    "UsageTotals",
    "User",
]
