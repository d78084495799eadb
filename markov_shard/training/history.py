"""A guild's past: the messages of its listened channels and their threads, read over REST.

Newest to oldest, 100 a request, channel after channel; each chunk's ledger row says where every channel stands,
so a job that is interrupted asks again for nothing it has stored. hikari keeps to Discord's rate limits.
"""

from collections.abc import AsyncIterator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any

import hikari

from markov_shard.errors import JobError
from markov_shard.logs import get_logger
from markov_shard.rest import explained
from markov_shard.store.channels import ChannelRow, read_channels
from markov_shard.store.jobs import Job, last_chunk, note
from markov_shard.store.messages import StoredMessage, clean_text
from markov_shard.store.pool import Database
from markov_shard.training.importing import Batch, apply_batch

_log = get_logger(__name__)

_LEARNED_TYPES = (hikari.MessageType.DEFAULT, hikari.MessageType.REPLY)


@dataclass
class _Progress:
    """Where the channels stand: those read to their beginning, and the oldest message read of the present one."""

    done: set[int] = field(default_factory=set)
    before: dict[int, int] = field(default_factory=dict)

    @classmethod
    def of(cls, position: Mapping[str, Any]) -> "_Progress":
        return cls(set(map(int, position["done"])), {int(key): int(value) for key, value in position["before"].items()})

    def position(self) -> dict[str, Any]:
        return {
            "done": [str(channel) for channel in sorted(self.done)],
            "before": {str(channel): str(message) for channel, message in self.before.items()},
        }


class History:
    """Backfills one guild for one job."""

    def __init__(self, rest: hikari.api.RESTClient, database: Database, job: Job, *, batch_size: int) -> None:
        self._rest = rest
        self._database = database
        self._job = job
        self._batch_size = batch_size
        self._refused: list[str] = []

    async def apply(self) -> None:
        """Stores what the channels hold. Channels that may not be read are noted and left out.

        Raises JobError when no channel is listened to, DiscordUnavailableError when Discord is away.
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
        except hikari.HikariError as error:
            raise explained(error) from error
        if self._refused:
            async with self._database.connection() as connection:
                await note(connection, self._job, "refused", self._refused)

    async def _batches(self, listened: Sequence[ChannelRow], progress: _Progress) -> AsyncIterator[Batch]:
        messages: list[StoredMessage] = []
        skipped = 0
        for row in listened:
            for channel_id in (row.channel_id, *await self._threads(row.channel_id)):
                if channel_id in progress.done:
                    continue
                async for page in self._pages(channel_id, progress.before.get(channel_id)):
                    learned = [_stored(message, nsfw=row.nsfw) for message in page if _is_learned(message)]
                    messages += learned
                    skipped += len(page) - len(learned)
                    progress.before[channel_id] = int(page[-1].id)
                    if len(messages) >= self._batch_size:
                        yield Batch(messages, skipped, progress.position())
                        messages, skipped = [], 0
                progress.before.pop(channel_id, None)
                progress.done.add(channel_id)
        yield Batch(messages, skipped, progress.position())

    async def _pages(self, channel_id: int, before: int | None) -> AsyncIterator[Sequence[hikari.Message]]:
        """Pages of 100, newest first; none when the channel is gone or may not be read."""
        history = self._rest.fetch_messages(channel_id, before=before if before is not None else hikari.UNDEFINED)
        try:
            async for page in history.chunk(100):
                yield page
        except (hikari.ForbiddenError, hikari.NotFoundError) as error:
            _log.warning("a channel cannot be read", channel=str(channel_id), reason=str(error).splitlines()[0])
            self._refused.append(str(channel_id))

    async def _threads(self, channel_id: int) -> list[int]:
        """Threads under a channel, archived ones included."""
        try:
            active = await self._rest.fetch_active_threads(self._job.guild_id)
            archived = await self._rest.fetch_public_archived_threads(channel_id)
        except (hikari.ForbiddenError, hikari.NotFoundError, hikari.BadRequestError):
            return []
        found: Iterable[hikari.GuildThreadChannel] = (*active, *archived)
        return sorted({int(thread.id) for thread in islice(found, 10_000) if thread.parent_id == channel_id})


def _is_learned(message: hikari.Message) -> bool:
    """Whether a person wrote it, and something can be learned from it."""
    person = not message.author.is_bot and message.webhook_id is None and message.type in _LEARNED_TYPES
    return person and bool((message.content or "").split())


def _stored(message: hikari.Message, *, nsfw: bool) -> StoredMessage:
    return StoredMessage(
        int(message.id),
        int(message.channel_id),
        int(message.author.id),
        clean_text(message.content or ""),
        tuple(attachment.url for attachment in message.attachments),
        nsfw,
    )
