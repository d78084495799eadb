"""Asking for jobs: a row in Postgres first, then a reference on the Redis stream.

When Redis is away the row is enough: a worker's sweep puts the reference on the stream later.
"""

from markov_shard.errors import JobError, RedisUnavailableError
from markov_shard.logs import get_logger
from markov_shard.runtime import Runtime
from markov_shard.shared.queue import JobQueue, Reference
from markov_shard.store.jobs import (
    FINISHED,
    JobKind,
    Lane,
    claim_job,
    create_job,
    find_job,
    requeue_job,
    unfinished_training,
)
from markov_shard.training.importing import give_up

_log = get_logger(__name__)


async def request_training(runtime: Runtime, guild_id: int, *, url: str | None, clean: bool, user_id: int) -> int:
    """A job that learns an attached file or, without one, the history of the listened channels; returns its ID.

    Raises JobError when the guild has an unfinished one.
    """
    kind: JobKind = "import" if url else "backfill"
    payload: dict[str, object] = {"url": url, "clean": clean} if url else {"clean": clean}
    job_id = await _request(runtime, guild_id, kind, "training", payload, user_id)
    if job_id is None:
        async with runtime.database.connection() as connection:
            other = await unfinished_training(connection, guild_id)
        raise JobError(f"job {other.job_id if other else '?'} is teaching this server already; wait until it is done")
    return job_id


async def request_compile(runtime: Runtime, guild_id: int) -> int | None:
    """A job that brings the image up to date; None when one waits already."""
    return await _request(runtime, guild_id, "compile", "upkeep", {}, None)


async def _request(
    runtime: Runtime, guild_id: int, kind: JobKind, lane: Lane, payload: dict[str, object], user_id: int | None
) -> int | None:
    async with runtime.database.transaction() as connection:
        job_id = await create_job(connection, guild_id, kind, lane=lane, payload=payload, requested_by=user_id)
    if job_id is not None:
        try:
            await JobQueue(runtime.redis, runtime.name).put(lane, Reference(guild_id, job_id))
        except RedisUnavailableError as error:
            _log.warning("a job waits for Redis", job=job_id, reason=str(error))
    return job_id


async def cancel_job(runtime: Runtime, job_id: int) -> None:
    """Cancels an unfinished job; a worker at it finds its next write refused. Raises JobError."""
    async with runtime.database.transaction() as connection:
        job = await find_job(connection, job_id)
        if job.state in FINISHED:
            raise JobError(f"job {job_id} is {job.state} already")
        claimed = await claim_job(connection, job.guild_id, job_id)
    if claimed is not None:
        await give_up(runtime.database, claimed, "cancelled", "cancelled by an operator")


async def retry_job(runtime: Runtime, job_id: int) -> None:
    """Queues a failed, dead or cancelled job again, from its beginning or its last chunk. Raises JobError."""
    async with runtime.database.transaction() as connection:
        job = await find_job(connection, job_id)
        await requeue_job(connection, job)
    await JobQueue(runtime.redis, runtime.name).put(job.lane, Reference(job.guild_id, job.job_id))
