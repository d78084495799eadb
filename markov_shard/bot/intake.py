"""Gateway events as they arrive, in order, to what is learned and unlearned.

It reads raw payloads, not hikari's events: those are handed to concurrent tasks, which may overtake one
another, and carry no sequence number, without which no position to resume from can be known.
"""

import asyncio
from collections import deque
from collections.abc import Collection, Coroutine, Mapping
from dataclasses import dataclass, field

from structlog.contextvars import bind_contextvars

from markov_shard.bot.directory import ChannelDirectory
from markov_shard.bot.events import GuildEvents, Payload
from markov_shard.errors import MarkovShardError, SupersededError
from markov_shard.guilds.owner import Owner
from markov_shard.logs import get_logger
from markov_shard.store.channels import read_channels
from markov_shard.store.members import opted_out
from markov_shard.store.pool import Database
from markov_shard.store.upkeep import joined_guilds
from markov_shard.tasks import persist

_log = get_logger(__name__)


@dataclass(frozen=True, slots=True)
class _Waiting:
    mark: int
    seq: int
    name: str
    payload: Payload


@dataclass(eq=False)
class _GuildQueue:
    """Events of one guild that must wait for something slow; later ones queue behind them to keep the order."""

    directory: ChannelDirectory | None = None
    waiting: deque[_Waiting] = field(default_factory=deque)
    task: asyncio.Task[None] | None = None


class Intake:
    """Turns the events of one shard into learning; `handle` is called for each, in order."""

    def __init__(
        self, owner: Owner, events: GuildEvents, database: Database, *, ignored: Collection[int] = frozenset()
    ) -> None:
        """`ignored`: channels that are never learned from."""
        self._ignored = ignored
        self._owner = owner
        self._events = events
        self._database = database
        self._queues: dict[int, _GuildQueue] = {}
        self._came: set[int] = set()
        """Guilds that GUILD_CREATE told of since the session began."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = False

    def handle(self, seq: int, name: str, payload: Payload | None) -> None:
        """Takes one dispatch; never blocks and never raises for what is in the payload."""
        position = self._owner.position
        if name == "READY" and payload is not None and not self._closed:
            position.new_session()
            self._came.clear()
            listed = frozenset(int(guild["id"]) for guild in payload.get("guilds", ()))
            self._keep(self._look_for_left(position.open(seq), seq, listed), "guilds that were left")
            return
        guild_id = _guild_of(name, payload)
        if self._closed or payload is None or guild_id is None or not self._events.handles(name):
            position.seen(seq)
            if name == "MESSAGE_CREATE" and payload is not None and not self._closed:
                self._events.direct(payload)
            return
        if name == "GUILD_CREATE":
            self._came.add(guild_id)
        queue = self._queues.setdefault(guild_id, _GuildQueue())
        at_once = queue.directory if queue.task is None and name == "MESSAGE_CREATE" else None
        if at_once is not None and self._events.take(guild_id, at_once, seq, payload):
            position.seen(seq)
            return
        self._queue(guild_id, queue, _Waiting(position.open(seq), seq, name, payload))

    def _queue(self, guild_id: int, queue: _GuildQueue, event: _Waiting) -> None:
        queue.waiting.append(event)
        if queue.task is None:
            queue.task = asyncio.create_task(self._work(guild_id, queue), name=f"events of guild {guild_id}")

    async def _look_for_left(self, mark: int, seq: int, listed: frozenset[int]) -> None:
        """Takes guilds that a new session does not list for such as removed the bot while nobody was connected.

        READY lists every guild of its shard, those in an outage too; after a RESUME there is none, and no need.
        """
        known = await persist(
            self._joined,
            on_trouble=lambda error: _log.warning("guilds that were left are not looked for yet", reason=str(error)),
        )
        for guild_id in known:
            if guild_id not in listed and guild_id not in self._came:
                _log.info("a guild removed the bot while it was away", guild=str(guild_id))
                left = _Waiting(self._owner.position.open(seq), seq, "GUILD_DELETE", {"id": str(guild_id)})
                self._queue(guild_id, self._queues.setdefault(guild_id, _GuildQueue()), left)
        self._owner.position.close(mark)

    async def _joined(self) -> list[int]:
        async with self._database.connection() as connection:
            return await joined_guilds(connection, self._owner.shard_id, self._owner.shard_count)

    def _keep(self, work: Coroutine[object, object, None], name: str) -> None:
        task = asyncio.create_task(work, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _work(self, guild_id: int, queue: _GuildQueue) -> None:
        """Works off a guild's waiting events one after the other, again and again while Postgres is away."""
        bind_contextvars(guild=str(guild_id), shard=self._owner.shard_id)
        delay = 0.1
        while queue.waiting:
            event = queue.waiting[0]
            try:
                directory = await self._directory(guild_id, queue)
                await self._events.handle(event.name, guild_id, directory, event.seq, event.payload)
            except SupersededError:
                return  # the flush notices too, and ends the shard; the next owner gets the events replayed
            except MarkovShardError as error:
                _log.warning(
                    "an event waits for storage", event_name=event.name, guild=str(guild_id), reason=str(error)
                )
                await asyncio.sleep(delay)
                delay = min(delay * 2, 5.0)
                continue
            except Exception:  # noqa: BLE001 - one odd event must not stop a guild's learning
                _log.exception("an event could not be handled", event_name=event.name, guild=str(guild_id))
            queue.waiting.popleft()
            self._owner.position.close(event.mark)
            delay = 0.1
        queue.task = None

    async def _directory(self, guild_id: int, queue: _GuildQueue) -> ChannelDirectory:
        if queue.directory is None:
            async with self._database.connection() as connection:
                channels, gone = await read_channels(connection, guild_id), await opted_out(connection, guild_id)
            if queue.directory is None:  # a command may have asked at the same time, and have changed it since
                queue.directory = ChannelDirectory(channels, opted_out=gone, ignored=self._ignored)
        return queue.directory

    async def directory(self, guild_id: int) -> ChannelDirectory:
        """The guild's channels, for commands that show or change them."""
        return await self._directory(guild_id, self._queues.setdefault(guild_id, _GuildQueue()))

    async def channel_gone(self, guild_id: int, channel_id: int) -> None:
        """A channel was found deleted, of which no event told."""
        await self._events.channel_gone(guild_id, await self.directory(guild_id), channel_id)

    async def is_restricted(self, guild_id: int, channel_id: int) -> bool:
        """Whether the channel, or the one a thread hangs under, is age-restricted; asks Discord where nobody told."""
        directory = await self.directory(guild_id)
        if not directory.knows(channel_id):
            await self._events.ask(guild_id, directory, channel_id)
        return directory.is_nsfw(channel_id)

    async def settle(self) -> None:
        """Waits until every event taken so far has done its work."""
        while tasks := [*self._tasks, *(queue.task for queue in self._queues.values() if queue.task)]:
            await asyncio.wait(tasks)

    def close(self) -> None:
        """Takes no more events, and stops work that waits: for a shard that another process owns now."""
        self._closed = True
        for task in list(self._tasks):
            task.cancel()
        for queue in self._queues.values():
            if queue.task:
                queue.task.cancel()


def _guild_of(name: str, payload: Payload | None) -> int | None:
    if not isinstance(payload, Mapping):
        return None  # RESUMED and the like
    guild_id = payload.get("id") if name.startswith("GUILD_") and "guild_id" not in payload else payload.get("guild_id")
    return int(guild_id) if guild_id is not None else None
