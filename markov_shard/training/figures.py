"""How the trainings of a worker go, for its metrics: counted from the ledger, as whatever shows progress is."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Collection, Mapping

from markov_shard.errors import JobError, ServiceUnavailableError
from markov_shard.store.jobs import Job, JobKind
from markov_shard.store.pool import Database
from markov_shard.training.progress import read_progress

_SECONDS = 5.0
_TRAININGS: frozenset[JobKind] = frozenset({"import", "backfill"})


class TrainingFigures:
    """Messages read by the trainings worked on here, and how long those in work will take."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._left: dict[int, tuple[JobKind, float]] = {}
        self._read: dict[int, int] = {}
        self.messages: Counter[str] = Counter(dict.fromkeys(_TRAININGS, 0))
        """Learned or left out, by kind of job, since this process began."""

    @property
    def seconds_left(self) -> Mapping[str, float]:
        """Of the training that takes longest, by kind of job; 0 where none is in work or it cannot be told."""
        return {kind: max((left for of, left in self._left.values() if of == kind), default=0.0) for kind in _TRAININGS}

    async def watch(self, jobs: Mapping[int, Job]) -> None:
        """Looks at the jobs in work now and then, until cancelled."""
        while True:
            await self.look(list(jobs.values()))
            await asyncio.sleep(_SECONDS)

    async def look(self, jobs: Collection[Job]) -> None:
        """Takes in where jobs stand, each as it was when it was claimed; servers out of reach only put it off."""
        for job in jobs:
            if job.kind in _TRAININGS:
                with contextlib.suppress(ServiceUnavailableError, JobError):
                    async with self._database.connection() as connection:
                        progress = await read_progress(connection, job.guild_id, job.job_id)
                    read, before = progress.job.messages + progress.job.skipped, job.messages + job.skipped
                    self.messages[job.kind] += max(0, read - self._read.get(job.job_id, before))
                    self._read[job.job_id] = read
                    self._left[job.job_id] = (job.kind, progress.seconds_left or 0.0)

    async def ended(self, job: Job) -> None:
        """A claim's work is over, one way or the other: takes in what it did last."""
        await self.look([job])
        self._left.pop(job.job_id, None)
        self._read.pop(job.job_id, None)
