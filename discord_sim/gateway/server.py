"""The gateway: accepts sockets, and sends every event to the sessions that may have it."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import orjson
from aiohttp import web

from discord_sim import guild_shapes, shapes
from discord_sim.dispatch import Dispatch, Dispatcher
from discord_sim.gateway import intents as intent_bits
from discord_sim.gateway.buckets import IdentifyBuckets, SessionBudget
from discord_sim.gateway.codes import Close, Op
from discord_sim.gateway.identify import Identify
from discord_sim.gateway.protocol import ClientProtocol
from discord_sim.gateway.session import REPLAY_LIMIT, Session, SessionTable
from discord_sim.gateway.trouble import Disturbance, GatewayTrouble
from discord_sim.ids import shard_of
from discord_sim.journal import Journal
from discord_sim.permissions import VIEW_CHANNEL
from discord_sim.state import Application, Channel, Guild, Json, World

_GUILDS_AT_ONCE = 20
_GUILDS_WAITING = 100
"""GUILD_CREATEs that may wait for a client: a hundred thousand whole ones would fill the memory."""
_GUILDS_PAUSE = 0.002
_HELD_SECONDS = 0.05
_RECONNECT_SECONDS = 5.0


@dataclass(slots=True)
class GatewayLimits:
    """What the gateway allows; Discord's values unless a test says otherwise."""

    heartbeat_interval: float = 41.25
    max_concurrency: int = 16
    sessions_a_day: int = 1000
    replay_events: int = REPLAY_LIMIT
    """The newest events of a session that a RESUME replays; of sessions that begin from now on."""


