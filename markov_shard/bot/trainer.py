"""What the bot does about training: asks for jobs, tells how they stand, and has images brought up to date."""

import asyncio
from collections.abc import AsyncIterator, Coroutine

from markov_shard.errors import MarkovShardError
from markov_shard.guilds.guild import Guild
from markov_shard.logs import get_logger
from markov_shard.runtime import Runtime
from markov_shard.store.jobs import FINISHED, Job, read_job
from markov_shard.training.requests import request_compile, request_training

_log = get_logger(__name__)

_OVERLAY_MESSAGES = 5000
_OVERLAY_SHARE = 0.1


class Trainer:
    """The bot's side of the job queue."""

    def __init__(self, runtime: Runtime, *, poll_seconds: float = 1.0) -> None:
        self._runtime = runtime
        self._poll_seconds = poll_seconds
        self._tasks: set[asyncio.Task[object]] = set()

    async def request(self, guild_id: int, *, url: str | None, clean: bool, user_id: int) -> int:
        """Queues a training job; returns its ID. Raises JobError when the guild has an unfinished one."""
        return await request_training(self._runtime, guild_id, url=url, clean=clean, user_id=user_id)

    async def progress(self, guild_id: int, job_id: int) -> AsyncIterator[str]:
        """How the job stands, in words, each time that changes, until it is finished."""
        told = ""
        while True:
            async with self._runtime.database.connection() as connection:
                job = await read_job(connection, guild_id, job_id)
            text = describe(job)
            if text != told:
                yield text
                told = text
            if job.state in FINISHED:
                return
            await asyncio.sleep(self._poll_seconds)

    def consider_compiling(self, guild: Guild) -> None:
        """Has the image brought up to date when much was learned since: opening a chain then stays fast."""
        if guild.opened is not None:
            image = guild.opened.image
            held, version = (image.messages, image.version) if image else (0, 0)
            since = guild.opened.chain.messages - held
        else:
            held, version, since = 0, -2, guild.stored_unseen
        if since >= max(_OVERLAY_MESSAGES, held * _OVERLAY_SHARE) and guild.compile_asked_for != version:
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


def describe(job: Job) -> str:
    """A job's state for a member to read."""
    counted = f"{job.messages:,} messages learned" + (f", {job.skipped:,} skipped" if job.skipped else "")
    return {
        "queued": f"Job {job.job_id} waits for a worker.",
        "running": f"Job {job.job_id} is at work: {counted} so far.",
        "done": f"Job {job.job_id} is done: {counted}. Try me now!",
        "failed": f"Job {job.job_id} failed, and I know what I knew before: {job.error}",
        "dead": f"Job {job.job_id} was given up: {job.error}",
        "cancelled": f"Job {job.job_id} was cancelled.",
    }[job.state]
