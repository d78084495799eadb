"""CPU work of a shard process, off its event loop: in a pool of processes, or in a thread where that is off."""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from typing import TypeVar

from markov_shard.training.pool import WorkPool

R = TypeVar("R")


class CpuWork:
    """Runs picklable functions apart from the loop; the pool's processes start with the first piece of work."""

    def __init__(
        self,
        make_pool: Callable[[], WorkPool],
        *,
        in_pool: Callable[[int], bool] = lambda guild_id: True,
        observe_wait: Callable[[float], None] = lambda seconds: None,
    ) -> None:
        """`in_pool` says whether a guild's work goes to the pool; `observe_wait` is told what each piece waited."""
        self._make_pool = make_pool
        self._in_pool = in_pool
        self._observe_wait = observe_wait
        self._pool: WorkPool | None = None
        self.waiting = 0
        """Pieces of work that are waiting for the pool, or in it."""

    async def run(self, guild_id: int, work: Callable[..., R], *arguments: object) -> R:
        """The result of work done for a guild."""
        if not self._in_pool(guild_id):
            return await asyncio.to_thread(work, *arguments)
        if self._pool is None:
            self._pool = self._make_pool()
        self.waiting += 1
        try:
            waited, result = await self._pool.run(_timed, time.monotonic(), partial(work, *arguments))
        finally:
            self.waiting -= 1
        self._observe_wait(waited)
        return result

    def close(self) -> None:
        """Ends the pool's processes, whatever they are doing."""
        if self._pool is not None:
            self._pool.close()


def _timed(asked: float, work: Callable[[], R]) -> tuple[float, R]:
    """In a process of the pool: how long the work waited (all processes of a host share the clock), and its result."""
    return time.monotonic() - asked, work()
