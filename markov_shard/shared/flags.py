"""The live copy of the rollout flags in Redis, and every process's view of it.

The truth is in Postgres. Whoever changes a flag publishes it here after the commit; the leader repairs a copy that
was lost or is behind. Processes look twice a second, so a change is in effect everywhere within one.
"""

import asyncio
from collections.abc import Mapping
from typing import Any

import msgpack
from redis.asyncio import Redis

from markov_shard.errors import RedisUnavailableError
from markov_shard.flags import FLAGS, Flag, Rollout, Rollouts
from markov_shard.logs import get_logger
from markov_shard.shared import keys
from markov_shard.shared.connect import redis_errors, server_of
from markov_shard.shared.scripts import run_script

_log = get_logger(__name__)

POLL_SECONDS = 0.5


async def publish_flags(redis: Redis, change_id: int, rollouts: Rollouts, *, force: bool = False) -> bool:
    """Makes the flags of a change live; False when that change, or a later one, is. Raises RedisUnavailableError."""
    content = msgpack.packb({flag: (rollout.hundredths, sorted(rollout.forced)) for flag, rollout in rollouts.items()})
    arguments = [change_id, content, "force" if force else ""]
    return bool(await run_script(redis, "flags_write", [keys.flags()], arguments))


async def live_change(redis: Redis) -> int | None:
    """The number of the change that is live; None when Redis has no flags. Raises RedisUnavailableError."""
    with redis_errors(server_of(redis)):
        found = await redis.hget(keys.flags(), "change")
    return int(found) if found is not None else None


async def read_live(redis: Redis) -> tuple[int, Rollouts] | None:
    """The live flags and their change; None when Redis has none. Raises RedisUnavailableError."""
    with redis_errors(server_of(redis)):
        found: Mapping[Any, Any] = await redis.hgetall(keys.flags())
    if not found:
        return None
    try:
        content: Mapping[str, Any] = msgpack.unpackb(found[b"content"])
        rollouts = {flag: Rollout(content[flag][0], frozenset(content[flag][1])) for flag in FLAGS if flag in content}
        return int(found[b"change"]), rollouts
    except (ValueError, KeyError, TypeError, IndexError, msgpack.UnpackException):
        _log.error("the flags in Redis cannot be read; keeping those known here")
        return None


class LiveFlags:
    """One process's view. Asking costs no I/O; until Redis was read, and while it is away, what was known counts."""

    def __init__(self, redis: Redis, first: Rollouts) -> None:
        """`first` are the values to go by until others are known."""
        self._redis = redis
        self._rollouts: dict[Flag, Rollout] = dict(first)
        self.change = 0
        """The number of the change this process goes by; 0: the values of its settings, or of Postgres."""

    def is_on(self, flag: Flag, guild_id: int) -> bool:
        """Whether the flag is on for the guild now."""
        return self._rollouts[flag].includes(guild_id)

    def take(self, change: int, rollouts: Rollouts) -> None:
        """Goes by the flags of a change from now on."""
        if change != self.change:
            self.change = change
            self._rollouts.update(rollouts)
            shown = {flag: f"{rollout.percentage} % and {len(rollout.forced)}" for flag, rollout in rollouts.items()}
            _log.info("taking up the rollout flags", change=change, **shown)

    async def refresh(self) -> None:
        """Takes up what is live. Raises RedisUnavailableError."""
        found = await read_live(self._redis)
        if found is not None:
            self.take(*found)

    async def follow(self) -> None:
        """Stays up to date until cancelled."""
        while True:
            try:
                await self.refresh()
            except RedisUnavailableError as error:
                _log.debug("the flags cannot be read", reason=str(error))
            await asyncio.sleep(POLL_SECONDS)
