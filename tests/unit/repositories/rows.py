"""Rows put straight into tables, and read back, around the repositories that are tested."""

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import insert, select

from socrates.models import Base, Project, TeamMember, User
from socrates.repositories.base import table
from socrates.store import Store

THEN = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)


async def put(store: Store, entity: type[Base], *rows: dict[str, Any]) -> None:
    async with store.begin() as unit:
        for row in rows:
            await unit.users._session.execute(insert(table(entity)), row)


async def stored(store: Store, entity: type[Base], *columns: str) -> list[tuple[Any, ...]]:
    """The columns of every row, in their order."""
    wanted = [table(entity).c[name] for name in columns]
    async with store._engines.reader.connect() as connection:
        return [tuple(row) for row in await connection.execute(select(*wanted).order_by(*wanted))]


async def put_users(store: Store, *names: str, **columns: Any) -> None:
    await put(
        store,
        User,
        *({"username": name, "passcode_hash": f"hash of {name}", "created_at": THEN} | columns for name in names),
    )


async def put_project(store: Store, key: str, owner: str, *members: dict[str, Any], **columns: Any) -> None:
    """A project with its owner as lead at position 0, and the other members behind."""
    row = {"id": key, "name": key, "owner": owner, "phase": "design", "created_at": THEN, "updated_at": THEN}
    await put(store, Project, row | columns)
    lead = {"username": owner, "role": "lead"}
    team = [
        {"project_id": key, "position": place, "role": "creator", "is_active": True} | member
        for place, member in enumerate((lead, *members))
    ]
    await put(store, TeamMember, *team)
