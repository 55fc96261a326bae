"""What happens in Socrates, told to those who listen.

    emitter = Emitter()
    emitter.on(EventType.PHASE_ADVANCED, celebrate)
    async with emitter:
        with correlated("request 1"):
            await emitter.emit_async(EventType.PHASE_ADVANCED, PhaseAdvanced(project_id=..., from_phase=..., ...))

A listener takes an `Event`. It may be registered before the emitter opens, and so misses nothing (mends D37). The bound
method `emit_async` is what `socrates.llm.LLMClient` takes as `emit`. `socrates.events.payloads` has the payloads.
"""

from socrates.events.emitter import Emitter
from socrates.events.envelope import Event, correlated, correlation_id
from socrates.events.mailbox import Listener
from socrates.events.payloads import PAYLOADS, AgentName, Payload
from socrates.events.types import EventType

__all__ = [
    "PAYLOADS",
    "AgentName",
    "Emitter",
    "Event",
    "EventType",
    "Listener",
    "Payload",
    "correlated",
    "correlation_id",
]
