"""v1's database as v1 had it, in cost and in effect: what the bench measures beside.

Every call opens a connection of its own and closes it, with SQLite's own settings (a rollback journal, synced at each
commit). A record is one pickle of `asdict(record)`: to load it builds the whole object, to save it writes the whole
blob. What is looked for by anything but a column is looked for in every blob of the table. Known defects stay
(`delete_note` says True without a match, a key comes back without its hash, deleting a user leaves its notes behind).
"""

import pickle
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

from tests.support.v1_entities import (
    APIKeyRecord,
    KnowledgeBaseDocument,
    LLMProviderConfig,
    LLMUsageRecord,
    ProjectContext,
    ProjectNote,
    QuestionEffectiveness,
    User,
    UserBehaviorPattern,
)
from tests.support.v1_schema import V1_TABLES

Record = TypeVar("Record")


class V1Database:
    """One v1 file; tables that it lacks are made, as a newer v1 did when it opened an older file."""

    def __init__(self, path: Path) -> None:
        self.path = path
        with self._transaction() as connection:
            for statement in V1_TABLES.values():
                connection.execute(statement.replace("CREATE TABLE", "CREATE TABLE IF NOT EXISTS", 1))

    # Projects

    def save_project(self, project: ProjectContext) -> None:
        """Write the whole project."""
        self._replace(
            "projects",
            project_id=project.project_id,
            data=_pickled(project),
            created_at=project.created_at.isoformat(),
            updated_at=project.updated_at.isoformat(),
        )

    def load_project(self, project_id: str) -> ProjectContext | None:
        return self._load(ProjectContext, "SELECT data FROM projects WHERE project_id = ?", project_id)

    def get_user_projects(self, username: str, include_archived: bool = False) -> list[dict[str, Any]]:
        """Return summaries of the projects that the user owns or collaborates on, in the order of the file."""
        summaries = []
        for project_id, data in self._rows("SELECT project_id, data FROM projects"):
            project = pickle.loads(data)
            is_archived = project.get("is_archived", False)
            if is_archived and not include_archived:
                continue
            if project["owner"] == username or username in project.get("collaborators", ()):
                summaries.append(
                    {
                        "project_id": project_id,
                        "name": project["name"],
                        "phase": project["phase"],
                        "status": "archived" if is_archived else "active",
                        "updated_at": project["updated_at"].strftime("%Y-%m-%d %H:%M:%S"),
                    }
                )
        return summaries

    def archive_project(self, project_id: str) -> bool:
        project = self.load_project(project_id)
        if project is None:
            return False
        project.is_archived, project.archived_at = True, datetime.now()
        project.updated_at = datetime.now()
        return self._saved_project(project)

    def restore_project(self, project_id: str) -> bool:
        project = self.load_project(project_id)
        if project is None or not project.is_archived:
            return False
        project.is_archived, project.archived_at = False, None
        project.updated_at = datetime.now()
        return self._saved_project(project)

    def permanently_delete_project(self, project_id: str) -> bool:
        """Delete the project's row and nothing else."""
        return self._changed("DELETE FROM projects WHERE project_id = ?", project_id) > 0

    def get_archived_items(self, item_type: str) -> list[dict[str, Any]]:
        """Return summaries of all archived "users" or "projects"; of anything else, none."""
        if item_type == "projects":
            projects = [pickle.loads(data) for (data,) in self._rows("SELECT data FROM projects")]
            names = ("project_id", "name", "owner", "archived_at")
            return [{name: project.get(name) for name in names} for project in projects if project.get("is_archived")]
        if item_type == "users":
            users = [pickle.loads(data) for (data,) in self._rows("SELECT data FROM users")]
            return [
                {
                    "username": user["username"],
                    "archived_at": user["archived_at"],
                    "project_count": len(user["projects"]),
                }
                for user in users
                if user.get("is_archived")
            ]
        return []

    def _saved_project(self, project: ProjectContext) -> bool:
        try:
            self.save_project(project)
        except sqlite3.Error:
            return False
        return True

    # Users

    def save_user(self, user: User) -> None:
        self._replace(
            "users",
            username=user.username,
            passcode_hash=user.passcode_hash,
            data=_pickled(user),
            created_at=user.created_at.isoformat(),
        )

    def load_user(self, username: str) -> User | None:
        return self._load(User, "SELECT data FROM users WHERE username = ?", username)

    def user_exists(self, username: str) -> bool:
        return bool(self._rows("SELECT 1 FROM users WHERE username = ?", username))

    def archive_user(self, username: str, archive_projects: bool = True) -> bool:
        """Archive the user and the projects it owns; of these the blob keeps its `updated_at`, the column does not."""
        user = self.load_user(username)
        if user is None:
            return False
        user.is_archived, user.archived_at = True, datetime.now()
        self.save_user(user)
        if archive_projects:
            with self._transaction() as connection:
                for project_id, project in _projects_owned(connection, username):
                    if not project.get("is_archived", False):
                        project |= {"is_archived": True, "archived_at": datetime.now()}
                        _update_project(connection, project_id, project, datetime.now())
        return True

    def restore_user(self, username: str) -> bool:
        """Restore the user, not its projects."""
        user = self.load_user(username)
        if user is None or not user.is_archived:
            return False
        user.is_archived, user.archived_at = False, None
        self.save_user(user)
        return True

    def permanently_delete_user(self, username: str) -> bool:
        """Hand the user's projects to their first collaborators, delete those without one, then the user."""
        with self._transaction() as connection:
            if connection.execute("SELECT 1 FROM users WHERE username = ?", (username,)).fetchone() is None:
                return False
            for project_id, project in _projects_owned(connection, username):
                if project.get("collaborators"):
                    heir, *others = project["collaborators"]
                    project |= {"owner": heir, "collaborators": others, "updated_at": datetime.now()}
                    _update_project(connection, project_id, project, project["updated_at"])
                else:
                    connection.execute("DELETE FROM projects WHERE project_id = ?", (project_id,))
            connection.execute("DELETE FROM users WHERE username = ?", (username,))
        return True

    # Notes

    def save_note(self, note: ProjectNote) -> bool:
        return self._replaced(
            "project_notes",
            note_id=note.note_id,
            project_id=note.project_id,
            data=_pickled(note),
            created_at=note.created_at.isoformat(),
        )

    def get_project_notes(self, project_id: str, note_type: str | None = None) -> list[ProjectNote]:
        """Return a project's notes in the order of the file; those of another type are read and dropped."""
        notes = self._load_all(ProjectNote, "SELECT data FROM project_notes WHERE project_id = ?", project_id)
        return [note for note in notes if note_type in (None, note.note_type)]

    def search_notes(self, project_id: str, query: str) -> list[ProjectNote]:
        """Return the project's notes that contain the text; all of them are read."""
        return [note for note in self.get_project_notes(project_id) if note.matches(query)]

    def delete_note(self, note_id: str) -> bool:
        return self._done("DELETE FROM project_notes WHERE note_id = ?", note_id)

    # Learning and documents

    def save_question_effectiveness(self, record: QuestionEffectiveness) -> bool:
        return self._replaced(
            "question_effectiveness",
            id=record.id,
            user_id=record.user_id,
            question_template_id=record.question_template_id,
            data=_pickled(record),
            created_at=record.created_at.isoformat(),
            updated_at=record.updated_at.isoformat(),
        )

    def get_question_effectiveness(self, user_id: str, question_template_id: str) -> QuestionEffectiveness | None:
        sql = "SELECT data FROM question_effectiveness WHERE user_id = ? AND question_template_id = ?"
        return self._load(QuestionEffectiveness, sql, user_id, question_template_id)

    def get_user_effectiveness_all(self, user_id: str) -> list[QuestionEffectiveness]:
        sql = "SELECT data FROM question_effectiveness WHERE user_id = ?"
        return self._load_all(QuestionEffectiveness, sql, user_id)

    def save_behavior_pattern(self, pattern: UserBehaviorPattern) -> bool:
        return self._replaced(
            "behavior_patterns",
            id=pattern.id,
            user_id=pattern.user_id,
            pattern_type=pattern.pattern_type,
            data=_pickled(pattern),
            learned_at=pattern.learned_at.isoformat(),
            updated_at=pattern.updated_at.isoformat(),
        )

    def get_behavior_pattern(self, user_id: str, pattern_type: str) -> UserBehaviorPattern | None:
        sql = "SELECT data FROM behavior_patterns WHERE user_id = ? AND pattern_type = ?"
        return self._load(UserBehaviorPattern, sql, user_id, pattern_type)

    def get_user_behavior_patterns(self, user_id: str) -> list[UserBehaviorPattern]:
        return self._load_all(UserBehaviorPattern, "SELECT data FROM behavior_patterns WHERE user_id = ?", user_id)

    def save_knowledge_document(self, document: KnowledgeBaseDocument) -> bool:
        return self._replaced(
            "knowledge_documents",
            id=document.id,
            project_id=document.project_id,
            user_id=document.user_id,
            data=_pickled(document),
            uploaded_at=document.uploaded_at.isoformat(),
        )

    def get_knowledge_document(self, document_id: str) -> KnowledgeBaseDocument | None:
        return self._load(KnowledgeBaseDocument, "SELECT data FROM knowledge_documents WHERE id = ?", document_id)

    def get_project_knowledge_documents(self, project_id: str) -> list[KnowledgeBaseDocument]:
        sql = "SELECT data FROM knowledge_documents WHERE project_id = ?"
        return self._load_all(KnowledgeBaseDocument, sql, project_id)

    # Language models

    def save_llm_config(self, config: LLMProviderConfig) -> bool:
        return self._replaced(
            "llm_provider_configs",
            id=config.id,
            user_id=config.user_id,
            provider=config.provider,
            data=_pickled(config),
            created_at=config.created_at.isoformat(),
            updated_at=config.updated_at.isoformat(),
        )

    def get_user_llm_config(self, user_id: str, provider: str) -> LLMProviderConfig | None:
        sql = "SELECT data FROM llm_provider_configs WHERE user_id = ? AND provider = ?"
        return self._load(LLMProviderConfig, sql, user_id, provider)

    def get_user_llm_configs(self, user_id: str) -> list[LLMProviderConfig]:
        return self._load_all(LLMProviderConfig, "SELECT data FROM llm_provider_configs WHERE user_id = ?", user_id)

    def unset_other_default_providers(self, user_id: str, provider: str) -> bool:
        """Leave the provider as the user's only default, in a transaction of its own."""
        sql = "SELECT id, data FROM llm_provider_configs WHERE user_id = ? AND provider != ?"
        with self._transaction() as connection:
            for config_id, data in connection.execute(sql, (user_id, provider)).fetchall():
                config = pickle.loads(data)
                if config["is_default"]:
                    config |= {"is_default": False, "updated_at": datetime.now()}
                    connection.execute(
                        "UPDATE llm_provider_configs SET data = ?, updated_at = ? WHERE id = ?",
                        (pickle.dumps(config), config["updated_at"].isoformat(), config_id),
                    )
        return True

    def save_api_key(self, key: APIKeyRecord) -> bool:
        times = {"created_at": key.created_at, "updated_at": key.updated_at, "last_used_at": key.last_used_at}
        columns = asdict(key) | {name: time and time.isoformat() for name, time in times.items()}
        return self._replaced("api_keys", **columns)

    def get_api_key(self, user_id: str, provider: str) -> APIKeyRecord | None:
        """Return the key, its `key_hash` empty."""
        sql = (
            "SELECT id, user_id, provider, encrypted_key, created_at, updated_at, last_used_at"
            " FROM api_keys WHERE user_id = ? AND provider = ?"
        )
        for *texts, created_at, updated_at, last_used_at in self._rows(sql, user_id, provider):
            times = (datetime.fromisoformat(created_at), datetime.fromisoformat(updated_at))
            return APIKeyRecord(*texts, "", *times, last_used_at and datetime.fromisoformat(last_used_at))
        return None

    def delete_api_key(self, user_id: str, provider: str) -> bool:
        return self._done("DELETE FROM api_keys WHERE user_id = ? AND provider = ?", user_id, provider)

    def save_usage_record(self, usage: LLMUsageRecord) -> bool:
        return self._replaced(
            "llm_usage",
            id=usage.id,
            user_id=usage.user_id,
            provider=usage.provider,
            model=usage.model,
            data=_pickled(usage),
            timestamp=usage.timestamp.isoformat(),
            cost=usage.cost,
        )

    def get_usage_records(self, user_id: str, days: int = 30, provider: str | None = None) -> list[LLMUsageRecord]:
        """Return the calls of the last `days` days, their times compared as text."""
        since = (datetime.now() - timedelta(days=days)).isoformat()
        sql = "SELECT data FROM llm_usage WHERE user_id = ? AND timestamp > ?"
        if provider is None:
            return self._load_all(LLMUsageRecord, sql, user_id, since)
        return self._load_all(LLMUsageRecord, f"{sql} AND provider = ?", user_id, since, provider)

    # A connection per call

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path)) as connection, connection:
            yield connection

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(sql, parameters).fetchall()

    def _load(self, kind: type[Record], sql: str, *parameters: object) -> Record | None:
        for (data,) in self._rows(sql, *parameters):
            return kind(**pickle.loads(data))
        return None

    def _load_all(self, kind: type[Record], sql: str, *parameters: object) -> list[Record]:
        return [kind(**pickle.loads(data)) for (data,) in self._rows(sql, *parameters)]

    def _changed(self, sql: str, *parameters: object) -> int:
        with self._transaction() as connection:
            return connection.execute(sql, parameters).rowcount

    def _done(self, sql: str, *parameters: object) -> bool:
        """Execute a statement and say that it went through, whether or not it found a row."""
        try:
            self._changed(sql, *parameters)
        except sqlite3.Error:
            return False
        return True

    def _replace(self, table: str, **columns: object) -> None:
        self._changed(*_replacing(table, columns))

    def _replaced(self, table: str, **columns: object) -> bool:
        return self._done(*_replacing(table, columns))


def _replacing(table: str, columns: dict[str, object]) -> tuple[Any, ...]:
    marks = ", ".join("?" * len(columns))
    return f"INSERT OR REPLACE INTO {table} ({', '.join(columns)}) VALUES ({marks})", *columns.values()


def _pickled(record: Any) -> bytes:
    return pickle.dumps(asdict(record))


def _projects_owned(connection: sqlite3.Connection, username: str) -> list[tuple[str, dict[str, Any]]]:
    """Read and unpickle every project, and keep those of the owner."""
    rows = connection.execute("SELECT project_id, data FROM projects").fetchall()
    projects = [(project_id, pickle.loads(data)) for project_id, data in rows]
    return [(project_id, project) for project_id, project in projects if project["owner"] == username]


def _update_project(
    connection: sqlite3.Connection, project_id: str, project: dict[str, Any], updated_at: datetime
) -> None:
    connection.execute(
        "UPDATE projects SET data = ?, updated_at = ? WHERE project_id = ?",
        (pickle.dumps(project), updated_at.isoformat(), project_id),
    )
