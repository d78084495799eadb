"""What `discord_sim` can carry, one process of it on one core: dispatches, replays, made-up guilds and histories.

Each rate is given for a second and for a second of the stand-in's CPU time, which differ where it shares its core. The
clients run in this process, on another core. They check that every event arrives, once and in order, and read no
more of it than its frame: what is measured is the stand-in.
"""

import asyncio
import base64
import contextlib
import os
import struct
import tempfile
import time
import zlib
from collections.abc import AsyncIterator, Mapping, Sequence
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import orjson

from benchmarks.figures import Figure, Setup
from benchmarks.processes import Bot, off_the_measured_core, running
from discord_sim import DEMO_TOKEN
from discord_sim.client import SimClient

SHARDS = 16
GUILDS = 64
EVENTS = 40_000
REPLAYED = 100_000
STUBS, STUB_SHARDS = 100_000, 64
HISTORY = 5_000_000
PAGES = 1_000
INTENTS = 1 << 0 | 1 << 9 | 1 << 15
"""Guilds, their messages, and what these say."""
_FIRST_GUILD = 171_798_691_840


def run(setup: Setup) -> list[Figure]:
    return asyncio.run(_run(list(islice(setup.messages(), 20_000))))


async def _run(lines: Sequence[str]) -> list[Figure]:
    with off_the_measured_core() as core, tempfile.TemporaryDirectory(prefix="markov-bench-") as name:
        folder = Path(name)
        return [*await _dispatches(folder, core, lines), *await _stubs(folder, core), *await _history(folder, core)]


@contextlib.asynccontextmanager
async def _stand_in(folder: Path, core: int, *options: str) -> AsyncIterator[tuple[Bot, SimClient]]:
    """The stand-in in a process of its own, on `core`."""
    arguments = ["-m", "discord_sim", "--port", "0", "--no-rest-limits", "--no-log", "--heartbeat", "600", *options]
    async with running(arguments, folder / "stand-in.log", core=core) as process:
        assert process.process.stdout is not None
        url = (await process.process.stdout.readline()).decode().split()[-1]
        async with SimClient(url) as sim:
            yield process, sim


# --- dispatches -------------------------------------------------------------------------------------------------


async def _dispatches(folder: Path, core: int, lines: Sequence[str]) -> list[Figure]:
    texts = folder / "lines.txt"
    texts.write_text("\n".join(" ".join(line.split()) or "x" for line in lines), encoding="utf-8")
    async with _stand_in(folder, core) as (process, sim):
        guilds = []
        for number in range(GUILDS):
            members = [{"username": f"member{number}"}]
            guild_id = (_FIRST_GUILD + number) << 22
            guilds.append(await sim.create_guild(f"Guild {number}", guild_id=guild_id, members=members))
        channels = [guild["channels"][0]["id"] for guild in guilds]
        figures: list[Figure] = []
        for name, shards, count, target, keep in (
            (f"dispatches to {SHARDS} shards", SHARDS, EVENTS, 5_000, True),
            ("replay to one shard", 1, REPLAYED, 20_000, False),
        ):
            for how, zipped in (("zlib-stream", True), ("uncompressed", False)):
                async with _connected(sim, shards, zipped=zipped) as clients:
                    worked = process.cpu_seconds()
                    seconds = await _replayed(sim, clients, channels, texts, count, keep=keep)
                    worked = process.cpu_seconds() - worked
                figures += _rates(f"{name}, {how}", count, seconds, worked, {"target": target})
        figures.append(Figure("memory after these", "MB", process.memory() / 1e6))
    return figures


async def _replayed(
    sim: SimClient, clients: "list[Client]", channels: Sequence[str], texts: Path, count: int, *, keep: bool
) -> float:
    """Seconds from the first event that any client received to the last."""
    before = sum(client.events for client in clients)
    body = {"channels": list(channels), "file": str(texts), "count": count, "rate": None, "keep": keep}
    for client in clients:
        client.first = 0.0
    await sim.call("POST", "replays", body)
    wanted = before + count
    async with asyncio.timeout(170):
        while sum(client.events for client in clients) < wanted:
            await asyncio.sleep(0.01)
    first = min(client.first for client in clients if client.first)
    return max(client.last for client in clients) - first


