"""Objects of ours that live on a loop in another thread, as seen from here."""

import inspect
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Callable, Coroutine, Iterator
from functools import cache, wraps
from types import TracebackType
from typing import Any, Self, TypeVar

from socrates.caching.cache import ABSENT
from socrates.sync.loop import LoopThread, Run

_T = TypeVar("_T")

_BATCH = 1000
"""Items of an asynchronous iterator fetched with one crossing between the threads."""


class Opened(ABC):
    """Something of ours that was opened on a loop in another thread, as seen from here."""

    def __init__(self, inner: Any, loop: LoopThread) -> None:
        """Use `open`."""
        self._inner = inner
        self._loop = loop

    @abstractmethod
    def close(self) -> None: ...

    def __getattr__(self, name: str) -> Any:
        return getattr(Blocking(self._inner, self._loop.run), name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *dir(Blocking(self._inner, self._loop.run))})

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Blocking:
    """An object whose coroutine methods are called and waited for, and whose asynchronous iterators are plain ones.

    A proxy and not a second set of classes: what is there to call is said once, in the repositories.
    """

    def __init__(self, target: Any, run: Run) -> None:
        self._target = target
        self._run = run

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        found = getattr(self._target, name)
        if inspect.iscoroutinefunction(found):
            return _blocking(found, self._run)
        if inspect.isasyncgenfunction(found):
            return _iterating(found, self._run)
        return Blocking(found, self._run) if _has_to_be_waited_for(found.__class__) else found

    def __setattr__(self, name: str, value: object) -> None:
        if name.startswith("_"):
            super().__setattr__(name, value)
        else:
            setattr(self._target, name, value)

    def __dir__(self) -> list[str]:
        return [name for name in dir(self._target) if not name.startswith("_")]


@cache
def _has_to_be_waited_for(kind: type) -> bool:
    """Whether objects of a class have anything that is asynchronous; all else is given out as it is."""
    members = (getattr(kind, name, None) for name in dir(kind) if not name.startswith("_"))
    return any(inspect.iscoroutinefunction(each) or inspect.isasyncgenfunction(each) for each in members)


def _blocking(method: Callable[..., Coroutine[Any, Any, _T]], run: Run) -> Callable[..., _T]:
    kept: Callable[..., Any] | None = getattr(method, "kept", None)

    @wraps(method)
    def call(*arguments: Any, **named: Any) -> _T:
        # What is kept is given out in this thread: the way to the loop's and back takes several times as long.
        found: Any = ABSENT if kept is None else kept(method.__self__, *arguments, **named)  # type: ignore[attr-defined]
        result: _T = run(method(*arguments, **named)) if found is ABSENT else found
        return result

    return call


def _iterating(method: Callable[..., AsyncIterator[_T]], run: Run) -> Callable[..., Iterator[_T]]:
    @wraps(method)
    def iterate(*arguments: Any, **named: Any) -> Iterator[_T]:
        items = method(*arguments, **named)
        while batch := run(_next_batch(items)):
            yield from batch

    return iterate


async def _next_batch(items: AsyncIterator[_T]) -> list[_T]:
    batch: list[_T] = []
    async for item in items:
        batch.append(item)
        if len(batch) == _BATCH:
            break
    return batch
