"""Members who asked not to be learned, and what is stored of a member."""

from collections.abc import AsyncIterator, Sequence

from markov_shard.store.messages import StoredMessage, stored_row
from markov_shard.store.pool import Connection

_EXPORTED_AT_ONCE = 1000


async def opted_out(connection: Connection, guild_id: int) -> set[int]:
    """The members of a guild who are not to be learned."""
    rows = await connection.fetch("SELECT user_id FROM forgotten_users WHERE guild_id = $1", guild_id)
    return {row["user_id"] for row in rows}


async def opt_out(connection: Connection, guild_id: int, user_id: int) -> None:
    """Notes that a member is not to be learned: every statement that stores messages leaves theirs out."""
    await connection.execute(
        "INSERT INTO forgotten_users (guild_id, user_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", guild_id, user_id
    )


async def opt_in(connection: Connection, guild_id: int, user_id: int) -> bool:
    """Takes it back; False when there was nothing to take back."""
    status: str = await connection.execute(
        "DELETE FROM forgotten_users WHERE guild_id = $1 AND user_id = $2", guild_id, user_id
    )
    return status != "DELETE 0"


async def messages_of_author(connection: Connection, guild_id: int, user_id: int, *, limit: int) -> list[int]:
    """IDs of a member's stored messages, of any generation, at most `limit`."""
    rows = await connection.fetch(
        "SELECT DISTINCT message_id FROM messages WHERE guild_id = $1 AND author_id = $2 LIMIT $3",
        guild_id,
        user_id,
        limit,
    )
    return [row["message_id"] for row in rows]


async def read_author(
    connection: Connection, guild_id: int, generation: int, user_id: int, *, nsfw: bool, limit: int
) -> list[StoredMessage]:
    """A member's latest messages, newest first; `nsfw`: those of age-restricted channels too."""
    rows = await connection.fetch(
        "SELECT message_id, channel_id, author_id, content, attachments, nsfw FROM messages"
        " WHERE guild_id = $1 AND generation = $2 AND author_id = $3 AND (NOT nsfw OR $4)"
        " ORDER BY message_id DESC LIMIT $5",
        guild_id,
        generation,
        user_id,
        nsfw,
        limit,
    )
    return [stored_row(row) for row in rows]


async def export_author(
    connection: Connection, guild_id: int, generation: int, user_id: int
) -> AsyncIterator[Sequence[StoredMessage]]:
    """Everything stored of a member, oldest first; runs in the caller's transaction."""
    cursor = await connection.cursor(
        "SELECT message_id, channel_id, author_id, content, attachments, nsfw FROM messages"
        " WHERE guild_id = $1 AND generation = $2 AND author_id = $3 ORDER BY message_id",
        guild_id,
        generation,
        user_id,
    )
    while rows := await cursor.fetch(_EXPORTED_AT_ONCE):
        yield [stored_row(row) for row in rows]


async def guilds_of_author(connection: Connection, user_id: int) -> list[int]:
    """The guilds that hold messages of a user. Fleet-wide: reads every partition."""
    rows = await connection.fetch("SELECT DISTINCT guild_id FROM messages WHERE author_id = $1", user_id)
    return [row["guild_id"] for row in rows]
