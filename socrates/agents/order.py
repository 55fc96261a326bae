"""In which order requests on one project write."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager


class ProjectOrder:
    """Whoever came first writes first, however long models take to answer each; projects do not wait for one another.

        async with order.place(project_id) as reached:
            answer = await the_model()  # all at once
            await reached()  # one after another from here on
            await store(answer)

    In one process: others are kept apart by the database, in no order.
    """

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Future[None]] = {}

    @asynccontextmanager
    async def place(self, project_id: str) -> AsyncIterator[Callable[[], Awaitable[None]]]:
        """A place behind those that are there; the value waits until they are gone. Leaving it lets the next go on."""
        before = self._last.get(project_id)
        gone: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        gone.add_done_callback(lambda _: self._forget(project_id, gone))
        self._last[project_id] = gone

        async def reached() -> None:
            if before is not None:
                # Shielded: the future is everybody's, and one who is cancelled must not end it.
                await asyncio.shield(before)

        try:
            yield reached
        finally:
            if before is None or before.done():
                gone.set_result(None)
            else:
                before.add_done_callback(lambda _: gone.set_result(None))

    def _forget(self, project_id: str, gone: "asyncio.Future[None]") -> None:
        if self._last.get(project_id) is gone:
            del self._last[project_id]
