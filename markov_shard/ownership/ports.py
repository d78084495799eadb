"""What ownership needs of Redis and Postgres, so that the same code runs on servers and in a simulation."""

from collections.abc import Collection, Mapping
from typing import Protocol

from markov_shard.shared.coordination import Step
from markov_shard.shared.leases import ShardKey
from markov_shard.shared.members import Member


class Coordination(Protocol):
    """One process's side of Redis. Every method raises RedisUnavailableError, within a few seconds."""

    async def step(self, member: Member, held: Mapping[ShardKey, int]) -> Step:
        """Sends the heartbeat, renews the leases of shards held (with their epochs), reads the assignment."""

    async def take(self, shards: Collection[ShardKey]) -> set[ShardKey]:
        """Takes those leases that are free, expired or already ours."""

    async def release(self, shards: Collection[ShardKey]) -> None:
        """Lets leases go at once."""

    async def others_serve(self) -> bool:
        """Whether another shard process is there to hand over to."""

    async def leave(self) -> None:
        """Takes this process off the list of members."""

    async def arrive(self) -> None:
        """Forgets that an earlier process of this name was asked to drain."""


class EpochBook(Protocol):
    """The fencing epochs in Postgres. Every method raises DatabaseUnavailableError."""

    async def take(self, shards: Collection[ShardKey]) -> dict[ShardKey, int]:
        """Supersedes whoever held the shards; their new epochs."""

    async def read(self, shards: Collection[ShardKey]) -> dict[ShardKey, int]:
        """The present epochs, 0 for a shard that was never held."""
