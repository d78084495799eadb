"""Turns: a job that takes days lets others of its lane go ahead now and then, so that no guild waits for another's."""

import time
from collections.abc import Callable

from markov_shard.errors import RedisUnavailableError
from markov_shard.shared.queue import JobQueue

TURN_SECONDS = 60.0


class TurnOverError(Exception):
    """The job goes to the end of its stream, and goes on after its last chunk when its turn comes again."""


class Turn:
    """One delivery of a job; `check` between chunks."""

    def __init__(
        self,
        queue: JobQueue,
        lane: str,
        *,
        seconds: float = TURN_SECONDS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._queue = queue
        self._lane = lane
        self._seconds = seconds
        self._clock = clock
        self._ends = clock() + seconds

    async def check(self) -> None:
        """Raises TurnOverError when the turn is over and a job of the lane waits that no worker is free for."""
        if self._clock() < self._ends:
            return
        try:
            waiting = await self._queue.waiting(self._lane)
        except RedisUnavailableError:
            return
        if waiting:
            raise TurnOverError
        self._ends = self._clock() + self._seconds
