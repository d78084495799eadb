"""Holding a claim while work goes on: it is renewed, and the work stops when the job is no longer ours."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

from markov_shard.errors import ServiceUnavailableError, SupersededError
from markov_shard.store.claims import renew_claim
from markov_shard.store.jobs import Job
from markov_shard.store.pool import Database
from markov_shard.tasks import end

RENEW_SECONDS = 2.0
"""How often a claim is renewed, and so how soon a cancelled job stops, whatever it was doing."""


async def _nothing() -> None:
    """Nothing else to renew."""


@contextlib.asynccontextmanager
async def holding(
    database: Database, job: Job, *, also: Callable[[], Awaitable[object]] = _nothing
) -> AsyncIterator[None]:
    """Renews the claim (and calls `also`) until the block ends; what fails is tried again next time.

    Cancels the block and raises SupersededError when the job was cancelled or claimed by somebody else.
    """
    worker = asyncio.current_task()
    assert worker is not None
    lost = over = False

    async def renew() -> None:
        nonlocal lost
        while True:
            await asyncio.sleep(RENEW_SECONDS)
            with contextlib.suppress(ServiceUnavailableError):
                async with database.connection() as connection:
                    lost = not await renew_claim(connection, job)
                if lost or over:
                    if not over:
                        worker.cancel()
                    return
                await also()

    renewing = asyncio.create_task(renew(), name=f"renewing job {job.job_id}")
    try:
        yield
    except asyncio.CancelledError:
        if not lost or worker.uncancel() > 0:
            raise  # somebody else cancelled, too
        raise SupersededError(f"job {job.job_id} was cancelled, or is somebody else's now") from None
    finally:
        over = True
        await end([renewing])  # one that ran on would cancel whatever this task does next
