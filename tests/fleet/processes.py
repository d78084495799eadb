"""The fleet's processes, as tests start, kill and look at them."""

import asyncio
import json
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

ROLES = ("coordinator-1", "shard-1", "shard-2", "worker-1")
SHARD_COUNT = 4


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Fleet:
    """The processes by name; their logs, one JSON object a line, lie in `folder`."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.port = free_port()
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    async def start(self, *names: str) -> None:
        """Starts processes; the role is the name's first word."""
        for name in names or ROLES:
            port = self.port if name.startswith("coordinator") else 0
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "markov_shard",
                    name.partition("-")[0],
                    env={**self.environment, "PROCESS_NAME": name, "HTTP_PORT": str(port)},
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )

    async def ready(self) -> dict[str, Any]:
        """Waits until every shard is connected; returns the status."""
        async with aiohttp.ClientSession() as session:
            while True:
                self.check()
                try:
                    async with session.get(f"http://127.0.0.1:{self.port}/status.json") as response:
                        status: dict[str, Any] = await response.json()
                        shards = status.get("shards", [])
                        if len(shards) == SHARD_COUNT and all(s["state"] == "connected" for s in shards):
                            return status
                except aiohttp.ClientError:
                    pass  # not up yet
                await asyncio.sleep(0.1)

    def check(self) -> None:
        """Fails with its log when a process has ended by itself."""
        for name, process in self.processes.items():
            if process.returncode is not None:
                log = (self.folder / f"{name}.log").read_text(encoding="utf-8")[-3000:]
                pytest.fail(f"{name} ended with status {process.returncode}:\n{log}")

    async def kill(self, *names: str) -> None:
        """SIGKILL: no process gets to finish anything."""
        chosen = names or tuple(self.processes)
        for name in chosen:
            self.processes[name].send_signal(signal.SIGKILL)
        for name in chosen:
            await self.processes.pop(name).wait()

    async def stop(self) -> dict[str, int]:
        """SIGTERM; returns the exit statuses."""
        for process in self.processes.values():
            if process.returncode is None:
                process.terminate()
        try:
            async with asyncio.timeout(30):
                return {name: await process.wait() for name, process in self.processes.items()}
        finally:
            for process in self.processes.values():
                if process.returncode is None:
                    process.kill()
            self.processes.clear()

    def log(self, name: str) -> list[dict[str, Any]]:
        """A process's log lines; a traceback's lines are left out."""
        lines = (self.folder / f"{name}.log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        """Runs `markov-shard …` beside the fleet: status, standard output, standard error."""
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "markov_shard",
            *arguments,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), error.decode()
