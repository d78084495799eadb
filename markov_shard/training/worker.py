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
from markov_shard.shared.queue import Delivery, JobQueue
from markov_shard.store.claims import claim_job, note_failure, release_claim
from markov_shard.store.jobs import LANES, Job, JobKind, Lane
from markov_shard.tasks import end
from markov_shard.training.figures import TrainingFigures
from markov_shard.training.holding import holding
from markov_shard.training.importing import give_up
from markov_shard.training.sweep import Sweeper
from markov_shard.training.turns import Turn, TurnOverError

_log = get_logger(__name__)

MAX_DELIVERIES = 5
"""Claims without a new chunk after which a job goes to the dead letters."""

Handler = Callable[[Job, Turn], Awaitable[None]]
"""Does a claimed job and finishes its row. Raises TrainingInputError for a job that can never succeed."""


class Worker:
    """Works on jobs of all lanes; each lane has its own loops, so that none waits for another."""

    def __init__(
        self, runtime: Runtime, handlers: Mapping[JobKind, Handler], *, loops: Mapping[Lane, int] | None = None
    ) -> None:
        """`loops`: how many jobs of a lane are worked on at a time, one by default."""
        self._runtime = runtime
        self._handlers = handlers
        self._loops = loops or {}
        self.working_on: dict[int, Job] = {}
        """The jobs in work by ID, as they were when they were claimed."""
        self.figures = TrainingFigures(runtime.database)
        self.done = 0
        self.outcomes: Counter[str] = Counter()
        """Jobs that ended here: done, failed or dead; interrupted ones are delivered again."""
        self.trouble: str | None = None
        """Why no job can be taken now; None while all is well."""

    async def run(self, stop: asyncio.Event) -> None:
        """Works until `stop` is set; jobs in work are then given back at once."""
        loops = [
            asyncio.create_task(self._lane(lane, f"{self._runtime.name}-{lane}-{number}"), name=f"{lane} {number}")
            for lane in LANES
            for number in range(self._loops.get(lane, 1))
        ]
        loops.append(asyncio.create_task(Sweeper(self._runtime).run(), name="sweep"))
        loops.append(asyncio.create_task(self.figures.watch(self.working_on), name="figures"))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait([stopped, *loops], return_when=asyncio.FIRST_COMPLETED)
        stopped.cancel()
        await end(loops)
        for task in loops:
            if not task.cancelled() and (error := task.exception()):
                raise error

    async def _lane(self, lane: Lane, consumer: str) -> None:
        queue = JobQueue(self._runtime.redis, consumer)
        begun = False
        while True:
            try:
                if not begun:
                    for delivery in await queue.own(lane):
                        await self._deliver(queue, delivery, consumer)
                    begun = True
                found = await queue.read(lane)
                self.trouble = None
                if found is not None:
                    await self._deliver(queue, found, consumer)
            except ServiceUnavailableError as error:
                if self.trouble is None:
                    _log.error("jobs cannot be worked on; trying again", lane=lane, reason=str(error))
                self.trouble = str(error)
                await asyncio.sleep(1)

    async def _deliver(self, queue: JobQueue, delivery: Delivery, consumer: str) -> None:
        reference = delivery.reference
        if reference is None:
            await queue.bury(delivery, delivery.fault)
            return
        async with self._runtime.database.transaction() as connection:
            job = await claim_job(connection, reference.guild_id, reference.job_id, holder=consumer)
        if job is None:
            await queue.done(delivery)  # finished, or in the hands of somebody whose death the sweep would notice
            return
        self.working_on[job.job_id] = job
        trace = f"{job.job_id}.{job.fence}"  # one claim's work
        try:
            with bound_contextvars(job=job.job_id, kind=job.kind, guild=str(job.guild_id), trace=trace):
                await self._work(queue, delivery, job)
            await self.figures.ended(job)
        except asyncio.CancelledError:
            await self._give_back(queue, delivery, job)  # another worker need not wait for the claim to age
            raise
        finally:
            del self.working_on[job.job_id]

    async def _give_back(self, queue: JobQueue, delivery: Delivery, job: Job) -> None:
        with contextlib.suppress(MarkovShardError):
            async with self._runtime.database.connection() as connection:
                await release_claim(connection, job)
            await queue.again(delivery)

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
            async with holding(database, job, also=lambda: queue.renew(delivery)):
                await self._handlers[job.kind](job, Turn(queue, job.lane))
        except (TrainingInputError, JobError) as error:
            _log.warning("a job failed", reason=str(error))
            self.outcomes["failed"] += 1
            await give_up(database, job, "failed", str(error))
        except SupersededError as error:
            _log.info("a job is somebody else's now, or cancelled", reason=str(error))
        except TurnOverError:
            _log.info("a job lets others have their turn")
            await self._give_back(queue, delivery, job)
            return
        except (ServiceUnavailableError, aiohttp.ClientError, TimeoutError, OSError) as error:
            _log.warning("a job is interrupted; it is delivered again", reason=str(error))
            await self._interrupted(job, str(error) or type(error).__name__)
            return
        except Exception as error:  # noqa: BLE001 - whatever it was, another delivery may do better
            _log.exception("a job went wrong; it is delivered again")
            await self._interrupted(job, f"{type(error).__name__}: {error}")
            return
        else:
            _log.info("job done")
            self.done += 1
            self.outcomes["done"] += 1
        await queue.done(delivery)

    async def _interrupted(self, job: Job, reason: str) -> None:
        """Keeps the reason for the dead letter, and lets the next delivery have the job."""
        self.outcomes["interrupted"] += 1
        with contextlib.suppress(ServiceUnavailableError):
            async with self._runtime.database.transaction() as connection:
                await note_failure(connection, job, reason[:1000])
                await release_claim(connection, job, tried=True)
