"""One guild's listened channels, read over REST from where its gateway events broke off: what was missed is learned.

In the same pass the last day's messages are compared with what is stored, so that edits and deletions that nobody
told of take effect, too. Everything is written under the shard's epoch, through the same doors as gateway events.
"""

import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

import hikari

from markov_shard.bot.directory import ChannelDirectory
from markov_shard.errors import SupersededError
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.registry import Guilds
from markov_shard.snowflakes import first_id_at, made_at_ms
from markov_shard.store.catch_ups import CatchUp, last_stored, read_stretch, stored_bounds
from markov_shard.store.channels import ChannelRow, save_channels
from markov_shard.store.guilds import read_guild
from markov_shard.store.messages import StoredMessage
from markov_shard.store.pool import Database
from markov_shard.training.discord_pages import MAY_NOT, Pages, is_learned, stored_form

RECONCILED_SECONDS = 86_400.0
"""How far back edits and deletions are looked for."""

ChannelGone = Callable[[int], Awaitable[None]]


class Rereading:
    """Catches one guild up. hikari keeps to Discord's rate limits."""

    def __init__(
        self,
        gap: CatchUp,
        owner: Owner,
        directory: ChannelDirectory,
        *,
        database: Database,
        guilds: Guilds,
        rest: hikari.api.RESTClient,
        is_owned: Callable[[], bool],
        on_channel_gone: ChannelGone,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._gap = gap
        self._owner = owner
        self._directory = directory
        self._database = database
        self._guilds = guilds
        self._rest = rest
        self._pages = Pages(rest)
        self._is_owned = is_owned
        self._on_channel_gone = on_channel_gone
        self._clock = clock
        self._generation = 0
        self.done: Counter[str] = Counter()
        """Messages learned, edited and removed, by those words."""

    async def run(self) -> None:
        """Reads everything once. Raises hikari's errors while Discord is in trouble, SupersededError, and
        DatabaseUnavailableError; to be begun again then: nothing counts twice."""
        guild_id = self._gap.guild_id
        async with self._database.connection() as connection:
            self._generation = (await read_guild(connection, guild_id)).generation
            start = await last_stored(connection, guild_id, self._generation, before=self._gap.before_id)
        if start is None:
            return  # nothing was ever learned here, so nobody can say what was missed
        listened = [channel for channel in sorted(self._directory.listened) if not self._directory.is_ignored(channel)]
        if listened:
            await self._note_threads(await self._active())
        for channel_id in listened:
            if await self._could_read(channel_id, start):
                await self._note_threads(await self._archived(channel_id, start))
                for thread in sorted(self._directory.threads_of(channel_id)):
                    if not self._directory.is_ignored(thread):
                        await self._could_read(thread, start)

    async def _could_read(self, channel_id: int, start: int) -> bool:
        """Reads a channel or thread; False when it is gone, and what was said there too, or hidden from the bot."""
        try:
            await self._read(channel_id, start)
        except hikari.NotFoundError:
            self._require_owned()
            await self._on_channel_gone(channel_id)
            return False
        except hikari.ForbiddenError:
            return False
        return True

    async def _active(self) -> Sequence[hikari.GuildThreadChannel]:
        try:
            return await self._pages.asked(lambda: self._rest.fetch_active_threads(self._gap.guild_id))
        except MAY_NOT:
            return ()

    async def _archived(self, channel_id: int, start: int) -> Sequence[hikari.GuildThreadChannel]:
        async def ask() -> Sequence[hikari.GuildThreadChannel]:
            found = self._rest.fetch_public_archived_threads(channel_id)
            return await found.take_while(
                lambda thread: thread.archive_timestamp.timestamp() * 1000 > made_at_ms(start)
            )

        try:
            return await self._pages.asked(ask)
        except (*MAY_NOT, hikari.BadRequestError):
            return ()  # hidden, gone, or a kind of channel without threads

    async def _note_threads(self, threads: Sequence[hikari.GuildThreadChannel]) -> None:
        rows = [
            ChannelRow(int(thread.id), int(thread.parent_id), self._directory.is_nsfw(int(thread.parent_id)))
            for thread in threads
            if int(thread.parent_id) in self._directory.listened and not self._directory.knows(int(thread.id))
        ]
        for row in rows:
            self._directory.note(row)
        if rows:
            async with self._database.connection() as connection:
                await save_channels(connection, self._gap.guild_id, rows)

    async def _read(self, channel_id: int, start: int) -> None:
        """One channel forward: from its last message before the gap, or from the oldest that is to be compared."""
        since = first_id_at(self._clock() - RECONCILED_SECONDS)
        async with self._database.connection() as connection:
            newest, oldest = await stored_bounds(
                connection,
                self._gap.guild_id,
                channel_id,
                self._generation,
                since=since,
                before=self._gap.before_id,
            )
        after = start if newest is None else newest
        if oldest is not None:
            after = min(after, oldest - 1)
        up_to = await self._pages.newest(channel_id)  # what comes later, the new session brings
        while True:
            page = await self._pages.after(channel_id, after, up_to)
            whole = len(page) == self._pages.size
            await self._compare(channel_id, page, after, page[-1].id if whole else None)
            if not whole:
                return
            after = int(page[-1].id)

    async def _compare(self, channel_id: int, page: Sequence[hikari.Message], after: int, end: int | None) -> None:
        """Makes what is stored of a stretch what Discord holds of it; `end`: its last ID, None at the channel's end."""
        guild_id = self._gap.guild_id
        up_to = max([self._gap.before_id, *(int(message.id) for message in page)]) if end is None else end
        async with self._database.connection() as connection:
            rows = await read_stretch(connection, guild_id, channel_id, self._generation, after=after, up_to=up_to)
        stored = {row.message_id: row for row in rows}
        there = {int(message.id) for message in page}
        gone = [message_id for message_id in stored if message_id not in there and message_id < self._gap.before_id]
        if gone:
            self._require_owned()
            self.done["removed"] += await self._guilds.remove(guild_id, self._owner, gone)
        nsfw = self._directory.is_nsfw(channel_id)
        for message in page:
            await self._take(stored_form(message, nsfw=nsfw), message, stored.get(int(message.id)))

    async def _take(self, now: StoredMessage, message: hikari.Message, before: StoredMessage | None) -> None:
        self._require_owned()
        guild_id = self._gap.guild_id
        if before is not None:
            if before.content != now.content:
                self.done["edited"] += await self._guilds.edit(guild_id, self._owner, now)
        elif is_learned(message) and now.author_id not in self._directory.opted_out:
            self.done["learned"] += self._guilds.learn(guild_id, self._owner, now, self._owner.position.last)

    def _require_owned(self) -> None:
        """Asked before each change: the guild's state in memory belongs to whoever owns it now."""
        if not self._is_owned():
            raise SupersededError(f"guild {self._gap.guild_id} is no longer served here")
