"""What users report of calls of models that were made elsewhere."""

from socrates.agents.failures import RefusedError
from socrates.errors import DatabaseError
from socrates.llm.providers import ProviderMetadata, all_providers, find_provider
from socrates.store import Store
from socrates.views import Usage

_MOST_AT_ONCE = 1000
"""Rows of one user since the moment of a call that are looked through for it."""


def require_provider(name: str) -> ProviderMetadata:
    """What is known of the provider, whose name may be in any case. Raises RefusedError (UNKNOWN_PROVIDER)."""
    metadata = find_provider(name)
    if metadata is None:
        known = ", ".join(entry.provider for entry in all_providers())
        raise RefusedError("UNKNOWN_PROVIDER", f"there is no provider {name!r}; there are {known}", "provider")
    return metadata


async def require_stored(store: Store, usage: Usage) -> None:
    """Raises DatabaseError where the call's row is not there (mends D33: v1 reported success all the same).

    The client of models never raises when it cannot account a call, as an answer is delivered in any case; here the
    row is all that was asked for.
    """
    rows = await store.llm.usage(usage.user_id, since=usage.timestamp, limit=_MOST_AT_ONCE)
    if all(row.id != usage.id for row in rows):
        raise DatabaseError("the call could not be accounted; the log says why. Report it again")
