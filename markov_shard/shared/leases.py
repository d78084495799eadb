"""Leases in Redis: who holds a shard, or leads. They keep processes out of each other's way; what makes a late
write harmless is the epoch in Postgres (`store/epochs.py`), so a Redis that forgets everything does no damage.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from markov_shard.shared import keys
from markov_shard.shared.scripts import run_script

SHARD_LEASE_MS = 10_000
LEADER_LEASE_MS = 6_000


@dataclass(frozen=True)
class Lease:
    """A shard's lease as it stands; `holder` is empty when nobody holds it, `epoch` 0 before one was taken."""

    shard_id: int
    holder: str
    epoch: int
    milliseconds_left: int


class ShardLeases:
    """The leases of one process on shards."""

    def __init__(self, redis: Redis, holder: str) -> None:
        self._redis = redis
        self._holder = holder

    async def take(self, shard_count: int, shard_id: int) -> bool:
        """Takes a lease that is free or expired; True when it is ours. Raises RedisUnavailableError."""
        key = keys.lease(shard_count, shard_id)
        holder, _ = await run_script(self._redis, "lease_take", [key], [self._holder, SHARD_LEASE_MS])
        return bool(holder.decode() == self._holder)

    async def renew(self, shard_count: int, epochs: Mapping[int, int]) -> set[int]:
        """Renews the leases of shards, given with their epochs; returns those that somebody else holds now."""
        if not epochs:
            return set()
        names = [keys.lease(shard_count, shard_id) for shard_id in epochs]
        kept = await run_script(self._redis, "lease_renew", names, [self._holder, SHARD_LEASE_MS, *epochs.values()])
        return {shard_id for shard_id, mine in zip(epochs, kept, strict=True) if not mine}

    async def release(self, shard_count: int, shard_id: int) -> None:
        """Lets a lease go, so that the next owner need not wait for its end."""
        await run_script(self._redis, "lease_release", [keys.lease(shard_count, shard_id)], [self._holder])


async def read_leases(redis: Redis, shard_count: int) -> Sequence[Lease]:
    """The leases of all shards of a shard count."""
    names = [keys.lease(shard_count, shard_id) for shard_id in range(shard_count)]
    if not names:
        return []
    found = await run_script(redis, "leases_read", names, [])
    return [
        Lease(shard_id, holder.decode(), int(epoch or 0), left) for shard_id, (holder, epoch, left) in enumerate(found)
    ]


async def take_leadership(redis: Redis, holder: str) -> str:
    """Takes or keeps the leader's lease; returns who leads now."""
    leader, _ = await run_script(redis, "lease_take", [keys.leader()], [holder, LEADER_LEASE_MS])
    return str(leader.decode())


async def release_leadership(redis: Redis, holder: str) -> None:
    """Lets the standby lead at once."""
    await run_script(redis, "lease_release", [keys.leader()], [holder])
