"""The decorator of cached methods."""

from collections.abc import Awaitable, Callable, Iterable
from functools import partial, wraps
from inspect import signature
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from socrates.caching.cache import ABSENT, Cache
from socrates.caching.entries import Tag
from socrates.caching.keys import typed_key

P = ParamSpec("P")
T = TypeVar("T")


class HasCache(Protocol):
    """What a class with cached methods needs."""

    @property
    def cache(self) -> Cache | None:
        """Where results are kept; None to run the methods as they stand."""
        ...


SelfT = TypeVar("SelfT", bound=HasCache)


def cached(
    name: str,
    *,
    tags: Callable[..., Iterable[Tag]],
    lifetime: str | None = None,
    only: Callable[..., bool] | None = None,
) -> Callable[[Callable[Concatenate[SelfT, P], Awaitable[T]]], Callable[Concatenate[SelfT, P], Awaitable[T]]]:
    """Have the results of an asynchronous method kept in the `cache` of its object.

    `name` tells the method apart from others of the same cache, in keys and statistics. `tags` is called with the
    result and the arguments of the call, without the object, and gives what the result depends on. The object itself
    is no part of the key, and is not kept alive: all objects with one cache share its entries. `lifetime` names one of
    the cache's `lifetimes`. Calls for whose arguments `only` is false go past the cache, and are not counted.

    ``method.kept(object, …)``, with the arguments of the call, gives what is kept, counted as a hit, or ABSENT: for
    callers that cannot wait, such as other threads than the event loop's.

    Arguments must be hashable; see `typed_key` for which of them are the same. Results must be frozen; see `size_of`.
    A call that breaks either raises TypeError.
    """

    def decorate(
        method: Callable[Concatenate[SelfT, P], Awaitable[T]],
    ) -> Callable[Concatenate[SelfT, P], Awaitable[T]]:
        parameters = signature(method)

        @wraps(method)
        async def call(self: SelfT, /, *arguments: P.args, **named: P.kwargs) -> T:
            cache = self.cache
            if cache is None or (only is not None and not only(*arguments, **named)):
                return await method(self, *arguments, **named)
            key = typed_key(name, arguments, named)
            found: T = cache.find(key)
            if found is not ABSENT:
                return found

            def tags_of(result: T) -> Iterable[Tag]:
                if not named:
                    return tags(result, *arguments)
                # By place where that can be, however the caller gave them.
                bound = parameters.bind(self, *arguments, **named)
                return tags(result, *bound.args[1:], **bound.kwargs)

            return await cache.load(key, partial(method, self, *arguments, **named), tags_of, lifetime)

        def kept(self: SelfT, /, *arguments: P.args, **named: P.kwargs) -> Any:
            if self.cache is None or (only is not None and not only(*arguments, **named)):
                return ABSENT
            return self.cache.find(typed_key(name, arguments, named))

        call.kept = kept  # type: ignore[attr-defined]
        return call

    return decorate
