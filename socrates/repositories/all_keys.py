"""The API keys of all users at once, for whoever looks after the database. Service code goes by user."""

from sqlalchemy import bindparam, select, update

from socrates.models import APIKey
from socrates.repositories.base import Mapper, Repository, table
from socrates.views import StoredKey

_key = Mapper(StoredKey, APIKey)
_keys = table(APIKey)
_ALL = select(*_key.columns).order_by(APIKey.id)
_REPLACE = (
    update(_keys)
    .where(
        _keys.c.id == bindparam("of_id"),
        _keys.c.encrypted_key == bindparam("read_key"),
        _keys.c.key_hash == bindparam("read_hash"),
    )
    .values(encrypted_key=bindparam("new_key"))
)


class AllKeysRepository(Repository):
    """Reads every key and changes how one is encrypted."""

    async def all(self) -> tuple[StoredKey, ...]:
        """All users' keys, encrypted, ordered by id."""
        return await self._views(_key, _ALL)

    async def replace(self, read: StoredKey, encrypted_key: str) -> bool:
        """Store another form of the same key and leave the rest, its times too; tell whether it still was as `read`."""
        found = await self._write(
            _REPLACE, of_id=read.id, read_key=read.encrypted_key, read_hash=read.key_hash, new_key=encrypted_key
        )
        return found == 1
