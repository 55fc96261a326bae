"""Who talks about which project, and requests to agents."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Coroutine
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from socrates.agents.base import unheard
from socrates.agents.contracts.base import Failure, Response, Success
from socrates.cli.chatting.screen import NotDoneError, Screen
from socrates.orchestrator import Orchestrator

_R = TypeVar("_R", bound=Response)
_T = TypeVar("_T")


class OtherResponseError(NotDoneError):
    """A request was not carried out: `response` is what came instead."""

    def __init__(self, message: str, response: Response) -> None:
        super().__init__(message)
        self.response = response


@dataclass
class Session:
    """One person at one terminal."""

    system: Orchestrator
    screen: Screen
    username: str = ""
    project_id: str = ""
    project_name: str = ""
    artifact: str | None = None
    """The last one that was made of this project, to be documented."""
    not_analysed: int | None = None
    """The position of the last answer that no model could analyse."""

    async def request(
        self,
        kind: type[_R],
        agent: str,
        action: str,
        *,
        on_piece: Callable[[str], Awaitable[None]] = unheard,
        **fields: Any,
    ) -> _R:
        """The response of an agent, which is of this kind. Ctrl-C stops it. Raises NotDoneError."""
        asked = {"action": action, "current_user": self.username, **fields}
        response = await stoppable(self.system.process_request(agent, asked, on_piece=on_piece))
        if isinstance(response, kind):
            return response
        if isinstance(response, Success):
            raise TypeError(f"{agent} answered {action} with {type(response).__name__}, not {kind.__name__}")
        message = _advice(response) if isinstance(response, Failure) else f"{action} needs your confirmation."
        raise OtherResponseError(message, response)

    async def of_project(self, kind: type[_R], agent: str, action: str, **fields: Any) -> _R:
        """The same, about the project that is talked about."""
        return await self.request(kind, agent, action, project_id=self.project_id, **fields)


def _advice(failure: Failure) -> str:
    """What the agent says, and for want of a tier also how to come by it: an agent knows nothing of commands."""
    tier = failure.details.get("sufficient_tier")
    if tier is None:
        return failure.message
    return f"{failure.message} Whoever keeps this database gives it: socrates users tier NAME {tier}"


async def stoppable(work: Coroutine[Any, Any, _T]) -> _T:
    """Do it, and let Ctrl-C end it, and nothing else. Raises NotDoneError then."""
    loop, task = asyncio.get_running_loop(), asyncio.ensure_future(work)
    was_stopped = False

    def stop() -> None:
        nonlocal was_stopped
        was_stopped = True
        task.cancel()

    # Where loops have no signal handlers (Windows), Ctrl-C ends the program instead.
    with suppress(NotImplementedError):
        loop.add_signal_handler(signal.SIGINT, stop)
    try:
        return await task
    except asyncio.CancelledError:
        if was_stopped:
            raise NotDoneError("Stopped.") from None
        raise
    finally:
        with suppress(NotImplementedError):
            loop.remove_signal_handler(signal.SIGINT)
