"""Opening a guild's chain: the published image where it lies, and what was learned and removed since."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from markov_shard.chain import Chain, ChainError, Image, compile_chain, open_image
from markov_shard.errors import DamagedImageError
from markov_shard.guilds.baseline import BaselineChain
from markov_shard.guilds.image_files import ImageFiles
from markov_shard.logs import get_logger
from markov_shard.shared.image_cache import ImageCache
from markov_shard.store.guilds import GuildRow, read_guild
from markov_shard.store.images import (
    Audience,
    ImageRow,
    check_image,
    current_images,
    discard_images,
    read_image,
    read_removals,
)
from markov_shard.store.messages import StoredMessage, stream_messages
from markov_shard.store.pool import Connection, Database

_log = get_logger(__name__)
_BATCH = 5000


@dataclass(frozen=True, slots=True)
class Learned:
    """A message in the shape the chain engine takes: its text, and its ID as the source."""

    text: str
    id: int


@dataclass
class OpenedChain:
    """A guild's chain as of one snapshot of the database."""

    chain: Chain
    guild: GuildRow
    image: ImageRow | None
    damaged: bool = False
    """The stored image could not be used, and the chain was counted from the messages: compile again."""
    restricted: bool = False
    """Whether the guild has text from age-restricted channels, which the general chain leaves out."""
    from_images: ClassVar = True


@dataclass
class OpenedBaseline:
    """A guild's baseline chain, counted from its messages whatever images there are."""

    chain: BaselineChain
    guild: GuildRow
    restricted: bool = False
    image: None = None
    damaged: ClassVar = False
    from_images: ClassVar = False


Opened = OpenedChain | OpenedBaseline
"""What a guild's answers come from: the engine, or the baseline for a guild outside its rollout."""


class ChainOpener:
    """Finds images on disk, then in Redis, then in Postgres, and lays the later messages over them."""

    def __init__(self, database: Database, cache: ImageCache, files: ImageFiles, state_size: int) -> None:
        self._database = database
        self._cache = cache
        self._files = files
        self._state_size = state_size
        self.tiers: Counter[str] = Counter()
        """Chains opened, by where the image was found: file, redis, postgres, or counted from the messages."""

    async def open(self, guild_id: int, audience: Audience = "general") -> OpenedChain:
        """The chain that counts every stored message of the guild's answering generation, once."""
        async with self._database.transaction(isolation="repeatable_read", readonly=True) as snapshot:
            return await self.open_in(snapshot, guild_id, audience)

    async def open_in(self, snapshot: Connection, guild_id: int, audience: Audience = "general") -> OpenedChain:
        """The chain as of the caller's repeatable-read transaction."""
        guild = await read_guild(snapshot, guild_id)
        images = await current_images(snapshot, guild_id)
        # No image for all: the general one lacks nothing up to where it reaches, or it would have been compiled too.
        row = images.get(audience) or images.get("general")
        if row is None:
            return await self._count(snapshot, guild, audience, damaged=False)
        try:
            chain = Chain(await self.image(snapshot, row))
        except (DamagedImageError, ChainError) as error:
            _log.error("a chain image is damaged; counting the messages instead", reason=str(error))
            await self._discard(row)
            return await self._count(snapshot, guild, audience, damaged=True)
        for removal in await read_removals(snapshot, guild_id, row.audience):
            if removal.version == row.version and removal.transitions:
                chain.remove_transitions(np.frombuffer(removal.transitions, dtype="<u4"), removal.message_id)
        restricted = "all" in images
        async for batch in _stream(snapshot, guild, row.covers_seq):
            restricted = restricted or any(message.nsfw for message in batch)
            for message in _counted(batch, audience):
                chain.learn(Learned(message.content, message.message_id))
        return OpenedChain(chain, guild, row, restricted=restricted)

    async def open_baseline(self, guild_id: int, audience: Audience = "general") -> OpenedBaseline:
        """The baseline chain, counted from every stored message of the answering generation."""
        async with self._database.transaction(isolation="repeatable_read", readonly=True) as snapshot:
            guild = await read_guild(snapshot, guild_id)
            chain = BaselineChain(state_size=self._state_size)
            restricted = False
            async for batch in _stream(snapshot, guild, -1):
                restricted = restricted or any(message.nsfw for message in batch)
                await chain.learn_apart([Learned(m.content, m.message_id) for m in _counted(batch, audience)])
        return OpenedBaseline(chain, guild, restricted)

    async def _discard(self, row: ImageRow) -> None:
        async with self._database.transaction() as connection:
            await discard_images(connection, row.guild_id, row.version)
        self._files.drop(row.guild_id)

    async def image(self, connection: Connection, row: ImageRow) -> Image:
        """The image itself. Raises DamagedImageError or ChainError when every copy of it is unusable."""
        mapped = self._files.open(row)
        if mapped is not None:
            try:
                image = open_image(mapped)
                self.tiers["file"] += 1
                return image
            except ChainError as error:
                _log.warning("a chain image file is damaged; fetching it again", reason=str(error))
        data = await self._cached(row)
        self.tiers["postgres" if data is None else "redis"] += 1
        if data is None:
            data = await read_image(connection, row)
            await self._cache.put(row.guild_id, row.audience, row.version, data)
        await asyncio.to_thread(self._files.write, row, data)
        mapped = self._files.open(row)
        return open_image(mapped if mapped is not None else data)

    async def _cached(self, row: ImageRow) -> bytes | None:
        data = await self._cache.get(row.guild_id, row.audience, row.version, row.bytes)
        if data is None:
            return None
        try:
            check_image(data, row, "Redis")
        except DamagedImageError as error:
            _log.warning("a cached chain image is damaged; reading Postgres instead", reason=str(error))
            await self._cache.drop(row.guild_id, row.audience, row.version, row.bytes)
            return None
        return data

    async def _count(self, snapshot: Connection, guild: GuildRow, audience: Audience, *, damaged: bool) -> OpenedChain:
        """The chain counted from the stored messages: a guild's first chain, or the way out of a damaged image."""
        self.tiers["counted"] += 1
        messages: list[StoredMessage] = []
        restricted = False
        async for batch in _stream(snapshot, guild, -1):
            restricted = restricted or any(message.nsfw for message in batch)
            messages += _counted(batch, audience)
        if len(messages) > _BATCH:
            learned = [Learned(m.content, m.message_id) for m in messages]
            image = await asyncio.to_thread(compile_chain, learned, self._state_size)
            return OpenedChain(Chain(image), guild, None, damaged, restricted)
        chain = Chain.empty(self._state_size)
        for message in messages:
            chain.learn(Learned(message.content, message.message_id))
        return OpenedChain(chain, guild, None, damaged, restricted)


def _stream(snapshot: Connection, guild: GuildRow, after_seq: int) -> AsyncIterator[list[StoredMessage]]:
    return stream_messages(
        snapshot, guild.guild_id, guild.generation, after_seq=after_seq, up_to_seq=guild.learned_seq, batch=_BATCH
    )


def _counted(batch: list[StoredMessage], audience: Audience) -> list[StoredMessage]:
    return [message for message in batch if audience == "all" or not message.nsfw]
