"""The fencing epochs of this process, in Postgres."""

from collections.abc import Collection

from markov_shard.shared.leases import ShardKey
from markov_shard.store.epochs import read_epochs, take_epochs
from markov_shard.store.pool import Database


class DatabaseEpochs:
    """Takes and reads epochs for one holder. Every method raises DatabaseUnavailableError."""

    def __init__(self, database: Database, holder: str) -> None:
        self._database = database
        self._holder = holder

    async def take(self, shards: Collection[ShardKey]) -> dict[ShardKey, int]:
        """Supersedes whoever held the shards, in one transaction; their new epochs."""
        async with self._database.transaction() as connection:
            taken = await take_epochs(connection, sorted(shards), self._holder)
        return {ShardKey(*shard): epoch for shard, epoch in taken.items()}

    async def read(self, shards: Collection[ShardKey]) -> dict[ShardKey, int]:
        """The present epochs, 0 for a shard that was never held."""
        async with self._database.connection() as connection:
            found = await read_epochs(connection, sorted(shards))
        return {ShardKey(*shard): epoch for shard, epoch in found.items()}
