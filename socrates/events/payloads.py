"""What each type of event carries: checked when it is emitted, frozen, and safe to write as JSON.

No payload has a field for a key, a hash or a passcode, and none takes a SecretStr. What a payload refuses is not quoted
in the error.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, JsonValue, PlainSerializer, ValidationError

from socrates.errors import InvalidValueError
from socrates.events.types import EventType
from socrates.frozen import freeze

AgentName = Literal[
    "project_manager",
    "socratic_counselor",
    "context_analyzer",
    "code_generator",
    "system_monitor",
    "conflict_detector",
    "document_agent",
    "user_manager",
    "note_manager",
    "knowledge_manager",
    "quality_controller",
    "learning",
    "multi_llm",
    "question_queue",
]
"""The name under which the orchestrator routes to an agent."""

Phase = Literal["discovery", "analysis", "design", "implementation"]
Count = Annotated[int, Field(ge=0)]
Score = Annotated[float, Field(ge=0, le=100)]
"""Maturity, in per cent."""
FrozenJson = Annotated[dict[str, JsonValue], AfterValidator(freeze), PlainSerializer(dict, return_type=dict[str, Any])]
"""Written as what it holds: pydantic knows JSON's own lists only, and no FrozenList."""


class Payload(BaseModel):
    """`agent` is the agent that tells, always under its routing name (mends D39); None: it is not an agent that tells.

    Frozen, because all listeners share it. Whoever gave the values may change them afterwards.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False, hide_input_in_errors=True)

    agent: AgentName | None = None


class AgentStarted(Payload):
    agent: AgentName
    action: str


class AgentCompleted(AgentStarted):
    """`status` is the response's, an error's too: only an exception is an AGENT_ERROR."""

    status: str


class AgentFailed(AgentStarted):
    """`error` is the name of the exception's type: nobody can say what the text of an unforeseen one quotes."""

    error: str


class OfProject(Payload):
    """`user_id` is who did it; None: the system itself."""

    project_id: str
    user_id: str | None = None


class ProjectUpdated(OfProject):
    """`fields` are the names of what changed."""

    fields: tuple[str, ...] = ()


class OfUser(Payload):
    username: str


class KnowledgeLoaded(Payload):
    """`entry_count` counts what is stored, `error_count` what is not."""

    entry_count: Count
    error_count: Count
    status: Literal["success", "partial"]


class KnowledgeSuggested(Payload):
    """It names its project, so that suggestions of two projects never share a queue (mends D45)."""

    project_id: str
    content: str
    category: str
    topic: str
    difficulty: str = "intermediate"
    reason: str = "insufficient_context"


class DocumentImported(Payload):
    """No project: it is known to all."""

    project_id: str | None = None
    user_id: str | None = None
    file_name: str
    words_extracted: Count
    chunks_created: Count
    entries_added: Count


class DocumentsIndexed(Payload):
    """A whole directory; no project: it is known to all."""

    project_id: str | None = None
    user_id: str | None = None
    files_processed: Count
    files_failed: Count
    entries_added: Count


class QuestionGenerated(OfProject):
    """`question_id` is the `question_template_id` of the learning records."""

    question_id: str
    phase: Phase
    question_number: Annotated[int, Field(ge=1)]
    question: str


class ResponseReceived(OfProject):
    """`length` is in characters."""

    phase: Phase
    length: Count


class ResponseAnalyzed(OfProject):
    phase: Phase
    specs_extracted: Count
    conflicts: Count = 0


class PhaseAdvanced(OfProject):
    """`maturity_at_advancement` is None where it could not be calculated."""

    from_phase: Phase
    to_phase: Phase
    maturity_at_advancement: Score | None


class HintProvided(OfProject):
    phase: Phase


class ArtifactMade(OfProject):
    """An artifact, its documentation, or its analysis. `length` is in characters; the text is in the response."""

    artifact_type: str
    length: Count


class ConflictDetected(OfProject):
    conflict_id: str
    conflict_type: Literal["tech_stack", "requirements", "goals", "constraints"]
    severity: Literal["low", "medium", "high"]


class ConflictResolved(OfProject):
    conflict_id: str
    choice: Literal["keep", "replace", "skip", "manual"]


class ContextAnalyzed(Payload):
    """No project: a conversation that belongs to none."""

    project_id: str | None = None
    user_id: str | None = None


class MaturityReached(OfProject):
    phase: Phase
    score: Score


class MaturityUpdated(MaturityReached):
    """Ready from 60 on, complete at 100."""

    ready: bool
    complete: bool


class ReadyToAdvance(MaturityReached):
    message: str


class QualityWarned(MaturityReached):
    warnings: Annotated[tuple[str, ...], Field(min_length=1)]


class LearningMetricsUpdated(Payload):
    """`effectiveness_score` is the share of askings that were answered well, 0 to 1."""

    user_id: str
    question_id: str
    effectiveness_score: Annotated[float, Field(ge=0, le=1)]
    times_asked: Count
    times_answered_well: Count


class OfNote(OfProject):
    note_id: str


