"""Training in the command's own process, with the same ledger and the same chunks as a worker's.

Killed at any moment, it goes on after its last chunk when it is started again with the same files.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Sequence

from markov_shard.errors import JobError, MarkovShardError, SupersededError
from markov_shard.runtime import Runtime
from markov_shard.shared.news import News, announce
from markov_shard.store.claims import claim_job, hold_local_job, require_claim, take_over_job
from markov_shard.store.guilds import read_guild
from markov_shard.store.jobs import Job, create_job, read_job, unfinished_training
from markov_shard.training.compiling import Published, compile_guild
from markov_shard.training.files import Survey
from markov_shard.training.holding import holding
from markov_shard.training.importing import OnChunk, apply_files, begin, finish, give_up, import_settings, names

_HOLDER = "train"


async def train_here(
    runtime: Runtime, guild_id: int, files: Sequence[Survey], *, clean: bool, on_chunk: OnChunk
) -> tuple[Job, Published]:
    """Learns surveyed files and publishes the chain; returns the finished job and the image's figures.

    Raises JobError when the guild is being trained elsewhere. A failed clean run leaves the old chain as it was.
    """
    async with _claimed(runtime, guild_id, files, clean=clean) as claimed, holding(runtime.database, claimed):
        try:
            job = await begin(runtime.database, claimed, clean=clean)
            await apply_files(runtime.database, job, files, batch_size=runtime.settings.batch_size, on_chunk=on_chunk)
            published = await compile_guild(
                runtime.database,
                guild_id,
                state_size=runtime.settings.state_size,
                generation=await _unpublished(runtime, job),
                guard=lambda connection: require_claim(connection, job),
            )
        except MarkovShardError as error:
            if not isinstance(error, SupersededError):
                with contextlib.suppress(MarkovShardError):  # the same cause may keep this from being noted
                    await give_up(runtime.database, claimed, "failed", str(error))
            raise
        await announce(runtime.redis, News(guild_id, "image"))
        if await import_settings(runtime.database, job, files):
            await announce(runtime.redis, News(guild_id, "channels"))
        await finish(runtime.database, job)
    async with runtime.database.connection() as connection:
        return await read_job(connection, guild_id, job.job_id), published


async def _unpublished(runtime: Runtime, job: Job) -> int | None:
    """The generation to publish; None when it answers already, or none was filled."""
    async with runtime.database.connection() as connection:
        guild = await read_guild(connection, job.guild_id)
    return job.generation if job.generation != guild.generation else None


@contextlib.asynccontextmanager
async def _claimed(runtime: Runtime, guild_id: int, files: Sequence[Survey], *, clean: bool) -> AsyncIterator[Job]:
    """This command's job: the one it left unfinished or a new one."""
    payload = {"local": True, "clean": clean, "files": names(files)}
    async with runtime.database.connection() as holding:
        if not await hold_local_job(holding, guild_id):
            raise JobError(f"guild {guild_id} is being trained by another command; wait until it is done")
        try:
            async with runtime.database.connection() as connection:
                unfinished = await unfinished_training(connection, guild_id)
            if unfinished is not None and not unfinished.payload.get("local"):
                raise JobError(
                    f"job {unfinished.job_id} is training guild {guild_id}: wait for it, or `markov-shard jobs cancel`"
                )
            if unfinished is not None and unfinished.payload != payload:
                await _abandon(runtime, unfinished)
                unfinished = None
            yield await _claim(runtime, guild_id, unfinished, payload)
        finally:
            await asyncio.shield(holding.reset())  # gives the advisory lock back with the connection


async def _abandon(runtime: Runtime, job: Job) -> None:
    async with runtime.database.transaction() as connection:
        claimed = await take_over_job(connection, job)
    if claimed is not None:
        await give_up(runtime.database, claimed, "cancelled", "its command was killed, and another one followed")


async def _claim(runtime: Runtime, guild_id: int, unfinished: Job | None, payload: dict[str, object]) -> Job:
    async with runtime.database.transaction() as connection:
        job_id = unfinished.job_id if unfinished else await create_job(connection, guild_id, "import", payload=payload)
        # The advisory lock says that no other command works on it, whatever the killed one's lease says.
        job = await claim_job(connection, guild_id, job_id, holder=_HOLDER) if job_id is not None else None
    if job is None:
        raise JobError(f"guild {guild_id} was just given another training job; try again")
    return job
