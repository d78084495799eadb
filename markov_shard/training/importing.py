"""An import job: the entries of files, chunk by chunk, each chunk once.

A chunk's messages and its ledger row are written in one transaction that requires the job's claim, so a job may
be stopped anywhere, by anything, and goes on after its last committed chunk.
"""

import asyncio
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any

from markov_shard.errors import SupersededError
from markov_shard.store.bulk import drop_older_texts, store_messages
from markov_shard.store.channels import import_channels, read_channels
from markov_shard.store.claims import finish_job, require_claim, set_generation
from markov_shard.store.generations import abort_generation, drop_generations, start_generation
from markov_shard.store.guilds import read_guild
from markov_shard.store.jobs import Job, JobState, read_job
from markov_shard.store.ledger import Chunk, last_chunk, record_chunk
from markov_shard.store.messages import StoredMessage
from markov_shard.store.pool import Database
from markov_shard.training.entries import Entry
from markov_shard.training.files import Survey, read_entries
from markov_shard.training.formats import Parsed


@dataclass(frozen=True)
class Batch:
    """A chunk's worth of messages, and where their source stands after them."""

    messages: Sequence[StoredMessage]
    skipped: int
    position: Mapping[str, Any]
    edited: Sequence[int] = ()
    """IDs of messages whose text replaces what an earlier source of the same job had."""
    threads: Mapping[int, int] = field(default_factory=dict)
    """Threads that messages were said in, and the channels they are under."""


OnChunk = Callable[[Batch], None]


async def begin(database: Database, job: Job, *, clean: bool) -> Job:
    """Opens the generation a clean job fills; a job that was begun before goes on with its own."""
    if not clean or job.generation is not None:
        return job
    async with database.transaction() as connection:
        await require_claim(connection, job)
        await set_generation(connection, job, await start_generation(connection, job.guild_id))
        return await read_job(connection, job.guild_id, job.job_id)


async def apply_files(
    database: Database, job: Job, files: Sequence[Survey], *, batch_size: int, on_chunk: OnChunk = lambda batch: None
) -> None:
    """Stores what the files hold and no chunk has stored yet. Raises SupersededError when the claim is lost."""
    async with database.connection() as connection:
        done = await last_chunk(connection, job)
        nsfw = frozenset(row.channel_id for row in await read_channels(connection, job.guild_id) if row.nsfw)
    number = done.chunk_no + 1 if done else 0
    source = _Source(files, nsfw, done.position if done else None)
    batches = source.batches(batch_size)
    ahead = asyncio.ensure_future(asyncio.to_thread(next, batches, None))  # parsed while the one before is stored
    try:
        while (batch := await ahead) is not None:
            ahead = asyncio.ensure_future(asyncio.to_thread(next, batches, None))
            await apply_batch(database, job, number, batch)
            on_chunk(batch)
            number += 1
    finally:
        await asyncio.wait([ahead])  # a generator at work cannot be closed
        batches.close()


