"""The shards this process runs: from ownership to a gateway connection, and back."""

import asyncio
import math
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import Any

import hikari

from markov_shard.bot.events import GuildEvents
from markov_shard.bot.gateway import FleetBot, FleetShard, IdentifyGate, ResumePoint
from markov_shard.bot.intake import Intake
from markov_shard.bot.timing import ReplyClock
from markov_shard.errors import RedisUnavailableError
from markov_shard.guilds.learner import Learner
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.positions import Position
from markov_shard.guilds.registry import Guilds
from markov_shard.logs import get_logger
from markov_shard.ownership.runner import OwnedShard, ShardHealth, ShardState
from markov_shard.ranges import shard_of
from markov_shard.rest import explained
from markov_shard.shared.sessions import Session, Sessions
from markov_shard.store.channels import ChannelRow
from markov_shard.store.pool import Database

_log = get_logger(__name__)


@dataclass(eq=False)
class _Hosted:
    owner: Owner
    intake: Intake
    shard: FleetShard | None = None
    saved: ResumePoint | None = None


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
    ) -> None:
        self._bot = bot
        self._database = database
        self._sessions = sessions
        self._guilds = guilds
        self._learner = learner
        self._gate = gate
        self._activity = activity
        self._reply_clock = reply_clock or ReplyClock()
        self.events: Counter[str] = Counter()
        """Gateway events received, by name."""
        self._gone_resumes = self._gone_identifies = 0
        self._hosted: dict[int, _Hosted] = {}
        self._opening = asyncio.Lock()

    # --- for the ownership agent ----------------------------------------------------------------------------

    async def start_shard(self, shard: OwnedShard) -> None:
        """Connects a shard: resumes its saved session, else identifies. Returns when it is READY or RESUMED.

        Raises DiscordUnavailableError when Discord is away or refuses the bot.
        """
        await self._open_bot(shard.shard_count)
        session = await self._sessions.load(shard.shard_count, shard.shard_id)
        resume = ResumePoint(session.session_id, session.seq, session.resume_url, session.user_id) if session else None
        owner = Owner(shard.shard_id, shard.shard_count, shard.epoch, Position(resume.seq if resume else 0))
        events = GuildEvents(owner, self._guilds, self._database, self._fetch_channel)
        hosted = _Hosted(owner, Intake(owner, events, self._database), saved=resume)
        self._hosted[shard.shard_id] = hosted
        try:
            hosted.shard = await self._bot.add_shard(
                shard.shard_id,
                shard.shard_count,
                gate=self._gate,
                on_dispatch=partial(self._dispatched, hosted.intake),
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

    async def stop_shard(self, shard: OwnedShard, *, drain: bool) -> None:
        """Drain: close the connection keeping its session, finish and store what came, save the position.

        Not drain: another process owns the shard; everything of it is dropped and nothing is written.
        """
        hosted = self._hosted.get(shard.shard_id)
        if hosted is None:
            return
        if not drain:
            self._abandon(hosted)
        if hosted.shard is not None:
            await self._bot.drop_shard(hosted.shard)
        if drain:
            await hosted.intake.settle()
            await self._learner.flush([hosted.owner])
            await self._save(hosted)
            self._abandon(hosted)
        _log.info("shard is let go", shard=shard.shard_id, of=shard.shard_count, drained=drain)

    def _dispatched(self, intake: Intake, seq: int, name: str, payload: Any) -> None:
        self.events[name] += 1
        if name in ("MESSAGE_CREATE", "INTERACTION_CREATE"):
            self._reply_clock.arrived()
        intake.handle(seq, name, payload)

    @property
    def resumes(self) -> int:
        """Resumed sessions of all shards this process has had."""
        return self._gone_resumes + sum(hosted.shard.resumes for hosted in self._hosted.values() if hosted.shard)

    @property
    def identifies(self) -> int:
        """IDENTIFYs of all shards this process has had."""
        return self._gone_identifies + sum(hosted.shard.identifies for hosted in self._hosted.values() if hosted.shard)

    def shard_health(self, shard_id: int) -> ShardHealth:
        """What is known of a shard's connection now."""
        hosted = self._hosted.get(shard_id)
        shard = hosted.shard if hosted else None
        if shard is None:
            return ShardHealth(state="connecting" if hosted else "stopped")
        failure = shard.failure
        state: ShardState = "failed" if failure else "connected" if shard.is_connected else "connecting"
        return ShardHealth(
            state=state,
            latency=None if math.isnan(shard.heartbeat_latency) else shard.heartbeat_latency,
            last_event_age=time.monotonic() - shard.last_event_at,
            last_ack_age=None if math.isnan(shard.last_ack_age) else shard.last_ack_age,
            resumes=shard.resumes,
            identifies=shard.identifies,
            error=str(failure) if failure else None,
        )

    @property
    def shard_ids(self) -> list[int]:
        """The shards this process runs or is starting."""
        return sorted(self._hosted)

    # --- for the rest of the bot ----------------------------------------------------------------------------

    def owner_of(self, guild_id: int) -> Owner | None:
        """The proof of ownership for a guild's shard; None when this process does not own it."""
        for hosted in self._hosted.values():
            if shard_of(guild_id, hosted.owner.shard_count) == hosted.owner.shard_id:
                return hosted.owner
        return None

    def intake_of(self, guild_id: int) -> Intake | None:
        """The intake of the guild's shard; None when this process does not own it."""
        owner = self.owner_of(guild_id)
        return self._hosted[owner.shard_id].intake if owner else None

    async def save_positions(self) -> None:
        """Saves how far each shard's events are stored; a Redis out of reach only means an older position."""
        for hosted in list(self._hosted.values()):
            try:
                await self._save(hosted)
            except RedisUnavailableError as error:
                _log.warning("session positions cannot be saved", reason=str(error))
                return

    async def _save(self, hosted: _Hosted) -> None:
        point = hosted.shard.resume_point if hosted.shard else None
        safe = hosted.owner.position.safe
        if point is None or not safe:
            return
        stored = ResumePoint(point.session_id, safe, point.resume_url, point.user_id)
        if stored != hosted.saved:
            session = Session(stored.session_id, stored.seq, stored.resume_url, stored.user_id)
            await self._sessions.save(hosted.owner.shard_count, hosted.owner.shard_id, hosted.owner.epoch, session)
            hosted.saved = stored

    def _abandon(self, hosted: _Hosted) -> None:
        hosted.intake.close()
        self._guilds.abandon(hosted.owner)
        if self._hosted.pop(hosted.owner.shard_id, None) is not None and hosted.shard is not None:
            self._gone_resumes += hosted.shard.resumes
            self._gone_identifies += hosted.shard.identifies

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
