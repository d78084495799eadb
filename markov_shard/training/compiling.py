"""From a guild's stored messages to published images, in one consistent step.

Where an image is published already, what was learned and removed since is merged into it; only a guild's first
image, a new generation's, and one in the place of a damaged image are counted from all messages.

The messages are read in a snapshot that stays open until the images are published. What was deleted meanwhile
is in the images still: its text is read once more from the snapshot, and taken out as removals of the new
version, in the transaction that publishes it. Nothing deleted comes back, and nothing is counted twice.
"""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from markov_shard.chain import ChainError, Compiler, Image, Merger, open_image
from markov_shard.errors import DamagedImageError, SupersededError
from markov_shard.logs import get_logger
from markov_shard.store.generations import end_training
from markov_shard.store.guilds import GuildRow, lock_guild, read_guild
from markov_shard.store.images import (
    Audience,
    ImageRow,
    Removal,
    current_images,
    publish_image,
    read_image,
    read_removals,
    replace_removals,
)
from markov_shard.store.messages import has_nsfw, read_messages, stream_texts
from markov_shard.store.pool import Connection, Database

_log = get_logger(__name__)

_BATCH = 5000

Guard = Callable[[Connection], Awaitable[None]]
"""Runs first in the publishing transaction; raises to stop it, as for a job that somebody else claimed."""


class _NewerImageError(Exception):
    """Another image was published since the snapshot: deletions before it may be unknown here."""


@dataclass(frozen=True)
class Published:
    """The figures of a guild's new general image."""

    guild_id: int
    version: int
    generation: int
    messages: int
    tokens: int
    states: int
    transitions: int
    vocabulary: int
    image_bytes: int


async def _nothing(connection: Connection) -> None:
    """A guard that lets everything pass."""


async def compile_guild(
    database: Database,
    guild_id: int,
    *,
    state_size: int,
    generation: int | None = None,
    guard: Guard = _nothing,
) -> Published:
    """Compiles and publishes the guild's images, of its answering generation or of one that becomes it.

    Raises SupersededError when the generation is neither any more, or when the guard does.
    """
    while True:
        try:
            async with database.transaction(isolation="repeatable_read", readonly=True) as snapshot:
                guild = await read_guild(snapshot, guild_id)
                wanted = guild.generation if generation is None else generation
                images = await _build(snapshot, guild, wanted, state_size)
                async with database.transaction() as connection:
                    await guard(connection)
                    return await _publish(connection, snapshot, guild, wanted, images, state_size)
        except _NewerImageError:
            continue


async def _build(snapshot: Connection, guild: GuildRow, generation: int, state_size: int) -> Mapping[Audience, Image]:
    audiences: list[Audience] = ["general"]
    if await has_nsfw(snapshot, guild.guild_id, generation):
        audiences.append("all")
    published = await current_images(snapshot, guild.guild_id)
    images: dict[Audience, Image] = {}
    for audience, row in published.items():
        if audience in audiences and (row.generation, row.state_size) == (generation, state_size):
            merged = await _merged(snapshot, guild, row)
            if merged is not None:
                images[audience] = merged
    missing = [audience for audience in audiences if audience not in images]
    if missing:
        images.update(await _counted(snapshot, guild, generation, state_size, missing))
    return images


async def _counted(
    snapshot: Connection, guild: GuildRow, generation: int, state_size: int, audiences: Sequence[Audience]
) -> Mapping[Audience, Image]:
    """Images of all messages."""
    compilers = {audience: Compiler(state_size) for audience in audiences}
    await _add(snapshot, guild, generation, -1, compilers)
    return {audience: await asyncio.to_thread(compiler.finish) for audience, compiler in compilers.items()}


