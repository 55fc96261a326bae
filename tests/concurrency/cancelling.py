"""Cancels a coroutine at one definite await of it, which a clock could not do."""

import asyncio
from collections.abc import Coroutine, Generator
from typing import Any, Literal

Moment = Literal["pending", "done"]


class CancelledAt:
    """Awaits a coroutine, and cancels the task at some of the coroutine's awaits, counted from 1.

    `pending` cancels before what is awaited can have happened; `done` just after it has, before the task has seen it.
    """

    def __init__(self, work: Coroutine[Any, Any, Any], at: set[int], moment: Moment) -> None:
        self._work = work
        self._at = at
        self._moment = moment
        self.awaits = 0
        self.cancelled = 0

    def __await__(self) -> Generator[Any, Any, Any]:
        task = asyncio.current_task()
        assert task is not None
        steps = self._work.__await__()
        send, value = steps.send, None
        while True:
            try:
                awaited = send(value)
            except StopIteration as end:
                return end.value
            self.awaits += 1
            if self.awaits in self._at:
                self._cancel(task, awaited)
            try:
                value = yield awaited
                send = steps.send
            except BaseException as error:  # noqa: BLE001 - handed on
                value, send = error, steps.throw

    def _cancel(self, task: "asyncio.Task[Any]", awaited: Any) -> None:
        self.cancelled += 1
        if awaited is None or self._moment == "pending":
            task.cancel()
            return

        def cancel(_awaited: Any) -> None:
            task.cancel()

        # Callbacks are called in order, and the task adds its own after this one.
        awaited.add_done_callback(cancel)