def _rates(
    name: str, count: int, seconds: float, worked: float, targets: Mapping[str, float] | None = None
) -> list[Figure]:
    """How many a second, and a second of CPU time."""
    return [
        Figure(name + how, unit, count / divisor, targets or {}, smaller_is_better=False)
        for how, unit, divisor in (("", "/s", seconds), (", of CPU time", "/CPU s", worked))
    ]


# --- guilds and histories ---------------------------------------------------------------------------------------


async def _stubs(folder: Path, core: int) -> list[Figure]:
    async with _stand_in(folder, core, "--stubs", str(STUBS), "--max-concurrency", str(STUB_SHARDS)) as (process, sim):
        idle = process.memory()
        started, worked = time.perf_counter(), process.cpu_seconds()
        async with _connected(sim, STUB_SHARDS, zipped=True) as clients:
            async with asyncio.timeout(170):
                while sum(client.events for client in clients) < STUBS + STUB_SHARDS:  # with their READY
                    await asyncio.sleep(0.02)
            seconds = time.perf_counter() - started
            told, worked = _peak(process), process.cpu_seconds() - worked
    return [
        Figure(f"{STUBS:,} stub guilds, nobody connected", "MB", idle / 1e6, {"target": 500}),
        Figure(f"{STUBS:,} stub guilds, all sent to {STUB_SHARDS} shards, peak", "MB", told / 1e6, {"target": 500}),
        *_rates("stub guilds sent, zlib-stream", STUBS, seconds, worked),
    ]


async def _history(folder: Path, core: int) -> list[Figure]:
    async with _stand_in(folder, core) as (process, sim):
        guild = await sim.create_guild("Archive", members=[{"username": "mira"}])
        channel = guild["channels"][0]["id"]
        before = process.memory()
        await sim.generate_history(channel, HISTORY, days=3650)
        figures: list[Figure] = []
        (newest,) = await sim.messages(channel, limit=1)
        middle = str(((int(newest["id"]) >> 22) - 5 * 365 * 86_400_000) << 22)
        for name, start in (("newest end", str(int(newest["id"]) + 1)), ("middle", middle)):
            worked = process.cpu_seconds()
            seconds = await _paged(sim.base_url, channel, start)
            worked = process.cpu_seconds() - worked
            figures += _rates(f"pages of 100 from the {name} of {HISTORY:,} messages", PAGES, seconds, worked)
        grown = (_peak(process) - before) / 1e6
        return [*figures, Figure(f"memory for {HISTORY:,} messages and {2 * PAGES:,} pages", "MB", grown)]


async def _paged(base_url: str, channel: str, start: str) -> float:
    """Seconds for PAGES pages over REST, each beginning where the last ended."""
    seen, place = 0, start
    headers = {"Authorization": f"Bot {DEMO_TOKEN}"}
    async with aiohttp.ClientSession(headers=headers) as session:
        started = time.perf_counter()
        for _ in range(PAGES):
            url = f"{base_url}/api/v10/channels/{channel}/messages?limit=100&before={place}"
            async with session.get(url) as response:
                page = orjson.loads(await response.read())
            assert response.status == 200, page
            assert int(page[0]["id"]) < int(place)
            place, seen = page[-1]["id"], seen + len(page)
        seconds = time.perf_counter() - started
    assert seen == 100 * PAGES, seen
    return seconds


