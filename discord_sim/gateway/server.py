"""The gateway: accepts sockets, and sends every event to the sessions that may have it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

import orjson
from aiohttp import web

from discord_sim import guild_shapes, shapes
from discord_sim.dispatch import Dispatch, Dispatcher
from discord_sim.gateway import intents as intent_bits
from discord_sim.gateway.buckets import IdentifyBuckets, SessionBudget
from discord_sim.gateway.codes import Close, Op
from discord_sim.gateway.identify import Identify
from discord_sim.gateway.protocol import ClientProtocol
from discord_sim.gateway.session import Session, SessionTable
from discord_sim.ids import shard_of
from discord_sim.journal import Journal
from discord_sim.permissions import VIEW_CHANNEL
from discord_sim.state import Application, Guild, Json, World


@dataclass(slots=True)
class GatewayLimits:
    """What the gateway allows; Discord's values unless a test says otherwise."""

    heartbeat_interval: float = 41.25
    max_concurrency: int = 16
    sessions_a_day: int = 1000


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
        self.budget = SessionBudget(world.clock.monotonic, self.limits.sessions_a_day)
        self._public_url = public_url
        self._open: set[web.WebSocketResponse] = set()
        dispatcher.add(self.receive)

    @property
    def url(self) -> str:
        return "ws" + self._public_url().removeprefix("http") + "/gateway"

    async def handle(self, request: web.Request) -> web.WebSocketResponse:
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
        session = Session(identify.application, identify.shard, identify.intents, self.world.clock.monotonic)
        self.sessions.add(session)
        return session

    def greet(self, session: Session) -> None:
        """READY with unavailable guilds, then GUILD_CREATE for each."""
        application = session.application
        mine = [guild for guild in self.world.guilds.values() if self._serves(session, guild)]
        ready: Json = {
            "v": 10,
            "user": shapes.own_user(application.bot),
            "session_id": session.id,
            "session_type": "normal",
            "resume_gateway_url": self.url,
            "shard": list(session.shard),
            "application": {"id": str(application.id), "flags": guild_shapes.application_flags(application)},
            "guilds": [{"id": str(guild.id), "unavailable": True} for guild in mine],
            "user_settings": {},
            "relationships": [],
            "private_channels": [],
            "presences": [],
            "guild_join_requests": [],
            "geo_ordered_rtc_regions": [],
        }
        self._send(session, Dispatch("READY", ready))
        if session.intents & intent_bits.GUILDS:
            for guild in mine:
                if not guild.unavailable:
                    self._send(session, self.guild_create(guild, session))

    def guild_create(self, guild: Guild, session: Session) -> Dispatch:
        every_member = bool(session.intents & intent_bits.GUILD_PRESENCES)
        bot = session.application.bot.id
        return Dispatch("GUILD_CREATE", guild_shapes.guild_create(guild, bot, every_member=every_member), guild)

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
                own = self.guild_create(guild, session) if dispatch.t == "GUILD_CREATE" and guild else dispatch
                self._send(session, own)

    def _serves(self, session: Session, guild: Guild) -> bool:
        shard_id, count = session.shard
        return session.application.bot.id in guild.members and shard_of(guild.id, count) == shard_id

    def _may_see(self, application: Application, dispatch: Dispatch) -> bool:
        if dispatch.application is not None:
            return dispatch.application == application.id
        if dispatch.guild is not None and application.bot.id not in dispatch.guild.members:
            return False
        if dispatch.channel is None:
            return True
        return bool(self.world.permissions(application.bot.id, dispatch.channel) & VIEW_CHANNEL)

    def _send(self, session: Session, dispatch: Dispatch) -> None:
        hidden = _content_is_hidden(session, dispatch)
        session.dispatch(dispatch.t, dispatch.encoded_without_content if hidden else dispatch.encoded)
        self.journal.record(
            "dispatch",
            shard=list(session.shard),
            session_id=session.id,
            s=session.seq,
            t=dispatch.t,
            guild_id=None if dispatch.guild is None else str(dispatch.guild.id),
        )

    def forget(self, session: Session, close: Close) -> None:
        session.close(close.code, close.reason)
        self.sessions.remove(session)

    def exhaust(self, application: Application) -> None:
        """The day's sessions are used up: every session ends and the token is no longer valid."""
        application.token = ""
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
