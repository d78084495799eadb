"""Gateway shards that a fleet can own one by one: gated IDENTIFYs, resumable sessions, ordered raw events.

hikari has no public way to resume a session in another process or to gate an IDENTIFY. The few private names
used here are listed in `tests/contract/`, whose tests fail when a release changes one; hikari is pinned narrowly.
"""

import asyncio
import time
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import hikari
from hikari.impl import shard as hikari_shard
from structlog.contextvars import bind_contextvars, bound_contextvars

from markov_shard.bot.turns import Turns
from markov_shard.logs import get_logger

_log = get_logger(__name__)

_IDENTIFY = 2

KEEP_SESSION_CLOSE_CODE = 3000
"""Any close code but 1000 and 1001 keeps the session resumable."""

OnDispatch = Callable[[int, str, Any], bool]
"""Called for each dispatch with its sequence number, name and raw payload, in order; whether hikari is to see it."""

_OFFER_SECONDS = 0.25


class SentNotice(Protocol):
    """Says when an IDENTIFY may go out, and is told when it does."""

    async def due(self) -> None:
        """Waits until it may be sent; the connection is made meanwhile."""

    def sent(self) -> None:
        """The bucket's window counts from here."""


class IdentifyGate(Protocol):
    """The fleet's one gate for IDENTIFYs."""

    def permit(self, shard_id: int, *, recovery: bool = True) -> AbstractAsyncContextManager[SentNotice]:
        """Waits for the shard's turn, and holds its bucket until the block ends: READY, or failure."""


class ShardRules(Protocol):
    """What a connection must ask its owner."""

    def may_connect(self) -> bool:
        """Whether a socket may be opened now."""

    def is_recovery(self) -> bool:
        """Whether an IDENTIFY replaces a session of a shard in service, and so may use the budget's reserve."""

    async def before_identify(self) -> None:
        """A new session is about to begin: what it will not replay must be noted."""

    def is_answering(self) -> bool:
        """Whether a member waits for this process's answer."""


@dataclass(frozen=True)
class ResumePoint:
    """Where a session can be resumed."""

    session_id: str
    seq: int
    resume_url: str
    user_id: int


class _RawTap:
    """Stands between a shard and hikari's event manager: everything passes, dispatches are shown first."""

    def __init__(self, event_manager: hikari.api.EventManager, on_dispatch: OnDispatch) -> None:
        self._event_manager = event_manager
        self._on_dispatch = on_dispatch

    def consume_raw_event(self, name: str, shard: "FleetShard", payload: Any) -> None:
        now = time.monotonic()
        shard.longest_silence = max(shard.longest_silence, now - shard.last_event_at)
        shard.last_event_at = now
        if not self._on_dispatch(shard.last_seq, name, payload):
            return
        if name == "INTERACTION_CREATE":  # one trace for all that a command does
            with bound_contextvars(trace=payload["id"], guild=payload.get("guild_id")):
                self._event_manager.consume_raw_event(name, shard, payload)
        else:
            self._event_manager.consume_raw_event(name, shard, payload)

    def dispatch(self, *args: Any, **named: Any) -> Any:
        return self._event_manager.dispatch(*args, **named)


