"""Following trainings in messages that outlive the process which began to: whoever owns the guild next goes on."""

import asyncio
from collections.abc import Callable

import hikari

from markov_shard.bot.hosting import Hosting
from markov_shard.bot.progress import ProgressMessage
from markov_shard.bot.sending import Messenger
from markov_shard.bot.trainer import Trainer
from markov_shard.errors import JobError, MarkovShardError
from markov_shard.logs import get_logger
from markov_shard.ownership.runner import OwnedShard
from markov_shard.store.pool import Database
from markov_shard.store.progress_messages import ProgressPlace, drop_place, places_of_shard, save_place
from markov_shard.tasks import persist

_log = get_logger(__name__)


class Following:
    """Keeps the messages up to date of the jobs that members of owned guilds asked for."""

    def __init__(
        self,
        database: Database,
        hosting: Hosting,
        trainer: Trainer,
        messenger: Messenger,
        rest: Callable[[], hikari.api.RESTClient],
    ) -> None:
        self._database = database
        self._hosting = hosting
        self._trainer = trainer
        self._messenger = messenger
        self._rest = rest
        self._jobs: dict[int, asyncio.Task[None]] = {}

    def begin(
        self,
        guild_id: int,
        job_id: int,
        channel_id: int,
        *,
        message_id: int | None = None,
        interaction: hikari.CommandInteraction | None = None,
    ) -> None:
        """Shows how a job goes in a message of the bot's own, else in an interaction's answer."""
        shown = ProgressMessage(
            self._rest, self._messenger, guild_id, channel_id, message_id=message_id, interaction=interaction
        )
        self._follow(guild_id, job_id, shown)

    async def take_up(self, shard: OwnedShard) -> None:
        """Goes on with what earlier owners of the shard showed."""

        async def places_there() -> list[ProgressPlace]:
            async with self._database.connection() as connection:
                return await places_of_shard(connection, shard.shard_id, shard.shard_count)

        places = await persist(
            places_there,
            on_trouble=lambda error: _log.warning(
                "trainings cannot be followed yet", shard=shard.shard_id, reason=str(error)
            ),
        )
        for place in places:
            if place.job_id not in self._jobs:
                self.begin(place.guild_id, place.job_id, place.channel_id, message_id=place.message_id)

    def _follow(self, guild_id: int, job_id: int, shown: ProgressMessage) -> None:
        task = asyncio.create_task(self._guarded(guild_id, job_id, shown), name=f"following job {job_id}")
        self._jobs[job_id] = task
        task.add_done_callback(lambda _: self._jobs.pop(job_id, None))

    async def _guarded(self, guild_id: int, job_id: int, shown: ProgressMessage) -> None:
        """As `_until_done`, again while servers are away; gives up for good when the job's row is gone."""
        delay = 1.0
        while self._hosting.owner_of(guild_id) is not None:
            try:
                await self._until_done(guild_id, job_id, shown)
            except JobError:
                return  # the job's row is gone, and so is the message's
            except MarkovShardError as error:
                _log.warning("a training cannot be followed now", guild=str(guild_id), job=job_id, reason=str(error))
            except hikari.HikariError as error:
                reason = (str(error).splitlines() or [type(error).__name__])[0]
                _log.warning("a training cannot be shown now", guild=str(guild_id), job=job_id, reason=reason)
            else:
                return
            await asyncio.sleep(delay)
            delay = min(delay * 2, 60.0)

    async def _until_done(self, guild_id: int, job_id: int, shown: ProgressMessage) -> None:
        noted: int | None = None
        async for state in self._trainer.progress(guild_id, job_id):
            if self._hosting.owner_of(guild_id) is None:
                return  # the next owner goes on
            if not await shown.show(state):
                _log.info("a job's progress can no longer be shown", guild=str(guild_id), job=job_id)
                break
            if shown.message_id is not None and shown.message_id != noted:
                noted = shown.message_id
                place = ProgressPlace(guild_id, job_id, shown.channel_id, noted)
                async with self._database.connection() as connection:
                    await save_place(connection, place)
        async with self._database.connection() as connection:
            await drop_place(connection, guild_id, job_id)

    def close(self) -> None:
        """Stops; the rows stay for whoever comes next."""
        for task in list(self._jobs.values()):
            task.cancel()
