"""All guilds a process owns: their chains in memory under a limit, and every change to what they learned."""

from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import replace
from typing import TypeVar

from markov_shard.chain import Chain, ChainError
from markov_shard.errors import DamagedImageError
from markov_shard.guilds.baseline import BaselineChain
from markov_shard.guilds.guild import Guild
from markov_shard.guilds.learner import Learner
from markov_shard.guilds.opening import ChainOpener, Opened
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.removal import (
    Published,
    PublishedImage,
    StaleImageError,
    remove_messages,
    replace_messages,
)
from markov_shard.logs import get_logger
from markov_shard.store.generations import clear_guild
from markov_shard.store.guilds import read_guild
from markov_shard.store.images import Audience, current_images, discard_images
from markov_shard.store.members import messages_of_author
from markov_shard.store.messages import (
    RemovedMessage,
    StoredMessage,
    count_messages,
    messages_of_channels,
    unrestricted_messages,
)
from markov_shard.store.pool import Connection, Database

_log = get_logger(__name__)
_OPENING_BYTES = 6 << 20  # measured: buffers and threads that opening images takes beside them
R = TypeVar("R")
T = TypeVar("T")
_CHANGED_AT_ONCE = 1000


class Guilds:
    """The owned guilds of a process, by ID."""

    def __init__(
        self,
        database: Database,
        opener: ChainOpener,
        learner: Learner,
        *,
        memory_limit: int,
        from_images: Callable[[int], bool] = lambda guild_id: True,
        on_damaged: Callable[[int], None] = lambda guild_id: None,
        on_removed: Callable[[Sequence[str]], None] = lambda urls: None,
    ) -> None:
        """`memory_limit`: bytes of mapped images and overlays kept open; `on_damaged` asks for a new image.

        `from_images` says whether a guild answers from the engine's images, or from the baseline chain.
        """
        self._database = database
        self._opener = opener
        self._learner = learner
        self._memory_limit = max(0, memory_limit - _OPENING_BYTES)
        self._from_images = from_images
        self._on_damaged = on_damaged
        self._on_removed = on_removed
        self._guilds: dict[int, Guild] = {}
        self._open_guilds: OrderedDict[int, Guild] = OrderedDict()  # those with chains in memory, by last use
        opener.make_room = self._make_room
        self.unlearned = 0
        """Messages taken out by this process, edits not counted."""
        self.hits = self.misses = 0
        """How often a chain that was asked for was in memory, or had to be opened."""

    def guild(self, guild_id: int, owner: Owner) -> Guild:
        """The guild's state, made when first asked for, under the shard that owns it now."""
        guild = self._guilds.get(guild_id)
        if guild is None or guild.owner is not owner:
            guild = self._guilds[guild_id] = Guild(guild_id, owner)
            self._open_guilds.pop(guild_id, None)
        return guild

    def learn(self, guild_id: int, owner: Owner, message: StoredMessage, seq: int) -> bool:
        """Learns a message that gateway event `seq` brought; False when the same message waits to be stored."""
        return self._learner.learn(self.guild(guild_id, owner), message, seq)

    def learned_file(self, guild_id: int) -> bool:
        """Whether this process learned a message of the guild with an attachment."""
        guild = self._guilds.get(guild_id)
        return guild is not None and guild.learned_file

    def waiting_messages(self, guild_id: int, owner: Owner) -> list[StoredMessage]:
        """What was learned and is not stored yet."""
        return [unstored.message for unstored in self.guild(guild_id, owner).unstored.values()]

    def is_restricted(self, guild_id: int) -> bool:
        """Whether a guild whose chain is in memory has text from age-restricted channels."""
        guild = self._guilds.get(guild_id)
        return guild is not None and guild.restricted

    async def chain(self, guild_id: int, owner: Owner, audience: Audience = "general") -> Chain | BaselineChain:
        """The guild's chain; opened when it is not in memory, once for all who ask at the same time.

        A guild without text from age-restricted channels has one chain for both audiences.
        """
        guild = self.guild(guild_id, owner)
        if self._is_right(guild_id, guild.opened):
            self.hits += 1
        else:
            self.misses += 1
            async with guild.lock:
                if not self._is_right(guild_id, guild.opened):
                    await self._open(guild)
        if guild_id in self._open_guilds:
            self._open_guilds.move_to_end(guild_id)
        assert guild.opened is not None
        if audience == "general" or not guild.restricted:
            return guild.opened.chain
        if not self._is_right(guild_id, guild.opened_all):
            async with guild.lock:
                if not self._is_right(guild_id, guild.opened_all):
                    await self._open(guild, "all")
        assert guild.opened_all is not None
        return guild.opened_all.chain

    def _is_right(self, guild_id: int, opened: Opened | None) -> bool:
        """Whether a chain is in memory and of the kind that the guild's rollout asks for."""
        return opened is not None and opened.from_images is self._from_images(guild_id)

    async def refresh(self, guild_id: int) -> None:
        """Takes up what changed in storage, such as a newly published image; answers go on meanwhile."""
        guild = self._guilds.get(guild_id)
        if guild is None:
            return
        async with guild.lock:  # also for a chain that is just being opened, perhaps as it was before the change
            if guild.opened is None:
                return
            await self._open(guild)
            if guild.opened_all is not None:
                await self._open(guild, "all")

    async def refresh_all(self) -> None:
        """Takes up whatever changed of any guild, after announcements may have been missed."""
        for guild_id in list(self._guilds):
            await self.refresh(guild_id)

    async def _open(self, guild: Guild, audience: Audience = "general") -> None:
        """Opens the chain as stored and adds what is not stored yet; the guild's lock is held."""
        from_images = self._from_images(guild.guild_id)
        opened: Opened
        if from_images:
            opened = await self._opener.open(guild.guild_id, audience)
        else:
            opened = await self._opener.open_baseline(guild.guild_id, audience)
        guild.install(opened, audience)
        if opened.damaged:
            self._on_damaged(guild.guild_id)
        version = opened.image.version if opened.image else 0
        _log.info("Loaded Markov chains from store", guild=str(guild.guild_id), version=version)
        self._open_guilds[guild.guild_id] = guild
        self._open_guilds.move_to_end(guild.guild_id)
        self.trim(keep=guild)

    def trim(self, keep: Guild | None = None) -> None:
        """Closes the chains answered from longest ago until the limit holds again; overlays grow while they learn.

        A chain larger than the limit is closed too, unless it is of the guild to `keep`, which is about to answer.
        """
        self._evict(self._memory_limit, keep)

    def _make_room(self, size: int) -> None:
        """For an image that is about to be mapped."""
        self._evict(max(0, self._memory_limit - size))

    def _evict(self, limit: int, keep: Guild | None = None) -> None:
        used = self.memory
        for guild in list(self._open_guilds.values()):
            if used <= limit:
                return
            if guild is not keep and not guild.lock.locked():
                used -= guild.memory
                guild.close()
                del self._open_guilds[guild.guild_id]

    def memory_of(self, guild_id: int) -> int:
        """Bytes of a guild's chains in memory."""
        guild = self._guilds.get(guild_id)
        return guild.memory if guild is not None else 0

    @property
    def memory(self) -> int:
        """Bytes of open chains: mapped images, overlays, and the objects around them."""
        return sum(guild.memory for guild in self._open_guilds.values())

    @property
    def open_chains(self) -> int:
        """How many guilds have chains in memory."""
        return sum(guild.opened is not None for guild in self._open_guilds.values())

    async def remove(self, guild_id: int, owner: Owner, message_ids: Sequence[int]) -> int:
        """Unlearns deleted messages, stored or not yet; returns how many the chain counted."""
        guild = self.guild(guild_id, owner)
        async with guild.lock:
            unstored = sum(self._learner.unlearn_unstored(guild, message_id) for message_id in message_ids)
            removed = await self._change(
                guild,
                lambda connection, published: remove_messages(connection, guild_id, message_ids, published),
            )
            self._unlearn(guild, removed)
        self.unlearned += unstored + len(removed)
        return unstored + len(removed)

    async def discard(self, guild_id: int, owner: Owner, unwanted: Callable[[StoredMessage], bool]) -> int:
        """Takes back learned messages that are not stored yet; returns how many."""
        guild = self.guild(guild_id, owner)
        async with guild.lock:
            gone = [key for key, unstored in guild.unstored.items() if unwanted(unstored.message)]
            for message_id in gone:
                self._learner.unlearn_unstored(guild, message_id)
        return len(gone)

    async def remove_author(self, guild_id: int, owner: Owner, user_id: int) -> int:
        """Unlearns everything a member wrote; returns how many messages the chain counted."""
        count = await self.discard(guild_id, owner, lambda message: message.author_id == user_id)
        return count + await self._in_batches(
            lambda connection: messages_of_author(connection, guild_id, user_id, limit=_CHANGED_AT_ONCE),
            lambda message_ids: self.remove(guild_id, owner, message_ids),
        )

    async def remove_all(self, guild_id: int, owner: Owner) -> int:
        """Unlearns everything of a guild at once; the rows are deleted by and by. Returns how many messages it had."""
        guild = self.guild(guild_id, owner)
        count = await self.discard(guild_id, owner, lambda _: True)
        async with guild.lock:
            async with self._database.transaction() as connection:
                await owner.require(connection)
                row = await read_guild(connection, guild_id)
                count += await count_messages(connection, guild_id, row.generation)
                await clear_guild(connection, guild_id)
            guild.close()
        self._opener.drop_files(guild_id)
        return count

    async def edit(self, guild_id: int, owner: Owner, message: StoredMessage) -> bool:
        """Replaces a learned message's text; False when it was never learned."""
        guild = self.guild(guild_id, owner)
        async with guild.lock:
            if message.message_id in guild.unstored:
                await self._learner.flush_guild(guild)
            return bool(await self._replace(guild, [message]))

    async def restrict_channels(self, guild_id: int, owner: Owner, channel_ids: Sequence[int]) -> int:
        """Has what was said in channels answer in age-restricted channels only, since they became such."""
        guild = self.guild(guild_id, owner)

        async def restrict(messages: Sequence[StoredMessage]) -> int:
            async with guild.lock:
                await self._replace(guild, [replace(message, nsfw=True) for message in messages])
            return len(messages)

        async with guild.lock:
            await self._learner.flush_guild(guild)
        return await self._in_batches(
            lambda connection: unrestricted_messages(connection, guild_id, channel_ids, limit=_CHANGED_AT_ONCE),
            restrict,
        )

    async def _replace(self, guild: Guild, messages: Sequence[StoredMessage]) -> int:
        """Puts messages in the place of stored ones; returns how many the chain counted. The lock is held."""
        old, new = await self._change(
            guild, lambda connection, published: replace_messages(connection, guild.guild_id, messages, published)
        )
        self._unlearn(guild, old)
        for message in messages:
            if message.message_id in new:
                guild.learn(message)
        return len(old)

    async def remove_channels(self, guild_id: int, owner: Owner, channel_ids: Sequence[int]) -> int:
        """Unlearns everything said in deleted channels or threads; returns how many messages the chain counted."""
        guild = self.guild(guild_id, owner)
        async with guild.lock:
            await self._learner.flush_guild(guild)
        return await self._in_batches(
            lambda connection: messages_of_channels(connection, guild_id, channel_ids, limit=_CHANGED_AT_ONCE),
            lambda message_ids: self.remove(guild_id, owner, message_ids),
        )

    async def _in_batches(
        self,
        find: Callable[[Connection], Awaitable[Sequence[T]]],
        change: Callable[[Sequence[T]], Awaitable[int]],
    ) -> int:
        """Changes what is found again and again until nothing is; returns the sum of what `change` returns."""
        count = 0
        while True:
            async with self._database.connection() as connection:
                found = await find(connection)
            if not found:
                return count
            count += await change(found)

    def _unlearn(self, guild: Guild, removed: Iterable[RemovedMessage]) -> None:
        for row in removed:
            guild.unlearn(row.message)
            if row.attachments:
                self._on_removed(row.attachments)

    async def _change(self, guild: Guild, change: Callable[[Connection, Published], Awaitable[R]]) -> R:
        """Runs a fenced transaction that needs the published images, again when a newer one came in between."""
        while True:
            published = await self._published(guild.guild_id)
            try:
                async with self._database.transaction() as connection:
                    await guild.owner.require(connection)
                    return await change(connection, published)
            except StaleImageError:
                continue

    async def _published(self, guild_id: int) -> Published:
        async with self._database.transaction() as connection:
            rows = await current_images(connection, guild_id)
            try:
                return {
                    audience: PublishedImage(row, await self._opener.image(connection, row))
                    for audience, row in rows.items()
                }
            except (DamagedImageError, ChainError) as error:
                _log.error("a chain image is damaged; discarding it", reason=str(error))
                await discard_images(connection, guild_id, max(row.version for row in rows.values()))
                self._on_damaged(guild_id)
                return {}

    def abandon(self, owner: Owner) -> None:
        """Drops everything of a shard that another process owns now; writes nothing."""
        for guild in [guild for guild in self._guilds.values() if guild.owner is owner]:
            self._learner.abandon(guild)
            del self._guilds[guild.guild_id]
            self._open_guilds.pop(guild.guild_id, None)
