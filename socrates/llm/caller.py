"""On whose behalf a model is called."""

from dataclasses import dataclass

from pydantic import SecretStr

from socrates.errors import InvalidValueError
from socrates.llm.storable import storable

SYSTEM_USER = "system"
"""Under which calls on nobody's behalf are accounted (llm-client, 7.1)."""

_LONGEST_NAME = 512
"""Bytes, as of any text that PostgreSQL indexes here: a call whose row it refuses would be had for nothing."""


@dataclass(frozen=True, slots=True)
class Caller:
    """A user, and what one call is to use instead of what the user has set.

    Raises InvalidValueError for a name under which no call can be accounted: nobody's, for which no budget holds, and
    one that a database cannot hold.
    """

    user_id: str | None = None
    """None: nobody's behalf; accounted under `system`."""
    provider: str | None = None
    model: str | None = None
    """An id, or one of the short names haiku, sonnet, opus."""
    api_key: SecretStr | None = None

    def __post_init__(self) -> None:
        if self.user_id in {"", SYSTEM_USER}:
            raise InvalidValueError(f"{self.user_id!r} is no user: leave user_id out to call on nobody's behalf")
        if self.user_id is not None and not _fits_a_row(self.user_id):
            raise InvalidValueError(f"the user's name has more than {_LONGEST_NAME} bytes, or what no database takes")


def _fits_a_row(name: str) -> bool:
    return storable(name) == name and len(name.encode()) <= _LONGEST_NAME


NOBODY = Caller()
