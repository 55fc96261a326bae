"""Going past the caches, call by call."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_bypassing: ContextVar[bool] = ContextVar("bypassing", default=False)

is_bypassing = _bypassing.get
"""Whether this task goes past the caches."""


@contextmanager
def bypassed() -> Iterator[None]:
    """Inside, cached methods run as if they were not cached: what is kept is neither read nor added to.

    It holds for this task and those that it starts inside; for `socrates.sync`, for this thread.
    """
    token = _bypassing.set(True)
    try:
        yield
    finally:
        _bypassing.reset(token)
