"""How the stores are opened that the bench measures."""

from sqlalchemy import event

from socrates.config import CacheConfig, Settings
from socrates.database.sessions import write_session
from socrates.store import Store

UNCACHED = Settings(cache_config=CacheConfig(enable_caching=False))
"""For most of the bench, which measures what the database does and not how quickly a result is found again."""

CACHED = Settings(cache_config=CacheConfig(enable_caching=True, cache_trusted_ms=0))
"""Every hit asks for other processes' commits."""


def without_coherence(store: Store) -> Store:
    """Have the store's units of work keep no cache true, nor tell other processes: they do that for caches of others
    even where their own store has none."""
    writer, coherence = store._engines.writer.sync_engine, store._coherence
    event.remove(writer, "begin", coherence._begin)
    event.remove(writer, "before_cursor_execute", coherence._collect)
    store._write_session = lambda: write_session(store._engines.write_session())  # type: ignore[method-assign]
    return store
