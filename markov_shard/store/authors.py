"""Imported messages whose author no file told."""

from collections.abc import Mapping
from dataclasses import dataclass

from markov_shard.store.pool import Connection

_PAGE = 100


@dataclass(frozen=True)
class Unknown:
    """A message of Discord's whose author is not known."""

    channel_id: int
    message_id: int


async def authorless(connection: Connection, guild_id: int, channel_id: int, before: int) -> list[Unknown]:
    """Messages without author that Discord may still have, channel after channel, newest first.

    They begin below message `before` of a channel. What has no ID or channel of its own cannot be looked up.
    """
    rows = await connection.fetch(
        "SELECT channel_id, message_id FROM messages JOIN guilds USING (guild_id, generation)"
        " WHERE messages.guild_id = $1 AND guilds.guild_id = $1 AND author_id IS NULL AND message_id > 0"
        " AND (channel_id > $2 OR (channel_id = $2 AND message_id < $3))"
        " ORDER BY channel_id, message_id DESC LIMIT $4",
        guild_id,
        channel_id,
        before,
        _PAGE,
    )
    return [Unknown(**row) for row in rows]


async def count_authorless(connection: Connection, guild_id: int, channel_id: int, before: int) -> int:
    """How many of a channel's messages below `before` have no author."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM messages JOIN guilds USING (guild_id, generation)"
        " WHERE messages.guild_id = $1 AND guilds.guild_id = $1 AND author_id IS NULL AND message_id > 0"
        " AND channel_id = $2 AND message_id < $3",
        guild_id,
        channel_id,
        before,
    )
    return count


async def set_authors(connection: Connection, guild_id: int, authors: Mapping[int, int]) -> list[int]:
    """Notes who wrote which messages; returns those whose author asked not to be learned: they are to be removed."""
    rows = await connection.fetch(
        "UPDATE messages SET author_id = new.author_id"
        " FROM unnest($2::bigint[], $3::bigint[]) AS new (message_id, author_id)"
        " WHERE messages.guild_id = $1 AND messages.message_id = new.message_id AND messages.author_id IS NULL"
        " RETURNING messages.message_id, EXISTS ("
        "  SELECT FROM forgotten_users AS f WHERE f.guild_id = $1 AND f.user_id = new.author_id) AS unwanted",
        guild_id,
        list(authors.keys()),
        list(authors.values()),
    )
    return [row["message_id"] for row in rows if row["unwanted"]]


async def count_without_author(connection: Connection, guild_id: int) -> int:
    """Messages of the answering chain whose author is not known: forgetting a member cannot reach them."""
    count: int = await connection.fetchval(
        "SELECT count(*) FROM messages JOIN guilds USING (guild_id, generation)"
        " WHERE messages.guild_id = $1 AND guilds.guild_id = $1 AND author_id IS NULL",
        guild_id,
    )
    return count
