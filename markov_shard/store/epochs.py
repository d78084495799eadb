"""Fencing epochs: who may write for a shard, judged by Postgres in the writer's own transaction.

See Kleppmann, "How to do distributed locking" (2016): a lease alone cannot stop a paused holder's late write.
"""

from collections.abc import Collection

from markov_shard.errors import SupersededError
from markov_shard.store.pool import Connection


async def take_epochs(
    connection: Connection, shards: Collection[tuple[int, int]], holder: str
) -> dict[tuple[int, int], int]:
    """Supersedes whoever held the shards, given as (shard count, shard ID), and returns the new holder's epochs.

    Waits for the old holders' transactions under way, and refuses all their later ones.
    """
    rows = await connection.fetch(
        "INSERT INTO shard_epochs (shard_count, shard_id, epoch, holder)"
        " SELECT shard_count, shard_id, 1, $3 FROM unnest($1::int[], $2::int[]) AS s (shard_count, shard_id)"
        " ORDER BY 1, 2 ON CONFLICT (shard_count, shard_id)"
        " DO UPDATE SET epoch = shard_epochs.epoch + 1, holder = $3, taken_at = now()"
        " RETURNING shard_count, shard_id, epoch",
        [shard_count for shard_count, _ in shards],
        [shard_id for _, shard_id in shards],
        holder,
    )
    return {(row["shard_count"], row["shard_id"]): row["epoch"] for row in rows}


async def take_epoch(connection: Connection, shard_count: int, shard_id: int, holder: str) -> int:
    """`take_epochs` of one shard."""
    return (await take_epochs(connection, [(shard_count, shard_id)], holder))[shard_count, shard_id]


async def require_epoch(connection: Connection, shard_count: int, shard_id: int, epoch: int) -> None:
    """Holds the epoch's row until this transaction ends. Raises SupersededError when it is no longer ours."""
    current = await connection.fetchrow(
        "SELECT epoch, holder FROM shard_epochs WHERE shard_count = $1 AND shard_id = $2 FOR SHARE",
        shard_count,
        shard_id,
    )
    if current is None or current["epoch"] != epoch:
        now = f"epoch {current['epoch']} of {current['holder']}" if current else "no epoch"
        raise SupersededError(
            f"shard {shard_id} of {shard_count} is held by {now}, not by epoch {epoch}: write refused"
        )


async def read_epochs(connection: Connection, shards: Collection[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """The present epochs, 0 for a shard that was never held; for polling while Redis is away."""
    rows = await connection.fetch(
        "SELECT shard_count, shard_id, epoch FROM shard_epochs"
        " JOIN unnest($1::int[], $2::int[]) AS s (shard_count, shard_id) USING (shard_count, shard_id)",
        [shard_count for shard_count, _ in shards],
        [shard_id for _, shard_id in shards],
        timeout=3,
    )
    found = {(row["shard_count"], row["shard_id"]): row["epoch"] for row in rows}
    return {(count, shard_id): found.get((count, shard_id), 0) for count, shard_id in shards}


async def any_epoch(connection: Connection) -> bool:
    """Whether any shard was ever held: whether this fleet ran before."""
    found: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM shard_epochs)")
    return found
