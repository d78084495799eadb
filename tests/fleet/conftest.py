"""A fleet of real processes against the stand-in for Discord, real Postgres and real Redis."""

import argparse
import asyncio
import collections
import decimal
import functools
import gzip
import inspect
import itertools
import json
import logging
import os
import random
import signal
import socket
import statistics
import subprocess
import sys
import textwrap
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from discord_sim import DEMO_TOKEN
from discord_sim.client import SimClient
from markov_shard.store.pool import Database

CHAT = Path(__file__).parents[3] / "shared" / "data" / "chat-135k.jsonl.gz"
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


@pytest.fixture
async def sim(tmp_path: Path) -> AsyncIterator[SimClient]:
    """The stand-in, in a process of its own, without any guild of the demo."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "discord_sim", "--port", "0", stdout=asyncio.subprocess.PIPE, stderr=None
    )
    assert process.stdout is not None
    line = (await process.stdout.readline()).decode()
    assert "listening on" in line
    async with SimClient(line.split()[-1]) as client:
        yield client
    process.terminate()
    await process.wait()


@pytest.fixture
async def fleet(tmp_path: Path, migrated_url: str, redis_url: str, sim: SimClient) -> AsyncIterator[Fleet]:
    """A fleet that is not started yet."""
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[2]),
        "DATABASE_URL": migrated_url,
        "REDIS_URL": redis_url,
        "DATA_DIR": str(tmp_path / "data"),
        "CONFIG_DIR": str(tmp_path),
        "TOKEN": DEMO_TOKEN,
        "REST_URL": f"{sim.base_url}/api/v10",
        "SHARD_COUNT": str(SHARD_COUNT),
        "LOG_LEVEL": "debug",
        "LOG_FORMAT": "json",
        "MIN_SCORE": "1",
    }
    made = Fleet(tmp_path, environment)
    try:
        yield made
    finally:
        await made.stop()


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """The fleet's database, for looking at what it stored."""
    async with await Database.open(migrated_url, size=2) as opened:
        yield opened


@pytest.fixture(scope="session")
def chat() -> Sequence[str]:
    """A few thousand lines that people wrote: a public chat log where there is one, else Python's own manuals."""
    if CHAT.is_file():
        with gzip.open(CHAT, "rt", encoding="utf-8") as file:
            lines = [json.loads(line)["message"] for line, _ in zip(file, range(4000), strict=False)]
    else:
        texts = {inspect.getdoc(part) or "" for part in _documented()}
        lines = [line for text in sorted(texts) for line in textwrap.wrap(text, 90)]
    return [line for line in lines if 2 < len(line.split()) and len(line) < 400]


def _documented() -> list[object]:
    """Things of the standard library that have long docstrings."""
    modules = (argparse, collections, decimal, functools, itertools, logging, random, statistics, subprocess, threading)
    return [part for module in modules for part in (module, *vars(module).values()) if callable(part) or part is module]
