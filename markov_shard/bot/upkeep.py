"""Keeping owned guilds within their limits: the oldest messages beyond the quota, and those past their time, go."""

import asyncio
import time
from collections.abc import Callable

from markov_shard.bot.hosting import Hosting
from markov_shard.errors import MarkovShardError
from markov_shard.guilds.registry import Guilds
from markov_shard.logs import get_logger
from markov_shard.settings import Settings
from markov_shard.snowflakes import first_id_at
from markov_shard.store.guilds import read_guild
from markov_shard.store.pool import Database
from markov_shard.store.upkeep import expired_messages, present_guilds, surplus_messages

_log = get_logger(__name__)

_AT_ONCE = 1000
SWEEP_SECONDS = 900.0


class Upkeep:
    """Goes through the guilds this process owns, again and again; does nothing where no limit is set."""

    def __init__(
        self,
        database: Database,
        guilds: Guilds,
        hosting: Hosting,
        settings: Settings,
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._guilds = guilds
        self._hosting = hosting
        self._quota = settings.max_messages_per_guild
        self._days = settings.retention_days
        self._clock = clock

    async def run(self, every: float = SWEEP_SECONDS) -> None:
        """Sweeps until cancelled; servers out of reach put it off."""
        if not (self._quota or self._days):
            return
        while True:
            try:
                await self.sweep()
            except MarkovShardError as error:
                _log.warning("limits cannot be kept now; trying again", reason=str(error))
            await asyncio.sleep(every)

    async def sweep(self) -> int:
        """Brings every owned guild within its limits once; returns how many messages went."""
        async with self._database.connection() as connection:
            present = await present_guilds(connection)
        return sum([await self.keep_within(guild_id) for guild_id in present])

    async def keep_within(self, guild_id: int) -> int:
        """Unlearns what a guild has too much of, in steps; returns how many messages went."""
        count = 0
        while (owner := self._hosting.owner_of(guild_id)) is not None:
            gone = await self._unwanted(guild_id)
            if not gone:
                break
            count += await self._guilds.remove(guild_id, owner, gone)
        if count:
            _log.info("a guild is within its limits again", guild=str(guild_id), unlearned=count)
        return count

    async def _unwanted(self, guild_id: int) -> list[int]:
        async with self._database.connection() as connection:
            generation = (await read_guild(connection, guild_id)).generation
            if self._days:
                oldest = first_id_at(self._clock() - self._days * 86_400)
                expired = await expired_messages(connection, guild_id, generation, before=oldest, limit=_AT_ONCE)
                if expired:
                    return expired
            if self._quota:
                return await surplus_messages(connection, guild_id, generation, keep=self._quota, limit=_AT_ONCE)
        return []
