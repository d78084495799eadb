"""What each kind of job does, in a worker."""

import asyncio
import tempfile
from collections.abc import Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from markov_shard.errors import JobError
from markov_shard.rest import rest_client
from markov_shard.runtime import Runtime
from markov_shard.shared.news import News, announce
from markov_shard.store.guilds import read_guild
from markov_shard.store.jobs import Job, JobKind, finish_job, note, require_claim
from markov_shard.training.downloads import allowed_hosts, download
from markov_shard.training.files import survey
from markov_shard.training.history import History
from markov_shard.training.importing import apply_files, begin, finish, names
from markov_shard.training.pool import compile_in_pool
from markov_shard.training.worker import Handler


class Handlers:
    """The worker's handlers, by kind of job."""

    def __init__(self, runtime: Runtime, pool: ProcessPoolExecutor) -> None:
        self._runtime = runtime
        self._pool = pool

    def by_kind(self) -> Mapping[JobKind, Handler]:
        """For `Worker`."""
        return {"import": self.import_file, "backfill": self.backfill, "compile": self.compile}

    async def import_file(self, job: Job) -> None:
        """Learns an attached file; read through once before anything of it is stored."""
        settings = self._runtime.settings
        url = job.payload.get("url")
        if not isinstance(url, str):
            raise JobError(f"job {job.job_id} names no file")
        with tempfile.TemporaryDirectory(prefix="markov-shard-") as folder:
            path = Path(folder) / (Path(url.partition("?")[0]).name or "attachment")
            await download(url, path, hosts=allowed_hosts(settings.rest_url))
            file = await asyncio.to_thread(survey, path)
            begun = await begin(self._runtime.database, job, clean=bool(job.payload.get("clean")))
            async with self._runtime.database.connection() as connection:
                await note(connection, job, "files", names([file]))
            await apply_files(self._runtime.database, begun, [file], batch_size=settings.batch_size)
        await self._publish(begun)
        await finish(self._runtime.database, begun)

    async def backfill(self, job: Job) -> None:
        """Learns the history of the listened channels."""
        begun = await begin(self._runtime.database, job, clean=bool(job.payload.get("clean")))
        async with rest_client(self._runtime.settings) as rest:
            batch_size = self._runtime.settings.batch_size
            await History(rest, self._runtime.database, begun, batch_size=batch_size).apply()
        await self._publish(begun)
        await finish(self._runtime.database, begun)

    async def compile(self, job: Job) -> None:
        """Brings the guild's images up to date."""
        await self._publish(job)
        async with self._runtime.database.transaction() as connection:
            await require_claim(connection, job)
            await finish_job(connection, job, "done")

    async def _publish(self, job: Job) -> None:
        async with self._runtime.database.connection() as connection:
            guild = await read_guild(connection, job.guild_id)
        if job.generation is None or guild.generation != job.generation:  # else: published before it was interrupted
            await compile_in_pool(
                self._pool,
                self._runtime.urls.database,
                job,
                generation=job.generation,
                state_size=self._runtime.settings.state_size,
            )
        await announce(self._runtime.redis, News(job.guild_id, "image"))
