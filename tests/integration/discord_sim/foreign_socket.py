"""discord.py's own gateway connection, told what to get wrong, and what the library makes of the answer."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, ClassVar

import discord
from discord.gateway import DiscordWebSocket, ReconnectWebSocket

from discord_sim import DEMO_TOKEN
from discord_sim.server import DiscordSim
from tests.integration.discord_sim.discord_py_bot import PATIENCE, pointed_at

Json = dict[str, Any]


class Socket(DiscordWebSocket):
    """Says what the library says, with `changes` in its IDENTIFY."""

    changes: ClassVar[Json] = {}

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.heard: list[Json] = []

    def log_receive(self, text: Any, /) -> None:
        self.heard.append(json.loads(text))

    async def send_as_json(self, data: Json) -> None:
        if data["op"] == self.IDENTIFY:
            data = {**data, "d": {k: v for k, v in {**data["d"], **self.changes}.items() if v is not ...}}
        await self.socket.send_str(json.dumps(data))

    async def event(self, name: str) -> Json:
        """The data of the next event of that name."""
        async with asyncio.timeout(PATIENCE):
            while True:
                await self.poll_event()
                if self.heard[-1]["t"] == name:
                    found: Json = self.heard[-1]["d"]
                    return found

    async def ends(self) -> tuple[int | None, str]:
        """Reads until the connection ends: its close code, and what the library does then.

        That is to RESUME, to IDENTIFY, or to give up ("fatal").
        """
        async with asyncio.timeout(PATIENCE):
            try:
                while True:
                    await self.poll_event()
            except ReconnectWebSocket as ended:
                return self.socket.close_code, ended.op
            except discord.ConnectionClosed as ended:
                return ended.code, "fatal"

    @property
    def events(self) -> list[str]:
        """The names of the events so far."""
        return [item["t"] for item in self.heard if item["t"]]

    async def cut(self) -> None:
        """The line is dropped without a word."""
        if self._keep_alive:
            self._keep_alive.stop()
        connection = self.socket._response.connection
        assert connection is not None
        assert connection.transport is not None
        connection.transport.abort()
        await self.socket.close()


Open = Callable[..., Awaitable[Socket]]


@contextlib.asynccontextmanager
async def library(sim: DiscordSim, intents: discord.Intents | None = None) -> AsyncIterator[Open]:
    """Opens connections: `await open(shard_id=0, shard_count=1, **changes)`, changes being those of the IDENTIFY.

    `resume=` another connection resumes its session, from `sequence` where that is given.
    """
    opened: list[Socket] = []
    with pointed_at(sim):
        async with discord.Client(intents=intents or discord.Intents.all()) as client:
            await client.login(DEMO_TOKEN)
            client._connection.parsers = {}  # its cache of guilds is not wanted here

            async def connect(
                shard_id: int = 0,
                shard_count: int = 1,
                *,
                resume: Socket | None = None,
                sequence: int | None = None,
                compress: bool = True,
                **changes: Any,
            ) -> Socket:
                client._connection.shard_count = shard_count
                kind = type("Told", (Socket,), {"changes": changes})
                socket: Socket = await kind.from_client(
                    client,
                    initial=True,  # else the library waits for five seconds
                    shard_id=shard_id,
                    resume=resume is not None,
                    session=None if resume is None else resume.session_id,
                    sequence=sequence if sequence is not None or resume is None else resume.sequence,
                    compress=compress,
                )
                opened.append(socket)
                return socket

            try:
                yield connect
            finally:
                for socket in opened:
                    if socket._keep_alive:
                        socket._keep_alive.stop()
                    await socket.close()
