"""Leases in Redis: who holds a shard, or leads. They keep processes out of each other's way; what makes a late
write harmless is the epoch in Postgres (`store/epochs.py`), so a Redis that forgets everything does no damage.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from redis.asyncio import Redis

from markov_shard.shared import keys
from markov_shard.shared.scripts import run_script

SHARD_LEASE_MS = 10_000
LEADER_LEASE_MS = 6_000


class ShardKey(NamedTuple):
    """A shard of one shard count; while the fleet is resharded, two counts are in use."""

    shard_count: int
    shard_id: int


@dataclass(frozen=True)
class Lease:
    """A shard's lease as it stands; `holder` is empty when nobody holds it, `epoch` 0 before one was taken."""

    shard_id: int
    holder: str
    epoch: int
    milliseconds_left: int


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
