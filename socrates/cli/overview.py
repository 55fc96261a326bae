"""What a database holds, in a few queries."""

import sqlite3

from rich.console import Console
from rich.markup import escape
from rich.table import Table
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import Session
from sqlalchemy.pool import StaticPool

from socrates.models import ConversationMessage, Project, TeamMember

_PROJECTS_SHOWN = 15
_MESSAGES_SHOWN = 4
_LINE = 60


def print_overview(connection: sqlite3.Connection) -> None:
    """Print the newest projects, and the end of the longest conversation."""
    console = Console(highlight=False)
    engine = create_engine("sqlite://", creator=lambda: connection, poolclass=StaticPool)
    with Session(engine) as session:
        _print_projects(console, session)
        _print_conversation(console, session)


def _print_projects(console: Console, session: Session) -> None:
    table = Table(title="Projects, the newest first", title_justify="left")
    for heading in ("project", "owner", "phase", "status"):
        table.add_column(heading, no_wrap=True)
    for heading in ("team", "messages"):
        table.add_column(heading, justify="right", no_wrap=True)
    active = (
        select(func.count())
        .where(TeamMember.project_id == Project.id, TeamMember.is_active)
        .correlate(Project)
        .scalar_subquery()
    )
    newest = select(Project, active).order_by(Project.updated_at.desc(), Project.id).limit(_PROJECTS_SHOWN)
    for project, team in session.execute(newest):
        status = "archived" if project.is_archived else project.status
        texts = (project.name[:28], project.owner, project.phase, status)
        table.add_row(*map(escape, texts), str(team), str(project.message_count))
    console.print(table)


def _print_conversation(console: Console, session: Session) -> None:
    longest = session.scalar(select(Project).order_by(Project.message_count.desc(), Project.id).limit(1))
    if longest is None or not longest.message_count:
        return
    console.print(f"The end of the conversation in {escape(longest.name)} ({longest.message_count} messages):")
    last = (
        select(ConversationMessage)
        .where(ConversationMessage.project_id == longest.id)
        .order_by(ConversationMessage.position.desc())
        .limit(_MESSAGES_SHOWN)
    )
    for message in reversed(session.scalars(last).all()):
        line = " ".join(message.content.split())
        shown = line if len(line) <= _LINE else line[: _LINE - 1] + "…"
        console.print(f"  {message.position:>4} {escape(message.author or message.type)}: {escape(shown)}")
