"""What the import must make of one project's blob: its row and those of its child tables."""

from collections import Counter
from collections.abc import Iterable

from tests.support.expected_values import Record, Row, Tables, tagged

PHASES = ("discovery", "analysis", "design", "implementation")
TEXT_LISTS = {
    "project_requirements": "requirements",
    "project_tech_stack": "tech_stack",
    "project_constraints": "constraints",
}
PROJECT_TEXTS = {
    "status": "active",
    "project_type": "software",
    "chat_mode": "socratic",
    "goals": "",
    "team_structure": "individual",
    "language_preferences": "python",
    "deployment_target": "local",
    "code_style": "standard",
}


def add_project(tables: Tables, project: Record) -> None:
    key = {"project_id": project.columns["project_id"]}
    row = {
        "id": project.columns["project_id"],
        **{name: project.get(name) for name in ("name", "owner", "phase")},
        **{name: project.get(name, default) for name, default in PROJECT_TEXTS.items()},
        "progress": project.number("progress", 0),
        "is_archived": project.get("is_archived", False),
        "archived_at": project.time("archived_at"),
        "created_at": project.time("created_at"),
        "updated_at": project.later_time("updated_at"),
        "message_count": len(project.get("conversation_history", [])),
        "version": 1,
        "dynamic_questions": True,
    }
    for table, field in TEXT_LISTS.items():
        values = enumerate(project.texts(field))
        tables[table] += [key | {"position": place, "value": value} for place, value in values]
    tables["conversation_messages"] += [key | message for message in messages(project.get("conversation_history", []))]
    tables["pending_questions"] += [key | question for question in questions(project.get("pending_questions", []))]
    tables["maturity_events"] += [key | event for event in events(project.get("maturity_history", []))]
    scores = Record(project.get("phase_maturity_scores", dict.fromkeys(PHASES, 0.0)))
    for phase in scores.blob:
        tables["phase_maturity_scores"].append(key | {"phase": phase, "score": scores.number(phase)})
    for phase, categories in project.get("category_scores", {}).items():
        for category, score in categories.items():
            row_key = key | {"phase": phase, "category": category}
            tables["category_scores"].append(row_key | category_score(score))
    for phase, specs in project.get("categorized_specs", {}).items():
        for place, spec in enumerate(specs):
            tables["categorized_specs"].append(key | {"phase": phase, "position": place} | specification(spec))
    tables["analytics_metrics"].append(key | analytics(Record(project.get("analytics_metrics", {}))))
    members, more = team(project, row["owner"], row["created_at"])
    tables["team_members"] += [key | member for member in members]
    if not project.blob.get("notes"):
        project.read.add("notes")
    tables["projects"].append(row | {"extra": project.extra(**more)})


def messages(entries: list[Row]) -> Iterable[Row]:
    for place, blob in enumerate(entries):
        entry = Record(blob)
        kind, role = entry.get("type"), entry.get("role")
        if kind is not None and role is not None:
            entry.read.remove("role")
        yield {
            "position": place,
            "type": role if kind is None else kind,
            "timestamp": entry.time("timestamp"),
            **{name: entry.get(name) for name in ("content", "phase", "author")},
            "question_number": entry.number("question_number"),
            "extra": entry.extra(),
        }


def team(project: Record, owner: str, created_at: str | None) -> tuple[list[Row], Row]:
    collaborators = project.texts("collaborators")
    members: dict[str, Row] = {}
    for blob in project.get("team_members", []):
        entry = Record(blob, ignored={"username"})
        role, skills, joined_at = entry.get("role"), entry.texts("skills"), entry.time("joined_at")
        if (known := members.get(blob["username"])) is not None:
            known["skills"] += skills
            known["joined_at"] = min(filter(None, (known["joined_at"], joined_at)), default=None)
            continue
        other_role = blob["username"] == owner and role != "lead"
        members[blob["username"]] = {
            "role": "lead" if other_role else role,
            "skills": skills,
            "joined_at": joined_at,
            "extra": entry.extra(**({"v1_role": role} if other_role else {})),
        }
    for name in (owner, *collaborators):
        role = "lead" if name == owner else "creator"
        members.setdefault(name, {"role": role, "skills": [], "joined_at": created_at, "extra": {}})
    active = {owner, *collaborators}
    order = [name for name in members if name in active and name != owner]
    rows = [
        {"username": name, "position": place, "is_active": name in active, **member}
        for place, (name, member) in enumerate(members.items())
    ]
    return rows, {} if order == collaborators else {"v1_collaborators": collaborators}


def questions(entries: list[Row]) -> Iterable[Row]:
    ids: Counter[str] = Counter()
    for place, blob in enumerate(entries):
        entry = Record(blob)
        key = entry.get("id", f"q_v1_{place}")
        ids[key] += 1
        yield {
            "id": key if ids[key] == 1 else f"{key}#{ids[key]}",
            "position": place,
            **{name: entry.get(name, "") for name in ("question", "phase", "status")},
            **{name: entry.texts(name) for name in ("assigned_to_roles", "assigned_to_users")},
            **{name: entry.get(name) for name in ("answered_by", "answer")},
            **{name: entry.time(name) for name in ("created_at", "answered_at", "skipped_at")},
            "extra": entry.extra(),
        }


def category_score(score: Row | float) -> Row:
    entry = Record(score if isinstance(score, dict) else {"current_score": score}, ignored={"category"})
    names = ("current_score", "target_score", "confidence", "spec_count")
    return {name: entry.number(name) for name in names} | {"extra": entry.extra()}


def specification(blob: Row) -> Row:
    entry = Record(blob)
    return {
        **{name: entry.get(name, "") for name in ("category", "content")},
        **{name: entry.number(name) for name in ("confidence", "value")},
        "source_field": entry.get("source_field"),
        "timestamp": entry.time("timestamp"),
        "extra": entry.extra(),
    }


def events(entries: list[Row]) -> Iterable[Row]:
    for place, blob in enumerate(entries):
        entry = Record(blob)
        yield {
            "position": place,
            **{name: entry.get(name, "") for name in ("phase", "event_type")},
            **{name: entry.number(name) for name in ("score_before", "score_after", "delta")},
            "timestamp": entry.time("timestamp"),
            "details": tagged(entry.get("details", {})),
            "extra": entry.extra(),
        }


def analytics(entry: Record) -> Row:
    return {
        **{name: entry.number(name, 0) for name in ("velocity", "total_qa_sessions", "avg_confidence")},
        **{name: entry.texts(name) for name in ("weak_categories", "strong_categories")},
        "last_updated": entry.time("last_updated"),
        "extra": entry.extra(),
    }
