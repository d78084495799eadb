"""A shard process's dealings with Redis: heartbeat, leases and assignment, one round trip each second."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Collection, Mapping
from dataclasses import dataclass
from typing import Any

from redis.asyncio import Redis

from markov_shard.errors import RedisUnavailableError
from markov_shard.shared import keys
from markov_shard.shared.assignment import Assignment, parse_assignment
from markov_shard.shared.connect import redis_errors, server_of
from markov_shard.shared.leases import SHARD_LEASE_MS, ShardKey
from markov_shard.shared.members import MEMBER_MS, Member, describe, leave, read_members
from markov_shard.shared.scripts import run_script

_SECONDS = 2.0
"""For one question: a third of what a lease needs to be renewed in time, whatever the client's own retries."""


@dataclass(frozen=True)
class Step:
    """What one round trip to Redis tells a shard process."""

    lost: frozenset[ShardKey]
    """Shards it named whose leases somebody else holds."""
    assignment: Assignment | None = None
    drained: bool = False
    """Whether an operator asked for this process's drain."""


class FleetCoordination:
    """Leases, heartbeat and assignment of one process. Every method raises RedisUnavailableError within seconds."""

    def __init__(self, redis: Redis, name: str) -> None:
        self._redis = redis
        self._name = name

    async def step(self, member: Member, held: Mapping[ShardKey, int]) -> Step:
        """Sends the heartbeat, renews the leases of shards held (with their epochs), reads the assignment."""
        names = [keys.member(member.name), keys.members(), keys.assignment(), keys.drains(), keys.identify_gate()]
        names += [keys.lease(*shard) for shard in held]
        arguments = [member.name, MEMBER_MS, describe(member), SHARD_LEASE_MS, *held.values()]
        kept, content, drained = await self._run("agent_step", names, arguments)
        lost = frozenset(shard for shard, mine in zip(held, kept, strict=True) if not mine)
        return Step(lost, parse_assignment(content), bool(drained))

    async def take(self, shards: Collection[ShardKey]) -> set[ShardKey]:
        """Takes leases that are free, expired or already ours; returns those that are ours now."""
        wanted = list(shards)
        names = [keys.identify_gate(), *(keys.lease(*shard) for shard in wanted)]
        taken = await self._run("leases_take", names, [self._name, SHARD_LEASE_MS])
        return {shard for shard, mine in zip(wanted, taken, strict=True) if mine}

    async def release(self, shards: Collection[ShardKey]) -> None:
        """Lets leases go, so that the next owner need not wait for their end."""
        if shards:
            await self._run("lease_release", [keys.lease(*shard) for shard in shards], [self._name])

    async def others_serve(self) -> bool:
        """Whether another shard process is alive and does not drain."""
        async with self._in_time():
            members = await read_members(self._redis)
        return any(m.role == "shard" and not m.draining and m.name != self._name for m in members)

    async def arrive(self) -> None:
        """Forgets that an earlier process of this name was asked to drain."""
        async with self._in_time():
            await set_drain(self._redis, self._name, drain=False)

    async def leave(self) -> None:
        """Takes this process off the list of members."""
        async with self._in_time():
            await leave(self._redis, self._name)

    async def _run(self, script: str, names: list[str], arguments: list[Any]) -> Any:
        async with self._in_time():
            return await run_script(self._redis, script, names, arguments)

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_SECONDS):
                yield
        except TimeoutError:
            raise RedisUnavailableError(
                f"Redis at {server_of(self._redis)} does not answer within {_SECONDS:g} s"
            ) from None


async def set_drain(redis: Redis, name: str, *, drain: bool) -> None:
    """Asks a process to hand its shards over, or takes that back. Raises RedisUnavailableError."""
    with redis_errors(server_of(redis)):
        await (redis.sadd(keys.drains(), name) if drain else redis.srem(keys.drains(), name))


async def read_drains(redis: Redis) -> frozenset[str]:
    """The processes asked to drain. Raises RedisUnavailableError."""
    with redis_errors(server_of(redis)):
        return frozenset(name.decode() for name in await redis.smembers(keys.drains()) if isinstance(name, bytes))
