"""Unlearning stored messages: their rows and, as indices without text, their part in the published image."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from markov_shard.chain import Image
from markov_shard.store.guilds import advance_seq, lock_guild
from markov_shard.store.images import Audience, ImageRow, Removal, current_images, record_removals
from markov_shard.store.messages import (
    RemovedMessage,
    StoredMessage,
    bury_messages,
    delete_messages,
    learn_messages,
)
from markov_shard.store.pool import Connection


class StaleImageError(Exception):
    """A newer image was published: the caller must open it and try again."""


@dataclass(frozen=True)
class PublishedImage:
    """An image that removals' indices point into."""

    row: ImageRow
    image: Image


Published = Mapping[Audience, PublishedImage]
"""A guild's current images, all of one version; empty before the first."""


async def remove_messages(
    connection: Connection, guild_id: int, message_ids: Sequence[int], published: Published
) -> list[RemovedMessage]:
    """Deletes messages for good, in the caller's transaction; returns those that the chain counted.

    Raises StaleImageError when `published` is not what is published now.
    """
    removed, _ = await _take_out(connection, guild_id, message_ids, published)
    await bury_messages(connection, guild_id, message_ids)
    return removed


async def replace_messages(
    connection: Connection, guild_id: int, messages: Sequence[StoredMessage], published: Published
) -> tuple[list[RemovedMessage], set[int]]:
    """Puts messages in the place of the stored ones with their IDs, and leaves out what is not stored.

    Returns those that the chain counted, and the IDs of the new ones that it counts now. A new text without tokens
    only takes the old one out. Raises StaleImageError as `remove_messages` does.
    """
    ids = [message.message_id for message in messages]
    removed, held = await _take_out(connection, guild_id, ids, published)
    fresh = [message for message in messages if message.message_id in held and message.content.split()]
    return removed, await learn_messages(connection, guild_id, fresh) if fresh else set()


async def _take_out(
    connection: Connection, guild_id: int, message_ids: Sequence[int], published: Published
) -> tuple[list[RemovedMessage], set[int]]:
    """Returns the messages that the chain counted, and the IDs of all, those of a retrain under way included."""
    guild = await lock_guild(connection, guild_id)
    if await current_images(connection, guild_id) != {audience: p.row for audience, p in published.items()}:
        raise StaleImageError
    rows = await delete_messages(connection, guild_id, message_ids)
    # A row of a generation that is still being filled counts too: the compile that fills it may have read it.
    by_id = {row.message_id: row for row in sorted(rows, key=lambda row: row.generation == guild.generation)}
    last = await advance_seq(connection, guild_id, len(by_id)) if by_id else 0
    removals = [
        _removal(row, seq, audience, published.get(audience), answering=row.generation == guild.generation)
        for seq, row in enumerate(by_id.values(), start=last + 1)
        for audience in _audiences(row)
    ]
    await record_removals(connection, guild_id, removals)
    return [row for row in rows if row.generation == guild.generation], set(by_id)


def _audiences(row: RemovedMessage) -> tuple[Audience, ...]:
    return ("all",) if row.nsfw else ("general", "all")


def _removal(
    row: RemovedMessage, seq: int, audience: Audience, published: PublishedImage | None, *, answering: bool
) -> Removal:
    held = published is not None and answering and row.learned_seq <= published.row.covers_seq
    transitions = published.image.locate(row.content).astype("<u4").tobytes() if published and held else b""
    version = published.row.version if published else 0
    return Removal(seq, audience, version, row.message_id, row.learned_seq, transitions)
