"""The fleet's processes, as tests start, kill and look at them."""

import asyncio
import contextlib
import json
import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from discord_sim import DEMO_TOKEN

ROLES = ("coordinator-1", "shard-1", "shard-2", "worker-1")
SHARD_COUNT = 4


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def fleet_environment(folder: Path, database_url: str, redis_url: str, sim_url: str) -> dict[str, str]:
    """What every process of a fleet against the stand-in is told."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "DATABASE_URL": database_url,
        "REDIS_URL": redis_url,
        "DATA_DIR": str(folder / "data"),
        "CONFIG_DIR": str(folder),
        "TOKEN": DEMO_TOKEN,
        "REST_URL": f"{sim_url}/api/v10",
        "SHARD_COUNT": str(SHARD_COUNT),
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": "json",
        "MIN_SCORE": "1",
    }


class Fleet:
    """The processes by name; their logs, one JSON object a line, lie in `folder`."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder = folder
        self.environment = environment
        self.own_environment: dict[str, dict[str, str]] = {}
        """What single processes have of their own, by name."""
        self.shard_count = int(environment["SHARD_COUNT"]) if "SHARD_COUNT" in environment else None
        """None: as many as Discord recommends, which `ready` cannot know."""
        self.ports: dict[str, int] = {}
        self.processes: dict[str, asyncio.subprocess.Process] = {}

    async def start(self, *names: str) -> None:
        """Starts processes; the role is the name's first word."""
        for name in names or ROLES:
            port = self.ports.setdefault(name, free_port()) if name.startswith("coordinator") else 0
            with (self.folder / f"{name}.log").open("ab") as log:
                self.processes[name] = await asyncio.create_subprocess_exec(
                    sys.executable,
                    "-m",
                    "markov_shard",
                    name.partition("-")[0],
                    env={
                        "PYTHONFAULTHANDLER": "1",
                        **self.environment,
                        **self.own_environment.get(name, {}),
                        "PROCESS_NAME": name,
                        "HTTP_PORT": str(port),
                    },
                    stdin=asyncio.subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                )

    async def ready(self) -> dict[str, Any]:
        """Waits until every shard is connected; returns the status."""
        assert self.shard_count is not None
        while True:
            self.check()
            status = await self.status()
            shards = status.get("shards", [])
            if len(shards) == self.shard_count and all(shard["state"] == "connected" for shard in shards):
                return status
            await asyncio.sleep(0.1)

    async def status(self) -> dict[str, Any]:
        """What the first coordinator that answers says of the fleet; nothing when none does."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
            for name, port in self.ports.items():
                if name in self.processes:
                    with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                        async with session.get(f"http://127.0.0.1:{port}/status.json") as response:
                            found: dict[str, Any] = await response.json()
                            return found
        return {}

    async def answers(self, name: str) -> None:
        """Waits until a coordinator's own page answers."""
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(5)) as session:
            while True:
                self.check()
                with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                    async with session.get(f"http://127.0.0.1:{self.ports[name]}/livez"):
                        return
                await asyncio.sleep(0.05)

    def check(self) -> None:
        """Fails with its log when a process has ended by itself."""
        for name, process in self.processes.items():
            if process.returncode is not None:
                log = (self.folder / f"{name}.log").read_text(encoding="utf-8")[-3000:]
                pytest.fail(f"{name} ended with status {process.returncode}:\n{log}")

    def signal(self, number: int, *names: str) -> None:
        for name in names:
            self.processes[name].send_signal(number)

    async def kill(self, *names: str) -> None:
        """SIGKILL: no process gets to finish anything."""
        chosen = names or tuple(self.processes)
        self.signal(signal.SIGKILL, *chosen)
        for name in chosen:
            await self.processes.pop(name).wait()

    async def stop(self, *names: str) -> dict[str, int]:
        """SIGTERM to some or all; returns the exit statuses."""
        chosen = {name: self.processes[name] for name in names or tuple(self.processes)}
        for process in chosen.values():
            if process.returncode is None:
                process.terminate()
        late = []
        try:
            async with asyncio.timeout(30):
                return {name: await process.wait() for name, process in chosen.items()}
        except TimeoutError:
            late = [name for name, process in chosen.items() if process.returncode is None]
            raise AssertionError(f"{', '.join(late)} did not stop within 30 s; see the end of the log") from None
        finally:
            for name, process in chosen.items():
                if process.returncode is None:
                    process.send_signal(signal.SIGABRT if late else signal.SIGKILL)  # aborted, it says where it is
                    await process.wait()
                del self.processes[name]

    def log(self, name: str) -> list[dict[str, Any]]:
        """A process's log lines; a traceback's lines are left out."""
        lines = (self.folder / f"{name}.log").read_text(encoding="utf-8").splitlines()
        return [json.loads(line) for line in lines if line.startswith("{")]

    async def begin(self, *arguments: str) -> asyncio.subprocess.Process:
        """Starts `markov-shard …` beside the fleet."""
        return await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "markov_shard",
            *arguments,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )

    async def command(self, *arguments: str) -> tuple[int, str, str]:
        """Runs `markov-shard …` beside the fleet: status, standard output, standard error."""
        process = await self.begin(*arguments)
        out, error = await process.communicate()
        assert process.returncode is not None
        return process.returncode, out.decode(), error.decode()
