"""What each kind of job does, in a worker.

What waits for servers is done on the event loop, what computes in a process of the pool (`training.learning`).
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path

from markov_shard.errors import JobError
from markov_shard.rest import rest_client
from markov_shard.runtime import Runtime
from markov_shard.shared.news import News, What, announce
from markov_shard.shared.rest_budget import RestBudget
from markov_shard.store.authors import authorless
from markov_shard.store.claims import finish_job, require_claim
from markov_shard.store.jobs import Job, JobKind, note
from markov_shard.training.authors import Authors
from markov_shard.training.discord_pages import Pages
from markov_shard.training.downloads import allowed_hosts, download
from markov_shard.training.forgetting import purge_guild, scrub_images
from markov_shard.training.history import History
from markov_shard.training.importing import begin, drop_old, finish, is_published
from markov_shard.training.learning import compile_for, learn_file
from markov_shard.training.pool import WorkPool
from markov_shard.training.removing import Remover
from markov_shard.training.requests import request_authors
from markov_shard.training.turns import Turn
from markov_shard.training.worker import Handler


class Handlers:
    """The worker's handlers, by kind of job."""

    def __init__(self, runtime: Runtime, pool: WorkPool, rest_budget: RestBudget | None = None) -> None:
        self._runtime = runtime
        self._pool = pool
        self._rest_budget = rest_budget

    def by_kind(self) -> Mapping[JobKind, Handler]:
        """For `Worker`."""
        return {
            "import": self.import_file,
            "backfill": self.backfill,
            "authors": self.authors,
            "compile": self.compile,
            "forget": self.forget,
            "purge": self.purge,
        }

    async def import_file(self, job: Job, turn: Turn) -> None:
        """Learns an attached file; read through once before anything of it is stored."""
        settings, urls = self._runtime.settings, self._runtime.urls
        url = job.payload.get("url")
        if not isinstance(url, str):
            raise JobError(f"job {job.job_id} names no file")
        if await is_published(self._runtime.database, job):
            await self._announce_and_finish(job)
            return
        with tempfile.TemporaryDirectory(prefix="markov-shard-") as folder:
            path = Path(folder) / (Path(url.partition("?")[0]).name or "attachment")
            await download(url, path, hosts=allowed_hosts(settings.rest_url))
            await self._pool.run(
                learn_file, urls.database, job, path, batch_size=settings.batch_size, state_size=settings.state_size
            )
        await self._announce_and_finish(job)

    async def backfill(self, job: Job, turn: Turn) -> None:
        """Learns the history of the listened channels."""
        begun = await begin(self._runtime.database, job, clean=bool(job.payload.get("clean")))
        if not await is_published(self._runtime.database, begun):
            async with rest_client(self._runtime.settings, self._rest_budget) as rest:
                remover = Remover(self._runtime, begun)
                await History(rest, self._runtime.database, begun, turn=turn, remover=remover).apply()
            await self._compile(begun)
        await self._announce_and_finish(begun)

    async def authors(self, job: Job, turn: Turn) -> None:
        """Asks Discord who wrote the imported messages whose author no file told."""
        remover = Remover(self._runtime, job)
        async with rest_client(self._runtime.settings, self._rest_budget) as rest:
            await Authors(Pages(rest), self._runtime.database, job, turn=turn, remover=remover).apply()
        await self._done(job)

    async def compile(self, job: Job, turn: Turn) -> None:
        """Brings the guild's images up to date; what a cancelled clean training stored goes."""
        await self._compile(job)
        await drop_old(self._runtime.database, job.guild_id)
        await announce(self._runtime.redis, News(job.guild_id, "image"))
        await self._done(job)

    async def _done(self, job: Job) -> None:
        async with self._runtime.database.transaction() as connection:
            await require_claim(connection, job)
            await finish_job(connection, job, "done")

    async def forget(self, job: Job, turn: Turn) -> None:
        """Brings the guild's images up to date after messages went, and removes every copy of the old ones."""
        await self._compile(job)
        await scrub_images(self._runtime, job.guild_id)
        async with self._runtime.database.transaction() as connection:
            await require_claim(connection, job)
            await finish_job(connection, job, "done")

    async def purge(self, job: Job, turn: Turn) -> None:
        """Deletes everything of a guild that removed the bot; its other jobs' rows too, once this one is done."""
        await purge_guild(self._runtime, job.guild_id)
        async with self._runtime.database.transaction() as connection:
            await require_claim(connection, job)
            await finish_job(connection, job, "done")

    async def _compile(self, job: Job) -> None:
        async with self._runtime.database.connection() as connection:
            await note(connection, job, "stage", "publishing")
        await self._pool.run(
            compile_for, self._runtime.urls.database, job, state_size=self._runtime.settings.state_size
        )

    async def _announce_and_finish(self, job: Job) -> None:
        whats: tuple[What, ...] = ("image", "channels")  # a file may bring settings of channels
        for what in whats:
            await announce(self._runtime.redis, News(job.guild_id, what))
        await finish(self._runtime.database, job)
        if job.kind == "import" and await self._lacks_authors(job.guild_id):
            await request_authors(self._runtime, job.guild_id)

    async def _lacks_authors(self, guild_id: int) -> bool:
        async with self._runtime.database.connection() as connection:
            return bool(await authorless(connection, guild_id, 0, 0))
