"""`sync.KnowledgeBase`."""

from typing import TYPE_CHECKING, Self

from socrates import store
from socrates.sync.blocking import Opened
from socrates.sync.store import Store

if TYPE_CHECKING:  # it loads numpy, which is an extra
    from socrates.knowledge import knowledge_base
    from socrates.knowledge.embedder import Embedder


class KnowledgeBase(Opened):
    """What is known in one database, for synchronous code: `socrates.knowledge.knowledge_base.KnowledgeBase`.

    What it calls, such as a `progress`, it calls in the store's thread.
    """

    @classmethod
    def open(cls, store: Store, embedder: "Embedder | None" = None, *, check: bool = True) -> Self:
        """Open what is known in a store, as the other `KnowledgeBase.open` does. Close it before the store."""
        return cls(store._loop.run(_known(store._inner, embedder, check)), store._loop)

    def close(self) -> None:
        """Let go of the index and the model. Raises ClosedError where the store is closed already."""
        self._loop.run(self._inner.close())


async def _known(inner: store.Store, embedder: "Embedder | None", check: bool) -> "knowledge_base.KnowledgeBase":
    from socrates.knowledge.knowledge_base import KnowledgeBase as Knowledge  # noqa: PLC0415 - an extra

    return await Knowledge.open(inner, embedder, check=check)
