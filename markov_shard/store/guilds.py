"""The guild row: generation, learned_seq and the lock that orders all learning and removal of a guild."""

from dataclasses import dataclass

from markov_shard.store.pool import Connection


@dataclass(frozen=True)
class GuildRow:
    """Where a guild's storage stands."""

    guild_id: int
    generation: int
    training_generation: int | None
    learned_seq: int
    image_version: int
    has_left: bool = False
    """Whether the guild removed the bot."""


_COLUMNS = "guild_id, generation, training_generation, learned_seq, image_version, left_at IS NOT NULL AS has_left"


async def read_guild(connection: Connection, guild_id: int) -> GuildRow:
    """The guild's row; a fresh one when nothing was ever stored of it."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM guilds WHERE guild_id = $1", guild_id)
    return GuildRow(*row) if row else GuildRow(guild_id, 1, None, 0, 0)


async def lock_guild(connection: Connection, guild_id: int) -> GuildRow:
    """Creates the row if need be and locks it until the transaction ends."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM guilds WHERE guild_id = $1 FOR UPDATE", guild_id)
    if row is None:
        await connection.execute("INSERT INTO guilds (guild_id) VALUES ($1) ON CONFLICT DO NOTHING", guild_id)
        row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM guilds WHERE guild_id = $1 FOR UPDATE", guild_id)
    return GuildRow(*row)


async def advance_seq(connection: Connection, guild_id: int, by: int) -> int:
    """Takes `by` sequence numbers of a locked guild; returns the last one before them."""
    last: int = await connection.fetchval(
        "UPDATE guilds SET learned_seq = learned_seq + $2 WHERE guild_id = $1 RETURNING learned_seq - $2",
        guild_id,
        by,
    )
    return last


async def mark_joined(connection: Connection, guild_id: int) -> None:
    """Notes that the bot is a member of the guild."""
    await connection.execute(
        "INSERT INTO guilds (guild_id, joined) VALUES ($1, true) ON CONFLICT (guild_id)"
        " DO UPDATE SET joined = true, left_at = NULL WHERE guilds.left_at IS NOT NULL OR NOT guilds.joined",
        guild_id,
    )


async def mark_left(connection: Connection, guild_id: int) -> None:
    """Notes that the guild removed the bot."""
    await connection.execute("UPDATE guilds SET left_at = now() WHERE guild_id = $1 AND left_at IS NULL", guild_id)
