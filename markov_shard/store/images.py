"""Published chain images, and what was removed since."""

import zlib
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Literal

from markov_shard.errors import DamagedImageError
from markov_shard.store.guilds import lock_guild
from markov_shard.store.pool import Connection

Audience = Literal["general", "all"]
"""`all` also holds text from age-restricted channels; it exists only for guilds that learned such."""

CHUNK_BYTES = 1 << 20


@dataclass(frozen=True)
class ImageRow:
    """A published image's description."""

    guild_id: int
    audience: Audience
    version: int
    generation: int
    covers_seq: int
    state_size: int
    messages: int
    bytes: int
    crc32: int


@dataclass(frozen=True)
class Removal:
    """A message taken out since the image `version`: uint32 little-endian indices into it, none if it held it not."""

    removed_seq: int
    audience: Audience
    version: int
    message_id: int
    learned_seq: int
    transitions: bytes


async def current_images(connection: Connection, guild_id: int) -> dict[Audience, ImageRow]:
    """The published images' descriptions; empty before the first one, or after a damaged one was discarded."""
    rows = await connection.fetch(
        "SELECT i.guild_id, audience, version, i.generation, covers_seq, state_size, messages, bytes, crc32"
        " FROM chain_images i JOIN guilds g ON g.guild_id = i.guild_id AND g.image_version = i.version"
        " WHERE i.guild_id = $1 AND g.guild_id = $1",
        guild_id,
    )
    return {row["audience"]: ImageRow(**row) for row in rows}


async def discard_images(connection: Connection, guild_id: int, version: int) -> None:
    """Removes a damaged version, so that chains are counted from the messages until the next one is published."""
    await lock_guild(connection, guild_id)
    for table in ("chain_image_chunks", "chain_images"):
        await connection.execute(f"DELETE FROM {table} WHERE guild_id = $1 AND version = $2", guild_id, version)


def chunks_of(image: ImageRow) -> int:
    """How many chunks an image is stored as."""
    return -(-image.bytes // CHUNK_BYTES)


async def stream_image(connection: Connection, image: ImageRow) -> AsyncIterator[bytes]:
    """The image's chunks in order, one at a time, unchecked; it ends early where one is missing."""
    for number in range(chunks_of(image)):
        data = await connection.fetchval(
            "SELECT data FROM chain_image_chunks"
            " WHERE guild_id = $1 AND audience = $2 AND version = $3 AND chunk_no = $4",
            image.guild_id,
            image.audience,
            image.version,
            number,
        )
        if data is None:
            return
        yield data


async def read_image(connection: Connection, image: ImageRow) -> bytes:
    """The whole image's bytes. Raises DamagedImageError when they are not the published ones."""
    data = b"".join([chunk async for chunk in stream_image(connection, image)])
    check_image(image, len(data), zlib.crc32(data), "Postgres")
    return data


def check_image(image: ImageRow, size: int, crc32: int, place: str) -> None:
    """Raises DamagedImageError, naming the image and the place it came from, unless these are the published ones."""
    if (size, crc32) != (image.bytes, image.crc32):
        raise DamagedImageError(
            f"chain image {image.audience} v{image.version} of guild {image.guild_id} in {place} is damaged: "
            f"{size} of {image.bytes} bytes{'' if size != image.bytes else ', wrong checksum'}"
        )


async def publish_image(connection: Connection, image: ImageRow, data: bytes) -> None:
    """Writes an image and makes it the guild's current one; the guild's row must be locked.

    Older versions go, except the one just replaced, which a process may still be fetching.
    """
    await connection.execute(
        "INSERT INTO chain_images (guild_id, audience, version, generation, covers_seq, state_size, messages, bytes,"
        " crc32) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        image.guild_id,
        image.audience,
        image.version,
        image.generation,
        image.covers_seq,
        image.state_size,
        image.messages,
        image.bytes,
        image.crc32,
    )
    await connection.executemany(
        "INSERT INTO chain_image_chunks (guild_id, audience, version, chunk_no, data) VALUES ($1, $2, $3, $4, $5)",
        [
            (image.guild_id, image.audience, image.version, number, data[start : start + CHUNK_BYTES])
            for number, start in enumerate(range(0, len(data), CHUNK_BYTES))
        ],
    )
    await connection.execute(
        "UPDATE guilds SET image_version = $2, generation = $3 WHERE guild_id = $1",
        image.guild_id,
        image.version,
        image.generation,
    )
    for table in ("chain_image_chunks", "chain_images"):
        await connection.execute(
            f"DELETE FROM {table} WHERE guild_id = $1 AND version < $2 - 1", image.guild_id, image.version
        )


async def record_removals(connection: Connection, guild_id: int, removals: Sequence[Removal]) -> None:
    """Writes removals in the deleting transaction."""
    await connection.executemany(
        "INSERT INTO chain_removals (guild_id, removed_seq, audience, version, message_id, learned_seq, transitions)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7)",
        [
            (guild_id, r.removed_seq, r.audience, r.version, r.message_id, r.learned_seq, r.transitions)
            for r in removals
        ],
    )


async def stale_guilds(connection: Connection, *, hours: float, limit: int) -> list[int]:
    """Guilds whose image is older than that while they learned or unlearned since. Fleet-wide."""
    rows = await connection.fetch(
        "SELECT g.guild_id FROM guilds g JOIN chain_images i ON i.guild_id = g.guild_id"
        " AND i.version = g.image_version AND i.audience = 'general'"
        " WHERE g.learned_seq > i.covers_seq AND g.left_at IS NULL"
        " AND i.created_at < now() - make_interval(secs => $1) ORDER BY i.created_at LIMIT $2",
        hours * 3600,
        limit,
    )
    return [row["guild_id"] for row in rows]


async def read_removals(
    connection: Connection, guild_id: int, audience: Audience, *, after_seq: int = 0
) -> list[Removal]:
    """The removals recorded after `after_seq`, in order."""
    rows = await connection.fetch(
        "SELECT removed_seq, audience, version, message_id, learned_seq, transitions FROM chain_removals"
        " WHERE guild_id = $1 AND audience = $2 AND removed_seq > $3 ORDER BY removed_seq",
        guild_id,
        audience,
        after_seq,
    )
    return [Removal(**row) for row in rows]


async def replace_removals(
    connection: Connection, guild_id: int, audience: Audience, removals: Sequence[Removal]
) -> None:
    """Drops the audience's removals, which a new image holds, and writes those it does not."""
    await connection.execute("DELETE FROM chain_removals WHERE guild_id = $1 AND audience = $2", guild_id, audience)
    await record_removals(connection, guild_id, removals)
