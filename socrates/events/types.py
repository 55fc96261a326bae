"""The names of everything that is told of."""

from enum import StrEnum


class EventType(StrEnum):
    """What an event tells of. A member equals its text, so that listeners of either form hear both (mends D36)."""

    AGENT_START = "agent.start"
    AGENT_COMPLETE = "agent.complete"
    AGENT_ERROR = "agent.error"

    PROJECT_CREATED = "project.created"
    PROJECT_LOADED = "project.loaded"
    PROJECT_SAVED = "project.saved"
    PROJECT_UPDATED = "project.updated"
    PROJECT_ARCHIVED = "project.archived"
    PROJECT_RESTORED = "project.restored"
    PROJECT_DELETED = "project.deleted"

    USER_CREATED = "user.created"
    USER_AUTHENTICATED = "user.authenticated"
    USER_LOGGED_OUT = "user.logged_out"
    USER_ARCHIVED = "user.archived"

    KNOWLEDGE_LOADED = "knowledge.loaded"
    KNOWLEDGE_SUGGESTION = "knowledge.suggestion"
    DOCUMENT_IMPORTED = "document.imported"
    DOCUMENTS_INDEXED = "documents.indexed"

    QUESTION_GENERATED = "question.generated"
    RESPONSE_RECEIVED = "response.received"
    RESPONSE_ANALYZED = "response.analyzed"
    PHASE_ADVANCED = "phase.advanced"
    HINT_PROVIDED = "hint.provided"

    CODE_GENERATED = "code.generated"
    CODE_DOCUMENTATION_GENERATED = "code.documentation.generated"
    CODE_ANALYSIS_COMPLETE = "code.analysis.complete"

    CONFLICT_DETECTED = "conflict.detected"
    CONFLICT_RESOLVED = "conflict.resolved"
    CONTEXT_ANALYZED = "context.analyzed"

    PHASE_MATURITY_UPDATED = "phase.maturity.updated"
    PHASE_READY_TO_ADVANCE = "phase.ready.to.advance"
    QUALITY_CHECK_PASSED = "quality.check.passed"
    QUALITY_CHECK_WARNING = "quality.check.warning"
    MATURITY_MILESTONE = "maturity.milestone"
    LEARNING_METRICS_UPDATED = "learning.metrics.updated"

    NOTE_ADDED = "note.added"
    NOTE_UPDATED = "note.updated"
    NOTE_DELETED = "note.deleted"

    TOKEN_USAGE = "token.usage"  # noqa: S105 - no secret
    PROGRESS_UPDATE = "progress.update"
    SYSTEM_INITIALIZED = "system.initialized"
    SYSTEM_SHUTDOWN = "system.shutdown"

    LOG_DEBUG = "log.debug"
    LOG_INFO = "log.info"
    LOG_WARNING = "log.warning"
    LOG_ERROR = "log.error"

    COLLABORATOR_ADDED = "collaborator.added"
    COLLABORATOR_REMOVED = "collaborator.removed"
    CUSTOM = "custom"
