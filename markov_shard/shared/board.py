"""A coordinator's dealings with Redis: leadership, members, the assignment and the identify gate."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

from redis.asyncio import Redis

from markov_shard.errors import RedisUnavailableError
from markov_shard.shared.assignment import Assignment, read_assignment, write_assignment
from markov_shard.shared.connect import server_of
from markov_shard.shared.identify import Budget, open_gate
from markov_shard.shared.leases import Lease, read_leases, release_leadership, take_leadership
from markov_shard.shared.members import Member, beat, leave, read_members
from markov_shard.shared.scripts import fleet_clock

_SECONDS = 2.0


@dataclass(frozen=True)
class BoardView:
    """What Redis shows at one moment: the members alive, the assignment, its time in milliseconds since 1970."""

    members: Sequence[Member]
    assignment: Assignment | None
    now: int


class RedisBoard:
    """Every method raises RedisUnavailableError, within a few seconds."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def lead(self, name: str) -> str:
        """Takes or keeps the leader's lease; returns who leads now."""
        async with self._in_time():
            return await take_leadership(self._redis, name)

    async def step_down(self, name: str) -> None:
        """Lets the standby lead at once, and takes this process off the list of members."""
        async with self._in_time():
            await release_leadership(self._redis, name)
            await leave(self._redis, name)

    async def beat(self, member: Member) -> None:
        """Sends a heartbeat."""
        async with self._in_time():
            await beat(self._redis, member)

    async def view(self) -> BoardView:
        """The members alive, and the assignment."""
        async with self._in_time():
            members = await read_members(self._redis)
            assignment = await read_assignment(self._redis)
            return BoardView(members, assignment, await fleet_clock(self._redis))

    async def leases(self, shard_count: int) -> Sequence[Lease]:
        """The leases of all shards of a shard count."""
        async with self._in_time():
            return await read_leases(self._redis, shard_count)

    async def assign(self, leader: str, assignment: Assignment) -> bool:
        """Publishes a decision; False when `leader` does not lead any more."""
        async with self._in_time():
            return await write_assignment(self._redis, leader, assignment)

    async def open_gate(self, budget: Budget, *, ran_before: bool) -> None:
        """Opens the identify gate where Redis does not know it as open; notes what Discord says of the budget."""
        async with self._in_time():
            await open_gate(self._redis, budget, ran_before=ran_before)

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(_SECONDS):
                yield
        except TimeoutError:
            raise RedisUnavailableError(
                f"Redis at {server_of(self._redis)} does not answer within {_SECONDS:g} s"
            ) from None
