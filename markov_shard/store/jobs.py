"""Jobs: what is to be done for a guild, and how it ended.

Who works on a job is in `store.claims`, which chunks of it are committed in `store.ledger`. To show how a job
stands, use `training.progress.read_progress`; to ask for one or to cancel it, `training.requests`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from markov_shard.errors import JobError
from markov_shard.store.pool import Connection

JobKind = Literal["import", "backfill", "authors", "compile", "forget", "purge"]
Lane = Literal["imports", "history", "upkeep"]
"""Each lane has a stream and workers of its own: short work does not wait behind long work."""
LANES: tuple[Lane, ...] = ("imports", "history", "upkeep")
LANE_OF: Mapping[JobKind, Lane] = {
    "import": "imports",
    "backfill": "history",
    "authors": "history",
    "compile": "upkeep",
    "forget": "upkeep",
    "purge": "upkeep",
}
JobState = Literal["queued", "running", "done", "failed", "cancelled", "dead"]
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


COLUMNS = (
    "guild_id, job_id, kind, lane, state, payload, generation, fence, deliveries, messages, skipped, error,"
    " requested_by, created_at, started_at, finished_at"
)


def job_of(row: Any) -> Job:
    """A row of `COLUMNS`."""
    return Job(**{**row, "payload": orjson.loads(row["payload"])})


FORGOTTEN = "removed, since it may have quoted what was to be forgotten"


async def forget_errors(connection: Connection, guild_id: int) -> None:
    """Takes out what a guild's finished jobs say of files: errors quote them."""
    await connection.execute(
        "UPDATE jobs SET error = CASE WHEN error IS NULL THEN NULL ELSE $2 END, payload = payload - 'problems'"
        " WHERE guild_id = $1 AND state = ANY($3::text[]) AND (error <> $2 OR payload ? 'problems')",
        guild_id,
        FORGOTTEN,
        list(FINISHED),
    )


async def forgotten_errors(connection: Connection, guild_id: int) -> set[int]:
    """The jobs of a guild whose errors were taken out."""
    rows = await connection.fetch("SELECT job_id FROM jobs WHERE guild_id = $1 AND error = $2", guild_id, FORGOTTEN)
    return {row["job_id"] for row in rows}


async def create_job(
    connection: Connection,
    guild_id: int,
    kind: JobKind,
    *,
    payload: Mapping[str, Any] | None = None,
    requested_by: int | None = None,
) -> int | None:
    """Writes a queued job; returns its ID, or None when the guild has one already that it collapses into.

    One import or backfill a guild at a time; compile jobs of a guild that wait are one.
    """
    job_id: int | None = await connection.fetchval(
        "INSERT INTO jobs (guild_id, kind, lane, payload, requested_by) VALUES ($1, $2, $3, $4, $5)"
        " ON CONFLICT DO NOTHING RETURNING job_id",
        guild_id,
        kind,
        LANE_OF[kind],
        orjson.dumps(payload or {}).decode(),
        requested_by,
    )
    return job_id


async def read_job(connection: Connection, guild_id: int, job_id: int) -> Job:
    """One job. Raises JobError when there is none."""
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM jobs WHERE guild_id = $1 AND job_id = $2", guild_id, job_id)
    if row is None:
        raise JobError(f"there is no job {job_id} of guild {guild_id}")
    return job_of(row)


async def unfinished_training(connection: Connection, guild_id: int) -> Job | None:
    """The guild's training job that waits or is at work: what `/train-status` shows and `/train-cancel` ends."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM jobs WHERE guild_id = $1 AND kind IN ('import', 'backfill')"
        " AND state IN ('queued', 'running')",
        guild_id,
    )
    return job_of(row) if row else None


async def last_training(connection: Connection, guild_id: int) -> Job | None:
    """The guild's latest training job, finished or not."""
    row = await connection.fetchrow(
        f"SELECT {COLUMNS} FROM jobs WHERE guild_id = $1 AND kind IN ('import', 'backfill')"
        " ORDER BY job_id DESC LIMIT 1",
        guild_id,
    )
    return job_of(row) if row else None


async def list_jobs(connection: Connection, *, unfinished: bool = False, limit: int = 100) -> Sequence[Job]:
    """The fleet's latest jobs, newest first. Fleet-wide: reads every partition."""
    where = "WHERE state IN ('queued', 'running')" if unfinished else ""
    rows = await connection.fetch(f"SELECT {COLUMNS} FROM jobs {where} ORDER BY job_id DESC LIMIT $1", limit)
    return [job_of(row) for row in rows]


async def unheld_jobs(connection: Connection, *, after: int, limit: int = 1000) -> Sequence[Job]:
    """Unfinished jobs for workers that none has a claim on, with IDs above `after`. Fleet-wide."""
    rows = await connection.fetch(
        f"SELECT {COLUMNS} FROM jobs WHERE state IN ('queued', 'running') AND job_id > $1"
        " AND (claimed_until IS NULL OR claimed_until < now()) AND NOT payload ? 'local' ORDER BY job_id LIMIT $2",
        after,
        limit,
    )
    return [job_of(row) for row in rows]


async def forget_old_jobs(connection: Connection) -> None:
    """Deletes upkeep that was done more than a day ago; training stays, since it says which files are learned.

    Fleet-wide: reads every partition.
    """
    await connection.execute(
        "DELETE FROM jobs WHERE lane = 'upkeep' AND state = 'done' AND finished_at < now() - interval '1 day'"
    )


async def count_jobs(connection: Connection) -> dict[str, int]:
    """How many jobs are in each state. Fleet-wide: reads every partition."""
    rows = await connection.fetch("SELECT state, count(*) AS number FROM jobs GROUP BY state")
    return {row["state"]: row["number"] for row in rows}


async def find_job(connection: Connection, job_id: int) -> Job:
    """A job by its number alone, for operators. Raises JobError. Fleet-wide: looks into every partition."""
    row = await connection.fetchrow(f"SELECT {COLUMNS} FROM jobs WHERE job_id = $1", job_id)
    if row is None:
        raise JobError(f"there is no job {job_id}")
    return job_of(row)


async def note(connection: Connection, job: Job, key: str, value: object) -> None:
    """Adds to what is written down of a job: `files` (name, sha256), `problems`, channels `refused`, `stage`."""
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
        "SELECT payload FROM jobs WHERE guild_id = $1 AND state = 'done' AND kind IN ('import', 'backfill')"
        " ORDER BY finished_at",
        guild_id,
    )
    known: set[str] = set()
    for row in rows:
        payload = orjson.loads(row["payload"])
        if payload.get("clean"):
            known = set()
        known |= {file["sha256"] for file in payload.get("files", ())}
    return known