class TokensUsed(Payload):
    """`cost_estimate` is in US dollars, in JSON as text, so that nothing of it is rounded; None: no price is known."""

    operation: str | None
    input_tokens: Count
    output_tokens: Count
    total_tokens: Count
    cost_estimate: Annotated[Decimal, Field(ge=0)] | None


class Progress(Payload):
    """`done` of `total` steps; None: nobody knows yet how many there are."""

    project_id: str | None = None
    operation: str
    done: Count
    total: Count | None = None
    message: str = ""


class SystemInitialized(Payload):
    """`data_dir` is the directory of the data, never a URL, which may hold a password."""

    version: str
    data_dir: str
    model: str


class Logged(Payload):
    """`operation` and `error_type` are those of a call of a model that failed."""

    message: str
    operation: str | None = None
    error_type: str | None = None


class OfCollaborator(OfProject):
    """`user_id` is who changed the team, `username` who came or went."""

    username: str
    role: Literal["lead", "creator", "specialist", "analyst", "coordinator"] | None = None


class Custom(Payload):
    """An event of the application's own."""

    name: str
    data: FrozenJson = Field(default_factory=dict, validate_default=True)


PAYLOADS: Mapping[EventType, type[Payload]] = {
    EventType.AGENT_START: AgentStarted,
    EventType.AGENT_COMPLETE: AgentCompleted,
    EventType.AGENT_ERROR: AgentFailed,
    EventType.PROJECT_CREATED: OfProject,
    EventType.PROJECT_LOADED: OfProject,
    EventType.PROJECT_SAVED: OfProject,
    EventType.PROJECT_UPDATED: ProjectUpdated,
    EventType.PROJECT_ARCHIVED: OfProject,
    EventType.PROJECT_RESTORED: OfProject,
    EventType.PROJECT_DELETED: OfProject,
    EventType.USER_CREATED: OfUser,
    EventType.USER_AUTHENTICATED: OfUser,
    EventType.USER_LOGGED_OUT: OfUser,
    EventType.USER_ARCHIVED: OfUser,
    EventType.KNOWLEDGE_LOADED: KnowledgeLoaded,
    EventType.KNOWLEDGE_SUGGESTION: KnowledgeSuggested,
    EventType.DOCUMENT_IMPORTED: DocumentImported,
    EventType.DOCUMENTS_INDEXED: DocumentsIndexed,
    EventType.QUESTION_GENERATED: QuestionGenerated,
    EventType.RESPONSE_RECEIVED: ResponseReceived,
    EventType.RESPONSE_ANALYZED: ResponseAnalyzed,
    EventType.PHASE_ADVANCED: PhaseAdvanced,
    EventType.HINT_PROVIDED: HintProvided,
    EventType.CODE_GENERATED: ArtifactMade,
    EventType.CODE_DOCUMENTATION_GENERATED: ArtifactMade,
    EventType.CODE_ANALYSIS_COMPLETE: ArtifactMade,
    EventType.CONFLICT_DETECTED: ConflictDetected,
    EventType.CONFLICT_RESOLVED: ConflictResolved,
    EventType.CONTEXT_ANALYZED: ContextAnalyzed,
    EventType.PHASE_MATURITY_UPDATED: MaturityUpdated,
    EventType.PHASE_READY_TO_ADVANCE: ReadyToAdvance,
    EventType.QUALITY_CHECK_PASSED: MaturityReached,
    EventType.QUALITY_CHECK_WARNING: QualityWarned,
    EventType.MATURITY_MILESTONE: MaturityReached,
    EventType.LEARNING_METRICS_UPDATED: LearningMetricsUpdated,
    EventType.NOTE_ADDED: OfNote,
    EventType.NOTE_UPDATED: OfNote,
    EventType.NOTE_DELETED: OfNote,
    EventType.TOKEN_USAGE: TokensUsed,
    EventType.PROGRESS_UPDATE: Progress,
    EventType.SYSTEM_INITIALIZED: SystemInitialized,
    EventType.SYSTEM_SHUTDOWN: Payload,
    EventType.LOG_DEBUG: Logged,
    EventType.LOG_INFO: Logged,
    EventType.LOG_WARNING: Logged,
    EventType.LOG_ERROR: Logged,
    EventType.COLLABORATOR_ADDED: OfCollaborator,
    EventType.COLLABORATOR_REMOVED: OfCollaborator,
    EventType.CUSTOM: Custom,
}


def checked_type(event: EventType | str) -> EventType:
    """The type that is meant. Raises InvalidValueError for a text that is none."""
    try:
        return EventType(event)
    except ValueError:
        raise InvalidValueError(f"there is no event {event!r}; socrates.events.EventType names them all") from None


def checked_payload(event: EventType, payload: Payload | Mapping[str, Any]) -> Payload:
    """The payload of such an event. Raises InvalidValueError, which names the fields and quotes no value."""
    expected = PAYLOADS[event]
    if isinstance(payload, Payload):
        if type(payload) is not expected:
            raise InvalidValueError(f"{event} carries {expected.__name__}, not {type(payload).__name__}")
        return payload
    try:
        return expected.model_validate(dict(payload))
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, each['loc']))}: {each['msg']}" for each in error.errors())
        raise InvalidValueError(f"{event} cannot carry this: {wrong}") from None
