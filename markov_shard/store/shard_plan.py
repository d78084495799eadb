"""How many shards the fleet runs, and is to run: the truth that a lost Redis must not change."""

from dataclasses import dataclass

from markov_shard.store.pool import Connection


@dataclass(frozen=True)
class ShardPlan:
    """`shard_count` is 0 before the first placement; `target` is what a resharding under way goes to, else 0.

    `switch_at`: when the latest resharding took over, in milliseconds since 1970, 0 without one.
    `ran_before`: whether any shard was ever held, and so sessions may exist that Redis does not know of.
    """

    shard_count: int = 0
    target: int = 0
    switch_at: int = 0
    ran_before: bool = False


async def read_plan(connection: Connection) -> ShardPlan:
    """The plan as it stands; one with zeros before the first."""
    row = await connection.fetchrow(
        "SELECT shard_count, target, switch_at, EXISTS (SELECT FROM shard_epochs) AS ran_before"
        " FROM (SELECT) AS one LEFT JOIN shard_plan ON true"
    )
    return ShardPlan(row["shard_count"] or 0, row["target"] or 0, row["switch_at"] or 0, row["ran_before"])


async def replace_plan(connection: Connection, plan: ShardPlan, *, was: ShardPlan) -> bool:
    """Writes the plan unless somebody changed it since it was read as `was`; whether it did."""
    if was.shard_count == 0:
        status: str = await connection.execute(
            "INSERT INTO shard_plan (shard_count, target, switch_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
            plan.shard_count,
            plan.target,
            plan.switch_at,
        )
    else:
        status = await connection.execute(
            "UPDATE shard_plan SET shard_count = $1, target = $2, switch_at = $3, changed_at = now()"
            " WHERE shard_count = $4 AND target = $5 AND switch_at = $6",
            plan.shard_count,
            plan.target,
            plan.switch_at,
            was.shard_count,
            was.target,
            was.switch_at,
        )
    return status.endswith("1")
