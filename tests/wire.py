"""A TCP connection that a test can cut."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


class Wire:
    """A TCP connection that can be cut: bytes then vanish, as in a partition, and nobody is told."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.port = 0

    async def open(self) -> None:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def close(self) -> None:
        assert self._server is not None
        self._server.close()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        self._open.clear()

    def mend(self) -> None:
        """Bytes flow again; connections of before the cut are ended, since what they carried is lost."""
        for task in list(self._tasks):
            task.cancel()
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        try:
            await self._open.wait()
            there, to_there = await asyncio.open_connection("127.0.0.1", self._target)
            async with _closing(to_there):
                await asyncio.gather(self._copy(reader, to_there), self._copy(there, writer))
        except (OSError, asyncio.CancelledError):
            pass  # either side went away
        finally:
            self._tasks.discard(task)
            writer.transport.abort()

    async def _copy(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65536):
            if self._open.is_set():
                writer.write(data)
                await writer.drain()
        raise ConnectionResetError  # ends the other direction too


@contextlib.asynccontextmanager
async def _closing(writer: asyncio.StreamWriter) -> AsyncIterator[None]:
    try:
        yield
    finally:
        writer.transport.abort()
