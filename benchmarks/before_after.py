"""What users were promised: a message at a time and a chain of dicts, against batches and images.

Before: each message is inserted and committed by itself, and learned by the reference chain, which is all in memory
and is counted again after every restart. After: `markov-shard train`, and the image it publishes. Both store into the
same Postgres, which waits for the disk at every commit. The chains are measured in a fresh process each.
"""

import asyncio
import gzip
import json
import mmap
import random
import subprocess
import sys
import tempfile
import time
from itertools import islice
from pathlib import Path

import orjson

from benchmarks.figures import Figure, Setup
from benchmarks.processes import ROOT, Services, running, services
from benchmarks.timing import each, percentile, timed
from markov_shard.chain import Chain, Image, ReferenceChain, compile_chain, open_image
from markov_shard.store.messages import StoredMessage, learn_messages

STATE_SIZE = 2
TRAINED = 20_000
"""Messages that are trained from file to chain both ways: as many as have patience for."""
ADDED = 1000
_GUILD = 81384788765712384
_BEFORE = "before"


def run(setup: Setup) -> list[Figure]:
    """Training from a file, and what came of it: memory, restarts, answers, additions."""
    return asyncio.run(_trainings(setup)) + _chains(setup)


async def _trainings(setup: Setup) -> list[Figure]:
    texts = list(islice(setup.messages(), TRAINED))
    async with services() as around:
        before = await _one_at_a_time(around, texts)
        path = around.folder / "file.jsonl.gz"
        path.write_bytes(gzip.compress(b"".join(orjson.dumps(text) + b"\n" for text in texts)))
        after = await _trained(around, path)
    name = f"train {TRAINED:,} messages, file to chain"
    rate = {_BEFORE: TRAINED / before}
    return [
        Figure(name, "s", after, {_BEFORE: before}),
        Figure(name, "messages/s", TRAINED / after, rate, smaller_is_better=False),
    ]


async def _one_at_a_time(around: Services, texts: list[str]) -> float:
    chain = ReferenceChain(state_size=STATE_SIZE)
    started = time.perf_counter()
    async with around.database.connection() as connection:
        for number, text in enumerate(texts, 1):
            await learn_messages(connection, _GUILD - 1, [StoredMessage(number, 1, 1, text)])  # its own transaction
            chain.learn(text)
    return time.perf_counter() - started


async def _trained(around: Services, path: Path) -> float:
    environment = {"DATABASE_URL": around.database_url, "REDIS_URL": around.redis_url, "DATA_DIR": str(around.folder)}
    arguments = ["-m", "markov_shard", "train", str(_GUILD), str(path), "--json"]
    async with running(arguments, around.folder / "train.log", environment=environment) as training:
        done = orjson.loads((await training.process.communicate())[0])
    assert done["messages"] == TRAINED
    return float(done["seconds"])


def _chains(setup: Setup) -> list[Figure]:
    with tempfile.TemporaryDirectory() as folder:
        image = Path(folder) / "image"
        messages = list(setup.messages())
        image.write_bytes(bytes(compile_chain(messages, STATE_SIZE)))
        before, after = (_measured(side, setup.corpus, image) for side in ("before", "after"))
    name = f"chain of {len(messages):,} messages"
    figures = {
        "from stored to answering, after a restart": ("ms", "open_ms"),
        "memory of its own": ("MB", "memory_mb"),
        "an answer, mean": ("us", "answer_us"),
        "an answer, p99": ("us", "p99_us"),
        f"{ADDED:,} messages more, learned live": ("ms", "add_ms"),
    }
    return [
        Figure(f"{name}: {what}", unit, after[key], {_BEFORE: before[key]}) for what, (unit, key) in figures.items()
    ]


def _measured(side: str, corpus: Path, image: Path) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.before_after", side, str(corpus), str(image)]
    ran = subprocess.run(command, check=True, capture_output=True, cwd=ROOT, timeout=600)
    figures: dict[str, float] = json.loads(ran.stdout)
    return figures


def _anonymous_mb() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("RssAnon")) * 1024 / 1e6


def _before(corpus: Path, _: Path) -> dict[str, float]:
    held = _anonymous_mb()
    opened, chain = timed(lambda: ReferenceChain(Setup(corpus, peers=False).messages(), STATE_SIZE))
    return _figures(opened, held, chain, 200, corpus)


def _after(corpus: Path, path: Path) -> dict[str, float]:
    held = _anonymous_mb()
    opened, image = timed(lambda: _mapped(path))
    return _figures(opened, held, Chain(image), 20_000, corpus)


def _mapped(path: Path) -> Image:
    with path.open("rb") as file:
        return open_image(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))


def _figures(opened: float, held: float, chain: Chain | ReferenceChain, answers: int, corpus: Path) -> dict[str, float]:
    rng = random.Random(1)
    seconds = each(lambda: chain.answer(rng), answers)
    memory = _anonymous_mb() - held
    added = [f"{text} again" for text in islice(Setup(corpus, peers=False).messages(), ADDED)]
    return {
        "open_ms": opened * 1e3,
        "memory_mb": memory,
        "answer_us": 1e6 * sum(seconds) / len(seconds),
        "p99_us": 1e6 * percentile(seconds, 0.99),
        "add_ms": 1e3 * timed(lambda: [chain.learn(text) for text in added])[0],
    }


if __name__ == "__main__":
    side, *paths = sys.argv[1:]
    print(json.dumps((_before if side == "before" else _after)(*map(Path, paths))))
