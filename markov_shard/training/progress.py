"""How a job stands, from the ledger: what `jobs show --watch`, `/train-status` and its embed show.

`read_progress` reads one job's; `store.jobs.unfinished_training` finds the job that trains a guild now, and
`training.requests.cancel_job` ends it and says what was kept.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from markov_shard.store.jobs import FINISHED, Job, read_job
from markov_shard.store.ledger import CommittedChunk, recent_chunks
from markov_shard.store.pool import Connection

Stage = Literal["waiting", "checking", "learning", "publishing", "finished"]
"""`checking` reads a file through before anything is stored; `publishing` compiles the chain."""

_WINDOW = 60.0
"""Seconds before the latest chunk that rates are taken over: a job that stands still has a falling rate, not none."""


@dataclass(frozen=True)
class ChannelProgress:
    """Where a history backfill stands. Channels include threads found so far."""

    done: tuple[int, ...]
    total: int
    current: int | None
    fraction: float
    """The part of the current channel that is read, by time, 0 to 1."""
    seconds_left: float | None
    """Of the current channel; None when it cannot be told yet."""


@dataclass(frozen=True)
class JobProgress:
    """A job's row and what its chunks say of it."""

    job: Job
    stage: Stage
    fraction: float | None
    """The part of the job that is done, 0 to 1; None when it cannot be told."""
    rate: float | None
    """Messages read a second: lately or, of a finished job, over all."""
    seconds_left: float | None
    channels: ChannelProgress | None
    refused: tuple[int, ...]
    """Channels that the bot may not read."""
    problems: tuple[str, ...] = ()
    """The first few entries of a file that cannot be learned, named by position."""


async def read_progress(connection: Connection, guild_id: int, job_id: int) -> JobProgress:
    """How the job stands now. Raises JobError when there is none."""
    job = await read_job(connection, guild_id, job_id)
    return progress_of(job, await recent_chunks(connection, guild_id, job_id))


def progress_of(job: Job, chunks: Sequence[CommittedChunk]) -> JobProgress:
    """The progress of a job with these latest chunks, the newest last."""
    finished = job.state in FINISHED
    lately = [chunk for chunk in chunks if chunk.age <= chunks[-1].age + _WINDOW]
    fraction = chunks[-1].position.get("fraction") if chunks else None
    stage = _stage(job, bool(chunks))
    seconds_left = None if stage != "learning" else _seconds_left(lately, "fraction")
    return JobProgress(
        job,
        stage,
        1.0 if job.state == "done" else fraction,
        _overall_rate(job) if finished else _rate(lately),
        seconds_left,
        _channels(chunks, lately) if chunks else None,
        tuple(map(int, job.payload.get("refused", ()))),
        tuple(job.payload.get("problems", ())),
    )


def _stage(job: Job, begun: bool) -> Stage:
    if job.state in FINISHED:
        return "finished"
    if job.state == "queued":
        return "waiting"
    stage = job.payload.get("stage")
    if stage == "publishing":
        return "publishing"
    return "learning" if begun or stage == "learning" else "checking"


def _rate(lately: Sequence[CommittedChunk]) -> float | None:
    if len(lately) < 2:
        return None
    read = sum(chunk.messages + chunk.skipped for chunk in lately[1:])
    return read / max(_span(lately), 0.001)


def _span(lately: Sequence[CommittedChunk]) -> float:
    """Seconds that the chunks after the first took; up to now, once the next one is overdue."""
    first, last = lately[0].age, lately[-1].age
    each = (first - last) / (len(lately) - 1)
    return first - last if last <= 2 * each else first


def _overall_rate(job: Job) -> float | None:
    if job.started_at is None or job.finished_at is None:
        return None
    seconds = (job.finished_at - job.started_at).total_seconds()
    return (job.messages + job.skipped) / seconds if seconds > 0 else None


def _seconds_left(lately: Sequence[CommittedChunk], key: str) -> float | None:
    if len(lately) < 2:
        return None
    first, last = lately[0].position.get(key), lately[-1].position.get(key)
    if first is None or last is None or last <= first:
        return None
    left = (1 - last) * _span(lately) / (last - first)
    return float(max(left - lately[-1].age, 0.0))


def _channels(chunks: Sequence[CommittedChunk], lately: Sequence[CommittedChunk]) -> ChannelProgress | None:
    position = chunks[-1].position
    if "channels" not in position:
        return None
    current = position.get("current")
    same = [chunk for chunk in lately if chunk.position.get("current") == current]
    return ChannelProgress(
        tuple(map(int, position["done"])),
        int(position["channels"]),
        int(current) if current is not None else None,
        float(position.get("channel_fraction") or 0.0),
        _seconds_left(same, "channel_fraction"),
    )
