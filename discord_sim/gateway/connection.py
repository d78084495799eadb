"""One socket: frames out in order, compressed as asked, and closed with a code."""

from __future__ import annotations

import asyncio
import zlib
from collections import deque
from collections.abc import Callable

import zstandard
from aiohttp import web

_BACKLOG_LIMIT = 100_000
_AT_ONCE = 128
"""Frames that leave in one write, where so many wait."""
_UNSENT = 1 << 18
"""Bytes the system may have still to take before the next write."""
_FLUSHED_SECONDS = 0.001
_LEVEL = 1
"""Of compression: with a flush after every frame, higher ones take their time for little."""

_End = tuple[int, str] | None
"""How a connection closes: code and reason, or cut off."""


def _zlib_stream() -> Callable[[bytes], bytes]:
    stream = zlib.compressobj(_LEVEL)
    return lambda frame: stream.compress(frame) + stream.flush(zlib.Z_SYNC_FLUSH)


def _zstd_stream() -> Callable[[bytes], bytes]:
    stream = zstandard.ZstdCompressor(_LEVEL).compressobj()
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
        self._waiting: deque[bytes | _End] = deque()
        self._wake = asyncio.Event()
        self._closing = False
        self.latency = 0.0
        """Seconds by which frames leave late."""

    @property
    def closing(self) -> bool:
        """Whether this side has decided to close."""
        return self._closing

    @property
    def backlog(self) -> int:
        return len(self._waiting)

    def send(self, frame: bytes) -> None:
        if self._closing:
            return
        if self.latency:
            asyncio.get_running_loop().call_later(self.latency, self._queue, frame)
        else:
            self._queue(frame)
        if len(self._waiting) > _BACKLOG_LIMIT:
            self.close(4000, "Too far behind.")

    def close(self, code: int, reason: str) -> None:
        """Close after what is queued already."""
        if not self._closing:
            self._closing = True
            self._queue((code, reason))

    def cut(self) -> None:
        """Drop the TCP connection with no close frame, as a failing network does."""
        if not self._closing:
            self._closing = True
            self._queue(None)

    def _queue(self, item: bytes | _End) -> None:
        self._waiting.append(item)
        self._wake.set()

    async def write(self) -> None:
        """Write frames until closed; the connection's one writer."""
        while True:
            await self._wake.wait()
            self._wake.clear()
            while self._waiting:
                messages: list[bytes] = []
                while self._waiting and len(messages) < _AT_ONCE and isinstance(frame := self._waiting[0], bytes):
                    messages.append(self._message(frame))
                    self._waiting.popleft()
                if messages:
                    await self._write(b"".join(messages))
                else:
                    await self._end(self._waiting.popleft())
                    return

    async def _end(self, how: bytes | _End) -> None:
        if isinstance(how, tuple):
            await self._socket.close(code=how[0], message=how[1].encode())
        elif isinstance(self._transport, asyncio.WriteTransport):
            self._transport.abort()

    async def _write(self, messages: bytes) -> None:
        """Hands them to the system, in one call; waits while it has much to send already."""
        transport = self._transport
        if not isinstance(transport, asyncio.WriteTransport) or transport.is_closing():
            raise ConnectionResetError("the client has gone")
        transport.write(messages)
        while transport.get_write_buffer_size() > _UNSENT and not transport.is_closing():  # noqa: ASYNC110
            await asyncio.sleep(_FLUSHED_SECONDS)

    def _message(self, frame: bytes) -> bytes:
        """The frame as an unmasked websocket message (RFC 6455, section 5.2): text, or binary where compressed."""
        opcode, body = (b"\x81", frame) if self._compress is None else (b"\x82", self._compress(frame))
        size = len(body)
        if size < 126:
            return b"%b%c%b" % (opcode, size, body)
        if size < 1 << 16:
            return b"%b\x7e%b%b" % (opcode, size.to_bytes(2, "big"), body)
        return b"%b\x7f%b%b" % (opcode, size.to_bytes(8, "big"), body)
