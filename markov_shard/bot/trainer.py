"""What the bot does about training: asks for jobs, tells how they stand, and has images brought up to date."""

import asyncio
from collections.abc import AsyncIterator, Coroutine

from markov_shard.errors import MarkovShardError
from markov_shard.guilds.guild import Guild
from markov_shard.logs import get_logger
from markov_shard.runtime import Runtime
from markov_shard.store.jobs import FINISHED, last_training, unfinished_training
from markov_shard.training.progress import JobProgress, read_progress
from markov_shard.training.requests import cancel_job, request_compile, request_training

_log = get_logger(__name__)

_OVERLAY_SHARE = 0.1
_OVERLAY_LEAST, _OVERLAY_MOST = 500, 5000
"""Messages over the image for which a new one is made: a tenth of it, within these bounds. A thousand of them take 5 MB
of memory where an image takes a quarter of one."""


class Trainer:
    """The bot's side of the job queue."""

    def __init__(self, runtime: Runtime, *, poll_seconds: float = 1.0) -> None:
        self._runtime = runtime
        self._poll_seconds = poll_seconds
        self._tasks: set[asyncio.Task[object]] = set()

    async def request(self, guild_id: int, *, url: str | None, clean: bool, user_id: int) -> int:
        """Queues a training job; returns its ID. Raises JobError when the guild has an unfinished one."""
        return await request_training(self._runtime, guild_id, url=url, clean=clean, user_id=user_id)

    async def status(self, guild_id: int) -> JobProgress | None:
        """How the guild's training stands, or the last one's end; None when there never was one."""
        async with self._runtime.database.connection() as connection:
            job = await unfinished_training(connection, guild_id) or await last_training(connection, guild_id)
            return await read_progress(connection, guild_id, job.job_id) if job is not None else None

    async def cancel(self, guild_id: int, *, by: str) -> str | None:
        """Cancels the guild's training and says what was kept; None when there is none. Raises JobError."""
        async with self._runtime.database.connection() as connection:
            job = await unfinished_training(connection, guild_id)
        return None if job is None else str(await cancel_job(self._runtime, job.job_id, by=by))

    async def progress(self, guild_id: int, job_id: int) -> AsyncIterator[JobProgress]:
        """How the job stands, each time that changes, until it is finished; less often the longer it takes."""
        told: JobProgress | None = None
        delay = self._poll_seconds
        while True:
            async with self._runtime.database.connection() as connection:
                progress = await read_progress(connection, guild_id, job_id)
            if progress != told:
                yield progress
                told = progress
            if progress.job.state in FINISHED:
                return
            await asyncio.sleep(delay)
            delay = min(delay * 1.2, self._poll_seconds * 10)

    def consider_compiling(self, guild: Guild) -> None:
        """Has the image brought up to date when much was learned since: opening a chain then stays fast."""
        if guild.opened is not None:
            image = guild.opened.image
            held, version = (image.messages, image.version) if image else (0, 0)
            since = guild.opened.chain.messages - held
        else:
            held, version, since = 0, -2, guild.stored_unseen
        enough = min(max(_OVERLAY_LEAST, held * _OVERLAY_SHARE), _OVERLAY_MOST)
        if since >= enough and guild.compile_asked_for != version:
            guild.compile_asked_for, guild.stored_unseen = version, 0
            self._spawn(self.request_compile(guild.guild_id))

    async def request_compile(self, guild_id: int) -> None:
        """Queues a compile; servers out of reach only put it off."""
        try:
            await request_compile(self._runtime, guild_id)
        except MarkovShardError as error:
            _log.warning("a compile could not be asked for", guild=str(guild_id), reason=str(error))

    def _spawn(self, work: Coroutine[object, object, object]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
