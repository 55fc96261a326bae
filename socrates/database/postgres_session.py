"""The session of a unit of work on PostgreSQL, where units of work run beside one another."""

import json
from typing import Any

from sqlalchemy import BigInteger, Executable, Result, bindparam, func, select

from socrates.database.postgres_limits import refuse_what_postgres_cannot_hold
from socrates.database.sessions import Parameters, WriteSession

_LOCK = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("key"), bindparam("seed", type_=BigInteger))))
_SEED = int.from_bytes(b"socrates", "big")
"""Keeps our locks apart from those of others in the database; any number will do."""


class PostgresWriteSession(WriteSession):
    """Rows that are read by their key to be changed are locked by the reading statement itself; `hold` locks what has
    no row yet."""

    locks = True

    async def run(self, statement: Executable, params: Parameters | None = None) -> Result[Any]:
        """Like WriteSession.run. Raises InvalidValueError, too, for what only PostgreSQL cannot hold."""
        refuse_what_postgres_cannot_hold(statement, params or {})
        return await super().run(statement, params)

    async def hold(self, *key: str) -> None:
        """Wait until no other unit of work holds `key`, and hold it until this one ends."""
        await self.run(_LOCK, {"key": json.dumps(key), "seed": _SEED})
