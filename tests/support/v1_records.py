"""The dicts that v1 pickled, with small defaults."""

from datetime import UTC, datetime
from typing import Any

CREATED = datetime(2025, 3, 1, 9, 0, 0, 123456)
UPDATED = datetime(2025, 3, 2, 10, 30, 0)
LEARNED = datetime(2025, 3, 3, 11, 0, 0, 250000, tzinfo=UTC)

# The keys an early v1 did not write yet, by age (chapter 3 of the format's specification).
ARCHIVE_KEYS = ("is_archived", "archived_at")
PROGRESS_KEYS = ("progress", "status")
MATURITY_KEYS = (
    "project_type",
    "team_members",
    "pending_questions",
    "phase_maturity_scores",
    "category_scores",
    "categorized_specs",
    "maturity_history",
    "analytics_metrics",
)
SUBSCRIPTION_KEYS = (
    "subscription_tier",
    "subscription_status",
    "subscription_start",
    "subscription_end",
    "questions_used_this_month",
    "usage_reset_date",
)
KEYS_LATER_THAN_16 = (*ARCHIVE_KEYS, *PROGRESS_KEYS, "chat_mode", *MATURITY_KEYS, "notes")


def project_record(project_id: str, owner: str = "ada") -> dict[str, Any]:
    """Return a project of the newest v1: all 30 keys, a little of everything."""
    return {
        "project_id": project_id,
        "name": "Library",
        "owner": owner,
        "phase": "analysis",
        "created_at": CREATED,
        "updated_at": UPDATED,
        "collaborators": ["bob"],
        "goals": "Lend books",
        "requirements": ["search", "lend"],
        "tech_stack": ["python"],
        "constraints": ["offline"],
        "team_structure": "team",
        "language_preferences": "rust",
        "deployment_target": "cloud",
        "code_style": "documented",
        "conversation_history": [
            {
                "timestamp": "2025-03-01T09:05:00.000001",
                "type": "assistant",
                "content": "Who lends?",
                "phase": "discovery",
                "question_number": 1,
            },
            {
                "timestamp": "2025-03-01T09:06:00",
                "type": "user",
                "content": "Members do.",
                "phase": "discovery",
                "author": owner,
            },
        ],
        "chat_mode": "direct",
        "is_archived": False,
        "archived_at": None,
        "progress": 40,
        "status": "completed",
        "project_type": "research",
        "team_members": [
            {"username": owner, "role": "lead", "skills": ["law"], "joined_at": CREATED},
            {"username": "bob", "role": "analyst", "skills": ["sql", "go"], "joined_at": UPDATED},
        ],
        "pending_questions": [
            {
                "id": "q_0a1b2c3d",
                "question": "Which books?",
                "phase": "analysis",
                "assigned_to_roles": ["lead"],
                "assigned_to_users": ["bob"],
                "created_at": "2025-03-01T12:00:00",
                "status": "answered",
                "answered_by": "bob",
                "answer": "All.",
                "answered_at": "2025-03-01T13:00:00",
            }
        ],
        "notes": [],
        "phase_maturity_scores": {
            "discovery": 61.5,
            "analysis": 20.0,
            "design": 0.0,
            "implementation": 0.0,
        },
        "category_scores": {
            "discovery": {
                "goals": {
                    "category": "goals",
                    "current_score": 9.25,
                    "target_score": 20.0,
                    "confidence": 0.7,
                    "spec_count": 3,
                }
            }
        },
        "categorized_specs": {
            "discovery": [
                {
                    "category": "goals",
                    "content": "lend",
                    "confidence": 0.9,
                    "value": 1.0,
                    "source_field": "goals",
                    "timestamp": "2025-03-01T09:07:00",
                }
            ]
        },
        "maturity_history": [
            {
                "timestamp": "2025-03-01T09:08:00",
                "phase": "discovery",
                "score_before": 50.0,
                "score_after": 61.5,
                "delta": 11.5,
                "event_type": "response_processed",
                "details": {"specs_added": 3},
            }
        ],
        "analytics_metrics": {
            "velocity": 1.5,
            "total_qa_sessions": 4,
            "avg_confidence": 0.8,
            "weak_categories": ["scope"],
            "strong_categories": ["goals"],
            "last_updated": "2025-03-01T09:08:30",
        },
    }


def user_record(username: str) -> dict[str, Any]:
    """Return a user of the newest v1: all 12 keys."""
    return {
        "username": username,
        "passcode_hash": "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "created_at": CREATED,
        "projects": [],
        "is_archived": False,
        "archived_at": None,
        "subscription_tier": "pro",
        "subscription_status": "expired",
        "subscription_start": UPDATED,
        "subscription_end": datetime(2026, 3, 2, 10, 30),
        "questions_used_this_month": 7,
        "usage_reset_date": datetime(2025, 4, 1),
    }
