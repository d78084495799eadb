"""Proof of ownership that every write for a shard carries, and how far its events are stored."""

from dataclasses import dataclass, field

from markov_shard.guilds.positions import Position
from markov_shard.shared.leases import ShardKey
from markov_shard.store.epochs import require_epoch
from markov_shard.store.pool import Connection


@dataclass(eq=False)
class Owner:
    """This process's hold on one shard."""

    shard_id: int
    shard_count: int
    epoch: int
    position: Position = field(default_factory=Position)

    @property
    def key(self) -> ShardKey:
        """Which shard it is."""
        return ShardKey(self.shard_count, self.shard_id)

    async def require(self, connection: Connection) -> None:
        """Fences the transaction. Raises SupersededError when another process took the shard."""
        await require_epoch(connection, self.shard_count, self.shard_id, self.epoch)
