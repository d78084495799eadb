"""The ledger: the chunks of a job that are committed.

A chunk's row is written in the transaction that writes its messages, so a chunk counts once however often it runs.
Its position says where the source stands after it: a job that is interrupted goes on there.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from markov_shard.store.jobs import Job
from markov_shard.store.pool import Connection

_KEPT = 200
"""Rows kept of a job: the last says where to go on, those before it how fast it goes."""


@dataclass(frozen=True)
class Chunk:
    """What one committed chunk did, and where its source stands after it.

    `position["fraction"]`, where known, is the part of the job (0 to 1) that is done.
    """

    chunk_no: int
    messages: int
    skipped: int
    position: Mapping[str, Any]


@dataclass(frozen=True)
class CommittedChunk(Chunk):
    """A chunk and how many seconds ago, by the database's clock, it was committed."""

    age: float


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
    if chunk.chunk_no % _KEPT == _KEPT - 1:
        await connection.execute(
            "DELETE FROM job_chunks WHERE guild_id = $1 AND job_id = $2 AND chunk_no <= $3",
            job.guild_id,
            job.job_id,
            chunk.chunk_no - _KEPT,
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


async def recent_chunks(connection: Connection, guild_id: int, job_id: int) -> Sequence[CommittedChunk]:
    """The latest committed chunks, the newest last."""
    rows = await connection.fetch(
        "SELECT chunk_no, messages, skipped, position, extract(epoch FROM now() - committed_at)::float8 AS age"
        " FROM job_chunks WHERE guild_id = $1 AND job_id = $2 ORDER BY chunk_no DESC LIMIT $3",
        guild_id,
        job_id,
        _KEPT,
    )
    return [CommittedChunk(**{**row, "position": orjson.loads(row["position"])}) for row in reversed(rows)]
