"""Postgres of one fleet's own, which its tests may restart."""

import asyncio
import shutil
from pathlib import Path

from markov_shard.embedded.postgres import Postgres


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
