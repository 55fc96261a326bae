"""`socrates db show`: what a database holds, in a few queries."""

import sqlite3
from dataclasses import asdict, dataclass
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import URL, Connection, case, create_engine, func, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from socrates.models import ConversationMessage, Project, TeamMember

_PROJECTS_SHOWN = 15
_MESSAGES_SHOWN = 4
_NAME, _LINE = 28, 60


@dataclass(frozen=True, slots=True)
class ShownProject:
    """One project of the list; `team` counts the active members."""

    id: str
    name: str
    owner: str
    phase: str
    status: str
    team: int
    messages: int


@dataclass(frozen=True, slots=True)
class ShownMessage:
    """One message, in full; `speaker` is the author, or what kind of message it is."""

    position: int
    speaker: str
    content: str


@dataclass(frozen=True, slots=True)
class Overview:
    """The newest projects, and the end of the longest conversation, which is that of `longest`."""

    projects: tuple[ShownProject, ...]
    longest: ShownProject | None
    messages: tuple[ShownMessage, ...]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def overview(connection: sqlite3.Connection) -> Overview:
    """Read it from a database at head."""
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with engine.connect() as bind:
        return _overview(bind)


def overview_on_server(url: URL, lock_timeout: float) -> Overview:
    """Read it from a PostgreSQL database at head. Raises NotRecognisedError, SchemaError or DatabaseError."""
    from socrates.database.copying.postgres_side import open_source  # noqa: PLC0415 - its driver is an extra

    with open_source(url, lock_timeout) as side:
        return side.look(_overview)


def _overview(bind: Connection) -> Overview:
    with Session(bind) as session:
        projects = _projects(session, Project.updated_at.desc(), _PROJECTS_SHOWN)
        longest = next(iter(_projects(session, Project.message_count.desc(), 1)), None)
        messages = _last_messages(session, longest.id) if longest else ()
        return Overview(projects, longest, messages)


def _projects(session: Session, order: Any, limit: int) -> tuple[ShownProject, ...]:
    active = (
        select(func.count())
        .where(TeamMember.project_id == Project.id, TeamMember.is_active)
        .correlate(Project)
        .scalar_subquery()
    )
    status = case((Project.is_archived, "archived"), else_=Project.status)
    columns = (Project.id, Project.name, Project.owner, Project.phase, status, active, Project.message_count)
    rows = session.execute(select(*columns).order_by(order, Project.id).limit(limit))
    return tuple(ShownProject(*row) for row in rows)


def _last_messages(session: Session, project_id: str) -> tuple[ShownMessage, ...]:
    columns = (ConversationMessage.position, ConversationMessage.author, ConversationMessage.type)
    last = (
        select(*columns, ConversationMessage.content)
        .where(ConversationMessage.project_id == project_id)
        .order_by(ConversationMessage.position.desc())
        .limit(_MESSAGES_SHOWN)
    )
    return tuple(
        ShownMessage(position, author or kind, content)
        for position, author, kind, content in reversed(session.execute(last).all())
    )


def print_overview(found: Overview) -> None:
    """Print it as a table and a few lines."""
    console = Console(highlight=False)
    table = Table(title="Projects, the newest first", title_justify="left")
    for heading in ("project", "owner", "phase", "status"):
        table.add_column(heading, no_wrap=True)
    for heading in ("team", "messages"):
        table.add_column(heading, justify="right", no_wrap=True)
    for project in found.projects:
        texts = (project.name[:_NAME], project.owner, project.phase, project.status)
        table.add_row(*map(escape, texts), str(project.team), str(project.messages))
    console.print(table)
    if found.longest is None or not found.messages:
        return
    name, count = escape(found.longest.name), found.longest.messages
    console.print(f"The end of the conversation in {name} ({count} messages):")
    for message in found.messages:
        line = " ".join(message.content.split())
        shown = line if len(line) <= _LINE else line[: _LINE - 1] + "…"
        console.print(f"  {message.position:>4} {escape(message.speaker)}: {escape(shown)}")
