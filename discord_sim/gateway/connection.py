"""One socket: frames out in order, compressed as asked, and closed with a code."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Callable

import zstandard
from aiohttp import web

_BACKLOG_LIMIT = 100_000


def _zlib_stream() -> Callable[[bytes], bytes]:
    stream = zlib.compressobj()
    return lambda frame: stream.compress(frame) + stream.flush(zlib.Z_SYNC_FLUSH)


def _zstd_stream() -> Callable[[bytes], bytes]:
    stream = zstandard.ZstdCompressor().compressobj()
    return lambda frame: stream.compress(frame) + stream.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


COMPRESSIONS = {"zlib-stream": _zlib_stream, "zstd-stream": _zstd_stream}
"""Transport compressions by the name that clients ask for: one context a socket, flushed after each payload."""


class Connection:
    """Queues frames so that a slow reader never holds up the sender; a hopelessly slow one is cut off."""

    def __init__(
        self, socket: web.WebSocketResponse, transport: asyncio.BaseTransport | None, *, compression: str | None
    ) -> None:
        self._socket = socket
        self._transport = transport
        self._compress = COMPRESSIONS[compression]() if compression in COMPRESSIONS else None
        self._frames: asyncio.Queue[bytes | tuple[int, str] | None] = asyncio.Queue()
        self._closing = False
        self.latency = 0.0
        """Seconds by which frames leave late."""

    @property
    def closing(self) -> bool:
        """Whether this side has decided to close."""
        return self._closing

    @property
    def backlog(self) -> int:
        return self._frames.qsize()

    def send(self, frame: bytes) -> None:
        if self._closing:
            return
        if self.latency:
            asyncio.get_running_loop().call_later(self.latency, self._frames.put_nowait, frame)
        else:
            self._frames.put_nowait(frame)
        if self._frames.qsize() > _BACKLOG_LIMIT:
            self.close(4000, "Too far behind.")

    def close(self, code: int, reason: str) -> None:
        """Close after what is queued already."""
        if not self._closing:
            self._closing = True
            self._frames.put_nowait((code, reason))

    def cut(self) -> None:
        """Drop the TCP connection with no close frame, as a failing network does."""
        if not self._closing:
            self._closing = True
            self._frames.put_nowait(None)

    async def write(self) -> None:
        """Write frames until closed; the connection's one writer."""
        while True:
            item = await self._frames.get()
            if isinstance(item, bytes):
                await self._write(item)
            elif item is None:
                if isinstance(self._transport, asyncio.WriteTransport):
                    self._transport.abort()
                return
            else:
                code, reason = item
                await self._socket.close(code=code, message=reason.encode())
                return

    async def _write(self, frame: bytes) -> None:
        if self._compress is None:
            await self._socket.send_str(frame.decode())
        else:
            await self._socket.send_bytes(self._compress(frame))