def _peak(process: Bot) -> int:
    """The most resident bytes the process has had."""
    status = Path(f"/proc/{process.process.pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in status if line.startswith("VmHWM:")) * 1024


# --- the clients ------------------------------------------------------------------------------------------------


class Client(asyncio.Protocol):
    """One shard's socket: takes frames apart, and counts what is an event."""

    def __init__(self, shard: int, shards: int, *, zipped: bool) -> None:
        self.events = 0
        self.first = self.last = 0.0
        self.ready = asyncio.get_running_loop().create_future()
        self._shard = [shard, shards]
        self._inflate = zlib.decompressobj() if zipped else None
        self._query = "/gateway/?v=10&encoding=json" + ("&compress=zlib-stream" if zipped else "")
        self._buffer = b""
        self._upgraded = False
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        key = base64.b64encode(os.urandom(16)).decode()
        head = f"GET {self._query} HTTP/1.1\r\nHost: stand-in\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
        transport.write(f"{head}Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n\r\n".encode())

    def connection_lost(self, error: Exception | None) -> None:
        if not self.ready.done():
            self.ready.set_exception(error or ConnectionError(f"closed before READY: {self._buffer!r}"))

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if not self._upgraded:
            head, found, rest = self._buffer.partition(b"\r\n\r\n")
            if not found:
                return
            assert head.startswith(b"HTTP/1.1 101"), head
            self._upgraded, self._buffer = True, rest
        for payload in self._payloads():
            self._take(payload)

    def _payloads(self) -> list[bytes]:
        """The whole frames' payloads; what is left waits for the rest."""
        buffer, at, found = self._buffer, 0, []
        while len(buffer) - at >= 2:
            size, start = buffer[at + 1], at + 2
            if size == 126:
                start += 2
                size = int.from_bytes(buffer[at + 2 : start], "big")
            elif size == 127:
                start += 8
                size = int.from_bytes(buffer[at + 2 : start], "big")
            if len(buffer) < start + size:
                break
            if buffer[at] & 0xF in (1, 2):
                found.append(buffer[start : start + size])
            at = start + size
        self._buffer = buffer[at:]
        return found

    def _take(self, payload: bytes) -> None:
        frame = payload if self._inflate is None else self._inflate.decompress(payload)
        event = frame.startswith(b'{"t":"')
        if not event:
            if b'"op":10' in frame:
                self._identify()
            elif b'"op":9' in frame and not self.ready.done():
                self.ready.set_exception(ConnectionError("the IDENTIFY was refused"))
            return
        self.events += 1
        start = frame.index(b'"s":') + 4
        seq = int(frame[start : frame.index(b",", start)])
        assert seq == self.events, f"event {seq} came as number {self.events}"
        self.last = time.perf_counter()
        self.first = self.first or self.last
        if not self.ready.done():
            self.ready.set_result(None)

    def _identify(self) -> None:
        properties = {"os": "linux", "browser": "bench", "device": "bench"}
        data = {"token": DEMO_TOKEN, "intents": INTENTS, "shard": self._shard, "properties": properties}
        body = orjson.dumps({"op": 2, "d": data})
        mask = os.urandom(4)
        masked = bytes(byte ^ mask[n % 4] for n, byte in enumerate(body))
        assert self._transport is not None
        self._transport.write(b"\x81" + struct.pack(">BH", 0x80 | 126, len(body)) + mask + masked)

    def close(self) -> None:
        if self._transport is not None:
            self._transport.abort()


@contextlib.asynccontextmanager
async def _connected(sim: SimClient, shards: int, *, zipped: bool) -> AsyncIterator[list[Client]]:
    """Every shard's client, once each has its READY and, of a world without stubs, its guilds."""
    loop = asyncio.get_running_loop()
    where = urlsplit(sim.base_url)
    await sim.advance(200)  # whoever was here before has a session no more, and no IDENTIFY bucket waits
    clients = [Client(shard, shards, zipped=zipped) for shard in range(shards)]
    try:
        for client in clients:
            await loop.create_connection(lambda client=client: client, where.hostname, where.port)
        await asyncio.gather(*(client.ready for client in clients))
        before = -1
        while shards != STUB_SHARDS and before != (now := sum(client.events for client in clients)):
            before = now
            await asyncio.sleep(0.3)
        yield clients
    finally:
        for client in clients:
            client.close()
