"""What one of the fleet's workers looks after now and then: jobs that no stream knows, images that grew old."""

import asyncio
import contextlib

from markov_shard.errors import ServiceUnavailableError
from markov_shard.logs import get_logger
from markov_shard.runtime import Runtime
from markov_shard.shared.queue import JobQueue, Reference
from markov_shard.store.images import stale_guilds
from markov_shard.store.jobs import LANES, forget_old_jobs, unheld_jobs
from markov_shard.training.requests import request_compile, request_due_purges, request_due_scrubs

_log = get_logger(__name__)

SECONDS = 15.0
_UPKEEP_SECONDS = 3600.0
_SCRUB_SECONDS = 12 * 3600.0
"""How long the words of a deleted message may stay in an image's vocabulary, where nobody asked to be forgotten."""
_IMAGE_HOURS = 24.0
"""Age from which an image is compiled anew when anything was learned or removed since, however little."""
_COMPILES = 1000


class Sweeper:
    """Every worker runs one; a mark in Redis lets only one of them sweep at a time."""

    def __init__(self, runtime: Runtime) -> None:
        self._runtime = runtime
        self._queue = JobQueue(runtime.redis, runtime.name)

    async def run(self) -> None:
        """Sweeps until cancelled; servers out of reach only put it off."""
        while True:
            with contextlib.suppress(ServiceUnavailableError):
                if await self._queue.take_sweep("jobs", SECONDS):
                    await self.find_lost_jobs()
                if await self._queue.take_sweep("upkeep", _UPKEEP_SECONDS):
                    await self.tidy()
            await asyncio.sleep(SECONDS / 3)

    async def find_lost_jobs(self) -> None:
        """Puts unfinished jobs that nobody works on on their stream: Redis may have lost everything."""
        last = 0
        while True:
            async with self._runtime.database.connection() as connection:
                jobs = await unheld_jobs(connection, after=last)
            if not jobs:
                return
            for job in jobs:
                if await self._queue.put(job.lane, Reference(job.guild_id, job.job_id)):
                    _log.info("a job was missing on its stream", job=job.job_id, lane=job.lane)
            last = jobs[-1].job_id

    async def tidy(self) -> None:
        """Asks for new images in the place of old ones; drops traces of workers and jobs that are long gone."""
        async with self._runtime.database.connection() as connection:
            await forget_old_jobs(connection)
            stale = await stale_guilds(connection, hours=_IMAGE_HOURS, limit=_COMPILES)
        for guild_id in stale:
            await request_compile(self._runtime, guild_id)
        await request_due_purges(self._runtime)
        if await self._queue.take_sweep("scrub", _SCRUB_SECONDS):
            await request_due_scrubs(self._runtime)
        for lane in LANES:
            await self._queue.drop_old_consumers(lane)
