"""A guild's past: the messages of its listened channels and their threads, read over REST.

Newest to oldest, 100 a page, channel after channel. Each page is committed with where every channel stands, so a
job that is interrupted asks again for no page but the one it was reading. hikari keeps to Discord's rate limits.
"""

from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import hikari

from markov_shard.errors import JobError
from markov_shard.logs import get_logger
from markov_shard.rest import explained
from markov_shard.store.channels import ChannelRow, read_channels, save_channels
from markov_shard.store.jobs import Job, note
from markov_shard.store.ledger import last_chunk
from markov_shard.store.pool import Database
from markov_shard.training.discord_pages import MAY_NOT, Pages, is_learned, stored_form
from markov_shard.training.importing import Batch, apply_batch
from markov_shard.training.removing import Remover
from markov_shard.training.turns import Turn

_log = get_logger(__name__)


@dataclass
class _Progress:
    """Where the channels stand: those read to their beginning, and the page reached in the present one."""

    done: list[int] = field(default_factory=list)
    current: int | None = None
    before: int | None = None
    newest: int | None = None
    channels: int = 0

    @classmethod
    def of(cls, position: Mapping[str, Any]) -> "_Progress":
        current, before, newest = (
            int(position[key]) if position[key] is not None else None for key in ("current", "before", "newest")
        )
        return cls(list(map(int, position["done"])), current, before, newest, int(position["channels"]))

    def enter(self, channel_id: int) -> None:
        if self.current != channel_id:
            self.current, self.before, self.newest = channel_id, None, None

    def page(self, page: Sequence[hikari.Message]) -> None:
        self.newest = self.newest or int(page[0].id)
        self.before = int(page[-1].id)

    def leave(self, channel_id: int) -> None:
        self.done.append(channel_id)
        self.current, self.before, self.newest = None, None, None

    def position(self) -> dict[str, Any]:
        part = self._channel_fraction()
        whole = min(1.0, (len(self.done) + part) / self.channels) if self.channels else 0.0
        text = {"current": self.current, "before": self.before, "newest": self.newest}
        return {
            "done": list(map(str, self.done)),
            **{key: str(value) if value is not None else None for key, value in text.items()},
            "channels": self.channels,
            "channel_fraction": part,
            "fraction": whole,
        }

    def _channel_fraction(self) -> float:
        """How much of the time from the channel's making to its newest message is read: IDs hold their time."""
        if self.current is None or self.before is None or self.newest is None or self.newest <= self.current:
            return 0.0
        return max(0.0, min(1.0, (self.newest - self.before) / (self.newest - self.current)))


class History:
    """Backfills one guild for one job."""

    def __init__(
        self,
        rest: hikari.api.RESTClient,
        database: Database,
        job: Job,
        *,
        turn: Turn,
        remover: Remover,
    ) -> None:
        self._rest = rest
        self._source = Pages(rest)
        self._remover = remover
        self._database = database
        self._job = job
        self._turn = turn
        self._refused = [str(channel) for channel in job.payload.get("refused", ())]

    async def apply(self) -> None:
        """Stores what the channels hold. Channels that may not be read are noted and left out.

        Raises JobError when no channel is listened to, DiscordUnavailableError when Discord is away, TurnOverError
        when others are to go ahead.
        """
        async with self._database.connection() as connection:
            listened = [row for row in await read_channels(connection, self._job.guild_id) if row.listen]
            done = await last_chunk(connection, self._job)
        if not listened:
            raise JobError("no channel is listened to: choose some with `/listen add`, or attach a file")
        progress = _Progress.of(done.position) if done else _Progress()
        number = done.chunk_no + 1 if done else 0
        try:
            async for batch in self._batches(listened, progress):
                await apply_batch(self._database, self._job, number, batch)
                number += 1
                await self._turn.check()
        except hikari.HikariError as error:
            raise explained(error) from error

    async def _batches(self, listened: Sequence[ChannelRow], progress: _Progress) -> AsyncIterator[Batch]:
        active = await self._active_threads()
        places: list[ChannelRow] = []
        for row in listened:
            places += [row, *await self._threads(row, active)]
        progress.channels = len(places)
        for place in places:
            if place.channel_id in progress.done:
                continue
            progress.enter(place.channel_id)
            async for page in self._pages(place.channel_id, progress.before):
                progress.page(page)
                learned = [stored_form(message, nsfw=place.nsfw) for message in page if is_learned(message)]
                yield Batch(learned, len(page) - len(learned), progress.position())
            progress.leave(place.channel_id)
            yield Batch([], 0, progress.position())

    async def _pages(self, channel_id: int, before: int | None) -> AsyncIterator[Sequence[hikari.Message]]:
        """Pages of 100, newest first; none when the channel is gone or may not be read."""
        while True:
            try:
                page = await self._source.before(channel_id, before)
            except hikari.NotFoundError as error:
                await self._refuse(channel_id, error)
                await self._remover.remove_channel(channel_id)  # deleted half-way: what was said there is deleted, too
                return
            except hikari.ForbiddenError as error:
                await self._refuse(channel_id, error)
                return
            if page:
                yield page
                before = int(page[-1].id)
            if len(page) < self._source.size:
                return

    async def _refuse(self, channel_id: int, error: hikari.HikariError) -> None:
        _log.warning("a channel cannot be read", channel=str(channel_id), reason=str(error).splitlines()[0])
        if str(channel_id) not in self._refused:
            self._refused.append(str(channel_id))
            async with self._database.connection() as connection:
                await note(connection, self._job, "refused", self._refused)

    async def _active_threads(self) -> Sequence[hikari.GuildThreadChannel]:
        try:
            return await self._source.asked(lambda: self._rest.fetch_active_threads(self._job.guild_id))
        except MAY_NOT:
            return ()

    async def _threads(self, row: ChannelRow, active: Sequence[hikari.GuildThreadChannel]) -> list[ChannelRow]:
        """Threads under a channel, the archived ones included, and the private ones where the bot may see them."""
        found = {int(thread.id) for thread in active if thread.parent_id == row.channel_id}
        for fetch in (self._rest.fetch_public_archived_threads, self._rest.fetch_private_archived_threads):
            try:
                archived = await self._source.asked(partial(_all, fetch, row.channel_id))
            except (*MAY_NOT, hikari.BadRequestError):
                continue  # no such kind of thread here, or none that the bot may see
            found |= {int(thread.id) for thread in archived}
        threads = [ChannelRow(thread_id, row.channel_id, row.nsfw) for thread_id in sorted(found)]
        if threads:
            async with self._database.connection() as connection:
                await save_channels(connection, self._job.guild_id, threads)
        return threads


_Archived = Callable[[int], hikari.LazyIterator[Any]]


async def _all(fetch: _Archived, channel_id: int) -> Sequence[hikari.GuildThreadChannel]:
    return await fetch(channel_id)
