"""The worker's loop: takes a job off a stream, claims its row, works, and only then takes it off for good.

At least once by Redis, exactly once by the ledger: a job may be delivered again after its worker died, but each
of its chunks counts once, and only the latest claim may write.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping

import aiohttp
from structlog.contextvars import bound_contextvars

from markov_shard.errors import (
    JobError,
    MarkovShardError,
    ServiceUnavailableError,
    SupersededError,
    TrainingInputError,
)
from markov_shard.logs import get_logger
from markov_shard.runtime import Runtime
from markov_shard.shared.queue import RECLAIM_MS, Delivery, JobQueue, Reference
from markov_shard.store.jobs import Job, JobKind, Lane, claim_job, list_jobs
from markov_shard.training.importing import give_up

_log = get_logger(__name__)

MAX_DELIVERIES = 5
"""Claims without a new chunk after which a job goes to the dead letters."""

_RENEW_SECONDS = RECLAIM_MS / 3000
_SWEEP_SECONDS = 15.0
_LANES: tuple[Lane, ...] = ("training", "upkeep")

Handler = Callable[[Job], Awaitable[None]]
"""Does a claimed job and finishes its row. Raises TrainingInputError for a job that can never succeed."""


class Worker:
    """Works on jobs of all lanes; each lane has its own loops, so that none waits for another."""

    def __init__(self, runtime: Runtime, handlers: Mapping[JobKind, Handler], *, loops_a_lane: int = 1) -> None:
        self._runtime = runtime
        self._handlers = handlers
        self._loops = loops_a_lane
        self.working_on: set[int] = set()
        """The IDs of the jobs in work."""
        self.done = 0
        self.outcomes: Counter[str] = Counter()
        """Jobs that ended here: done, failed or dead; interrupted ones are delivered again."""
        self.trouble: str | None = None
        """Why no job can be taken now; None while all is well."""

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; jobs in work are then given back at once."""
        loops = [
            asyncio.create_task(self._lane(lane, f"{self._runtime.name}-{lane}-{number}"), name=f"{lane} {number}")
            for lane in _LANES
            for number in range(self._loops)
        ]
        loops.append(asyncio.create_task(self._sweep(), name="sweep"))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait([stopped, *loops], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        for task in loops:
            task.cancel()
        await asyncio.gather(*loops, return_exceptions=True)

    async def _lane(self, lane: Lane, consumer: str) -> None:
        queue = JobQueue(self._runtime.redis, consumer)
        while True:
            try:
                delivery = await queue.read(lane)
                self.trouble = None
                if delivery is not None:
                    await self._deliver(queue, delivery)
            except ServiceUnavailableError as error:
                if self.trouble is None:
                    _log.error("jobs cannot be worked on; trying again", lane=lane, reason=str(error))
                self.trouble = str(error)
                await asyncio.sleep(1)

    async def _deliver(self, queue: JobQueue, delivery: Delivery) -> None:
        reference = delivery.reference
        if reference is None:
            await queue.bury(delivery, "the reference cannot be read")
            return
        async with self._runtime.database.transaction() as connection:
            job = await claim_job(connection, reference.guild_id, reference.job_id)
        if job is None:
            await queue.done(delivery)
            return
        self.working_on.add(job.job_id)
        renewing = asyncio.create_task(self._renew(queue, delivery), name=f"renewing job {job.job_id}")
        trace = f"{job.job_id}.{job.fence}"  # one claim's work
        try:
            with bound_contextvars(job=job.job_id, kind=job.kind, guild=str(job.guild_id), trace=trace):
                await self._work(queue, delivery, job)
        except asyncio.CancelledError:
            with contextlib.suppress(MarkovShardError):
                await queue.put(delivery.lane, reference)  # another worker need not wait for the claim to age
                await queue.done(delivery)
            raise
        finally:
            renewing.cancel()
            self.working_on.discard(job.job_id)

    async def _work(self, queue: JobQueue, delivery: Delivery, job: Job) -> None:
        database = self._runtime.database
        if job.deliveries > MAX_DELIVERIES:
            reason = job.error or f"{MAX_DELIVERIES} workers gave it up without a step forward"
            await give_up(database, job, "dead", reason)
            await queue.bury(delivery, reason)
            self.outcomes["dead"] += 1
            _log.error("a job is dead", reason=reason)
            return
        _log.info("working on a job", delivery=job.deliveries)
        try:
            await self._handlers[job.kind](job)
        except (TrainingInputError, JobError) as error:
            _log.warning("a job failed", reason=str(error))
            self.outcomes["failed"] += 1
            await give_up(database, job, "failed", str(error))
        except SupersededError as error:
            _log.info("a job is somebody else's now, or cancelled", reason=str(error))
        except (ServiceUnavailableError, aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("a job is interrupted; it is delivered again", reason=str(error))
            self.outcomes["interrupted"] += 1
            return
        except Exception:  # noqa: BLE001 - whatever it was, another delivery may do better
            _log.exception("a job went wrong; it is delivered again")
            self.outcomes["interrupted"] += 1
            return
        else:
            _log.info("job done")
            self.done += 1
            self.outcomes["done"] += 1
        await queue.done(delivery)

    async def _renew(self, queue: JobQueue, delivery: Delivery) -> None:
        while True:
            await asyncio.sleep(_RENEW_SECONDS)
            with contextlib.suppress(ServiceUnavailableError):
                await queue.renew(delivery)

    async def _sweep(self) -> None:
        """Puts unfinished jobs that no stream knows back on their stream: Redis may have lost everything."""
        queue = JobQueue(self._runtime.redis, self._runtime.name)
        while True:
            with contextlib.suppress(ServiceUnavailableError):
                async with self._runtime.database.connection() as connection:
                    unfinished = await list_jobs(connection, unfinished=True, limit=10_000)
                for lane in _LANES:
                    known = await queue.waiting(lane)
                    for job in reversed(unfinished):
                        reference = Reference(job.guild_id, job.job_id)
                        if job.lane == lane and reference not in known and not job.payload.get("local"):
                            await queue.put(lane, reference)
                            _log.info("a job was missing on its stream", job=job.job_id, lane=lane)
            await asyncio.sleep(_SWEEP_SECONDS)
