"""Entities go through a session: defaults, children in order, deletion, changes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import Engine, create_engine, event, func, inspect, select
from sqlalchemy.exc import IntegrityError, InvalidRequestError
from sqlalchemy.orm import Session, selectinload

from socrates.models import (
    AnalyticsMetrics,
    Base,
    BehaviorPattern,
    CachedEmbedding,
    CategorizedSpec,
    CategoryScore,
    ConversationMessage,
    ImportDigest,
    ImportNote,
    ImportRun,
    KnowledgeDocument,
    KnowledgeEntry,
    KnowledgeSuggestion,
    LLMUsage,
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
    QuarantinedRow,
    TeamMember,
    User,
)

NOW = datetime(2025, 12, 4, 13, 1, 19, 197734, tzinfo=UTC)


@pytest.fixture
def engine() -> Iterator[Engine]:
    engine = create_engine("sqlite://")

    @event.listens_for(engine, "connect")
    def enforce_foreign_keys(connection: Any, _record: Any) -> None:
        connection.execute("PRAGMA foreign_keys=ON")

    Base.metadata.create_all(engine)
    yield engine
    engine.dispose()


def bare_project() -> Project:
    return Project(id="p", name="Nimbus", owner="ada", phase="discovery", created_at=NOW, updated_at=NOW)


def full_entry() -> KnowledgeEntry:
    """A chunk of a document that was uploaded."""
    return KnowledgeEntry(
        entry_key="k",
        id="e",
        scope="project",
        content="text",
        category="imported_document",
        source="a.txt",
        text_hash="h",
        model="m",
        vector=b"\0" * 4,
        is_indexed=False,
        created_at=NOW,
        updated_at=NOW,
    )


def full_project() -> Project:
    project = bare_project()
    project.requirements = [
        ProjectRequirement(position=1, value="second"),
        ProjectRequirement(position=0, value="first"),
    ]
    project.tech_stack = [ProjectTechnology(position=0, value="python")]
    project.constraints = [ProjectConstraint(position=0, value="no cloud")]
    project.messages = [ConversationMessage(position=0, type="user", content="hello")]
    project.team_members = [TeamMember(username="ada", role="lead", is_active=True, position=0)]
    project.pending_questions = [
        PendingQuestion(id="q_1", position=0, question="Why?", phase="discovery", status="pending")
    ]
    project.phase_maturity_scores = [PhaseMaturityScore(phase="discovery")]
    project.category_scores = [CategoryScore(phase="discovery", category="goals", current_score=1.5)]
    project.categorized_specs = [
        CategorizedSpec(phase="discovery", position=0, category="goals", content="fast", value=1.0)
    ]
    project.maturity_events = [MaturityEvent(position=0, phase="discovery", event_type="response_processed")]
    project.analytics_metrics = AnalyticsMetrics()
    project.notes = [ProjectNote(id="n", title="t", content="c", tags=[ProjectNoteTag(position=0, tag="urgent")])]
    document = KnowledgeDocument(id="d", user_id="ada", filename="a.txt", content="text")
    document.entries = [full_entry()]
    project.documents = [document]
    project.knowledge = list(document.entries)
    project.suggestions = [
        KnowledgeSuggestion(id="s", content="Tides", category="domain", topic="harbours", created_at=NOW)
    ]
    project.conflicts = [
        ProjectConflict(id="c", field="goals", existing="slow", new="fast", severity="low", created_at=NOW)
    ]
    return project


def a_conflict(**columns: str) -> ProjectConflict:
    usual = {"field": "goals", "existing": "", "new": "", "severity": "low"}
    return ProjectConflict(id="c", project_id="p", created_at=NOW, **(usual | columns))


def test_defaults_are_those_of_the_v1_format(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add_all(
            [
                bare_project(),
                User(username="ada", passcode_hash="", created_at=NOW),
                BehaviorPattern(id="b", user_id="ada", pattern_type="length"),
                LLMUsage(id="u", user_id="ada", provider="claude", model="m"),
            ]
        )

    with Session(engine) as session:
        project = session.get_one(Project, "p")
        assert (project.status, project.project_type, project.chat_mode) == ("active", "software", "socratic")
        assert (project.goals, project.team_structure, project.language_preferences) == (
            "",
            "individual",
            "python",
        )
        assert (project.deployment_target, project.code_style, project.progress) == ("local", "standard", 0)
        assert (project.is_archived, project.archived_at) == (False, None)
        assert (project.message_count, project.version, project.extra) == (0, 1, {})
        assert project.created_at == NOW
        user = session.get_one(User, "ada")
        assert (user.subscription_tier, user.subscription_status) == ("free", "active")
        assert (user.questions_used_this_month, user.usage_reset_date) == (0, None)
        pattern = session.get_one(BehaviorPattern, "b")
        assert (pattern.confidence, pattern.pattern_data) == (Decimal("0.5"), {})
        assert pattern.learned_from_projects == []
        usage = session.get_one(LLMUsage, "u")
        assert (usage.total_tokens, usage.latency_ms, usage.cost, usage.success) == (0, 0.0, Decimal(0), True)


def test_the_database_deletes_every_child_with_its_project(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add(full_project())
    with Session(engine) as session:
        before = child_counts(session)
        assert before.pop("project_requirements") == 2
        assert set(before.values()) == {1}
        assert len(before) == 16

    with Session(engine) as session, session.begin():
        session.delete(session.get_one(Project, "p"))

    with Session(engine) as session:
        assert set(child_counts(session).values()) == {0}


def child_counts(session: Session) -> dict[str, int]:
    """How many rows each table has that a project owns, directly or through a note."""
    owned = [relationship.mapper for relationship in inspect(Project).relationships]
    owned.append(inspect(ProjectNoteTag))
    return {
        mapper.local_table.name: session.scalar(select(func.count()).select_from(mapper.local_table)) or 0
        for mapper in owned
    }


def test_children_come_in_their_order_when_asked_for_and_not_otherwise(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add(full_project())

    with Session(engine) as session:
        project = session.get_one(Project, "p", options=[selectinload(Project.requirements)])
        assert [item.value for item in project.requirements] == ["first", "second"]
        with pytest.raises(InvalidRequestError, match="lazy='raise'"):
            _ = project.messages


def test_a_suggestion_is_pending_until_somebody_decides(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add(full_project())

    with Session(engine) as session:
        suggestion = session.get_one(KnowledgeSuggestion, "s")
        assert (suggestion.status, suggestion.decided_at, suggestion.decided_by) == ("pending", None, None)
        assert (suggestion.difficulty, suggestion.reason) == ("intermediate", "insufficient_context")
        assert (suggestion.agent, suggestion.extra) == ("unknown", {})


def test_a_conflict_is_pending_until_somebody_decides(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        session.add(full_project())

    with Session(engine) as session:
        conflict = session.get_one(ProjectConflict, "c")
        assert (conflict.status, conflict.choice, conflict.resolved_by, conflict.resolved_at) == (
            "pending",
            *[None] * 3,
        )
        assert (conflict.explanation, conflict.suggestions, conflict.value, conflict.extra) == ("", [], None, {})


def test_a_decimal_or_extra_that_only_looks_equal_is_written(engine: Engine) -> None:
    with Session(engine) as session, session.begin():
        pattern = BehaviorPattern(id="b", user_id="ada", pattern_type="length", confidence=Decimal("0.5"))
        pattern.extra = {"a": 1}
        session.add(pattern)

    with Session(engine) as session, session.begin():
        pattern = session.get_one(BehaviorPattern, "b")
        pattern.confidence = Decimal("0.50")
        pattern.extra = {"a": True}

    with Session(engine) as session:
        pattern = session.get_one(BehaviorPattern, "b")
        assert str(pattern.confidence) == "0.50"
        assert pattern.extra["a"] is True


def test_an_import_run_owns_its_digests_and_notes(engine: Engine) -> None:
    run = ImportRun(id=1, source="projects.db", started_at=NOW, timezone="UTC", options={}, report={})
    run.digests = [ImportDigest(source_table="users", source_key="ada", digest=b"\x00")]
    run.notes = [ImportNote(position=0, source_table="users", kind="unreadable", field="extra", original=[2**70])]
    with Session(engine) as session, session.begin():
        session.add_all([run, QuarantinedRow(id=1, source_table="users", reason="damaged", row_columns={})])

    with Session(engine) as session, session.begin():
        assert session.scalars(select(ImportNote.original)).one() == [2**70]
        assert session.scalars(select(QuarantinedRow.id)).one() == 1
        session.delete(session.scalars(select(ImportRun)).one())

    with Session(engine) as session:
        assert session.scalars(select(ImportDigest)).all() == []
        assert session.scalars(select(ImportNote)).all() == []


@pytest.mark.parametrize(
    ("entity", "constraint"),
    [
        (ProjectRequirement(project_id="p", position=-1, value=""), "ck_project_requirements_position"),
        (
            CachedEmbedding(model="m", text_hash="h", dimensions=0, vector=b"", created_at=NOW),
            "ck_embedding_cache_dimensions",
        ),
        (
            CachedEmbedding(model="m", text_hash="h", dimensions=2, vector=b"1234567", created_at=NOW),
            "ck_embedding_cache_vector",
        ),
        (
            KnowledgeSuggestion(
                id="s", project_id="p", content="", category="", topic="", status="open", created_at=NOW
            ),
            "ck_knowledge_suggestions_status",
        ),
        (a_conflict(field="name"), "ck_project_conflicts_field"),
        (a_conflict(severity="fatal"), "ck_project_conflicts_severity"),
        (a_conflict(status="open", choice="keep"), "ck_project_conflicts_status"),
        (a_conflict(status="resolved", choice="both"), "ck_project_conflicts_choice"),
        (a_conflict(status="resolved"), "ck_project_conflicts_decision"),
        (a_conflict(choice="keep"), "ck_project_conflicts_decision"),
    ],
)
def test_firm_rules_are_checked_by_the_database(engine: Engine, entity: Base, constraint: str) -> None:
    with Session(engine) as session:
        session.add(bare_project())
        session.flush()
        session.add(entity)
        with pytest.raises(IntegrityError, match=constraint):
            session.flush()
