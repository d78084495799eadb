"""What keeps storage within its limits: the old, the surplus, and guilds that are gone."""

from markov_shard.store.images import ImageRow
from markov_shard.store.pool import Connection


async def expired_messages(
    connection: Connection, guild_id: int, generation: int, *, before: int, limit: int
) -> list[int]:
    """IDs below `before`, which is an ID as the oldest message kept would have; imports without IDs never expire."""
    rows = await connection.fetch(
        "SELECT message_id FROM messages WHERE guild_id = $1 AND generation = $2 AND message_id > 0 AND message_id < $3"
        " ORDER BY message_id LIMIT $4",
        guild_id,
        generation,
        before,
        limit,
    )
    return [row["message_id"] for row in rows]


async def surplus_messages(
    connection: Connection, guild_id: int, generation: int, *, keep: int, limit: int
) -> list[int]:
    """IDs of the oldest messages beyond `keep`; imports without IDs count as the oldest."""
    rows = await connection.fetch(
        "SELECT message_id FROM messages WHERE guild_id = $1 AND generation = $2"
        " ORDER BY message_id DESC OFFSET $3 LIMIT $4",
        guild_id,
        generation,
        keep,
        limit,
    )
    return [row["message_id"] for row in rows]


async def present_guilds(connection: Connection) -> list[int]:
    """Guilds that the bot is in. Fleet-wide: reads every partition."""
    rows = await connection.fetch("SELECT guild_id FROM guilds WHERE left_at IS NULL")
    return [row["guild_id"] for row in rows]


async def joined_guilds(connection: Connection, shard_id: int, shard_count: int) -> list[int]:
    """Guilds of a shard that the gateway has said the bot is in, and never that it left. Fleet-wide as above."""
    rows = await connection.fetch(
        "SELECT guild_id FROM guilds WHERE left_at IS NULL AND joined AND (guild_id >> 22) % $2 = $1",
        shard_id,
        shard_count,
    )
    return [row["guild_id"] for row in rows]


async def left_guilds(connection: Connection, *, days: float) -> list[int]:
    """Guilds that removed the bot at least `days` ago and have no purge under way. Fleet-wide."""
    rows = await connection.fetch(
        "SELECT guild_id FROM guilds WHERE left_at <= now() - make_interval(secs => $1 * 86400)"
        " AND NOT EXISTS (SELECT FROM jobs WHERE jobs.guild_id = guilds.guild_id AND kind = 'purge'"
        " AND state IN ('queued', 'running'))",
        days,
    )
    return [row["guild_id"] for row in rows]


async def guilds_with_removals(connection: Connection) -> list[int]:
    """Guilds whose published image still holds words of removed messages. Fleet-wide: reads every partition."""
    rows = await connection.fetch("SELECT DISTINCT guild_id FROM chain_removals")
    return [row["guild_id"] for row in rows]


async def drop_old_images(connection: Connection, guild_id: int) -> list[ImageRow]:
    """Deletes every image but the current ones, the last one before them too; the guild's row must be locked."""
    rows = await connection.fetch(
        "DELETE FROM chain_images AS i USING guilds AS g WHERE i.guild_id = $1 AND g.guild_id = $1"
        " AND i.version <> g.image_version RETURNING i.guild_id, i.audience, i.version, i.generation, i.covers_seq,"
        " i.state_size, i.messages, i.bytes, i.crc32",
        guild_id,
    )
    await connection.execute(
        "DELETE FROM chain_image_chunks AS c USING guilds AS g WHERE c.guild_id = $1 AND g.guild_id = $1"
        " AND c.version <> g.image_version",
        guild_id,
    )
    return [ImageRow(**row) for row in rows]


async def all_images(connection: Connection, guild_id: int) -> list[ImageRow]:
    """Every image of a guild that is stored, whether current or not."""
    rows = await connection.fetch(
        "SELECT guild_id, audience, version, generation, covers_seq, state_size, messages, bytes, crc32"
        " FROM chain_images WHERE guild_id = $1",
        guild_id,
    )
    return [ImageRow(**row) for row in rows]


async def delete_guild(connection: Connection, guild_id: int) -> None:
    """Deletes what is left of a guild whose messages are gone; who opted out there stays opted out."""
    for table in (
        "chain_image_chunks",
        "chain_images",
        "chain_removals",
        "tombstones",
        "channels",
        "job_chunks",
        "catch_ups",
        "progress_messages",
        "guilds",
    ):
        await connection.execute(f"DELETE FROM {table} WHERE guild_id = $1", guild_id)
