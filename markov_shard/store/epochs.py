"""Fencing epochs: who may write for a shard, judged by Postgres in the writer's own transaction.

See Kleppmann, "How to do distributed locking" (2016): a lease alone cannot stop a paused holder's late write.
"""

from markov_shard.errors import SupersededError
from markov_shard.store.pool import Connection


async def take_epoch(connection: Connection, shard_count: int, shard_id: int, holder: str) -> int:
    """Supersedes whoever held the shard and returns the new holder's epoch.

    Waits for the old holder's transactions under way, and refuses all its later ones.
    """
    epoch: int = await connection.fetchval(
        "INSERT INTO shard_epochs (shard_count, shard_id, epoch, holder) VALUES ($1, $2, 1, $3)"
        " ON CONFLICT (shard_count, shard_id)"
        " DO UPDATE SET epoch = shard_epochs.epoch + 1, holder = $3, taken_at = now() RETURNING epoch",
        shard_count,
        shard_id,
        holder,
    )
    return epoch


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


async def read_epoch(connection: Connection, shard_count: int, shard_id: int) -> int:
    """The current epoch, 0 when the shard was never held; for polling while Redis is away."""
    epoch: int | None = await connection.fetchval(
        "SELECT epoch FROM shard_epochs WHERE shard_count = $1 AND shard_id = $2", shard_count, shard_id
    )
    return epoch or 0


async def any_epoch(connection: Connection) -> bool:
    """Whether any shard was ever held: whether this fleet ran before."""
    found: bool = await connection.fetchval("SELECT EXISTS (SELECT FROM shard_epochs)")
    return found
