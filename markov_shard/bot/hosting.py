"""The shards this process runs: from ownership to a gateway connection, and back."""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import hikari

from markov_shard.bot.events import Answering, GuildEvents
from markov_shard.bot.fleet_bot import FleetBot
from markov_shard.bot.gateway import FleetShard, IdentifyGate, ResumePoint
from markov_shard.bot.hosted import Hosted, Tenure, Unquestioned
from markov_shard.bot.intake import Intake
from markov_shard.bot.timing import ReplyClock
from markov_shard.bot.turn_taking import TIMED, Share, share
from markov_shard.errors import RedisUnavailableError
from markov_shard.guilds.learner import Learner
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.positions import Position
from markov_shard.guilds.registry import Guilds
from markov_shard.logs import get_logger
from markov_shard.ownership.runner import OwnedShard, ShardHealth
from markov_shard.ownership.turns import Turns
from markov_shard.ranges import shard_of
from markov_shard.rest import explained
from markov_shard.shared.leases import ShardKey
from markov_shard.shared.sessions import Session, Sessions
from markov_shard.store.channels import ChannelRow
from markov_shard.store.pool import Database

_log = get_logger(__name__)


@dataclass(frozen=True)
class _Rules:
    """What a shard's connection asks of ownership."""

    hosting: "Hosting"
    shard: OwnedShard

    def may_connect(self) -> bool:
        return self.hosting.tenure.may_connect(self.shard.key)

    def is_recovery(self) -> bool:
        return self.shard.epoch > 1 and self.shard.shard_count == self.hosting.turns.shard_count

    async def before_identify(self) -> None:
        await self.hosting.before_identify(self.shard)

    def is_answering(self) -> bool:
        return self.hosting.reply_clock.is_answering


