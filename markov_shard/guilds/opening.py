"""Opening a guild's chain: the published image where it lies, and what was learned and removed since."""

import asyncio
import contextlib
import mmap
import os
import tempfile
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from markov_shard.chain import Chain, ChainError, Image, ImageVersionError, open_image
from markov_shard.errors import DamagedImageError, RedisUnavailableError, ServiceUnavailableError
from markov_shard.guilds.baseline import BaselineChain
from markov_shard.guilds.counting import count_messages
from markov_shard.guilds.image_files import ImageFiles
from markov_shard.guilds.learned import as_learned, learn_in_turns
from markov_shard.logs import get_logger
from markov_shard.shared.image_cache import ImageCache, NotCachedError
from markov_shard.store.guilds import GuildRow, read_guild
from markov_shard.store.images import (
    Audience,
    ImageRow,
    chunks_of,
    current_images,
    discard_images,
    read_removals,
    stream_image,
)
from markov_shard.store.messages import StoredMessage, has_nsfw, stream_messages
from markov_shard.store.pool import Connection, Database
from markov_shard.store.snapshots import export_snapshot

_log = get_logger(__name__)
_BATCH = 5000
_FEW = 200
"""Messages up to which a chain is counted here and now. As an image, more take a twentieth of an overlay's memory and
a fifth of the time."""
_LOADS_AT_ONCE = 4


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

    @property
    def mapped_bytes(self) -> int:
        """Bytes of the image under the chain, published or counted here."""
        image = self.chain.image
        return image.nbytes if image is not None else 0


@dataclass
class OpenedBaseline:
    """A guild's baseline chain, counted from its messages whatever images there are."""

    chain: BaselineChain
    guild: GuildRow
    restricted: bool = False
    image: None = None
    damaged: ClassVar = False
    from_images: ClassVar = False
    mapped_bytes: ClassVar = 0


Opened = OpenedChain | OpenedBaseline
"""What a guild's answers come from: the engine, or the baseline for a guild outside its rollout."""


class Apart(Protocol):
    """Runs work that would hold up the event loop somewhere else, for a guild."""

    async def run(self, guild_id: int, work: Callable[..., None], *arguments: object) -> None: ...


