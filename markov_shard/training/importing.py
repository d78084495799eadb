"""An import job: the entries of files, chunk by chunk, each chunk once.

A chunk's messages and its ledger row are written in one transaction that requires the job's claim, so a job may
be stopped anywhere, by anything, and goes on after its last committed chunk.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from markov_shard.errors import SupersededError
from markov_shard.store.channels import read_channels
from markov_shard.store.claims import finish_job, require_claim, set_generation
from markov_shard.store.generations import abort_generation, drop_generations, fill_generation, start_generation
from markov_shard.store.jobs import Job, JobState, read_job
from markov_shard.store.ledger import Chunk, last_chunk, record_chunk
from markov_shard.store.messages import StoredMessage, learn_messages
from markov_shard.store.pool import Connection, Database
from markov_shard.training.entries import Entry
from markov_shard.training.files import Survey, read_entries


@dataclass(frozen=True)
class Batch:
    """A chunk's worth of messages, and where their source stands after them."""

    messages: Sequence[StoredMessage]
    skipped: int
    position: Mapping[str, Any]


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
    first = int(done.position["file"]) if done else 0
    skip = int(done.position["entries"]) if done else 0
    for index in range(first, len(files)):
        batches = _batches(files[index], index, skip if index == first else 0, batch_size, nsfw)
        while (batch := await asyncio.to_thread(next, batches, None)) is not None:
            await apply_batch(database, job, number, batch)
            on_chunk(batch)
            number += 1


def _batches(file: Survey, index: int, skip: int, batch_size: int, nsfw_channels: frozenset[int]) -> Iterator[Batch]:
    entries = read_entries(file.path)
    for _ in islice(entries, skip):
        pass  # stored by earlier chunks
    while taken := list(islice(entries, batch_size)):
        messages, skipped = [], 0
        for position, entry in taken:
            if isinstance(entry, Entry):
                messages.append(entry.stored(file.sha256, position, nsfw=entry.channel_id in nsfw_channels))
            elif entry is not None:
                skipped += 1
        skip += len(taken)
        yield Batch(messages, skipped, {"file": index, "entries": skip})


async def apply_batch(database: Database, job: Job, number: int, batch: Batch) -> int:
    """Writes one chunk and its ledger row; returns how many messages were new."""
    async with database.transaction() as connection:
        await require_claim(connection, job)
        new = await _store(connection, job, batch.messages)
        skipped = batch.skipped + len(batch.messages) - new
        await record_chunk(connection, job, Chunk(number, new, skipped, batch.position))
    return new


async def _store(connection: Connection, job: Job, messages: Sequence[StoredMessage]) -> int:
    if not messages:
        return 0
    if job.generation is not None:
        return await fill_generation(connection, job.guild_id, job.generation, messages)
    return len(await learn_messages(connection, job.guild_id, messages))


async def finish(database: Database, job: Job) -> None:
    """After publishing: deletes the generation that was replaced, then marks the job done."""
    await drop_old(database, job.guild_id)
    async with database.transaction() as connection:
        await require_claim(connection, job)
        await finish_job(connection, job, "done")


async def give_up(database: Database, job: Job, state: JobState, error: str) -> None:
    """Ends a job that cannot be completed: what a clean one stored goes, the old chain stays.

    A job that somebody else has claimed is left to them.
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