async def _merged(snapshot: Connection, guild: GuildRow, row: ImageRow) -> Image | None:
    """The published image with what was learned and removed since; None when it cannot be used."""
    try:
        image = open_image(await read_image(snapshot, row))
        merger = Merger(image, seed=row.version)
        removals = await read_removals(snapshot, guild.guild_id, row.audience)
        held = [removal for removal in removals if removal.version == row.version and removal.transitions]
        paths = [np.frombuffer(removal.transitions, dtype="<u4").tolist() for removal in held]
        await asyncio.to_thread(merger.remove_located, paths, [removal.message_id for removal in held])
        await _add(snapshot, guild, row.generation, row.covers_seq, {row.audience: merger})
        return await asyncio.to_thread(merger.finish)
    except (DamagedImageError, ChainError) as error:
        _log.error("a chain image cannot be merged into; counting the messages instead", reason=str(error))
        return None


async def _add(
    snapshot: Connection,
    guild: GuildRow,
    generation: int,
    after_seq: int,
    takers: Mapping[Audience, Compiler | Merger],
) -> None:
    """Gives each audience's compiler or merger its messages; the next batch is fetched while one is counted."""
    counting: asyncio.Task[None] | None = None
    stream = stream_texts(
        snapshot, guild.guild_id, generation, after_seq=after_seq, up_to_seq=guild.learned_seq, batch=_BATCH
    )
    try:
        async for batch in stream:
            if counting is not None:
                await counting
            counting = asyncio.create_task(asyncio.to_thread(_take, takers, batch))
        if counting is not None:
            await counting
    finally:
        if counting is not None and not counting.done():
            await asyncio.wait([counting])


def _take(takers: Mapping[Audience, Compiler | Merger], batch: Sequence[tuple[int, str, bool]]) -> None:
    for audience, taker in takers.items():
        taken = [row for row in batch if audience == "all" or not row[2]]
        taker.add([text for _, text, _ in taken], [message_id for message_id, _, _ in taken])


async def _publish(
    connection: Connection,
    snapshot: Connection,
    seen: GuildRow,
    generation: int,
    images: Mapping[Audience, Image],
    state_size: int,
) -> Published:
    now = await lock_guild(connection, seen.guild_id)
    if generation not in (now.generation, now.training_generation):
        raise SupersededError(f"generation {generation} of guild {seen.guild_id} was given up; nothing is published")
    if now.image_version != seen.image_version:
        raise _NewerImageError
    version = now.image_version + 1
    for audience in ("general", "all"):
        image = images.get(audience)
        removals = await _removals(connection, snapshot, seen, generation, audience, image, version)
        await replace_removals(connection, seen.guild_id, audience, removals)
        if image is not None:
            data = bytes(image)
            row = ImageRow(
                seen.guild_id,
                audience,
                version,
                generation,
                seen.learned_seq,
                state_size,
                image.messages,
                len(data),
                zlib.crc32(data),
            )
            await publish_image(connection, row, data)
    if generation == now.training_generation:
        await end_training(connection, seen.guild_id)
    general = images["general"]
    return Published(
        seen.guild_id,
        version,
        generation,
        general.messages,
        general.tokens,
        general.states,
        general.transitions,
        general.vocabulary,
        general.nbytes,
    )


async def _removals(
    connection: Connection,
    snapshot: Connection,
    seen: GuildRow,
    generation: int,
    audience: Audience,
    image: Image | None,
    version: int,
) -> list[Removal]:
    """What was removed since the snapshot, as removals from the new image."""
    if image is None:
        return []
    late = {
        removal.message_id: removal
        for removal in reversed(await read_removals(connection, seen.guild_id, audience, after_seq=seen.learned_seq))
    }  # the first removal of each message: a later one took out an edited text, which the snapshot has not
    held = await read_messages(snapshot, seen.guild_id, generation, list(late))
    return [
        Removal(
            late[message.message_id].removed_seq,
            audience,
            version,
            message.message_id,
            late[message.message_id].learned_seq,
            image.locate(message.content).astype("<u4").tobytes(),
        )
        for message in held
        if audience == "all" or not message.nsfw
    ]
