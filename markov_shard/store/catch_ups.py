"""Guilds that missed gateway events for good, until what was missed has been read over REST."""

from dataclasses import dataclass
from datetime import datetime

from markov_shard.snowflakes import TIMESTAMP_SHIFT
from markov_shard.store.messages import StoredMessage, stored_row
from markov_shard.store.pool import Connection


@dataclass(frozen=True, slots=True)
class CatchUp:
    """One guild's gap."""

    guild_id: int
    before_id: int
    """What is stored below this ID was learned before the gap."""
    noted_at: datetime


async def note_catch_ups(connection: Connection, shard_count: int, shard_id: int, before_id: int | None) -> int:
    """Notes the shard's guilds that listen anywhere and have learned anything; returns how many. Fleet-wide.

    What is stored now was learned before the gap; of one that is noted late, only what is below `before_id`.
    A gap that waits already keeps its own, earlier beginning.
    """
    status: str = await connection.execute(
        "INSERT INTO catch_ups (guild_id, before_id)"
        " SELECT guild_id, least(newest + 1, $3::bigint) FROM (SELECT DISTINCT guild_id FROM channels WHERE listen"
        " AND (guild_id >> $4) % $1 = $2) AS listening JOIN guilds USING (guild_id) CROSS JOIN LATERAL"
        " (SELECT max(message_id) AS newest FROM messages AS m WHERE m.guild_id = guilds.guild_id"
        " AND m.generation = guilds.generation AND m.message_id > 0) AS stored WHERE newest IS NOT NULL"
        " ON CONFLICT (guild_id) DO UPDATE SET noted_at = clock_timestamp(),"
        " before_id = least(catch_ups.before_id, EXCLUDED.before_id)",
        shard_count,
        shard_id,
        before_id,
        TIMESTAMP_SHIFT,
    )
    return int(status.rsplit(" ", 1)[1])


async def read_catch_ups(connection: Connection) -> list[CatchUp]:
    """Every guild that waits, the longest-waiting first. Fleet-wide: reads every partition."""
    rows = await connection.fetch("SELECT guild_id, before_id, noted_at FROM catch_ups ORDER BY noted_at, guild_id")
    return [CatchUp(**row) for row in rows]


async def end_catch_up(connection: Connection, done: CatchUp) -> None:
    """The guild has caught up, unless another gap was noted meanwhile."""
    await connection.execute(
        "DELETE FROM catch_ups WHERE guild_id = $1 AND noted_at = $2", done.guild_id, done.noted_at
    )


async def last_stored(connection: Connection, guild_id: int, generation: int, *, before: int) -> int | None:
    """The ID of the guild's newest stored message with a lower ID than `before`; None without any."""
    found: int | None = await connection.fetchval(
        "SELECT max(message_id) FROM messages WHERE guild_id = $1 AND generation = $2"
        " AND message_id > 0 AND message_id < $3",
        guild_id,
        generation,
        before,
    )
    return found


async def stored_bounds(
    connection: Connection, guild_id: int, channel_id: int, generation: int, *, since: int, before: int
) -> tuple[int | None, int | None]:
    """Of a channel's stored messages with lower IDs than `before`: the newest, and the oldest not below `since`."""
    row = await connection.fetchrow(  # one aggregate a scan: each is the end of an index, and not all of a channel
        "SELECT (SELECT max(message_id) FROM messages WHERE guild_id = $1 AND channel_id = $2 AND generation = $3"
        " AND message_id > 0 AND message_id < $5) AS newest, (SELECT min(message_id) FROM messages"
        " WHERE guild_id = $1 AND channel_id = $2 AND generation = $3 AND message_id >= $4 AND message_id < $5)"
        " AS oldest",
        guild_id,
        channel_id,
        generation,
        since,
        before,
    )
    assert row is not None
    return row["newest"], row["oldest"]


async def read_stretch(
    connection: Connection, guild_id: int, channel_id: int, generation: int, *, after: int, up_to: int
) -> list[StoredMessage]:
    """A channel's stored messages with `after` < ID <= `up_to`."""
    rows = await connection.fetch(
        "SELECT message_id, channel_id, author_id, content, attachments, nsfw FROM messages"
        " WHERE guild_id = $1 AND channel_id = $2 AND generation = $3 AND message_id > $4 AND message_id <= $5",
        guild_id,
        channel_id,
        generation,
        after,
        up_to,
    )
    return [stored_row(row) for row in rows]
