"""How many tokens a text has, and which prefixes of requests are in the prompt cache, as this server counts them."""

import hashlib
import threading
from collections import OrderedDict
from collections.abc import Sequence
from typing import NamedTuple

CHARACTERS = 4
"""Of a token: Anthropic's rule of thumb for English text."""

_PREFIXES = 1_000
"""How many prefixes are remembered, those used last: a program has one or two for each kind of request."""


def tokens(text: str) -> int:
    """At least 1, also of the empty text: the API bills no request or answer with nothing."""
    return max(1, -(-len(text) // CHARACTERS))


class CacheUse(NamedTuple):
    """Tokens of one request's prefix that were written to the cache, and that were read from it."""

    created: int
    read: int


class PrefixCache:
    """The prompt cache: prefixes of requests that were seen before. Safe to use from several threads.

    A prefix of fewer than `least` tokens is not cached, as with the real API (1,024 to 4,096 by model).
    """

    def __init__(self, least: int) -> None:
        self._least = least
        self._known: OrderedDict[bytes, None] = OrderedDict()
        self._lock = threading.Lock()

    def use(self, scope: str, prefixes: Sequence[str]) -> CacheUse:
        """Look up the growing `prefixes` of one request, remember them all; `scope` keeps keys and models apart."""
        cacheable = [prefix for prefix in prefixes if tokens(prefix) >= self._least]
        if not cacheable:
            return CacheUse(0, 0)
        with self._lock:
            read = max((tokens(prefix) for prefix in cacheable if _digest(scope, prefix) in self._known), default=0)
            for prefix in cacheable:
                self._remember(_digest(scope, prefix))
        return CacheUse(tokens(cacheable[-1]) - read, read)

    def _remember(self, digest: bytes) -> None:
        self._known[digest] = None
        self._known.move_to_end(digest)
        if len(self._known) > _PREFIXES:
            self._known.popitem(last=False)


def _digest(scope: str, prefix: str) -> bytes:
    return hashlib.sha256(f"{scope}\0{prefix}".encode(errors="surrogatepass")).digest()
