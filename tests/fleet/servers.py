"""Servers of a test's own, to be stopped, emptied and started again while others work."""

import asyncio
import os
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

from aiohttp import web

from markov_shard.embedded.postgres import Postgres
from markov_shard.embedded.valkey import Valkey
from tests.redis_servers import ON_CLUSTER, Cluster


class OwnServers:
    """An embedded Postgres and Valkey that nobody else uses."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._postgres, self._valkey = Postgres(folder), Valkey(folder)
        self._cluster = Cluster(folder / "redis") if ON_CLUSTER else None
        self.database_url = ""
        self.redis_url = ""

    async def start(self) -> None:
        self.database_url = await asyncio.to_thread(self._postgres.start)
        if self._cluster is None:
            self.redis_url = await asyncio.to_thread(self._valkey.start)
        else:
            await self._cluster.start()
            self.redis_url = self._cluster.url

    async def stop(self) -> None:
        await (asyncio.to_thread(self._valkey.stop) if self._cluster is None else self._cluster.stop())
        await asyncio.to_thread(self._postgres.stop)

    @asynccontextmanager
    async def without_postgres(self) -> AsyncIterator[None]:
        """Postgres is away while the block runs."""
        await asyncio.to_thread(self._postgres.stop)
        try:
            yield
        finally:
            await asyncio.to_thread(self._postgres.start)

    @asynccontextmanager
    async def without_redis(self) -> AsyncIterator[None]:
        """Redis is away while the block runs; then it has what it had."""
        await asyncio.to_thread(self._valkey.stop)
        try:
            yield
        finally:
            await asyncio.to_thread(self._valkey.start)

    async def restart_postgres(self) -> None:
        """Ends every connection and transaction; what was committed is there again."""
        await asyncio.to_thread(self._postgres.stop)
        await asyncio.to_thread(self._postgres.start)

    async def restart_redis_empty(self) -> None:
        """Loses everything that Redis held."""
        if self._cluster is not None:
            await self._cluster.restart_empty()
            return
        await asyncio.to_thread(self._valkey.stop)
        shutil.rmtree(self._folder / "valkey" / "appendonlydir")
        await asyncio.to_thread(self._valkey.start)


@asynccontextmanager
async def own_servers() -> AsyncIterator[OwnServers]:
    """Running servers under a folder that goes with them."""
    folder = Path(tempfile.mkdtemp(prefix="markov-faults-"))
    folder.chmod(0o755)  # as root, Postgres runs as another user
    servers = OwnServers(folder)
    try:
        await servers.start()
        yield servers
    finally:
        await servers.stop()
        await asyncio.to_thread(shutil.rmtree, folder)


@asynccontextmanager
async def serving(app: web.Application) -> AsyncIterator[str]:
    """Answers requests while the block runs; gives the server's URL."""
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()


def serving_files(folder: Path) -> AbstractAsyncContextManager[str]:
    """Serves the files of a folder while the block runs, as Discord's CDN does; gives the server's URL."""
    app = web.Application()
    app.router.add_static("/", folder)
    return serving(app)


def process_environment(folder: Path, **settings: str) -> dict[str, str]:
    """What a process of the fleet needs, and nothing of the machine's own settings."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "DATA_DIR": str(folder / "data"),
        "CONFIG_DIR": str(folder),
        "LOG_LEVEL": "info",
        "LOG_FORMAT": "json",
        **settings,
    }
