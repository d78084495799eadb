"""Channels that a guild has settings for, and the threads under them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from markov_shard.store.pool import Connection


@dataclass(frozen=True, slots=True)
class ChannelRow:
    """What is kept of a channel, or of a thread under a listened channel (`parent_id` set)."""

    channel_id: int
    parent_id: int | None = None
    nsfw: bool = False
    listen: bool = False
    autorespond: bool = False
    autorespond_chance: Decimal = Decimal(100)
    """Percent of the channel's ordinary messages that are answered."""


async def read_channels(connection: Connection, guild_id: int) -> list[ChannelRow]:
    """Every channel and thread known of a guild."""
    rows = await connection.fetch(
        "SELECT channel_id, parent_id, nsfw, listen, autorespond, autorespond_chance FROM channels"
        " WHERE guild_id = $1 ORDER BY channel_id",
        guild_id,
    )
    return [ChannelRow(**row) for row in rows]


async def save_channels(connection: Connection, guild_id: int, channels: Sequence[ChannelRow]) -> None:
    """Notes parents and age restriction; settings of channels already known stay as they are."""
    await connection.execute(
        "INSERT INTO channels (guild_id, channel_id, parent_id, nsfw)"
        " SELECT $1, * FROM unnest($2::bigint[], $3::bigint[], $4::boolean[])"
        " ON CONFLICT (guild_id, channel_id)"
        " DO UPDATE SET parent_id = EXCLUDED.parent_id, nsfw = EXCLUDED.nsfw",
        guild_id,
        [channel.channel_id for channel in channels],
        [channel.parent_id for channel in channels],
        [channel.nsfw for channel in channels],
    )


async def set_listening(connection: Connection, guild_id: int, channels: Sequence[ChannelRow], *, listen: bool) -> None:
    """Turns learning from channels on or off."""
    await connection.execute(
        "INSERT INTO channels (guild_id, channel_id, nsfw, listen)"
        " SELECT $1, channel_id, nsfw, $4 FROM unnest($2::bigint[], $3::boolean[]) AS c (channel_id, nsfw)"
        " ON CONFLICT (guild_id, channel_id) DO UPDATE SET listen = EXCLUDED.listen, nsfw = EXCLUDED.nsfw",
        guild_id,
        [channel.channel_id for channel in channels],
        [channel.nsfw for channel in channels],
        listen,
    )


async def set_autorespond(
    connection: Connection, guild_id: int, channel_ids: Sequence[int], *, autorespond: bool
) -> None:
    """Turns answering a channel's ordinary messages on or off."""
    await connection.execute(
        "INSERT INTO channels (guild_id, channel_id, autorespond) SELECT $1, unnest($2::bigint[]), $3"
        " ON CONFLICT (guild_id, channel_id) DO UPDATE SET autorespond = EXCLUDED.autorespond",
        guild_id,
        channel_ids,
        autorespond,
    )


async def set_chance(connection: Connection, guild_id: int, channel_ids: Sequence[int], chance: Decimal) -> None:
    """Sets the percentage, 0.01 to 100, of ordinary messages that are answered."""
    await connection.execute(
        "INSERT INTO channels (guild_id, channel_id, autorespond_chance) SELECT $1, unnest($2::bigint[]), $3"
        " ON CONFLICT (guild_id, channel_id) DO UPDATE SET autorespond_chance = EXCLUDED.autorespond_chance",
        guild_id,
        channel_ids,
        chance,
    )


async def import_channels(
    connection: Connection,
    guild_id: int,
    *,
    listen: Sequence[int] = (),
    autorespond: Sequence[int] = (),
    threads: Mapping[int, int] | None = None,
) -> None:
    """Takes over another bot's settings, and threads with the channels they are under.

    Only turns on: what was set here stays, and so does what is known of a channel's age restriction.
    """
    settings = {channel: (channel in listen, channel in autorespond) for channel in {*listen, *autorespond}}
    await connection.execute(
        "INSERT INTO channels (guild_id, channel_id, listen, autorespond)"
        " SELECT $1, * FROM unnest($2::bigint[], $3::boolean[], $4::boolean[])"
        " ON CONFLICT (guild_id, channel_id) DO UPDATE SET listen = channels.listen OR EXCLUDED.listen,"
        " autorespond = channels.autorespond OR EXCLUDED.autorespond",
        guild_id,
        list(settings),
        [on[0] for on in settings.values()],
        [on[1] for on in settings.values()],
    )
    await connection.execute(
        "INSERT INTO channels (guild_id, channel_id, parent_id, nsfw)"
        " SELECT $1, thread.id, thread.parent, coalesce(channels.nsfw, false)"
        " FROM unnest($2::bigint[], $3::bigint[]) AS thread (id, parent)"
        " LEFT JOIN channels ON channels.guild_id = $1 AND channels.channel_id = thread.parent"
        " ON CONFLICT (guild_id, channel_id) DO NOTHING",
        guild_id,
        list((threads or {}).keys()),
        list((threads or {}).values()),
    )


async def forget_channels(connection: Connection, guild_id: int, channel_ids: Sequence[int]) -> None:
    """Drops deleted channels and threads."""
    await connection.execute(
        "DELETE FROM channels"
        " WHERE guild_id = $1 AND (channel_id = ANY($2::bigint[]) OR parent_id = ANY($2::bigint[]))",
        guild_id,
        channel_ids,
    )
