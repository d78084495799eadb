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
import random
import statistics
import subprocess
import textwrap
import threading
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from discord_sim.client import SimClient
from markov_shard.store.pool import Database
from tests.fleet.processes import Fleet, fleet_environment
from tests.fleet.prometheus import Prometheus
from tests.fleet.test_whole_path import Server, make_servers
from tests.standin import stand_in_process

CHAT = Path(__file__).parents[3] / "shared" / "data" / "chat-135k.jsonl.gz"


@pytest.fixture
async def sim() -> AsyncIterator[SimClient]:
    """The stand-in, in a process of its own, without any guild of the demo."""
    async with stand_in_process() as client:
        yield client


@pytest.fixture
async def fleet(tmp_path: Path, migrated_url: str, redis_url: str, sim: SimClient) -> AsyncIterator[Fleet]:
    """A fleet that is not started yet."""
    made = Fleet(tmp_path, fleet_environment(tmp_path, migrated_url, redis_url, sim.base_url))
    try:
        yield made
    finally:
        await made.stop()


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """The fleet's database, for looking at what it stored."""
    async with await Database.open(migrated_url, size=2) as opened:
        yield opened


@pytest.fixture
async def prometheus(tmp_path: Path) -> AsyncIterator[Prometheus]:
    """A real one that runs, without targets yet."""
    folder = tmp_path / "prometheus"
    folder.mkdir()
    async with Prometheus(folder).running() as running:
        yield running


@pytest.fixture
async def watched(fleet: Fleet, sim: SimClient, prometheus: Prometheus) -> list[Server]:
    """A server a shard that has learned three messages, its fleet scraped and well."""
    made = await make_servers(sim)
    await fleet.start()
    await prometheus.watch(fleet)
    for server in made:
        await server.listen()
        await server.chat(["a fine day for a walk", "a fine day for a long swim", "what a fine long walk"])
    async with asyncio.timeout(60):
        while await prometheus.value("sum(markov_messages_stored_total)") != 12:
            await asyncio.sleep(0.5)
    await prometheus.wait_until_clear()
    return made


@pytest.fixture(scope="session")
def chat() -> Sequence[str]:
    """A few thousand lines that people wrote: a public chat log where there is one, else Python's own manuals."""
    if CHAT.is_file():
        with gzip.open(CHAT, "rt", encoding="utf-8") as file:
            lines = [json.loads(line)["message"] for line, _ in zip(file, range(4000), strict=False)]
    else:
        texts = {inspect.getdoc(part) or "" for part in _documented()}
        lines = [line for text in sorted(texts) for line in textwrap.wrap(text, 90)]
    return [line for line in lines if len(line.split()) > 2 and len(line) < 400]


def _documented() -> list[object]:
    """Things of the standard library that have long docstrings."""
    modules = (argparse, collections, decimal, functools, itertools, logging, random, statistics, subprocess, threading)
    return [part for module in modules for part in (module, *vars(module).values()) if callable(part) or part is module]
