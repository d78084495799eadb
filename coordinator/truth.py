"""The shard plan in Postgres, as a coordinator reads and changes it."""

from markov_shard.store.pool import Database
from markov_shard.store.shard_plan import ShardPlan, read_plan, replace_plan


class DatabaseTruth:
    """Every method raises DatabaseUnavailableError."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def plan(self) -> ShardPlan:
        """How many shards the fleet runs and is to run."""
        async with self._database.connection() as connection:
            return await read_plan(connection)

    async def save_plan(self, plan: ShardPlan, *, was: ShardPlan) -> bool:
        """Replaces the plan unless it is not `was` any more; whether it did."""
        async with self._database.connection() as connection:
            return await replace_plan(connection, plan, was=was)
