"""What a listener gets, and what holds events together that one request caused."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

from pydantic import AwareDatetime, BaseModel, ConfigDict, SerializeAsAny

from socrates.events.payloads import Payload
from socrates.events.types import EventType

_correlation: ContextVar[str | None] = ContextVar("correlation", default=None)


class Event(BaseModel):
    """Something that happened. `model_dump(mode="json")` is all of it.

    `number` counts the events of one emitter in the order in which they were emitted. `at` is in UTC (mends D74).
    `correlation_id` is that of the request during which it happened.
    """

    model_config = ConfigDict(frozen=True)

    number: int
    type: EventType
    at: AwareDatetime
    correlation_id: str | None
    payload: SerializeAsAny[Payload]


@contextmanager
def correlated(correlation_id: str | None) -> Iterator[None]:
    """What is emitted inside, and by the listeners to it, carries this id. Tasks that are started inside inherit it."""
    token = _correlation.set(correlation_id)
    try:
        yield
    finally:
        _correlation.reset(token)


def correlation_id() -> str | None:
    """The id of the request that is being served here."""
    return _correlation.get()
