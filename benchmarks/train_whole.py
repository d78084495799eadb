"""From a file to messages in Postgres and a published image: `markov-shard train`, with servers of its own.

Postgres waits for the disk at every commit, as it does by default. With TRAIN_MESSAGES, a file of so many messages is
made (`benchmarks/corpus.py`) and trained too: 10 million make 1.5 GB, and take about 10 GB of disk.
"""

import asyncio
import os
from dataclasses import dataclass
from pathlib import Path

import orjson

from benchmarks.corpus import batches, grown
from benchmarks.figures import Figure, Setup
from benchmarks.memory import Peaks, servers, watched
from benchmarks.processes import Services, running, services

GUILD = 81384788765712384
_FIRST_ID = 366566659063808000
_GREAT = int(os.environ.get("TRAIN_MESSAGES", "0"))


@dataclass(frozen=True)
class Training:
    """What one training came to."""

    file_mb: float
    messages: int
    seconds: float
    """From opening the file to the published image."""
    image_mb: float
    peaks: Peaks


def figures(setup: Setup) -> list[Figure]:
    """Messages a second, and the memory of every process."""
    return asyncio.run(_figures(setup))


async def _figures(setup: Setup) -> list[Figure]:
    async with services() as around:
        async with around.database.connection() as connection:
            for name in ("fsync", "synchronous_commit", "full_page_writes"):
                assert await connection.fetchval(f"SHOW {name}") == "on"
        found = _rate(await _trained(around, setup.corpus, watch_seconds=0.05))
        if _GREAT:
            path = around.folder / "great.jsonl"
            await asyncio.to_thread(_write, path, setup, _GREAT)
            found += _great(await _trained(around, path, watch_seconds=1.0))
    return found


async def _trained(around: Services, path: Path, *, watch_seconds: float) -> Training:
    environment = {
        "DATABASE_URL": around.database_url,
        "REDIS_URL": around.redis_url,
        "DATA_DIR": str(around.folder / "data"),
        "CONFIG_DIR": str(around.folder),
    }
    arguments = ["-m", "markov_shard", "train", str(GUILD), str(path), "--json"]
    roots = await servers(around.database_url, around.redis_url)
    async with (
        running(arguments, around.folder / "train.log", environment=environment) as training,
        watched({"train": training.process.pid, **roots}, seconds=watch_seconds) as peaks,
    ):
        out, _ = await training.process.communicate()
    assert training.process.returncode == 0, training.log.read_text(encoding="utf-8")
    done = orjson.loads(out)
    messages = done["messages"] + done["skipped"]
    return Training(path.stat().st_size / 1e6, messages, done["seconds"], done["image_bytes"] / 1e6, peaks)


def _rate(done: Training) -> list[Figure]:
    name = f"train {done.messages:,} messages"
    rate = done.messages / done.seconds
    return [
        Figure(f"{name}, file to published image", "messages/s", rate, {"bound": 20_000}, smaller_is_better=False),
        Figure(f"{name}, peak anonymous memory of the command", "MB", done.peaks.anonymous["train"], {"bound": 500}),
        *_memory(name, done.peaks),
    ]


def _great(done: Training) -> list[Figure]:
    name = f"train {done.messages:,} messages"
    most = max(done.peaks.resident.values())
    return [
        Figure(f"{name}: file", "MB", done.file_mb),
        Figure(f"{name}: image", "MB", done.image_mb),
        Figure(f"{name}: file to published image", "s", done.seconds),
        Figure(name, "messages/s", done.messages / done.seconds, smaller_is_better=False),
        Figure(f"{name}: most resident in any process", "MB", most, {"bound": 4 * 1024**3 / 1e6}),
        *_memory(name, done.peaks),
    ]


def _memory(name: str, peaks: Peaks) -> list[Figure]:
    return [Figure(f"{name}: most resident, {process}", "MB", most) for process, most in peaks.resident.items()]


def _write(path: Path, setup: Setup, number: int) -> None:
    """JSON lines with IDs, authors and channels, as a guild's history is exported."""
    count = 0
    with path.open("wb") as file:
        for batch in batches(grown(list(setup.messages())), number):
            file.write(b"".join(_line(count + place, text) for place, text in enumerate(batch)))
            count += len(batch)


def _line(number: int, text: str) -> bytes:
    entry = {
        "id": str(_FIRST_ID + number * 4096),
        "author": str(1000000000000000 + number * 7919 % 5000),
        "channel": str(300000000000000001 + number % 7),
        "message": text,
    }
    return orjson.dumps(entry, option=orjson.OPT_APPEND_NEWLINE)
