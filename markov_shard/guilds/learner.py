"""The learn path: messages wait in memory for a moment and reach Postgres in batches."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Iterable, Sequence

from markov_shard.errors import DatabaseUnavailableError, SupersededError
from markov_shard.guilds.guild import Guild, Unstored
from markov_shard.guilds.owner import Owner
from markov_shard.logs import get_logger
from markov_shard.store.messages import StoredMessage, learn_messages
from markov_shard.store.pool import Connection, Database

_log = get_logger(__name__)


class Learner:
    """Writes what guilds learned, at most `debounce` seconds after the message or when `batch_size` wait."""

    def __init__(
        self,
        database: Database,
        *,
        debounce: float,
        batch_size: int,
        in_batches: Callable[[int], bool] = lambda guild_id: True,
        on_stored: Callable[[Guild], None] = lambda guild: None,
        on_flushed: Callable[[], None] = lambda: None,
        on_superseded: Callable[[Owner], None] = lambda owner: None,
        observe_flush: Callable[[float], None] = lambda seconds: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`in_batches` says whether a guild's messages are written together, or with one statement each.

        `observe_flush` is told how many seconds each flush took that had something to store.
        """
        self._database = database
        self._debounce = debounce
        self._batch_size = batch_size
        self._in_batches = in_batches
        self._on_stored = on_stored
        self._on_flushed = on_flushed
        self._on_superseded = on_superseded
        self._observe_flush = observe_flush
        self._clock = clock
        self._dirty: dict[Guild, None] = {}  # by state, not by ID: in a resharding a guild has two owners for a moment
        self._waiting = 0
        self._oldest: float | None = None
        self._being_stored: float | None = None  # the oldest of the batch that a flush has in hand
        self._full = asyncio.Event()
        self.trouble: str | None = None
        """Why the last flush failed; None while all is well."""
        self.learned = 0
        """Messages taken into chains by this process, replays included."""
        self.stored = 0
        """Messages written by this process."""

    def learn(self, guild: Guild, message: StoredMessage, seq: int) -> bool:
        """Learns a message that event `seq` brought; False when the same message waits already."""
        if message.message_id in guild.unstored:
            return False
        guild.add(Unstored(message, guild.owner.position.open(seq)))
        self._dirty[guild] = None
        self._waiting += 1
        self.learned += 1
        if self._oldest is None:
            self._oldest = self._clock()
        if self._waiting >= self._batch_size:
            self._full.set()
        return True

    def unlearn_unstored(self, guild: Guild, message_id: int) -> bool:
        """Takes back a message that waits to be stored; the guild's lock must be held."""
        unstored = guild.discard(message_id)
        if unstored is None:
            return False
        self._waiting -= 1
        guild.owner.position.close(unstored.mark)
        return True

    @property
    def waiting(self) -> int:
        """Messages not stored yet."""
        return self._waiting

    @property
    def oldest_age(self) -> float:
        """Seconds the longest-waiting message has waited."""
        known = [moment for moment in (self._oldest, self._being_stored) if moment is not None]
        return self._clock() - min(known) if known else 0.0

    async def run(self) -> None:
        """Flushes until cancelled; an unreachable Postgres is tried again, and nothing is lost meanwhile."""
        while True:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(self._debounce):
                    await self._full.wait()
            self._full.clear()
            try:
                await self.flush()
            except DatabaseUnavailableError as error:
                if self.trouble is None:
                    _log.error(
                        "learned messages cannot be stored; trying again", waiting=self._waiting, reason=str(error)
                    )
                self.trouble = str(error)
                continue
            if self.trouble is not None:
                _log.info("learned messages are stored again")
                self.trouble = None
            self._on_flushed()

    async def flush(self, owners: Iterable[Owner] | None = None) -> None:
        """Stores everything learned so far, or everything of some owners, in one transaction an owner.

        Raises DatabaseUnavailableError; what could not be stored stays waiting.
        """
        started, waiting = self._clock(), self._waiting
        oldest = self._being_stored = self._oldest
        self._oldest = None
        by_owner: dict[Owner, list[Guild]] = {}
        for guild in self._dirty:
            by_owner.setdefault(guild.owner, []).append(guild)
        wanted = by_owner.keys() if owners is None else by_owner.keys() & set(owners)
        try:
            for owner in [owner for owner in by_owner if owner in wanted]:
                await self._flush_owner(owner, sorted(by_owner[owner], key=lambda guild: guild.guild_id))
        except BaseException:
            self._oldest = oldest if self._waiting else None  # it waits on
            raise
        finally:
            self._being_stored = None
        if self._waiting and wanted != by_owner.keys():
            self._oldest = oldest  # perhaps another owner's: rather too old than too young
        if waiting:
            self._observe_flush(self._clock() - started)

    async def flush_guild(self, guild: Guild) -> None:
        """Stores one guild's messages; its lock must be held."""
        await self._write(guild.owner, [guild])

    async def _flush_owner(self, owner: Owner, guilds: list[Guild]) -> None:
        async with contextlib.AsyncExitStack() as locks:
            for guild in guilds:  # in the order of their IDs, as every other taker of several locks
                await locks.enter_async_context(guild.lock)
            try:
                await self._write(owner, guilds)
            except SupersededError as error:
                _log.warning("superseded: dropping what was not stored", shard=owner.shard_id, reason=str(error))
                for guild in guilds:
                    self.abandon(guild)
                self._on_superseded(owner)

    async def _write(self, owner: Owner, guilds: list[Guild]) -> None:
        batches = [(guild, list(guild.unstored.values())) for guild in guilds if guild.unstored]
        if not batches:
            return
        fresh: list[set[int]] = []
        async with self._database.transaction() as connection:
            await owner.require(connection)
            for guild, batch in batches:
                fresh.append(await self._store(connection, guild.guild_id, [u.message for u in batch]))
        for (guild, batch), new in zip(batches, fresh, strict=True):
            self._settle(guild, batch, new)

    async def _store(self, connection: Connection, guild_id: int, messages: Sequence[StoredMessage]) -> set[int]:
        if self._in_batches(guild_id):
            return await learn_messages(connection, guild_id, messages)
        new: set[int] = set()
        for message in messages:
            new |= await learn_messages(connection, guild_id, [message])
        return new

    def _settle(self, guild: Guild, batch: list[Unstored], new: set[int]) -> None:
        for unstored in batch:
            message = unstored.message
            del guild.unstored[message.message_id]
            guild.owner.position.close(unstored.mark)
            if message.message_id not in new:
                guild.unlearn(message)  # replayed: it was stored, and counted, before; or its author opted out
        self._waiting -= len(batch)
        self.stored += len(new)
        if guild.opened is None:
            guild.stored_unseen += len(new)
        if not guild.unstored:
            self._dirty.pop(guild, None)
        self._on_stored(guild)

    def abandon(self, guild: Guild) -> None:
        """Forgets a guild that another process owns now; Discord replays to it what was not stored here."""
        self._waiting -= len(guild.unstored)
        guild.unstored.clear()
        guild.close()
        self._dirty.pop(guild, None)
