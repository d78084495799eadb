"""Asking for jobs: a row in Postgres first, then a reference on the Redis stream.

When Redis is away the row is enough: a worker's sweep puts the reference on the stream later.
"""

import contextlib
from dataclasses import dataclass

from markov_shard.errors import JobError, RedisUnavailableError
from markov_shard.logs import get_logger
from markov_shard.runtime import Runtime
from markov_shard.shared.news import News, announce
from markov_shard.shared.queue import JobQueue, Reference
from markov_shard.store.claims import finish_job, is_held, requeue_job, require_claim, take_over_job
from markov_shard.store.jobs import FINISHED, LANE_OF, Job, JobKind, create_job, find_job, unfinished_training
from markov_shard.store.upkeep import guilds_with_removals, left_guilds
from markov_shard.training.importing import give_up, is_published

_log = get_logger(__name__)


@dataclass(frozen=True)
class Cancelled:
    """A job that was cancelled, and how many of the messages it had learned stay learned."""

    job: Job
    kept: int

    def __str__(self) -> str:
        if self.job.kind not in ("import", "backfill"):
            return f"job {self.job.job_id} is cancelled"
        if self.job.payload.get("clean"):
            return f"job {self.job.job_id} is cancelled; what was known before is kept, nothing of the job"
        return f"job {self.job.job_id} is cancelled; {self.kept:,} messages that it had learned are kept"


async def request_training(
    runtime: Runtime, guild_id: int, *, url: str | None, clean: bool, user_id: int, force: bool = False
) -> int:
    """A job that learns an attached file or, without one, the history of the listened channels; returns its ID.

    `force` learns a file again that was learned before. Raises JobError when the guild has an unfinished job, and
    when so many of other guilds wait that this one would not be begun soon.
    """
    kind: JobKind = "import" if url else "backfill"
    await _refuse_when_full(runtime, kind)
    payload: dict[str, object] = {"url": url, "clean": clean, "force": force} if url else {"clean": clean}
    job_id = await _request(runtime, guild_id, kind, payload, user_id)
    if job_id is None and await _drop_abandoned(runtime, guild_id):
        job_id = await _request(runtime, guild_id, kind, payload, user_id)
    if job_id is None:
        async with runtime.database.connection() as connection:
            other = await unfinished_training(connection, guild_id)
        raise JobError(f"job {other.job_id if other else '?'} is teaching this server already; wait until it is done")
    return job_id


async def _refuse_when_full(runtime: Runtime, kind: JobKind) -> None:
    limit = runtime.settings.max_queued_jobs
    try:
        depth = await JobQueue(runtime.redis, runtime.name).depth(LANE_OF[kind])
    except RedisUnavailableError:
        return  # a row that waits for Redis does no harm
    if depth >= limit:
        raise JobError(f"{depth} trainings are waiting, and no more than {limit} may: try again in a while")


async def _drop_abandoned(runtime: Runtime, guild_id: int) -> bool:
    """Cancels a job of a `train` command that was killed and not started again; False when there is none."""
    async with runtime.database.transaction() as connection:
        other = await unfinished_training(connection, guild_id)
        if other is None or not other.payload.get("local") or await is_held(connection, other):
            return False
        claimed = await take_over_job(connection, other)
    if claimed is not None:
        reason = "its command was killed, and another job followed"
        await give_up(runtime.database, claimed, "cancelled", reason, drop=False)  # the other job will
    return True


async def request_compile(runtime: Runtime, guild_id: int) -> int | None:
    """A job that brings the image up to date; None when one waits already."""
    return await _request(runtime, guild_id, "compile", {}, None)


async def request_forget(runtime: Runtime, guild_id: int) -> int | None:
    """A job that compiles the guild's images anew and removes every copy of the old ones, after messages went."""
    return await _request(runtime, guild_id, "forget", {}, None)


async def request_purge(runtime: Runtime, guild_id: int) -> int | None:
    """A job that deletes everything of a guild which removed the bot, unless it is in it again."""
    return await _request(runtime, guild_id, "purge", {}, None)


async def request_due_purges(runtime: Runtime) -> None:
    """Has guilds purged that removed the bot long enough ago."""
    async with runtime.database.connection() as connection:
        gone = await left_guilds(connection, days=runtime.settings.guild_purge_days)
    for guild_id in gone:
        await request_purge(runtime, guild_id)


async def request_due_scrubs(runtime: Runtime) -> None:
    """Has images freed of the words of deleted messages."""
    async with runtime.database.connection() as connection:
        holding = await guilds_with_removals(connection)
    for guild_id in holding:
        await request_forget(runtime, guild_id)


async def request_authors(runtime: Runtime, guild_id: int) -> int | None:
    """A job that asks Discord for the authors of imported messages; None when one is unfinished already."""
    return await _request(runtime, guild_id, "authors", {}, None)


async def _request(
    runtime: Runtime, guild_id: int, kind: JobKind, payload: dict[str, object], user_id: int | None
) -> int | None:
    async with runtime.database.transaction() as connection:
        job_id = await create_job(connection, guild_id, kind, payload=payload, requested_by=user_id)
    if job_id is not None:
        try:
            await JobQueue(runtime.redis, runtime.name).put(LANE_OF[kind], Reference(guild_id, job_id))
        except RedisUnavailableError as error:
            _log.warning("a job waits for Redis", job=job_id, reason=str(error))
    return job_id


async def cancel_job(runtime: Runtime, job_id: int, *, by: str = "an operator") -> Cancelled:
    """Cancels an unfinished job, and says what was kept; a worker at it stops within seconds.

    A clean job leaves what was known before, any other what it had learned until now; a worker brings the chain up to
    date with that, and deletes what nobody reads any more. Raises JobError.
    """
    async with runtime.database.transaction() as connection:
        job = await find_job(connection, job_id)
        if job.state in FINISHED:
            raise JobError(f"job {job_id} is {job.state} already")
        claimed = await take_over_job(connection, job)
    if claimed is None:
        raise JobError(f"job {job_id} was just finished")
    if await is_published(runtime.database, claimed):
        await _complete(runtime, claimed)
        raise JobError(f"job {job_id} was just finished: what it learned answers already")
    kept = 0 if claimed.generation is not None else claimed.messages
    await give_up(runtime.database, claimed, "cancelled", f"cancelled by {by}", drop=False)
    if kept or claimed.generation is not None:
        await request_compile(runtime, claimed.guild_id)
    async with runtime.database.connection() as connection:
        return Cancelled(await find_job(connection, job_id), kept)


async def _complete(runtime: Runtime, job: Job) -> None:
    """Ends a job that was taken from its worker between publishing and the end."""
    async with runtime.database.transaction() as connection:
        await require_claim(connection, job)
        await finish_job(connection, job, "done")
    with contextlib.suppress(RedisUnavailableError):  # readers find out by themselves, too
        await announce(runtime.redis, News(job.guild_id, "image"))
        await announce(runtime.redis, News(job.guild_id, "channels"))
    await request_compile(runtime, job.guild_id)


async def retry_job(runtime: Runtime, job_id: int) -> None:
    """Queues a failed, dead or cancelled job again, from its beginning or its last chunk. Raises JobError."""
    async with runtime.database.transaction() as connection:
        job = await find_job(connection, job_id)
        await requeue_job(connection, job)
    queue = JobQueue(runtime.redis, runtime.name)
    await queue.drop_letters(job_id)
    await queue.put(job.lane, Reference(job.guild_id, job.job_id))
