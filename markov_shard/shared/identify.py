"""The fleet's gate for IDENTIFYs.

Discord takes one IDENTIFY per `shard_id % max_concurrency` bucket per 5 s, counted for the whole bot
(https://discord.com/developers/docs/events/gateway#rate-limiting), so all processes share the buckets.
"""

import asyncio
import contextlib
import uuid
from collections.abc import AsyncIterator

from redis.asyncio import Redis

from markov_shard.errors import RedisUnavailableError
from markov_shard.logs import get_logger
from markov_shard.shared import keys
from markov_shard.shared.scripts import run_script

_log = get_logger(__name__)

WINDOW_MS = 5_000
LONGEST_HOLD_MS = 60_000
"""A holder that died between IDENTIFY and READY keeps its bucket this long."""


class FleetIdentifyGate:
    """Lets one shard of a bucket identify at a time, fleet-wide."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis = redis
        self._name = name
        self.max_concurrency = 1
        """As Discord says; the assignment carries it."""

    @contextlib.asynccontextmanager
    async def permit(self, shard_id: int) -> AsyncIterator[None]:
        """Waits for the shard's turn and holds its bucket while the block runs: until READY, or failure.

        While Redis is away nobody identifies: without the shared buckets the fleet could use up its day's budget.
        """
        bucket = keys.identify_bucket(shard_id % self.max_concurrency)
        holder = f"{self._name}/{shard_id}/{uuid.uuid4().hex[:8]}"
        await self._wait(bucket, holder)
        try:
            yield
        finally:
            with contextlib.suppress(RedisUnavailableError):  # the hold then ends by itself
                await run_script(self._redis, "identify_release", [bucket], [holder, WINDOW_MS])

    async def _wait(self, bucket: str, holder: str) -> None:
        names = [bucket, keys.identify_gate()]
        while True:
            try:
                wait = await run_script(self._redis, "identify_take", names, [holder, WINDOW_MS, LONGEST_HOLD_MS])
            except RedisUnavailableError as error:
                _log.warning("IDENTIFY waits for Redis", reason=str(error))
                wait = 1000
            if wait == 0:
                return
            await asyncio.sleep(wait / 1000)


async def open_gate(redis: Redis, *, sessions_existed: bool) -> None:
    """Opens the gate, by the leader, where Redis does not know it as open.

    When the fleet ran before, Redis has lost what it knew of recent IDENTIFYs, so one full window must pass.
    """
    await run_script(redis, "identify_open", [keys.identify_gate()], [WINDOW_MS if sessions_existed else 0])
