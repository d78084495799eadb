"""Forgetting on request: a member's words, a channel's, or everything; and what is stored of a member."""

import gzip

import orjson

from markov_shard.bot.answers import MOVING
from markov_shard.bot.hosting import Hosting
from markov_shard.bot.sending import File
from markov_shard.errors import JobError
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.registry import Guilds
from markov_shard.logs import get_logger
from markov_shard.runtime import Runtime
from markov_shard.store.guilds import read_guild
from markov_shard.store.jobs import forget_errors, unfinished_training
from markov_shard.store.members import export_author, opt_in, opt_out
from markov_shard.training.forgetting import clear_stored
from markov_shard.training.requests import cancel_job, request_forget

_log = get_logger(__name__)

_ZIPPED_FROM = 1 << 20  # bytes of an export from which it is sent compressed


class NotOwnedError(JobError):
    """The guild is just changing its owner."""


class Forgetting:
    """Removes what the owner of a guild has in memory and in storage; a worker then removes every old copy."""

    def __init__(self, runtime: Runtime, guilds: Guilds, hosting: Hosting) -> None:
        self._runtime = runtime
        self._guilds = guilds
        self._hosting = hosting

    async def member(self, guild_id: int, user_id: int, *, never_again: bool) -> int:
        """Removes everything a member wrote, and with `never_again` learns nothing more of them.

        Returns how many messages were removed. Raises NotOwnedError.
        """
        owner = self._owner(guild_id)
        if never_again:
            async with self._runtime.database.connection() as connection:
                await opt_out(connection, guild_id, user_id)
            await self._follow_opt(guild_id, user_id, out=True)
        count = await self._guilds.remove_author(guild_id, owner, user_id)
        await self._forget_errors(guild_id)
        await request_forget(self._runtime, guild_id)
        _log.info("a member is forgotten", guild=str(guild_id), messages=count, opted_out=never_again)
        return count

    async def undo(self, guild_id: int, user_id: int) -> bool:
        """Learns from a member again; False when they had not opted out. What was removed stays removed."""
        async with self._runtime.database.connection() as connection:
            was_out = await opt_in(connection, guild_id, user_id)
        await self._follow_opt(guild_id, user_id, out=False)
        return was_out

    async def channel(self, guild_id: int, channel_id: int) -> int:
        """Removes everything said in a channel and its threads; returns how many messages. Raises NotOwnedError."""
        owner, intake = self._owner(guild_id), self._hosting.intake_of(guild_id)
        assert intake is not None
        threads = (await intake.directory(guild_id)).threads_of(channel_id)
        count = await self._guilds.remove_channels(guild_id, owner, [channel_id, *threads])
        await self._forget_errors(guild_id)
        await request_forget(self._runtime, guild_id)
        return count

    async def everything(self, guild_id: int) -> int:
        """Removes everything learned in a guild, and ends a training under way; settings stay. Raises NotOwnedError."""
        owner = self._owner(guild_id)
        async with self._runtime.database.connection() as connection:
            training = await unfinished_training(connection, guild_id)
        if training is not None:
            try:
                await cancel_job(self._runtime, training.job_id)
            except JobError as error:
                _log.info("a training ended by itself", guild=str(guild_id), reason=str(error))
        count = await self._guilds.remove_all(guild_id, owner)
        await clear_stored(self._runtime, guild_id)
        await request_forget(self._runtime, guild_id)  # for what only a worker looks at, such as dead letters
        return count

    async def export(self, guild_id: int, user_id: int) -> tuple[File, int]:
        """What is stored of a member, as a file that `/train` would read, and how many messages that is."""
        stored: list[dict[str, object]] = []
        async with self._runtime.database.transaction(isolation="repeatable_read", readonly=True) as connection:
            guild = await read_guild(connection, guild_id)
            async for batch in export_author(connection, guild_id, guild.generation, user_id):
                stored += [
                    {
                        "id": str(message.message_id),
                        "channel": str(message.channel_id) if message.channel_id is not None else None,
                        "author": str(user_id),
                        "message": message.content,
                        "attachments": list(message.attachments),
                        "ageRestricted": message.nsfw,
                    }
                    for message in batch
                ]
        data = orjson.dumps(stored, option=orjson.OPT_INDENT_2)
        name = f"messages-{guild_id}-{user_id}.json"
        if len(data) >= _ZIPPED_FROM:
            return File(f"{name}.gz", gzip.compress(data), ""), len(stored)
        return File(name, data, ""), len(stored)

    async def has_opted_out(self, guild_id: int, user_id: int) -> bool:
        """Whether a member is not to be learned."""
        intake = self._hosting.intake_of(guild_id)
        return intake is not None and user_id in (await intake.directory(guild_id)).opted_out

    async def _forget_errors(self, guild_id: int) -> None:
        """A file that could not be learned is quoted by its job's error, whoever wrote it."""
        async with self._runtime.database.connection() as connection:
            await forget_errors(connection, guild_id)

    async def _follow_opt(self, guild_id: int, user_id: int, *, out: bool) -> None:
        intake = self._hosting.intake_of(guild_id)
        if intake is not None:
            directory = await intake.directory(guild_id)
            (directory.opted_out.add if out else directory.opted_out.discard)(user_id)

    def _owner(self, guild_id: int) -> Owner:
        owner = self._hosting.owner_of(guild_id)
        if owner is None:
            raise NotOwnedError(MOVING)
        return owner