class _Source:
    """The entries of files as chunks, from a chunk's position on."""

    def __init__(
        self, files: Sequence[Survey], nsfw_channels: frozenset[int], position: Mapping[str, Any] | None
    ) -> None:
        self._files = files
        self._nsfw_channels = nsfw_channels
        self._first = int(position["file"]) if position else 0
        self._skip = int(position["entries"]) if position else 0
        self._total = sum(file.entries + file.bad for file in files)

    def batches(self, size: int) -> Generator[Batch, None, None]:
        before = sum(file.entries + file.bad for file in self._files[: self._first])
        for index in range(self._first, len(self._files)):
            file = self._files[index]
            entries = read_entries(file.path, file.for_guild)
            read = self._skip if index == self._first else 0
            for _ in islice(entries, read):
                pass  # stored by earlier chunks
            while taken := list(islice(entries, size)):
                read += len(taken)
                fraction = min(1.0, (before + read) / self._total) if self._total else 1.0
                yield self._batch(file, taken, {"file": index, "entries": read, "fraction": fraction})
            before += file.entries + file.bad

    def _batch(self, file: Survey, taken: Sequence[Parsed], position: Mapping[str, Any]) -> Batch:
        messages: dict[int, StoredMessage] = {}
        edited, threads, skipped = list[int](), dict[int, int](), 0
        for place, entry in taken:
            if not isinstance(entry, Entry):
                skipped += entry is not None
                continue
            if entry.parent_id is not None and entry.channel_id is not None:
                threads[entry.channel_id] = entry.parent_id
            nsfw = entry.channel_id in self._nsfw_channels or entry.parent_id in self._nsfw_channels
            message = entry.stored(file.sha256, place, nsfw=nsfw)
            skipped += message.message_id in messages
            if entry.edited:
                edited.append(message.message_id)
                messages[message.message_id] = message
            else:
                messages.setdefault(message.message_id, message)
        return Batch(list(messages.values()), skipped, position, edited, threads)


async def apply_batch(database: Database, job: Job, number: int, batch: Batch) -> int:
    """Writes one chunk and its ledger row; returns how many messages were new."""
    async with database.transaction() as connection:
        await require_claim(connection, job)
        if batch.edited and job.generation is not None:
            await drop_older_texts(connection, job.guild_id, job.generation, batch.edited)
        new = await store_messages(connection, job.guild_id, job.generation, batch.messages)
        if batch.threads:
            await import_channels(connection, job.guild_id, threads=batch.threads)
        skipped = batch.skipped + len(batch.messages) - new
        await record_chunk(connection, job, Chunk(number, new, skipped, batch.position))
    return new


async def import_settings(database: Database, job: Job, files: Sequence[Survey]) -> bool:
    """After publishing: takes over which channels the files say to listen to; whether there were any."""
    channels = [channel for file in files for channel in file.channels]
    if channels:
        async with database.transaction() as connection:
            await require_claim(connection, job)
            await import_channels(
                connection,
                job.guild_id,
                listen=[channel.channel_id for channel in channels if channel.listen],
                autorespond=[channel.channel_id for channel in channels if channel.autorespond],
            )
    return bool(channels)


async def finish(database: Database, job: Job) -> None:
    """After publishing: deletes the generation that was replaced, then marks the job done."""
    await drop_old(database, job.guild_id)
    async with database.transaction() as connection:
        await require_claim(connection, job)
        await finish_job(connection, job, "done")


async def is_published(database: Database, job: Job) -> bool:
    """Whether a clean job's generation answers already, so that nothing is left of it but to tidy up."""
    async with database.connection() as connection:
        return job.generation is not None and (await read_guild(connection, job.guild_id)).generation == job.generation


async def give_up(database: Database, job: Job, state: JobState, error: str, *, drop: bool = True) -> None:
    """Ends a job that cannot be completed: what a clean one stored goes, the old chain stays.

    Without `drop` the rows, which may be millions, are left to the next compile job. A job that somebody else has
    claimed is left to them.
    """
    try:
        async with database.transaction() as connection:
            await require_claim(connection, job)
            current = await read_job(connection, job.guild_id, job.job_id)
            if current.generation is not None:
                await abort_generation(connection, job.guild_id, current.generation)
            await finish_job(connection, job, state, error)
    except SupersededError:
        return
    if drop:
        await drop_old(database, job.guild_id)


async def drop_old(database: Database, guild_id: int) -> None:
    """Deletes the rows of generations that nobody reads any more."""
    while True:
        async with database.transaction() as connection:
            if not await drop_generations(connection, guild_id):
                return


def names(files: Sequence[Survey]) -> list[dict[str, str]]:
    """The files as a job's payload names them: enough to recognise them, with no path in it."""
    return [{"name": Path(file.path).name, "sha256": file.sha256.hex()} for file in files]
