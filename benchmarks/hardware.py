"""What a million messages need: bytes on disk, in Redis and in memory, and a core's time to take them in.

HARDWARE_MESSAGES messages (300,000 by default; the log, then new ones made of it) in guilds of 100,000, learned by
`markov-shard train`. Disk: Postgres's own figures, indexes included. Redis: what an empty one uses more once every
chain has been opened. Memory: what the process that opened them holds more, mapped files aside, and what they map.
"""

import asyncio
import gc
import json
import os
import resource
import subprocess
import sys
from itertools import islice
from pathlib import Path

from benchmarks.corpus import grown
from benchmarks.figures import Figure, Setup
from benchmarks.processes import ROOT, Services, services
from markov_shard.guilds.image_files import ImageFiles
from markov_shard.guilds.learner import Learner
from markov_shard.guilds.opening import ChainOpener
from markov_shard.guilds.owner import Owner
from markov_shard.guilds.registry import Guilds
from markov_shard.shared.connect import connect_redis
from markov_shard.shared.image_cache import ImageCache
from markov_shard.store.epochs import take_epoch

MESSAGES = int(os.environ.get("HARDWARE_MESSAGES", "300000"))
A_GUILD = 100_000
FIRST_GUILD = 81384788765712384
_SIZES = {
    "messages and their indexes": ("messages",),
    "chain images": ("chain_images", "chain_image_chunks", "chain_removals"),
}


def run(setup: Setup) -> list[Figure]:
    """All figures are for a million messages."""
    return asyncio.run(_run(setup))


async def _run(setup: Setup) -> list[Figure]:
    async with services() as around:
        guilds = [FIRST_GUILD + (number << 22) for number in range(max(1, MESSAGES // A_GUILD))]
        learned, seconds = await asyncio.to_thread(_train, setup, around, guilds)
        million = 1e6 / learned
        figures = [
            Figure(f"disk: {name}", "MB", await _table_bytes(around, tables) * million / 1e6)
            for name, tables in _SIZES.items()
        ]
        figures += await _opened(around, guilds, million)
    figures.append(Figure("training, Postgres's own time aside", "messages/s a core", learned / seconds, {}, False))
    return figures


def _train(setup: Setup, around: Services, guilds: list[int]) -> tuple[int, float]:
    """Messages learned, and CPU seconds of the processes that learned them."""
    texts = grown(list(setup.messages()))
    environment = {**os.environ, "DATABASE_URL": around.database_url, "REDIS_URL": around.redis_url}
    environment |= {"DATA_DIR": str(around.folder / "train"), "CONFIG_DIR": str(around.folder)}
    learned, seconds = 0, 0.0
    for guild in guilds:
        file = around.folder / f"{guild}.jsonl"
        with file.open("w", encoding="utf-8") as lines:
            for text in islice(texts, A_GUILD):
                lines.write(json.dumps({"message": text}) + "\n")
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        command = [sys.executable, "-m", "markov_shard", "train", str(guild), str(file), "--json"]
        done = subprocess.run(command, cwd=ROOT, env=environment, check=True, capture_output=True, text=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        seconds += after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
        learned += json.loads(done.stdout)["messages"]
        file.unlink()
    return learned, seconds


async def _table_bytes(around: Services, tables: tuple[str, ...]) -> int:
    async with around.database.connection() as connection:
        await connection.execute("CHECKPOINT")
        return int(
            await connection.fetchval(
                "SELECT sum(pg_total_relation_size(part.relid)) FROM unnest($1::regclass[]) AS root,"
                " pg_partition_tree(root) AS part WHERE part.isleaf",
                list(tables),
            )
        )


async def _opened(around: Services, guilds: list[int], million: float) -> list[Figure]:
    """Every chain, opened by way of Redis."""
    redis = await connect_redis(around.redis_url)
    try:
        await redis.flushdb()
        empty = (await redis.info("memory"))["used_memory"]
        opener = ChainOpener(around.database, ImageCache(redis), ImageFiles(around.folder / "images"), 2)
        learner = Learner(around.database, debounce=60, batch_size=1000)
        opened = Guilds(around.database, opener, learner, memory_limit=1 << 40)
        async with around.database.transaction() as connection:
            owner = Owner(0, 1, await take_epoch(connection, 1, 0, "bench"))
        gc.collect()
        before = _anonymous()
        for guild in guilds:
            await opened.chain(guild, owner)
        gc.collect()
        held, mapped = _anonymous() - before, opened.memory
        cached = (await redis.info("memory"))["used_memory"] - empty
    finally:
        await redis.aclose()
    return [
        Figure("Redis: cached images", "MB", cached * million / 1e6),
        Figure("memory: mapped images, shared by a host's processes", "MB", mapped * million / 1e6),
        Figure("memory: what an open chain needs besides", "MB", max(0, held) * million / 1e6),
    ]


def _anonymous() -> int:
    """Bytes of this process's memory that no file backs."""
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024
