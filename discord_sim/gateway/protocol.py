"""What one connected client says, and what it is told: the gateway's opcodes on one socket."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import orjson
from aiohttp import WSMsgType, web

from discord_sim.gateway.buckets import SendLimit
from discord_sim.gateway.codes import Close, GatewayError, Op
from discord_sim.gateway.connection import COMPRESSIONS, Connection
from discord_sim.gateway.identify import authenticate, read_identify
from discord_sim.gateway.members import member_chunks
from discord_sim.gateway.session import Session
from discord_sim.state import Json

if TYPE_CHECKING:
    from discord_sim.gateway.server import Gateway

_MAX_PAYLOAD = 4096
_MISSED_HEARTBEATS = 1.5
_ENDS_SESSION = frozenset({1000, 1001})


class ClientProtocol:
    """The life of one socket, from HELLO to its close."""

    def __init__(self, gateway: Gateway, socket: web.WebSocketResponse, request: web.Request) -> None:
        self._gateway = gateway
        self._socket = socket
        self._query = request.query
        self._connection = Connection(socket, request.transport, compression=request.query.get("compress"))
        self._connection.latency = gateway.trouble.latency
        self._limit = SendLimit(gateway.world.clock.monotonic)
        self._session: Session | None = None
        self._heard = asyncio.get_running_loop().time()

    async def run(self) -> None:
        writer = asyncio.create_task(self._connection.write())
        try:
            code = await self._converse()
        finally:
            if self._session is not None:
                self._session.detach(self._connection)
            if self._connection.closing:
                with contextlib.suppress(asyncio.TimeoutError):
                    await asyncio.wait_for(asyncio.shield(writer), 2.0)
            writer.cancel()
            with contextlib.suppress(asyncio.CancelledError, ConnectionError):
                await writer
        if self._session is not None and code in _ENDS_SESSION and not self._session.connected:
            self._gateway.sessions.remove(self._session)

    async def _converse(self) -> int | None:
        """Answer the client until one side closes; the code the client closed with, if it did."""
        try:
            query = self._query
            spoken = query.get("encoding", "json") == "json" and query.get("compress", "zlib-stream") in COMPRESSIONS
            if query.get("v", "10") not in {"9", "10"} or not spoken:
                raise GatewayError(Close.INVALID_VERSION)
            interval = int(self._gateway.limits.heartbeat_interval * 1000)
            self._send(Op.HELLO, {"heartbeat_interval": interval, "_trace": ["[]"]})
            while True:
                message = await self._receive()
                if message.type in {WSMsgType.CLOSE, WSMsgType.CLOSING, WSMsgType.CLOSED, WSMsgType.ERROR}:
                    return message.data if message.type is WSMsgType.CLOSE else None
                self._answer(self._decode(message.data))
        except GatewayError as error:
            self._connection.close(error.close.code, error.close.reason)
            return None

    async def _receive(self) -> Any:
        loop = asyncio.get_running_loop()
        patience = self._heard + self._gateway.limits.heartbeat_interval * _MISSED_HEARTBEATS - loop.time()
        try:
            return await self._socket.receive(timeout=max(patience, 0.001))
        except TimeoutError:
            raise GatewayError(Close.SESSION_TIMED_OUT) from None

    def _decode(self, data: str | bytes) -> Json:
        if not self._limit.allow():
            raise GatewayError(Close.RATE_LIMITED)
        if len(data) > _MAX_PAYLOAD:
            raise GatewayError(Close.DECODE_ERROR)
        try:
            payload = orjson.loads(data)
        except orjson.JSONDecodeError:
            raise GatewayError(Close.DECODE_ERROR) from None
        if not isinstance(payload, dict):
            raise GatewayError(Close.DECODE_ERROR)
        return payload

    def _answer(self, payload: Json) -> None:
        data = payload.get("d")
        match payload.get("op"):
            case Op.HEARTBEAT:
                self._heard = asyncio.get_running_loop().time()
                if not self._gateway.trouble.silent:
                    self._send(Op.HEARTBEAT_ACK, None)
            case Op.IDENTIFY:
                self._identify(_object(data))
            case Op.RESUME:
                self._resume(_object(data))
            case Op.PRESENCE_UPDATE | Op.VOICE_STATE_UPDATE:
                self._require_session()
            case Op.REQUEST_GUILD_MEMBERS:
                session = self._require_session()
                for chunk in member_chunks(self._gateway.world, _object(data), session):
                    session.dispatch("GUILD_MEMBERS_CHUNK", orjson.dumps(chunk))
            case _:
                raise GatewayError(Close.UNKNOWN_OPCODE)

    def _require_session(self) -> Session:
        if self._session is None:
            raise GatewayError(Close.NOT_AUTHENTICATED)
        return self._session

    def _identify(self, data: Json) -> None:
        if self._session is not None:
            raise GatewayError(Close.ALREADY_AUTHENTICATED)
        gateway = self._gateway
        identify = read_identify(gateway.world, data)
        shard = list(identify.shard)
        if not gateway.buckets.take(identify.application.id, identify.shard[0]):
            gateway.journal.record("session", t="IDENTIFY", shard=shard, accepted=False)
            self._send(Op.INVALID_SESSION, False)
            return
        if not gateway.budget(identify.application).take():
            gateway.exhaust(identify.application)
            raise GatewayError(Close.AUTHENTICATION_FAILED)
        self._session = gateway.begin(identify)
        gateway.journal.record("session", t="IDENTIFY", shard=shard, accepted=True, session_id=self._session.id)
        self._session.attach(self._connection)
        gateway.greet(self._session)

    def _resume(self, data: Json) -> None:
        if self._session is not None:
            raise GatewayError(Close.ALREADY_AUTHENTICATED)
        gateway = self._gateway
        application = authenticate(gateway.world, data.get("token"))
        seq, session_id = data.get("seq"), data.get("session_id")
        if type(seq) is not int or not isinstance(session_id, str):
            raise GatewayError(Close.DECODE_ERROR)
        session = gateway.sessions.get(session_id)
        if session is not None and session.application is application and seq > session.seq:
            raise GatewayError(Close.INVALID_SEQ)
        refused = session is None or session.application is not application or gateway.trouble.refuse_resume
        missed = None if session is None or refused else session.buffer.after(seq)
        shard = None if session is None else list(session.shard)
        gateway.journal.record(
            "session", t="RESUME", shard=shard, accepted=missed is not None, session_id=session_id, last_seq=seq
        )
        if session is None or missed is None:
            self._send(Op.INVALID_SESSION, False)
            return
        self._session = session
        session.attach(self._connection)
        for frame in missed:
            self._connection.send(frame)
        session.resumed()

    def _send(self, op: Op, data: object) -> None:
        self._connection.send(orjson.dumps({"t": None, "s": None, "op": op, "d": data}))


def _object(data: object) -> Json:
    if not isinstance(data, dict):
        raise GatewayError(Close.DECODE_ERROR)
    return data