class FleetShard(hikari_shard.GatewayShardImpl):
    """A gateway connection that starts from a saved session and can leave without ending it."""

    __slots__ = (
        "_gate",
        "_leaving",
        "_lifetime",
        "_permit",
        "_rules",
        "_silent",
        "_task",
        "beat_interval",
        "identifies",
        "is_waiting",
        "last_event_at",
        "longest_silence",
        "resumes",
        "zombies",
    )

    def __init__(
        self,
        *,
        gate: IdentifyGate,
        rules: ShardRules,
        on_dispatch: OnDispatch,
        resume: ResumePoint | None,
        **named: Any,
    ) -> None:
        named["event_manager"] = _RawTap(named["event_manager"], on_dispatch)
        super().__init__(**named)
        self._gate = gate
        self._rules = rules
        self._permit: SentNotice | None = None
        self._leaving = False
        self._task: asyncio.Task[None] | None = None
        self._lifetime: set[asyncio.Task[None]] = set()
        """hikari's tasks of the connection that is being made: nobody ends them when it is given up half-way."""
        self._silent = asyncio.Event()
        self.last_event_at = time.monotonic()
        self.longest_silence = 0.0
        """Seconds between two events so far."""
        self.beat_interval: float | None = None
        """Seconds between two heartbeats, as Discord said at the latest connection."""
        self.is_waiting = False
        """Whether it may not connect yet: it is not its turn to identify, or Redis is away."""
        self.identifies = 0
        self.resumes = 0
        self.zombies = 0
        """Connections on which a heartbeat was not acknowledged in time."""
        if resume is not None:
            self._session_id = resume.session_id
            self._seq = resume.seq
            self._resume_gateway_url = resume.resume_url
            self._user_id = hikari.Snowflake(resume.user_id)

    async def _keep_alive(self) -> None:
        bind_contextvars(shard=self._shard_id)  # on every line of this connection and of whatever handles its events
        self._task = asyncio.current_task()  # known before `start` returns, so that a start can be abandoned
        await super()._keep_alive()

    async def _heartbeat(self, heartbeat_interval: float) -> None:
        self._lives()
        self.beat_interval = heartbeat_interval
        await super()._heartbeat(heartbeat_interval)
        self.zombies += 1  # hikari ends it by itself for this reason alone

    async def _poll_events(self) -> None:
        self._lives()
        self._silent.clear()
        if self._ws is not None:
            socket = self._ws._ws  # noqa: SLF001
            socket.receive = Turns(socket.receive, self._rules.is_answering)  # type: ignore[method-assign]
        try:
            await super()._poll_events()
        except (hikari.GatewayConnectionError, ConnectionResetError) as error:
            if not self.is_connected:
                raise
            # hikari counts the cut of a connection that worked as a failure to dial: it waits longer after each, and
            # forgets none of them. After a close by Discord it begins anew.
            raise hikari.GatewayServerClosedConnectionError(str(error), None, True) from error
        finally:
            self._silent.set()

    def _lives(self) -> None:
        task = asyncio.current_task()
        if task is not None:
            self._lifetime.add(task)

    async def _dial(self) -> tuple[asyncio.Task[None], ...]:
        """One connection, up to READY or RESUMED; nothing of it is left when that fails."""
        self._lifetime.clear()
        try:
            return await super()._connect()
        except BaseException:
            await asyncio.sleep(0)  # what was only just begun makes itself known
            for task in self._lifetime:
                task.cancel()
            await asyncio.gather(*self._lifetime, return_exceptions=True)
            raise

    async def _connect(self) -> tuple[asyncio.Task[None], ...]:
        if self._leaving:
            # hikari dials again when a connection closes, also where it has swallowed the cancellation that `close`
            # waits for: one that comes while it ends the old connection's tasks. This ends its loop as that would.
            raise asyncio.CancelledError
        self.is_waiting = True
        try:
            while not self._rules.may_connect():  # noqa: ASYNC110 - judged by a clock, so there is no event to wait for
                await asyncio.sleep(_OFFER_SECONDS)
            if self._seq is None:
                await self._rules.before_identify()
                async with self._gate.permit(self._shard_id, recovery=self._rules.is_recovery()) as permit:
                    self._permit = permit
                    self.is_waiting = False
                    return await self._dial()
        finally:
            self.is_waiting = False
        self.resumes += 1
        try:
            return await self._dial()
        except hikari.GatewayConnectionError:
            if self._resume_gateway_url is None:
                raise
            self._resume_gateway_url = None  # dead, it would be dialled for ever; any address can resume
            return await self._dial()

    async def _send_json(self, data: Any, *, priority: bool = False) -> None:
        if data["op"] == _IDENTIFY and self._permit is not None:
            await self._permit.due()
            self.identifies += 1
            self._permit.sent()
        await super()._send_json(data, priority=priority)

    @property
    def last_seq(self) -> int:
        """The sequence number of the last dispatch received; 0 before the first."""
        return self._seq or 0

    @property
    def resume_point(self) -> ResumePoint | None:
        """The present session, its `seq` being the last one received; None before the first READY."""
        if self._session_id is None or self._seq is None or self._user_id is None:
            return None
        return ResumePoint(self._session_id, self._seq, self._resume_gateway_url or "", int(self._user_id))

    @property
    def failure(self) -> BaseException | None:
        """What ended the connection for good: `is_alive` stays true after a fatal close."""
        task = self._task
        return task.exception() if task is not None and task.done() and not task.cancelled() else None

    @property
    def last_ack_age(self) -> float:
        """Seconds since the last heartbeat acknowledgement; NaN before the first."""
        return time.time() - self._last_heartbeat_ack_received

    async def reconnect(self) -> None:
        """Gives the connection up and resumes its session on a new one."""
        await self._hang_up(b"reconnecting")

    async def silent(self) -> None:
        """Waits until the connection brings no more events, as soon after the beginning of `leave`."""
        if self._ws is not None:
            await self._silent.wait()

    async def _hang_up(self, why: bytes) -> None:
        """Closes the socket, if there is one, so that the session can be resumed."""
        if self._ws is not None:
            # Whoever reads at this moment finds the socket closing and closes it too, by aiohttp's own hand, with
            # 1000: which code goes out first is a race that a busy process loses.
            socket = self._ws._ws  # noqa: SLF001
            setattr(socket, "close", partial(socket.close, code=KEEP_SESSION_CLOSE_CODE))  # noqa: B010 - a method
            await self._ws.send_close(code=KEEP_SESSION_CLOSE_CODE, message=why)

    async def leave(self) -> None:
        """Closes the connection but keeps the session, for the next owner to resume."""
        self._leaving = True
        await self._hang_up(b"handing over")
        if self.is_alive:
            await self.close()
        elif self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])
