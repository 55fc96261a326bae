"""Waiting in line for a connection, first come first served."""

import asyncio

from socrates.errors import BusyError


class Turns:
    """Lets `places` in at a time: ``async with turns``. Raises BusyError after `patience` seconds of waiting.

    The pool's own queue serves whoever asks at the right moment: one task that goes on and on, and all others wait.
    """

    def __init__(self, places: int, patience: float) -> None:
        self._places = asyncio.Semaphore(places)
        self._patience = patience

    async def __aenter__(self) -> None:
        if not self._places.locked():
            await self._places.acquire()
            return
        try:
            async with asyncio.timeout(self._patience):
                await self._places.acquire()
        except TimeoutError as error:
            raise BusyError(
                f"no connection became free in {self._patience:g} seconds: too many units of work or reads at once, "
                "or one that never ends. The setting lock_timeout says how long to wait"
            ) from error

    async def __aexit__(self, *_outcome: object) -> None:
        self._places.release()
