"""A gateway and REST server that do as little as a bot lets them, so that the bot is what is measured.

It speaks the protocol (zlib-stream, heartbeats, READY) and answers what bots ask at their start; then it
sends what it is told to, encoded beforehand, and notes when each answer comes in. For everything else there is
`discord_sim`.
"""

import asyncio
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from typing import Any, cast

import orjson
from aiohttp import WSMsgType, web

from benchmarks.discord_objects import bot_of, guild_of, message_of, user_of

API = "/api/v10"
EPOCH_MS = 1420070400000
FILE_BYTES = 50_000

_NO_LIMIT = {
    "X-RateLimit-Bucket": "bench",
    "X-RateLimit-Limit": "1000000",
    "X-RateLimit-Remaining": "999999",
    "X-RateLimit-Reset-After": "1",
}
"""Without a word about limits, hikari sends one message at a time."""

OnReply = Callable[[str, float], None]
"""Told the ID of the interaction or message that was answered, and when, by `time.perf_counter`."""


class Connection:
    """One bot's connection: frames compressed in one stream, as Discord does."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._stream = zlib.compressobj(1)
        self.seq = 0

    def encode(self, events: Iterable[tuple[str, bytes]]) -> list[bytes]:
        """Whole websocket messages for events (name, JSON of `d`), to be sent in this order and next."""
        return [self._frame(self._numbered(name, data)) for name, data in events]

    def _numbered(self, name: str, data: bytes) -> bytes:
        self.seq += 1
        return b'{"t":"%s","s":%d,"op":0,"d":%s}' % (name.encode(), self.seq, data)

    def _frame(self, payload: bytes) -> bytes:
        body = self._stream.compress(payload) + self._stream.flush(zlib.Z_SYNC_FLUSH)
        size = len(body)
        if size < 126:
            return b"\x82%c%b" % (size, body)
        if size < 1 << 16:
            return b"\x82\x7e" + size.to_bytes(2, "big") + body
        return b"\x82\x7f" + size.to_bytes(8, "big") + body

    def send(self, frames: bytes) -> None:
        """Writes encoded messages at once."""
        self._transport.write(frames)

    async def stream(self, frames: Sequence[bytes], *, at_once: int = 64) -> None:
        """Writes encoded messages as fast as the bot reads them."""
        for start in range(0, len(frames), at_once):
            self.send(b"".join(frames[start : start + at_once]))
            while self._transport.get_write_buffer_size() > 1 << 18:
                await asyncio.sleep(0.002)
            await asyncio.sleep(0)

    def control(self, op: int, data: object) -> None:
        """Writes a message that is not a dispatch."""
        self.send(self._frame(orjson.dumps({"t": None, "s": None, "op": op, "d": data})))


class StandIn:
    """Serves any number of bots, each known by its token. `async with StandIn(guilds) as standin`."""

    def __init__(self, guild_ids: Sequence[int]) -> None:
        self._guild_ids = guild_ids
        self._last_id = 0
        self._arrivals: dict[str, asyncio.Future[Connection]] = {}
        self._runner: web.AppRunner | None = None
        self.on_reply: OnReply = lambda replied_to, when: None
        self.replies = 0
        self.last_text = ""
        self.url = ""

    async def __aenter__(self) -> "StandIn":
        app = web.Application(client_max_size=1 << 24)
        app.add_routes(
            [
                web.get("/gateway", self._gateway),
                web.get(API + "/gateway/bot", self._gateway_bot),
                web.get(API + "/users/@me", self._me),
                web.get(API + "/applications/@me", self._application),
                web.get(API + "/oauth2/applications/@me", self._application),
                web.get(API + "/applications/{rest:.*}", self._empty_list),
                web.put(API + "/applications/{rest:.*}", self._commands),
                web.post(API + "/applications/{rest:.*}", self._commands),
                web.post(API + "/interactions/{id}/{token}/callback", self._callback),
                web.post(API + "/channels/{channel}/messages", self._message),
                web.get(API + "/channels/{channel}/messages", self._empty_list),
                web.route("*", API + "/webhooks/{rest:.*}", self._follow_up),
                web.post(API + "/attachments/refresh-urls", self._refresh_urls),
                web.get("/attachments/{rest:.*}", self._file),
            ]
        )
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
        await self._runner.setup()
        await web.TCPSite(self._runner, "127.0.0.1", 0).start()
        self.url = f"http://127.0.0.1:{self._runner.addresses[0][1]}"
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._runner is not None
        await self._runner.cleanup()

    def next_id(self) -> str:
        """A snowflake of now, each higher than the last: bots answer nothing that is old."""
        self._last_id = max(self._last_id + 1, int(time.time() * 1000 - EPOCH_MS) << 22)
        return str(self._last_id)

    async def connection(self, token: str) -> Connection:
        """The bot's connection, once it is READY or has resumed."""
        return await self._arrival(token)

    def _arrival(self, token: str) -> asyncio.Future[Connection]:
        if token not in self._arrivals:
            self._arrivals[token] = asyncio.get_running_loop().create_future()
        return self._arrivals[token]

    # --- the gateway

    async def _gateway(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(compress=False)
        await socket.prepare(request)
        connection = Connection(cast("asyncio.Transport", request.transport))
        connection.control(10, {"heartbeat_interval": 41_250})
        async for message in socket:
            if message.type not in (WSMsgType.TEXT, WSMsgType.BINARY):
                break
            self._answer(connection, orjson.loads(message.data))
        return socket

    def _answer(self, connection: Connection, payload: dict[str, Any]) -> None:
        data = payload["d"]
        if payload["op"] == 1:
            connection.control(11, None)
        elif payload["op"] == 6:
            connection.control(9, False)  # no session outlives its benchmark
        elif payload["op"] == 2:
            ready = {
                "v": 10,
                "user": self._user(data["token"]),
                "session_id": self.next_id(),
                "resume_gateway_url": self.url.replace("http", "ws") + "/gateway",
                "shard": data.get("shard", [0, 1]),
                "application": {"id": bot_of(data["token"]), "flags": 0},
                "guilds": [{"id": str(guild), "unavailable": True} for guild in self._guild_ids],
            }
            events = [("READY", ready), *(("GUILD_CREATE", guild_of(guild)) for guild in self._guild_ids)]
            connection.send(b"".join(connection.encode((name, orjson.dumps(event)) for name, event in events)))
            self._arrival(data["token"]).set_result(connection)

    # --- REST

    async def _gateway_bot(self, request: web.Request) -> web.Response:
        limit = {"total": 1000, "remaining": 1000, "reset_after": 0, "max_concurrency": 16}
        url = self.url.replace("http", "ws") + "/gateway"
        return _json({"url": url, "shards": 1, "session_start_limit": limit})

    def _user(self, token: str) -> dict[str, object]:
        return user_of(bot_of(token.removeprefix("Bot ")), "markov", bot=True)

    async def _me(self, request: web.Request) -> web.Response:
        return _json(self._user(request.headers["Authorization"]))

    async def _application(self, request: web.Request) -> web.Response:
        user = self._user(request.headers["Authorization"])
        application = {"id": user["id"], "name": "markov", "icon": None, "description": "", "bot_public": True}
        return _json(
            application
            | {"bot_require_code_grant": False, "verify_key": "00", "flags": 0, "owner": user, "team": None}
            | {"approximate_guild_count": len(self._guild_ids), "approximate_user_install_count": 0}
        )

    async def _empty_list(self, request: web.Request) -> web.Response:
        return _json([])

    async def _commands(self, request: web.Request) -> web.Response:
        wanted = await request.json()
        made = [
            {**command, "id": self.next_id(), "application_id": "1", "version": "1"}
            for command in (wanted if isinstance(wanted, list) else [wanted])
        ]
        return _json(made if isinstance(wanted, list) else made[0])

    async def _callback(self, request: web.Request) -> web.Response:
        interaction_id = request.match_info["id"]
        self._note(interaction_id, await request.read())
        if request.query.get("with_response") != "true":
            return web.Response(status=204)
        message = message_of(self.next_id(), "1", None, user_of("1", "markov", bot=True), "…")
        about = {"id": interaction_id, "type": 2, "response_message_id": message["id"]}
        about |= {"response_message_loading": False, "response_message_ephemeral": False}
        return _json({"interaction": about, "resource": {"type": 4, "message": message}})

    async def _message(self, request: web.Request) -> web.Response:
        body = await request.read()
        content = orjson.loads(body) if request.content_type == "application/json" else {}
        self._note(str(content.get("nonce", "")), body)
        channel = request.match_info["channel"]
        answer = _json(message_of(self.next_id(), channel, None, user_of("1", "markov", bot=True), "…"))
        answer.headers.update(_NO_LIMIT)
        answer.headers["X-RateLimit-Reset"] = str(time.time() + 1)
        return answer

    async def _follow_up(self, request: web.Request) -> web.Response:
        await request.read()
        return _json(message_of(self.next_id(), "1", None, user_of("1", "markov", bot=True), "…"))

    async def _refresh_urls(self, request: web.Request) -> web.Response:
        expires = f"?ex={int(time.time()) + 86_400:x}"
        urls = (await request.json())["attachment_urls"]
        refreshed = [{"original": url, "refreshed": url.partition("?")[0] + expires} for url in urls]
        return _json({"refreshed_urls": refreshed})

    async def _file(self, request: web.Request) -> web.Response:
        return web.Response(body=bytes(FILE_BYTES), content_type="image/png")

    def _note(self, replied_to: str, body: bytes) -> None:
        self.replies += 1
        self.last_text = body.decode(errors="replace")
        self.on_reply(replied_to, time.perf_counter())


def _json(document: object) -> web.Response:
    return web.Response(body=orjson.dumps(document), content_type="application/json")
