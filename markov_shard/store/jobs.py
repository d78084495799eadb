"""The job ledger: what is to be done, by whom it is being done, and which chunks of it are committed.

A job's `fence` grows with each claim; whatever a worker writes for a job requires that its claim is the latest,
in the same transaction. The ledger row of a chunk is written with the chunk's messages, so it counts once.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from markov_shard.errors import JobError, SupersededError
from markov_shard.store.pool import Connection

JobKind = Literal["import", "backfill", "compile", "forget", "purge"]
Lane = Literal["training", "upkeep"]
JobState = Literal["queued", "running", "done", "failed", "cancelled", "dead"]
_LOCAL_JOB = 0x6D61  # the class of advisory locks that stand for commands training a guild
FINISHED: frozenset[JobState] = frozenset({"done", "failed", "cancelled", "dead"})


@dataclass(frozen=True)
class Job:
    """A row of the ledger. `messages` and `skipped` count committed chunks."""

    guild_id: int
    job_id: int
    kind: JobKind
    lane: Lane
    state: JobState
    payload: Mapping[str, Any]
    generation: int | None
    fence: int
    deliveries: int
    messages: int
    skipped: int
    error: str | None
    requested_by: int | None
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True)
class Chunk:
    """What one committed chunk did, and where its source stands after it."""

    chunk_no: int
    messages: int
    skipped: int
    position: Mapping[str, Any]


_COLUMNS = (
    "guild_id, job_id, kind, lane, state, payload, generation, fence, deliveries, messages, skipped, error,"
    " requested_by, created_at, started_at, finished_at"
)


def _job(row: Any) -> Job:
    return Job(**{**row, "payload": orjson.loads(row["payload"])})


async def create_job(
    connection: Connection,
    guild_id: int,
    kind: JobKind,
    *,
    lane: Lane = "training",
    payload: Mapping[str, Any] | None = None,
    requested_by: int | None = None,
) -> int | None:
    """Writes a queued job; returns its ID, or None when the guild has one already that it collapses into.

    One training job a guild at a time; compile jobs of a guild that wait are one.
    """
    job_id: int | None = await connection.fetchval(
        "INSERT INTO jobs (guild_id, kind, lane, payload, requested_by) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT DO NOTHING RETURNING job_id",
        guild_id,
        kind,
        lane,
        orjson.dumps(payload or {}).decode(),
        requested_by,
    )
    return job_id


async def read_job(connection: Connection, guild_id: int, job_id: int) -> Job:
    """One job. Raises JobError when there is none."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM jobs WHERE guild_id = $1 AND job_id = $2", guild_id, job_id
    )
    if row is None:
        raise JobError(f"there is no job {job_id} of guild {guild_id}")
    return _job(row)


async def unfinished_training(connection: Connection, guild_id: int) -> Job | None:
    """The guild's training job that is queued or running."""
    row = await connection.fetchrow(
        f"SELECT {_COLUMNS} FROM jobs WHERE guild_id = $1 AND lane = 'training' AND state IN ('queued', 'running')",
        guild_id,
    )
    return _job(row) if row else None


async def list_jobs(connection: Connection, *, unfinished: bool = False, limit: int = 100) -> Sequence[Job]:
    """The fleet's latest jobs, newest first. Fleet-wide: reads every partition."""
    where = "WHERE state IN ('queued', 'running')" if unfinished else ""
    rows = await connection.fetch(f"SELECT {_COLUMNS} FROM jobs {where} ORDER BY job_id DESC LIMIT $1", limit)
    return [_job(row) for row in rows]


async def count_jobs(connection: Connection) -> dict[str, int]:
    """How many jobs are in each state. Fleet-wide: reads every partition."""
    rows = await connection.fetch("SELECT state, count(*) AS number FROM jobs GROUP BY state")
    return {row["state"]: row["number"] for row in rows}


async def find_job(connection: Connection, job_id: int) -> Job:
    """A job by its number alone, for operators. Raises JobError. Fleet-wide: looks into every partition."""
    row = await connection.fetchrow(f"SELECT {_COLUMNS} FROM jobs WHERE job_id = $1", job_id)
    if row is None:
        raise JobError(f"there is no job {job_id}")
    return _job(row)


async def claim_job(connection: Connection, guild_id: int, job_id: int) -> Job | None:
    """Makes the caller the job's only writer, fencing off an earlier claimer; None when the job is finished."""
    row = await connection.fetchrow(
        "UPDATE jobs SET state = 'running', fence = fence + 1, deliveries = deliveries + 1,"
        " started_at = coalesce(started_at, now())"
        f" WHERE guild_id = $1 AND job_id = $2 AND state IN ('queued', 'running') RETURNING {_COLUMNS}",
        guild_id,
        job_id,
    )
    return _job(row) if row else None


