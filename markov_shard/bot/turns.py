"""Sharing the event loop with a burst of gateway events."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Any

TURN_SECONDS = 0.005
ANSWERING_TURN_SECONDS = 0.0005
"""While a member waits: an answer needs several turns before its request goes out. It costs the burst some 6 % of its
speed."""


class Turns:
    """A websocket's `receive` that lets the process's other tasks run every few milliseconds.

    What has arrived is handed over without a wait, so a reader that never waits for anything else, as hikari's is,
    would keep flushes, replies and heartbeats waiting until a burst is over.
    """

    def __init__(
        self,
        receive: Callable[..., Awaitable[Any]],
        is_answering: Callable[[], bool] = lambda: False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`is_answering`: whether the process owes somebody an answer."""
        self._receive = receive
        self._is_answering = is_answering
        self._clock = clock
        self._since: float | None = None  # when the others last ran; None: they did since the last call

    async def __call__(self, timeout: float | None = None) -> Any:
        """The next message."""
        if self._since is None:
            self._since = self._clock()
            asyncio.get_running_loop().call_soon(self._others_ran)
        elif self._clock() - self._since >= (ANSWERING_TURN_SECONDS if self._is_answering() else TURN_SECONDS):
            await asyncio.sleep(0)
        return await self._receive(timeout)

    def _others_ran(self) -> None:
        self._since = None
