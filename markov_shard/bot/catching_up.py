"""After a session that could not be resumed: finds the guilds that missed events, and has each read over REST.

A gap is written down before the IDENTIFY that makes it final, and crossed out when everything of it is stored, so
a process that dies in between leaves it to the next owner of the guild.
"""

import asyncio
import contextlib
import time
from collections import Counter
from collections.abc import Callable
from functools import partial

import hikari

from markov_shard.bot.hosting import Hosting
from markov_shard.bot.rereading import Rereading
from markov_shard.errors import DatabaseUnavailableError, MarkovShardError
from markov_shard.guilds.learner import Learner
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.registry import Guilds
from markov_shard.logs import get_logger
from markov_shard.ownership.runner import OwnedShard
from markov_shard.rest import explained
from markov_shard.shared.leases import ShardKey
from markov_shard.snowflakes import first_id_at
from markov_shard.store.catch_ups import CatchUp, end_catch_up, note_catch_ups, read_catch_ups
from markov_shard.store.pool import Database

_log = get_logger(__name__)

_AT_ONCE = 4
"""Guilds read at the same time by one process: members' replies share its way to Discord."""

_IDLE_SECONDS = 30.0
"""Between looks for guilds that an earlier owner left uncaught."""

_CONNECTING_SECONDS = 1.0
"""Between looks while a shard with a gap is not connected yet."""


class CatchingUp:
    """Notes gaps, and closes those of the guilds that this process owns."""

    def __init__(
        self,
        database: Database,
        guilds: Guilds,
        learner: Learner,
        hosting: Hosting,
        rest: Callable[[], hikari.api.RESTClient],
        *,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._database = database
        self._guilds = guilds
        self._learner = learner
        self._hosting = hosting
        self._rest = rest
        self._clock = clock
        self._unnoted: dict[ShardKey, int] = {}  # gaps that Postgres was away for, by our clock
        self._noted = asyncio.Event()
        self.messages: Counter[str] = Counter(learned=0, edited=0, removed=0)
        """Messages that catching up learned, edited and removed."""

    async def note(self, shard: OwnedShard) -> None:
        """A new session is about to begin for the shard, which replays nothing: its guilds are to be caught up.

        Never raises and never waits for Postgres to come back: it is noted then.
        """
        try:
            await self._write_down(shard.key, None)
        except DatabaseUnavailableError:
            self._unnoted.setdefault(shard.key, first_id_at(self._clock()))
        self._noted.set()

    async def _write_down(self, shard: ShardKey, before_id: int | None) -> None:
        async with self._database.connection() as connection:
            await note_catch_ups(connection, shard.shard_count, shard.shard_id, before_id)

    async def run(self) -> None:
        """Catches up until cancelled; servers and Discord out of reach put it off."""
        while True:
            self._noted.clear()
            wait = _IDLE_SECONDS
            try:
                if not await self.sweep():
                    wait = _CONNECTING_SECONDS
            except MarkovShardError as error:
                _log.warning("missed messages cannot be read now; trying again", reason=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(wait):
                    await self._noted.wait()

    async def sweep(self) -> bool:
        """Catches every owned guild up that waits; False when some wait for their shard's new session.

        Before the session has begun, what is read now and what it will bring might leave a gap between them.
        """
        for shard, before_id in list(self._unnoted.items()):
            await self._write_down(shard, before_id)
            if self._unnoted.get(shard) == before_id:
                del self._unnoted[shard]
        async with self._database.connection() as connection:
            gaps = await read_catch_ups(connection)
        owned = [(gap, owner) for gap in gaps if (owner := self._hosting.owner_of(gap.guild_id)) is not None]
        ready = [(gap, owner) for gap, owner in owned if self._is_connected(owner)]
        turns = asyncio.Semaphore(_AT_ONCE)

        async def in_turn(gap: CatchUp, owner: Owner) -> None:
            async with turns:
                await self._catch_up(gap, owner)

        async with asyncio.TaskGroup() as group:
            for gap, owner in ready:
                group.create_task(in_turn(gap, owner), name=f"catching up guild {gap.guild_id}")
        return len(ready) == len(owned)

    def _is_connected(self, owner: Owner) -> bool:
        return self._hosting.shard_health(owner.key).state == "connected"

    async def _catch_up(self, gap: CatchUp, owner: Owner) -> None:
        guild = str(gap.guild_id)
        try:
            done = await self._read(gap, owner)
        except (hikari.HikariError, OSError) as error:
            _log.warning("a guild is not caught up yet", guild=guild, reason=str(explained(error)))
        except MarkovShardError as error:
            _log.warning("a guild is not caught up yet", guild=guild, reason=str(error))
        except Exception:  # noqa: BLE001 - one odd guild must not stop the others
            _log.exception("a guild cannot be caught up", guild=guild)
        else:
            if done.total():
                _log.info("caught up with what was missed", guild=guild, **done)

    async def _read(self, gap: CatchUp, owner: Owner) -> Counter[str]:
        def is_owned() -> bool:
            return self._hosting.owner_of(gap.guild_id) is owner

        intake = self._hosting.intake_of(gap.guild_id)
        if intake is None or not is_owned():
            return Counter()  # it went elsewhere while it waited for its turn
        reading = Rereading(
            gap,
            owner,
            await intake.directory(gap.guild_id),
            database=self._database,
            guilds=self._guilds,
            rest=self._rest(),
            is_owned=is_owned,
            on_channel_gone=partial(intake.channel_gone, gap.guild_id),
            clock=self._clock,
        )
        try:
            await reading.run()
            await self._learner.flush([owner])
        finally:
            self.messages.update(reading.done)
        async with self._database.transaction() as connection:
            await owner.require(connection)
            await end_catch_up(connection, gap)
        return reading.done