async def require_claim(connection: Connection, job: Job) -> None:
    """Holds the job's row until this transaction ends. Raises SupersededError when the claim is not the latest."""
    row = await connection.fetchrow(
        "SELECT fence, state FROM jobs WHERE guild_id = $1 AND job_id = $2 FOR UPDATE", job.guild_id, job.job_id
    )
    if row is None or row["fence"] != job.fence or row["state"] != "running":
        now = f"is {row['state']}, claim {row['fence']}" if row else "is gone"
        raise SupersededError(f"job {job.job_id} {now}: the write of claim {job.fence} is refused")


async def set_generation(connection: Connection, job: Job, generation: int) -> None:
    """Notes the generation that the job fills."""
    await connection.execute(
        "UPDATE jobs SET generation = $3 WHERE guild_id = $1 AND job_id = $2", job.guild_id, job.job_id, generation
    )


async def record_chunk(connection: Connection, job: Job, chunk: Chunk) -> None:
    """Writes a chunk's ledger row, in the transaction that writes its messages."""
    await connection.execute(
        "INSERT INTO job_chunks (guild_id, job_id, chunk_no, messages, skipped, position)"
        " VALUES ($1, $2, $3, $4, $5, $6)",
        job.guild_id,
        job.job_id,
        chunk.chunk_no,
        chunk.messages,
        chunk.skipped,
        orjson.dumps(chunk.position).decode(),
    )
    await connection.execute(
        "UPDATE jobs SET messages = messages + $3, skipped = skipped + $4, deliveries = 1"
        " WHERE guild_id = $1 AND job_id = $2",
        job.guild_id,
        job.job_id,
        chunk.messages,
        chunk.skipped,
    )


async def last_chunk(connection: Connection, job: Job) -> Chunk | None:
    """The latest committed chunk: a reclaimed job goes on after it."""
    row = await connection.fetchrow(
        "SELECT chunk_no, messages, skipped, position FROM job_chunks WHERE guild_id = $1 AND job_id = $2"
        " ORDER BY chunk_no DESC LIMIT 1",
        job.guild_id,
        job.job_id,
    )
    return Chunk(**{**row, "position": orjson.loads(row["position"])}) if row else None


async def finish_job(connection: Connection, job: Job, state: JobState, error: str | None = None) -> None:
    """Ends a job for good; the caller's transaction must hold its claim, or cancel it."""
    await connection.execute(
        "UPDATE jobs SET state = $3, error = $4, finished_at = now() WHERE guild_id = $1 AND job_id = $2",
        job.guild_id,
        job.job_id,
        state,
        error,
    )


async def requeue_job(connection: Connection, job: Job) -> None:
    """Puts a finished, failed job back into the queue, as an operator asked. Raises JobError."""
    if job.state not in ("dead", "failed", "cancelled"):
        raise JobError(f"job {job.job_id} is {job.state}: only dead, failed and cancelled jobs can be retried")
    await connection.execute(
        "UPDATE jobs SET state = 'queued', deliveries = 0, error = NULL, finished_at = NULL"
        " WHERE guild_id = $1 AND job_id = $2",
        job.guild_id,
        job.job_id,
    )


async def note(connection: Connection, job: Job, key: str, value: object) -> None:
    """Adds to what is written down of a job: `files` it learns (name, sha256), channels it may not read."""
    await connection.execute(
        "UPDATE jobs SET payload = payload || jsonb_build_object($3::text, $4::jsonb)"
        " WHERE guild_id = $1 AND job_id = $2",
        job.guild_id,
        job.job_id,
        key,
        orjson.dumps(value).decode(),
    )


async def trained_files(connection: Connection, guild_id: int) -> set[str]:
    """SHA-256 digests, in hexadecimal, of the files that the guild's present chain has learned."""
    rows = await connection.fetch(
        "SELECT payload FROM jobs WHERE guild_id = $1 AND state = 'done' AND lane = 'training' ORDER BY finished_at",
        guild_id,
    )
    known: set[str] = set()
    for row in rows:
        payload = orjson.loads(row["payload"])
        if payload.get("clean"):
            known = set()
        known |= {file["sha256"] for file in payload.get("files", ())}
    return known


async def hold_local_job(connection: Connection, guild_id: int) -> bool:
    """Marks, until the connection closes, that a command trains the guild in its own process; False when one does."""
    held: bool = await connection.fetchval("SELECT pg_try_advisory_lock($1, $2)", _LOCAL_JOB, guild_id % 2**31)
    return held
