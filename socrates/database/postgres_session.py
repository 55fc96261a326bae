"""The session of a unit of work on PostgreSQL, where units of work run beside one another."""

import json

from sqlalchemy import BigInteger, Executable, bindparam, func, select
from sqlalchemy.exc import SQLAlchemyError

from socrates.database.failures import explained
from socrates.database.postgres_limits import refuse_what_postgres_cannot_hold
from socrates.database.sessions import Parameters, WriteSession

_LOCK = select(func.pg_advisory_xact_lock(func.hashtextextended(bindparam("key"), bindparam("seed", type_=BigInteger))))
_SEED = int.from_bytes(b"socrates", "big")
"""Keeps our locks apart from those of others in the database; any number will do."""


class PostgresWriteSession(WriteSession):
    """Rows that are read by their key to be changed are locked by the reading statement itself; `hold` locks what has
    no row yet."""

    locks = True

    async def hold(self, *key: str) -> None:
        """Wait until no other unit of work holds `key`, and hold it until this one ends.

        Raises BusyError, SerializationError and whatever else a statement can meet.
        """
        try:
            await self.run(_LOCK, {"key": json.dumps(key), "seed": _SEED})
            return
        except SQLAlchemyError as error:
            failure = explained(error)
        raise failure

    def _refuse(self, statement: Executable, params: Parameters) -> None:
        super()._refuse(statement, params)
        refuse_what_postgres_cannot_hold(statement, params)