class Hosting:
    """Runs owned shards on one bot; the ownership agent calls `start_shard` and `stop_shard`."""

    def __init__(
        self,
        bot: FleetBot,
        database: Database,
        sessions: Sessions,
        guilds: Guilds,
        learner: Learner,
        gate: IdentifyGate,
        activity: hikari.Activity | None = None,
        reply_clock: ReplyClock | None = None,
        on_settled: Callable[[], None] = lambda: None,
        *,
        responder: Callable[[], Answering],
        before_session: Callable[[OwnedShard], Awaitable[None]],
        on_started: Callable[[OwnedShard], None] = lambda shard: None,
        ignored: Collection[int] = frozenset(),
    ) -> None:
        """`on_settled` is called when a resharding is over; `responder` gives what answers messages, once shards start;
        `before_session` is told when the events since a shard's last session are lost; `on_started` when one serves.

        `ignored`: channels never learned from.
        """
        self._on_settled = on_settled
        self._bot = bot
        self._database = database
        self._sessions = sessions
        self._guilds = guilds
        self._learner = learner
        self._gate = gate
        self._activity = activity
        self.reply_clock = reply_clock or ReplyClock()
        self._responder = responder
        self._before_session = before_session
        self._on_started = on_started
        self._ignored = ignored
        self.events: Counter[str] = Counter()
        """Gateway events received, by name."""
        self._gone: Counter[str] = Counter()
        """What the shards that were let go had counted."""
        self._hosted: dict[ShardKey, Hosted] = {}
        self.tenure: Tenure = Unquestioned()
        self.turns = Turns()
        self._opening = asyncio.Lock()
        self._closing: set[asyncio.Task[None]] = set()

    # --- for the ownership agent ----------------------------------------------------------------------------

    async def start_shard(self, shard: OwnedShard) -> None:
        """Connects a shard: resumes its saved session, else identifies. Returns when it is READY or RESUMED.

        Raises DiscordUnavailableError when Discord is away or refuses the bot.
        """
        await self._open_bot(shard.shard_count)
        session = await self._sessions.load(shard.shard_count, shard.shard_id)
        resume = ResumePoint(session.session_id, session.seq, session.resume_url, session.user_id) if session else None
        owner = Owner(shard.shard_id, shard.shard_count, shard.epoch, Position(resume.seq if resume else 0))
        events = GuildEvents(owner, self._guilds, self._database, self._fetch_channel, self._responder())
        hosted = Hosted(owner, Intake(owner, events, self._database, ignored=self._ignored), saved=resume)
        self._hosted[shard.key] = hosted
        try:
            hosted.shard = await self._bot.add_shard(
                shard.shard_id,
                shard.shard_count,
                gate=self._gate,
                rules=_Rules(self, shard),
                on_dispatch=partial(self._dispatched, hosted),
                resume=resume,
                activity=self._activity,
            )
        except hikari.HikariError as error:
            self._abandon(hosted)
            raise explained(error) from error
        except BaseException:
            self._abandon(hosted)
            raise
        how = "resumed" if resume and not hosted.shard.identifies else "identified"
        _log.info("shard is connected", shard=shard.shard_id, of=shard.shard_count, epoch=shard.epoch, how=how)
        self._on_started(shard)

    async def stop_shard(self, shard: OwnedShard, *, drain: bool) -> None:
        """Drain: close the connection keeping its session, finish and store what came, save the position.

        Not drain: another process owns the shard; everything of it is dropped and nothing is written.
        """
        hosted = self._hosted.get(shard.key)
        if hosted is None:
            return
        drain = drain and not hosted.stale
        if drain:
            await self._learner.flush([hosted.owner])  # served meanwhile: what is left to store afterwards is little
        else:
            self._abandon(hosted)
        if hosted.shard is not None:
            await self._hang_up(hosted.shard)
        if drain:
            await hosted.intake.settle()
            await self._learner.flush([hosted.owner])
            await self._save(hosted)
            self._abandon(hosted)
        _log.info("shard is let go", shard=shard.shard_id, of=shard.shard_count, drained=drain)

    async def _hang_up(self, shard: FleetShard) -> None:
        """Returns when no more events come; hikari takes a quarter of a second more, which the next owner need not
        wait for."""
        leaving = asyncio.create_task(self._bot.drop_shard(shard), name=f"closing shard {shard.id}")
        self._closing.add(leaving)
        leaving.add_done_callback(self._closing.discard)
        silent = asyncio.create_task(shard.silent())
        await asyncio.wait([leaving, silent], return_when=asyncio.FIRST_COMPLETED)
        silent.cancel()

    async def closed(self) -> None:
        """Waits until the connections of all shards that were let go are closed."""
        if self._closing:
            await asyncio.wait(self._closing)

    def _dispatched(self, hosted: Hosted, seq: int, name: str, payload: Any) -> bool:
        """Takes an event; whether hikari, and so the commands, are to see it."""
        self.events[name] += 1
        key = hosted.owner.key
        if hosted.stale or not self.tenure.is_sure_of(key):
            hosted.stale = True  # as after a pause: another process has it, or this one must take it anew
            return False
        decided = share(self.turns, key.shard_count, name, payload, _now_ms())
        if decided is not Share.SERVE:
            if decided is Share.KEEP:
                hosted.kept.add(seq, name, payload)
            hosted.intake.handle(seq, name, None)
            return False
        if name in TIMED:
            self.reply_clock.arrived(payload.get("guild_id"))
            if name == "INTERACTION_CREATE":  # of messages, the responder knows which
                self.reply_clock.owe()
        hosted.intake.handle(seq, name, payload)
        return True

    def take_turns(self, turns: Turns) -> None:
        """Says which set of shards serves what from now on.

        A muted set that hears late of its turn takes what it kept since; once the other set is gone, chains are
        opened anew, since both changed what is stored.
        """
        before, self.turns = self.turns, turns
        if turns.switch_at and not before.switch_at:
            for hosted in list(self._hosted.values()):
                for event in hosted.kept.take(turns, hosted.owner.shard_count):
                    hosted.intake.handle(event.seq, event.name, event.payload)
        if before.upcoming and before.upcoming == turns.shard_count:
            self._on_settled()

    async def before_identify(self, shard: OwnedShard) -> None:
        """A new session is about to begin, which replays nothing of what was missed.

        Not so for a set of shards that is to take over: the other set misses nothing.
        """
        if shard.shard_count != self.turns.upcoming:
            await self._before_session(shard)

    @property
    def resumes(self) -> int:
        """Resumed sessions of all shards this process has had."""
        return self._ever["resumes"]

    @property
    def identifies(self) -> int:
        """IDENTIFYs of all shards this process has had."""
        return self._ever["identifies"]

    @property
    def zombies(self) -> int:
        """Connections of this process on which a heartbeat was not acknowledged in time."""
        return self._ever["zombies"]

    @property
    def _ever(self) -> Counter[str]:
        """What all shards this process has had counted."""
        return sum((hosted.counts for hosted in self._hosted.values()), self._gone)

    def shard_health(self, key: ShardKey) -> ShardHealth:
        """What is known of a shard's connection now."""
        hosted = self._hosted.get(key)
        return hosted.health if hosted else ShardHealth(state="stopped")

    @property
    def connections(self) -> Mapping[ShardKey, FleetShard]:
        """The gateway connections of this process's shards, whatever their state."""
        return {key: hosted.shard for key, hosted in self._hosted.items() if hosted.shard is not None}

    @property
    def shards(self) -> list[ShardKey]:
        """The shards this process runs or is starting."""
        return sorted(self._hosted)

    # --- for the rest of the bot ----------------------------------------------------------------------------

    def owner_of(self, guild_id: int) -> Owner | None:
        """The proof of ownership for a guild's shard; None when this process does not own it."""
        counts = {key.shard_count for key in self._hosted}
        now = _now_ms() if len(counts) > 1 else 0
        for count in sorted(counts, key=lambda count: not self.turns.serves(count, now)):
            hosted = self._hosted.get(ShardKey(count, shard_of(guild_id, count)))
            if hosted is not None:
                return hosted.owner
        return None

    def intake_of(self, guild_id: int) -> Intake | None:
        """The intake of the guild's shard; None when this process does not own it."""
        owner = self.owner_of(guild_id)
        return self._hosted[owner.key].intake if owner else None

    async def save_positions(self) -> None:
        """Saves how far each shard's events are stored; a Redis out of reach only means an older position."""
        for hosted in list(self._hosted.values()):
            if hosted.stale:
                continue
            try:
                await self._save(hosted)
            except RedisUnavailableError as error:
                _log.warning("session positions cannot be saved", reason=str(error))
                return

    async def _save(self, hosted: Hosted) -> None:
        stored = hosted.stored_point
        if stored is not None and stored != hosted.saved:
            session = Session(stored.session_id, stored.seq, stored.resume_url, stored.user_id)
            await self._sessions.save(hosted.owner.shard_count, hosted.owner.shard_id, hosted.owner.epoch, session)
            hosted.saved = stored

    def _abandon(self, hosted: Hosted) -> None:
        hosted.intake.close()
        self._guilds.abandon(hosted.owner)
        if self._hosted.pop(hosted.owner.key, None) is not None:
            self._gone.update(hosted.counts)

    async def _open_bot(self, shard_count: int) -> None:
        async with self._opening:
            if self._bot.is_alive:
                return
            try:
                await self._bot.open(shard_count)
            except (hikari.HikariError, OSError) as error:
                raise explained(error) from error

    async def _fetch_channel(self, channel_id: int) -> ChannelRow | None:
        try:
            channel = await self._bot.rest.fetch_channel(channel_id)
        except (hikari.NotFoundError, hikari.ForbiddenError):
            return None
        parent = int(channel.parent_id) if isinstance(channel, hikari.GuildThreadChannel) else None
        return ChannelRow(int(channel.id), parent, bool(getattr(channel, "is_nsfw", False)))


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