class ChainOpener:
    """Finds images on disk, then in Redis, then in Postgres, and lays the later messages over them."""

    def __init__(
        self,
        database: Database,
        cache: ImageCache,
        files: ImageFiles,
        state_size: int,
        *,
        apart: Apart | None = None,
        make_room: Callable[[int], None] = lambda size: None,
        on_damaged_file: Callable[[int], None] = lambda guild_id: None,
    ) -> None:
        """`apart` does long counting; `make_room` is told the size of an image that is about to be mapped.

        `on_damaged_file` is told the guild whose file, mapped already, turned out to be damaged and was dropped.
        """
        self._database = database
        self._cache = cache
        self._files = files
        self._state_size = state_size
        self._apart = apart or _Threads()
        self.make_room = make_room
        self.on_damaged_file = on_damaged_file
        self._sound: dict[tuple[int, Audience], ImageRow] = {}  # whose checksum was compared last
        self._loading = asyncio.Semaphore(_LOADS_AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
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
        except ImageVersionError as error:
            _log.warning("a chain image is of another version; counting the messages instead", reason=str(error))
            # A newer program beside this one wrote it, during an update: its shards need it, so it stays as it is.
            return await self._count(snapshot, guild, audience, damaged=not error.is_newer)
        except (DamagedImageError, ChainError) as error:
            _log.error("a chain image is damaged; counting the messages instead", reason=str(error))
            self._spawn(self._discard(row))
            return await self._count(snapshot, guild, audience, damaged=True)
        for removal in await read_removals(snapshot, guild_id, row.audience):
            if removal.version == row.version and removal.transitions:
                chain.remove_transitions(np.frombuffer(removal.transitions, dtype="<u4"), removal.message_id)
        restricted = "all" in images
        async for batch in _stream(snapshot, guild, row.covers_seq):
            restricted = restricted or any(message.nsfw for message in batch)
            await learn_in_turns(chain, _counted(batch, audience))
        return OpenedChain(chain, guild, row, restricted=restricted)

    async def open_baseline(self, guild_id: int, audience: Audience = "general") -> OpenedBaseline:
        """The baseline chain, counted from every stored message of the answering generation."""
        async with self._database.transaction(isolation="repeatable_read", readonly=True) as snapshot:
            guild = await read_guild(snapshot, guild_id)
            chain = BaselineChain(state_size=self._state_size)
            restricted = False
            async for batch in _stream(snapshot, guild, -1):
                restricted = restricted or any(message.nsfw for message in batch)
                await chain.learn_apart([as_learned(message) for message in _counted(batch, audience)])
        return OpenedBaseline(chain, guild, restricted)

    def drop_files(self, guild_id: int) -> None:
        """Removes the guild's image files, all of them, from this host."""
        self._files.drop(guild_id)

    async def drop_stale_files(self, guild_id: int) -> None:
        """Removes the files of images that are not the guild's current ones."""
        async with self._database.connection() as connection:
            guild = await read_guild(connection, guild_id)
        if guild.image_version:
            self._files.drop(guild_id, before=guild.image_version)
        else:
            self._files.drop(guild_id)  # purged

    async def drop_all_stale_files(self) -> None:
        """As `drop_stale_files` for every guild with files on this host: what was announced may have been missed."""
        for guild_id in self._files.guilds():
            await self.drop_stale_files(guild_id)

    async def _discard(self, row: ImageRow) -> None:
        """Beside the opening, which holds a connection: were all of them opening, each would wait for one more."""
        with contextlib.suppress(ServiceUnavailableError):  # whoever opens it next tries again
            async with self._database.transaction() as connection:
                await discard_images(connection, row.guild_id, row.version)
            self._files.drop(row.guild_id)

    async def image(self, connection: Connection, row: ImageRow) -> Image:
        """The image itself. Raises DamagedImageError or ChainError when every copy of it is unusable."""
        self.make_room(row.bytes)
        image = self._mapped(row)
        if image is not None:
            self.tiers["file"] += 1
            self._check_later(row)
            return image
        async with self._loading:
            image = self._mapped(row)  # another process may have brought it meanwhile
            if image is None:
                self.tiers[await self._fetch(connection, row)] += 1
                image = self._mapped(row)
        if image is None:
            raise DamagedImageError(f"chain image v{row.version} of guild {row.guild_id} cannot be kept on disk")
        return image

    def _mapped(self, row: ImageRow) -> Image | None:
        mapped = self._files.open(row)
        if mapped is None:
            return None
        try:
            return open_image(mapped)
        except ChainError as error:
            if isinstance(error, ImageVersionError) and self._is_sound(row):
                raise  # as it was published: fetching it again would not help
            _log.warning("a chain image file is damaged; fetching it again", reason=str(error))
            return None

    async def _fetch(self, connection: Connection, row: ImageRow) -> str:
        """Brings the image to this host, a chunk at a time; returns the tier it came from."""
        key = (row.guild_id, row.audience, row.version)
        try:
            await self._files.receive(row, self._cache.chunks(*key, chunks_of(row)), "Redis")
        except NotCachedError:
            pass
        except DamagedImageError as error:
            _log.warning("a cached chain image is damaged; reading Postgres instead", reason=str(error))
            with contextlib.suppress(RedisUnavailableError):  # Postgres has a sound one all the same
                await self._cache.drop(*key, chunks_of(row))
        else:
            self._take_for_sound(row)
            return "redis"
        await self._files.receive(row, stream_image(connection, row), "Postgres")
        self._take_for_sound(row)
        self._spawn(self._share(row))
        return "postgres"

    async def _share(self, row: ImageRow) -> None:
        """Gives Redis a copy, for the guild's next owner; the answer need not wait for it."""
        with contextlib.suppress(FileNotFoundError):
            for number in range(chunks_of(row)):
                chunk = await asyncio.to_thread(self._files.chunk, row, number)
                if not await self._cache.put(row.guild_id, row.audience, row.version, number, chunk):
                    return

    def _is_sound(self, row: ImageRow) -> bool:
        return self._sound.get((row.guild_id, row.audience)) == row

    def _take_for_sound(self, row: ImageRow) -> None:
        self._sound[row.guild_id, row.audience] = row

    def _check_later(self, row: ImageRow) -> None:
        """Compares a file's checksum once; it may have been damaged since it was written, and answers cannot wait."""
        if not self._is_sound(row):
            self._take_for_sound(row)
            self._spawn(self._check(row))

    async def _check(self, row: ImageRow) -> None:
        if not await asyncio.to_thread(self._files.is_sound, row):
            _log.error("a chain image file is damaged; fetching it again", guild=str(row.guild_id), version=row.version)
            if self._is_sound(row):
                del self._sound[row.guild_id, row.audience]
            self._files.drop(row.guild_id, row.audience)
            self.on_damaged_file(row.guild_id)

    def _spawn(self, work: Coroutine[object, object, None]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def settle(self) -> None:
        """Waits for checks and copies that are under way."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def _count(self, snapshot: Connection, guild: GuildRow, audience: Audience, *, damaged: bool) -> OpenedChain:
        """The chain counted from the stored messages: a guild's first chain, or the way out of a damaged image."""
        self.tiers["counted"] += 1
        chain = Chain.empty(self._state_size)
        restricted = False
        if guild.learned_seq <= _FEW:
            async for batch in _stream(snapshot, guild, -1):
                restricted = restricted or any(message.nsfw for message in batch)
                await learn_in_turns(chain, _counted(batch, audience))
        else:
            chain = Chain(await self._counted_image(snapshot, guild, audience))
            restricted = await has_nsfw(snapshot, guild.guild_id, guild.generation)
        return OpenedChain(chain, guild, None, damaged, restricted)

    async def _counted_image(self, snapshot: Connection, guild: GuildRow, audience: Audience) -> Image:
        """An image of this process's own: its file is gone from the folder as soon as it is mapped."""
        descriptor, path = tempfile.mkstemp(dir=self._files.folder, prefix=".", suffix=".tmp")
        try:
            name = await export_snapshot(snapshot)
            arguments = (self._database.url, name, guild, audience, self._state_size, path)
            await self._apart.run(guild.guild_id, count_messages, *arguments)
            self.make_room(os.fstat(descriptor).st_size)
            return open_image(mmap.mmap(descriptor, 0, access=mmap.ACCESS_READ))
        finally:
            os.close(descriptor)
            os.unlink(path)  # noqa: PTH108


class _Threads:
    """Another place than the event loop where there is no pool."""

    async def run(self, guild_id: int, work: Callable[..., None], *arguments: object) -> None:
        await asyncio.to_thread(work, *arguments)


def _stream(snapshot: Connection, guild: GuildRow, after_seq: int) -> AsyncIterator[list[StoredMessage]]:
    return stream_messages(
        snapshot, guild.guild_id, guild.generation, after_seq=after_seq, up_to_seq=guild.learned_seq, batch=_BATCH
    )


def _counted(batch: list[StoredMessage], audience: Audience) -> list[StoredMessage]:
    return [message for message in batch if audience == "all" or not message.nsfw]
