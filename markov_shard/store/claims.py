"""Who works on a job: claims with a fence and a lease, and how a job is given back or ended.

A job's `fence` grows with each claim; whatever a worker writes for a job requires that its claim is the latest,
in the same transaction. The lease (`claimed_until`) only keeps others from starting work that would be refused:
correctness rests on the fence. See Kleppmann, "How to do distributed locking" (2016).
"""

import asyncpg

from markov_shard.errors import JobError, SupersededError
from markov_shard.store.jobs import COLUMNS, Job, JobState, job_of
from markov_shard.store.pool import Connection

CLAIM_SECONDS = 20
"""How long a claim lives without being renewed."""

_LOCAL_JOB = 0x6D61  # the class of advisory locks that stand for commands training a guild


async def claim_job(connection: Connection, guild_id: int, job_id: int, *, holder: str = "") -> Job | None:
    """Makes the caller the job's only writer, fencing off an earlier claimer.

    None when the job is finished, or when another holder's claim has not run out. A holder's own earlier claim,
    as of a process that died and was started again under its name, does not stand in its way.
    """
    row = await connection.fetchrow(
        "UPDATE jobs SET state = 'running', fence = fence + 1, deliveries = deliveries + 1, claimed_by = $3,"
        " claimed_until = now() + make_interval(secs => $4), started_at = coalesce(started_at, now())"
        " WHERE guild_id = $1 AND job_id = $2 AND state IN ('queued', 'running')"
        f" AND (claimed_until IS NULL OR claimed_until < now() OR claimed_by = $3) RETURNING {COLUMNS}",
        guild_id,
        job_id,
        holder,
        CLAIM_SECONDS,
    )
    return job_of(row) if row else None


async def take_over_job(connection: Connection, job: Job) -> Job | None:
    """Claims a job whoever works on it, as one who cancels it does; None when it is finished."""
    row = await connection.fetchrow(
        "UPDATE jobs SET state = 'running', fence = fence + 1, claimed_by = NULL, claimed_until = NULL"
        f" WHERE guild_id = $1 AND job_id = $2 AND state IN ('queued', 'running') RETURNING {COLUMNS}",
        job.guild_id,
        job.job_id,
    )
    return job_of(row) if row else None


async def is_held(connection: Connection, job: Job) -> bool:
    """Whether somebody works on the job, as far as its lease tells."""
    held: bool = await connection.fetchval(
        "SELECT EXISTS (SELECT FROM jobs WHERE guild_id = $1 AND job_id = $2 AND claimed_until > now())",
        job.guild_id,
        job.job_id,
    )
    return held


async def renew_claim(connection: Connection, job: Job) -> bool:
    """Says that the holder still works; False when the job was cancelled, or is somebody else's."""
    renewed: bool | None = await connection.fetchval(
        "UPDATE jobs SET claimed_until = now() + make_interval(secs => $4)"
        " WHERE guild_id = $1 AND job_id = $2 AND fence = $3 AND state = 'running' RETURNING true",
        job.guild_id,
        job.job_id,
        job.fence,
        CLAIM_SECONDS,
    )
    return bool(renewed)


async def release_claim(connection: Connection, job: Job, *, tried: bool = False) -> None:
    """Gives a job back unfinished: whoever comes next may claim it at once.

    The delivery counts against the job only when it was `tried` and failed.
    """
    await connection.execute(
        "UPDATE jobs SET claimed_until = NULL, claimed_by = NULL,"
        " deliveries = greatest(deliveries - CASE WHEN $4 THEN 0 ELSE 1 END, 0)"
        " WHERE guild_id = $1 AND job_id = $2 AND fence = $3",
        job.guild_id,
        job.job_id,
        job.fence,
        tried,
    )


async def require_claim(connection: Connection, job: Job) -> None:
    """Holds the job's row until this transaction ends. Raises SupersededError when the claim is not the latest."""
    row = await connection.fetchrow(
        "SELECT fence, state FROM jobs WHERE guild_id = $1 AND job_id = $2 FOR UPDATE", job.guild_id, job.job_id
    )
    if row is None or row["fence"] != job.fence or row["state"] != "running":
        now = f"is {row['state']}, claim {row['fence']}" if row else "is gone"
        raise SupersededError(f"job {job.job_id} {now}: the write of claim {job.fence} is refused")


async def set_generation(connection: Connection, job: Job, generation: int | None) -> None:
    """Notes the generation that the job fills."""
    await connection.execute(
        "UPDATE jobs SET generation = $3 WHERE guild_id = $1 AND job_id = $2", job.guild_id, job.job_id, generation
    )


async def note_failure(connection: Connection, job: Job, reason: str) -> None:
    """Writes down why a delivery came to nothing: what the dead letter will say, should there be no better one."""
    await connection.execute(
        "UPDATE jobs SET error = $4 WHERE guild_id = $1 AND job_id = $2 AND fence = $3 AND state = 'running'",
        job.guild_id,
        job.job_id,
        job.fence,
        reason,
    )


async def finish_job(connection: Connection, job: Job, state: JobState, error: str | None = None) -> None:
    """Ends a job for good; the caller's transaction must hold its claim, or cancel it."""
    await connection.execute(
        "UPDATE jobs SET state = $3, error = $4, finished_at = now(), claimed_until = NULL"
        " WHERE guild_id = $1 AND job_id = $2",
        job.guild_id,
        job.job_id,
        state,
        error,
    )


async def requeue_job(connection: Connection, job: Job) -> None:
    """Puts a job that was not done back into the queue, as an operator asked; the chunks it committed stay counted.

    A clean one begins anew, with an empty generation. Raises JobError.
    """
    if job.state not in ("dead", "failed", "cancelled"):
        raise JobError(f"job {job.job_id} is {job.state}: only dead, failed and cancelled jobs can be retried")
    if job.generation is not None:
        await connection.execute("DELETE FROM job_chunks WHERE guild_id = $1 AND job_id = $2", job.guild_id, job.job_id)
    try:
        await connection.execute(
            "UPDATE jobs SET state = 'queued', deliveries = 0, error = NULL, finished_at = NULL, claimed_until = NULL,"
            " messages = CASE WHEN generation IS NULL THEN messages ELSE 0 END,"
            " skipped = CASE WHEN generation IS NULL THEN skipped ELSE 0 END, generation = NULL"
            " WHERE guild_id = $1 AND job_id = $2",
            job.guild_id,
            job.job_id,
        )
    except asyncpg.UniqueViolationError:
        raise JobError(
            f"job {job.job_id} cannot be retried while another one of guild {job.guild_id} is unfinished"
        ) from None


async def hold_local_job(connection: Connection, guild_id: int) -> bool:
    """Marks, until the connection closes, that a command trains the guild in its own process; False when one does."""
    held: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _LOCAL_JOB, guild_id % 2**31)
    return held