class Gateway:
    """All sessions of all applications, and the sockets they speak through."""

    def __init__(
        self,
        world: World,
        dispatcher: Dispatcher,
        journal: Journal,
        public_url: Callable[[], str],
        limits: GatewayLimits | None = None,
    ) -> None:
        self.world = world
        self.journal = journal
        self.limits = limits or GatewayLimits()
        self.sessions = SessionTable()
        self.buckets = IdentifyBuckets(world.clock.monotonic, self.limits.max_concurrency)
        self.trouble = GatewayTrouble()
        self._disturbance: Disturbance | None = None
        self._budgets: dict[int, SessionBudget] = {}
        self._greetings: set[asyncio.Task[None]] = set()
        self._public_url = public_url
        self._open: set[web.WebSocketResponse] = set()
        dispatcher.add(self.receive)

    @property
    def url(self) -> str:
        return "ws" + self._public_url().removeprefix("http") + "/gateway"

    def budget(self, application: Application) -> SessionBudget:
        """What the application has left of its sessions of the day."""
        if application.id not in self._budgets:
            self._budgets[application.id] = SessionBudget(self.world.clock.monotonic, self.limits.sessions_a_day)
        return self._budgets[application.id]

    def set_trouble(self, trouble: GatewayTrouble) -> None:
        """What goes wrong from now on, in place of what went wrong until now."""
        self.trouble = trouble
        disturbance = Disturbance(trouble)
        if self._disturbance is not None:
            for session in self.sessions:
                self._release(session, self._disturbance)
        self._disturbance = disturbance if disturbance.needed else None
        for session in self.sessions:
            session.set_latency(trouble.latency)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        if self.trouble.refuse:
            return web.Response(status=503, text="The gateway is away, as was asked for.\n")
        socket = web.WebSocketResponse(max_msg_size=1 << 20, compress=False, timeout=1.0)
        await socket.prepare(request)
        self._open.add(socket)
        try:
            await ClientProtocol(self, socket, request).run()
        finally:
            self._open.discard(socket)
        return socket

    async def shutdown(self) -> None:
        await asyncio.gather(*(socket.close(code=1001, message=b"Server going away") for socket in list(self._open)))

    def begin(self, identify: Identify) -> Session:
        """A new session; the caller attaches its socket and then calls `greet`."""
        now, kept = self.world.clock.monotonic, self.limits.replay_events
        session = Session(identify.application, identify.shard, identify.intents, now, kept)
        self.sessions.add(session)
        return session

    def greet(self, session: Session) -> None:
        """READY with unavailable guilds, then GUILD_CREATE for each."""
        application = session.application
        shard_id, count = session.shard
        guild_ids = self.world.guilds.of_member(application.bot.id)
        mine = [guild_id for guild_id in guild_ids if shard_of(guild_id, count) == shard_id]
        ready: Json = {
            "v": 10,
            "user": shapes.own_user(application.bot),
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.trouble.resume_url or self.url,
            "shard": list(session.shard),
            "application": {"id": str(application.id), "flags": guild_shapes.application_flags(application)},
            "guilds": [{"id": str(guild_id), "unavailable": True} for guild_id in mine],
            "user_settings": {},
            "relationships": [],
            "private_channels": [],
            "presences": [],
            "guild_join_requests": [],
            "geo_ordered_rtc_regions": [],
        }
        self._send(session, Dispatch("READY", ready))
        if session.intents & intent_bits.GUILDS:
            task = asyncio.create_task(self._send_guilds(session, mine))
            self._greetings.add(task)
            task.add_done_callback(self._greetings.discard)

    async def _send_guilds(self, session: Session, guild_ids: list[int]) -> None:
        """GUILD_CREATE for each, giving way to others now and then; a RESUME makes them anew."""
        for place, guild_id in enumerate(guild_ids, start=1):
            if guild_id in self.world.guilds and not (guild := self.world.guilds.peek(guild_id)).unavailable:
                self._deliver(session, self.guild_create(guild, session), again=partial(self._anew, guild_id, session))
            if place % _GUILDS_AT_ONCE == 0:
                await asyncio.sleep(0)
            while session.backlog > _GUILDS_WAITING:  # noqa: ASYNC110
                await asyncio.sleep(_GUILDS_PAUSE)

    def _anew(self, guild_id: int, session: Session) -> bytes:
        if guild_id not in self.world.guilds:
            return b'{"id":"%d","unavailable":true}' % guild_id
        return self.guild_create(self.world.guilds.peek(guild_id), session).encoded

    def guild_create(self, guild: Guild, session: Session, *, joined: bool = False) -> Dispatch:
        every_member = bool(session.intents & intent_bits.GUILD_PRESENCES)
        bot = session.application.bot.id
        data = guild_shapes.guild_create(guild, bot, every_member=every_member, joined=joined)
        return Dispatch("GUILD_CREATE", data, guild)

    def receive(self, dispatch: Dispatch) -> None:
        """Send an event to each session that serves its guild, has its intent and can see its channel."""
        guild = dispatch.guild
        if dispatch.viewer is not None:
            return
        if guild is not None and guild.unavailable and dispatch.t != "GUILD_DELETE":
            return
        needed = intent_bits.needed_for(dispatch.t, direct=guild is None)
        for session in self.sessions.for_guild(None if guild is None else guild.id):
            if needed and not session.intents & needed:
                continue
            if self._may_see(session.application, dispatch):
                self._send(session, self._own(session, dispatch))

    def _own(self, session: Session, dispatch: Dispatch) -> Dispatch:
        """The event as this session gets it: of a guild it is shown its own member, and others by its intents."""
        if dispatch.t != "GUILD_CREATE" or dispatch.guild is None:
            return dispatch
        return self.guild_create(dispatch.guild, session, joined="unavailable" not in dispatch.d)

    def readers_of(self, channel: Channel) -> list[tuple[Session, bool]]:
        """The sessions that get what members write in a guild's channel, and whether without its content."""
        guild = self.world.guild_of(channel)
        if guild is None or guild.unavailable:
            return []
        needed = intent_bits.needed_for("MESSAGE_CREATE", direct=False)
        return [
            (session, not session.intents & intent_bits.MESSAGE_CONTENT)
            for session in self.sessions.for_guild(guild.id)
            if session.intents & needed and self.world.permissions(session.application.bot.id, channel) & VIEW_CHANNEL
        ]

    def _may_see(self, application: Application, dispatch: Dispatch) -> bool:
        if dispatch.application is not None:
            return dispatch.application == application.id
        if dispatch.guild is not None and application.bot.id not in dispatch.guild.members:
            return False
        if dispatch.channel is None or dispatch.t.startswith("CHANNEL_"):
            return True  # bots are told of every channel, with the overwrites that shut them out
        return bool(self.world.permissions(application.bot.id, dispatch.channel) & VIEW_CHANNEL)

    def _send(self, session: Session, dispatch: Dispatch) -> None:
        if self._disturbance is None:
            self._deliver(session, dispatch)
            return
        now = self._disturbance.pass_on(session.id, dispatch)
        for item in now:
            self._deliver(session, item)
        if not now:
            asyncio.get_running_loop().call_later(_HELD_SECONDS, self._release, session, self._disturbance)

    def _release(self, session: Session, disturbance: Disturbance) -> None:
        for dispatch in disturbance.release(session.id):
            self._deliver(session, dispatch)

    def _deliver(self, session: Session, dispatch: Dispatch, again: Callable[[], bytes] | None = None) -> None:
        hidden = _content_is_hidden(session, dispatch)
        session.dispatch(dispatch.t, dispatch.encoded_without_content if hidden else dispatch.encoded, again)
        self.journal.dispatch(session, dispatch)

    def ask_to_reconnect(self, session: Session) -> None:
        """Opcode 7; a client that does not go by itself is closed a little later, as Discord does."""
        session.send_raw(orjson.dumps({"t": None, "s": None, "op": Op.RECONNECT, "d": None}))
        asyncio.get_running_loop().call_later(_RECONNECT_SECONDS, session.close_current())

    def invalidate(self, session: Session, *, resumable: bool) -> None:
        """Opcode 9."""
        session.send_raw(invalid_session(resumable=resumable))

    def forget(self, session: Session, close: Close) -> None:
        session.close(close.code, close.reason)
        self.sessions.remove(session)

    def exhaust(self, application: Application) -> None:
        """The day's sessions are used up: every session ends and the token is no longer valid."""
        application.token = secrets.token_urlsafe(32)
        for session in self.sessions:
            if session.application is application:
                self.forget(session, Close.AUTHENTICATION_FAILED)


def invalid_session(*, resumable: bool) -> bytes:
    return orjson.dumps({"t": None, "s": None, "op": Op.INVALID_SESSION, "d": resumable})


def _content_is_hidden(session: Session, dispatch: Dispatch) -> bool:
    message = dispatch.message
    if message is None or dispatch.guild is None or session.intents & intent_bits.MESSAGE_CONTENT:
        return False
    bot = session.application.bot.id
    return message.author.id != bot and all(user.id != bot for user in message.mentions)
