"""On which rows cached reads depend: what a statement that touches them makes wrong."""

from collections.abc import Callable, Iterator

from socrates.database.dependencies import Dependencies, Rows, Tag
from socrates.models import (
    AnalyticsMetrics,
    BehaviorPattern,
    CategorizedSpec,
    CategoryScore,
    ConversationMessage,
    KnowledgeEntry,
    LLMProviderConfig,
    MaturityEvent,
    PendingQuestion,
    PhaseMaturityScore,
    Project,
    ProjectConflict,
    ProjectConstraint,
    ProjectNote,
    ProjectNoteTag,
    ProjectRequirement,
    ProjectTechnology,
    QuestionEffectiveness,
    TeamMember,
    User,
)
from socrates.repositories.project_context import OWN_COLUMNS

PROJECT = Rows(Project.id)
DESCRIPTION = Rows(Project.id, *OWN_COLUMNS)
OWNER = Rows(Project.id, Project.owner)
# The list of a member waits for the archiving of somebody else's project.
OWNED_PROJECTS = Rows(Project.owner, Project.owner, Project.is_archived, is_shared=True)
MEMBERS = Rows(TeamMember.project_id)
MEMBERSHIPS = Rows(TeamMember.username, TeamMember.username, TeamMember.is_active)
PENDING_QUESTIONS = Rows(PendingQuestion.project_id)
MESSAGES = Rows(ConversationMessage.project_id)
PHASE_SCORES = Rows(PhaseMaturityScore.project_id)
CATEGORY_SCORES = Rows(CategoryScore.project_id)
SPECS = Rows(CategorizedSpec.project_id)
MATURITY_EVENTS = Rows(MaturityEvent.project_id)
ANALYTICS = Rows(AnalyticsMetrics.project_id)
REQUIREMENTS = Rows(ProjectRequirement.project_id)
TECH_STACK = Rows(ProjectTechnology.project_id)
CONSTRAINTS = Rows(ProjectConstraint.project_id)
CONFLICTS = Rows(ProjectConflict.project_id)
NOTE = Rows(ProjectNote.id)
NOTES = Rows(ProjectNote.project_id, ProjectNote.project_id)
NOTE_TAGS = Rows(ProjectNoteTag.note_id)
USER = Rows(User.username)
SUBSCRIPTION = Rows(
    User.username,
    User.subscription_tier,
    User.subscription_status,
    User.subscription_start,
    User.subscription_end,
)
EFFECTIVENESS = Rows(QuestionEffectiveness.user_id)
PATTERNS = Rows(BehaviorPattern.user_id)
PROVIDERS = Rows(LLMProviderConfig.user_id)
KNOWN_IN_PROJECT = Rows(KnowledgeEntry.project_id)
KNOWN_BY_SCOPE = Rows(KnowledgeEntry.scope)

WHOLE_PROJECT = (
    PROJECT,
    MEMBERS,
    PENDING_QUESTIONS,
    PHASE_SCORES,
    CATEGORY_SCORES,
    SPECS,
    MATURITY_EVENTS,
    ANALYTICS,
    REQUIREMENTS,
    TECH_STACK,
    CONSTRAINTS,
)
"""What `projects.details` shows of a project, by its id."""

PROJECT_CONTEXT = (DESCRIPTION, REQUIREMENTS, TECH_STACK, CONSTRAINTS)
"""What `projects.context` shows of a project, by its id."""

DEPENDENCIES = Dependencies(
    [
        *WHOLE_PROJECT,
        DESCRIPTION,
        OWNER,
        OWNED_PROJECTS,
        MEMBERSHIPS,
        MESSAGES,
        CONFLICTS,
        NOTE,
        NOTES,
        NOTE_TAGS,
        USER,
        SUBSCRIPTION,
        EFFECTIVENESS,
        PATTERNS,
        PROVIDERS,
        KNOWN_IN_PROJECT,
        KNOWN_BY_SCOPE,
    ]
)
"""All of them: a cached read that depended on others would never be told of a change."""


def rows_of(*depended: Rows) -> Callable[..., Iterator[Tag]]:
    """The tags of a read whose first argument is the value that all these rows have."""

    def tags(_result: object, value: str, *_others: object, **_named: object) -> Iterator[Tag]:
        return (tag for rows in depended for tag in rows(value))

    return tags
