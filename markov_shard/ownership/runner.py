"""What the ownership agent needs of whatever runs a shard."""

from dataclasses import dataclass
from typing import Literal, Protocol

from markov_shard.ownership.turns import Turns
from markov_shard.shared.leases import ShardKey

ShardState = Literal["connecting", "connected", "failed", "stale", "stopped"]
"""Stale: it took no event since another process might have served it; it must be let go and taken anew."""


@dataclass(frozen=True)
class OwnedShard:
    """A shard this process owns, and the epoch that proves it."""

    shard_id: int
    shard_count: int
    epoch: int

    @property
    def key(self) -> ShardKey:
        """Which shard it is."""
        return ShardKey(self.shard_count, self.shard_id)


@dataclass(frozen=True)
class ShardHealth:
    """A shard's connection; times in seconds, None while unknown."""

    state: ShardState
    latency: float | None = None
    last_event_age: float | None = None
    last_ack_age: float | None = None
    resumes: int = 0
    identifies: int = 0
    error: str | None = None


class ShardRunner(Protocol):
    """Runs shards; the bot's `Hosting` is the real one."""

    async def start_shard(self, shard: OwnedShard) -> None:
        """Returns once the shard is connected. Raises DiscordUnavailableError."""

    async def stop_shard(self, shard: OwnedShard, *, drain: bool) -> None:
        """Drain: finish, store, save the position. Otherwise another process owns it: drop it, write nothing."""

    def shard_health(self, shard: ShardKey) -> ShardHealth:
        """What is known of the shard's connection now."""

    def take_turns(self, turns: Turns) -> None:
        """Says which set of shards serves what from now on."""
