"""Asking for jobs in tests, and waiting for their end."""

import asyncio

from markov_shard.runtime import Runtime
from markov_shard.store.jobs import FINISHED, Job, read_job
from markov_shard.training.requests import request_training

GUILD = 81384788765712384


async def finished(runtime: Runtime, job_id: int | None) -> Job:
    """The job's row, once it is finished."""
    assert job_id is not None
    while True:
        async with runtime.database.connection() as connection:
            job = await read_job(connection, GUILD, job_id)
        if job.state in FINISHED:
            return job
        await asyncio.sleep(0.05)


async def train(runtime: Runtime, url: str, *, clean: bool = False, force: bool = False) -> int:
    """Asks for the training of GUILD from a file; returns the job's ID."""
    return await request_training(runtime, GUILD, url=url, clean=clean, user_id=1, force=force)
