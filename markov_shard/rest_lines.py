"""The lines in which hikari's requests wait for their route's limit, made safe for requests that are given up.

hikari 2.6 hands a turn to whoever is next in a line without looking whether that one still waits. A request that was
cancelled there ends the line's keeper, and everything behind it waits for ever: a channel, or with the global limit
the whole process, stays mute. A cancelled request also counts as under way for good, and one that ends without ever
waiting, as while requests are paused, is gone before the next is ready to be woken. So here a place in a line is kept,
by a task of its own, until its turn comes, and then passed on.
"""

import asyncio
import time
from types import TracebackType
from typing import Any

import hikari
from hikari.impl.buckets import RESTBucket


def keep_lines_moving(rest: hikari.api.RESTClient) -> None:
    """A request of this client that is given up holds up no other one from now on."""
    client: Any = rest
    client._bucket_manager = _Lines(client._bucket_manager)  # noqa: SLF001 - hikari has no other way in


class _Lines:
    """hikari's bucket manager, but for how a bucket is entered."""

    def __init__(self, manager: Any) -> None:
        self._manager = manager
        self._turns: set[asyncio.Task[None]] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._manager, name)

    def acquire_bucket(self, *route: Any) -> "_Place":
        """As hikari's: to be held while the request is made."""
        return _Place(self._manager.acquire_bucket(*route), self._manager._global_ratelimit, self._turns)  # noqa: SLF001

    async def close(self) -> None:
        """As hikari's; nobody waits any more."""
        for turn in self._turns:
            turn.cancel()
        await self._manager.close()


class _Place:
    """One request's place in a bucket's line, and in that of the global limit."""

    def __init__(self, bucket: RESTBucket, everybody: Any, turns: set[asyncio.Task[None]]) -> None:
        self._bucket = bucket
        self._everybody = everybody
        self._turns = turns

    async def __aenter__(self) -> None:
        if self._is_free():
            await self._bucket.acquire()
            return
        turn = asyncio.create_task(self._wait(), name="a request's turn")
        self._turns.add(turn)
        turn.add_done_callback(self._turns.discard)
        try:
            await asyncio.shield(turn)
        except asyncio.CancelledError:
            turn.add_done_callback(self._pass_on)
            raise

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bucket.release()

    def _is_free(self) -> bool:
        """Whether there is no line: then `acquire` does not wait, and cannot be cancelled."""
        bucket = self._bucket
        if self._everybody.throttle_task is not None or bucket._in_transit >= bucket.limit:  # noqa: SLF001
            return False
        return bucket.is_unknown or (bucket.throttle_task is None and not bucket.is_rate_limited(time.time()))

    async def _wait(self) -> None:
        await self._bucket.acquire()
        if self._bucket.is_unknown:  # hikari asks it of the known only, and the others would try again without a pause
            await self._everybody.acquire()

    def _pass_on(self, turn: asyncio.Task[None]) -> None:
        if not turn.cancelled() and turn.exception() is None:
            self._bucket.release()
