"""A fleet that learns, replies and trains at once, for MIXED_SECONDS (60 by default).

One shard process on the measured core, with 40 guilds of 300 to 3,000 messages: MIXED_REPLIES replies and
MIXED_MESSAGES messages a second. Beside it a worker that compiles what was learned, and `markov-shard train` over and
over for guilds that nobody talks to. The budget is held against the process's own clock (`markov_reply_seconds`, in
its buckets): from an event's arrival to its reply's handing over. The way there and back is measured too, from the
writing of the event to the reading of the request by the stand-in, which shares the other core with Postgres, the
worker and the trainings. A reply that does not come in 5 s is an error, and so is every line at level error in a log.
One message in fifty carries a file, and one answer in ten takes one along: its URL has expired and must be refreshed
once. The slopes of memory are those of the second half, as a process warms up first; chains grow with what they learn.
"""

import asyncio
import contextlib
import itertools
import json
import os
import random
import re
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import NamedTuple

import aiohttp
import orjson
import uvloop

from benchmarks.bare_discord import API, Connection, StandIn
from benchmarks.corpus import grown
from benchmarks.discord_objects import channel_of, command_of, message_of, token_of, user_of
from benchmarks.figures import Figure, Setup
from benchmarks.processes import Bot, Services, off_the_measured_core, our_bot, running, services
from markov_shard.shared.connect import connect_redis
from markov_shard.shared.members import read_members
from markov_shard.store.channels import ChannelRow, set_listening
from markov_shard.store.messages import StoredMessage, learn_messages

SECONDS = float(os.environ.get("MIXED_SECONDS", "60"))
REPLIES = float(os.environ.get("MIXED_REPLIES", "50"))
MESSAGES = float(os.environ.get("MIXED_MESSAGES", "200"))
FIRST_GUILD = 81384788765712384
GUILDS = [FIRST_GUILD + (number << 22) for number in range(40)]
BOT = 4002
_SIZES = (300, 300, 1000, 3000)
_TRAINED = 20_000
_PATIENCE = 5.0
_ONE_FILE_IN = 50


class Memory(NamedTuple):
    """The shard process's memory: seconds since the start, and megabytes."""

    at: float
    resident: float
    own: float
    """Of no file."""
    chains: float
    """By the process's own count: mapped images and what lies over them."""


@dataclass
class Seen:
    """What came of the load. Delays in milliseconds."""

    sent: dict[str, float] = field(default_factory=dict)
    delays: list[float] = field(default_factory=list)
    messages: int = 0
    trainings: int = 0
    failed_trainings: int = 0
    memory: list["Memory"] = field(default_factory=list)

    def on_reply(self, replied_to: str, when: float) -> None:
        """A reply's request was read."""
        sent = self.sent.pop(replied_to, None)
        if sent is not None:
            self.delays.append((when - sent) * 1000)


def run(setup: Setup) -> list[Figure]:
    """Errors, delays, memory and hit rates."""
    with off_the_measured_core() as core:
        return uvloop.run(_run(setup, core))


async def _run(setup: Setup, core: int) -> list[Figure]:
    texts = grown(list(setup.messages()))
    async with services() as around, StandIn(GUILDS) as standin:
        await _fill(around, texts, standin.url)
        rest_url = standin.url + API
        async with our_bot(around, rest_url, token_of(BOT), core) as bot, _worker(around, rest_url) as worker:
            async with asyncio.timeout(60):
                connection = await standin.connection(token_of(BOT))
            seen = Seen()
            standin.on_reply = seen.on_reply
            await _warm_up(standin, connection, seen)
            warm = await shard_metrics(around)
            before = await _stored(around)
            cpu, started = bot.cpu_seconds(), time.perf_counter()
            loads = [
                asyncio.create_task(_reply(standin, connection, seen, started)),
                asyncio.create_task(_talk(standin, connection, seen, texts, started)),
                asyncio.create_task(_train(around, texts, seen, started)),
                asyncio.create_task(_watch(around, bot, seen, started)),
            ]
            await asyncio.gather(*loads)
            seconds = time.perf_counter() - started
            await _settled(around, before + seen.messages, seen)
            spent = bot.cpu_seconds() - cpu
            inside = {name: value - warm.get(name, 0.0) for name, value in (await shard_metrics(around)).items()}
            errors = _errors(around.folder) + len(seen.sent) + seen.failed_trainings
            stored = await _stored(around) - before
            assert worker.process.returncode is None, "the worker ended"
    return _figures(seen, seconds, errors, seen.messages - stored, spent, inside)


async def _fill(around: Services, texts: Iterator[str], cdn: str) -> None:
    async with around.database.connection() as connection:
        for number, guild in enumerate(GUILDS):
            await set_listening(connection, guild, [ChannelRow(channel_of(guild))], listen=True)
            batch = list(enumerate(islice(texts, _SIZES[number % len(_SIZES)]), 1))
            messages = [
                StoredMessage(
                    n,
                    channel_of(guild),
                    5,
                    text.replace("\0", "")[:2000],
                    (f"{cdn}/attachments/{guild}/{n}/cat.png?ex=1",) if n % _ONE_FILE_IN == 0 else (),
                )
                for n, text in batch
            ]
            await learn_messages(connection, guild, messages)


@contextlib.asynccontextmanager
async def _worker(around: Services, rest_url: str):  # type: ignore[no-untyped-def]
    environment = _environment(around) | {"TOKEN": token_of(BOT), "REST_URL": rest_url, "HTTP_PORT": "0"}
    log = around.folder / "worker.log"
    async with running(["-m", "markov_shard", "worker"], log, environment=environment) as worker:
        yield worker


def _environment(around: Services) -> dict[str, str]:
    return {
        "DATABASE_URL": around.database_url,
        "REDIS_URL": around.redis_url,
        "DATA_DIR": str(around.folder / "data"),
        "CONFIG_DIR": str(around.folder),
        "LOG_FORMAT": "json",
    }


async def _warm_up(standin: StandIn, connection: Connection, seen: Seen) -> None:
    """Every guild is asked once, so that every chain is in memory, and the heartbeat has told of it."""
    for guild in GUILDS:
        event_id = standin.next_id()
        command = orjson.dumps(command_of(event_id, BOT, guild, "mark"))
        seen.sent[event_id] = time.perf_counter()
        connection.send(b"".join(connection.encode([("INTERACTION_CREATE", command)])))
    async with asyncio.timeout(60):
        while seen.sent:
            await asyncio.sleep(0.05)
    seen.delays.clear()
    await asyncio.sleep(2)


async def _reply(standin: StandIn, connection: Connection, seen: Seen, started: float) -> None:
    """Members use the slash command, in any guild."""
    rng = random.Random(1)
    for number in itertools.count():
        due = started + number / REPLIES
        if due - started > SECONDS:
            return
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        event_id = standin.next_id()
        command = orjson.dumps(command_of(event_id, BOT, rng.choice(GUILDS), "mark"))
        frames = b"".join(connection.encode([("INTERACTION_CREATE", command)]))
        seen.sent[event_id] = time.perf_counter()
        connection.send(frames)


async def _talk(standin: StandIn, connection: Connection, seen: Seen, texts: Iterator[str], started: float) -> None:
    """Members write, a tenth of a second's messages at once."""
    rng = random.Random(2)
    at_once = max(1, round(MESSAGES / 10))
    for number in itertools.count():
        due = started + number * at_once / MESSAGES
        if due - started > SECONDS:
            return
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        events = []
        for text in islice(texts, at_once):
            guild = rng.choice(GUILDS)
            author = user_of(str(5 + rng.randrange(500)), "ann")
            message = message_of(standin.next_id(), str(channel_of(guild)), str(guild), author, text[:2000] or "x")
            events.append(("MESSAGE_CREATE", orjson.dumps(message)))
        seen.messages += sum(bool(json.loads(data)["content"].split()) for _, data in events)
        connection.send(b"".join(connection.encode(events)))


async def _train(around: Services, texts: Iterator[str], seen: Seen, started: float) -> None:
    """One training after the other, of guilds without talk."""
    guild = GUILDS[-1]
    while time.perf_counter() - started < SECONDS:
        guild += 1 << 22
        file = around.folder / "training.jsonl"
        file.write_text("".join(json.dumps({"message": text}) + "\n" for text in islice(texts, _TRAINED)))
        arguments = ["-m", "markov_shard", "train", str(guild), str(file), "--json"]
        async with running(arguments, around.folder / "train.log", environment=_environment(around)) as training:
            out, _ = await training.process.communicate()
        if training.process.returncode != 0 or json.loads(out)["messages"] == 0:
            sys.stderr.write(f"a training failed: {training.log.read_text(encoding='utf-8')[-2000:]}\n")
            seen.failed_trainings += 1
            continue
        seen.trainings += 1


async def _watch(around: Services, bot: Bot, seen: Seen, started: float) -> None:
    redis = await connect_redis(around.redis_url)
    try:
        while (now := time.perf_counter() - started) < SECONDS:
            (chains,) = (member.details["chains"] for member in await read_members(redis) if member.role == "shard")
            seen.memory.append(Memory(now, bot.memory() / 1e6, bot.own_memory() / 1e6, chains["bytes"] / 1e6))
            await asyncio.sleep(2)
    finally:
        await redis.aclose()


async def _stored(around: Services) -> int:
    async with around.database.connection() as connection:
        return int(
            await connection.fetchval("SELECT count(*) FROM messages WHERE guild_id = ANY($1::bigint[])", GUILDS)
        )


async def _settled(around: Services, messages: int, seen: Seen) -> None:
    """Until everything is stored and answered, or patience ends."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(_PATIENCE):
            while seen.sent or await _stored(around) < messages:
                await asyncio.sleep(0.1)


async def shard_metrics(around: Services) -> dict[str, float]:
    """What the shard process's `/metrics` says, by sample: `name{label="value"}`."""
    redis = await connect_redis(around.redis_url)
    try:
        url = next(member.url for member in await read_members(redis) if member.role == "shard")
    finally:
        await redis.aclose()
    async with aiohttp.ClientSession() as session, session.get(f"{url}/metrics") as response:
        lines = (await response.text()).splitlines()
    samples = (line.rpartition(" ") for line in lines if not line.startswith("#"))
    return {name: float(value) for name, _, value in samples}


def mean_of(samples: Mapping[str, float], histogram: str) -> float:
    """The mean of a histogram of seconds, in milliseconds; 0 where it counted nothing."""
    return samples[f"{histogram}_sum"] / max(1, samples[f"{histogram}_count"]) * 1000


def buckets_of(samples: Mapping[str, float], histogram: str) -> dict[float, float]:
    """The share of a histogram's values that was at most each bucket's upper bound, in seconds."""
    pattern = re.compile(rf'{histogram}_bucket{{le="([^"]+)"}}')
    count = max(1, samples[f"{histogram}_count"])
    return {float(found[1]): value / count for name, value in samples.items() if (found := pattern.fullmatch(name))}


def _errors(folder: Path) -> int:
    lines = itertools.chain.from_iterable(
        path.read_text(encoding="utf-8").splitlines() for path in folder.glob("*.log")
    )
    return sum('"level": "error"' in line or '"level":"error"' in line for line in lines)


def _figures(
    seen: Seen, seconds: float, errors: int, lost: int, cpu: float, inside: Mapping[str, float]
) -> list[Figure]:
    """`inside`: what the samples of the process's metrics rose by."""
    delays = sorted(seen.delays)
    within = buckets_of(inside, "markov_reply_seconds")
    chain_hits, chain_misses = (inside[f"markov_chain_cache_{kind}_total"] for kind in ("hits", "misses"))
    urls = {name: value for name, value in inside.items() if name.startswith("markov_cdn_urls_total")}
    refreshed = urls['markov_cdn_urls_total{outcome="refreshed"}']
    last = seen.memory[-1]
    return [
        Figure("duration", "s", seconds, {}, False),
        Figure("replies", "replies", len(delays), {}, False),
        Figure("messages learned", "messages", seen.messages, {}, False),
        Figure(f"trainings of {_TRAINED:,} messages meanwhile", "trainings", seen.trainings, {}, False),
        Figure("errors: lines in logs, failed trainings, and replies that did not come", "errors", errors),
        Figure("messages not stored", "messages", lost),
        Figure("reply, mean", "ms", mean_of(inside, "markov_reply_seconds"), {"budget": 1.5}),
        Figure("reply, p99, upper bound of its bucket", "ms", _bound(within, 0.99), {"budget": 5.0}),
        Figure("replies within 5 ms", "%", within[0.005] * 100, {}, False),
        Figure("reply, p99.9, upper bound of its bucket", "ms", _bound(within, 0.999)),
        Figure("there and back, median", "ms", statistics.median(delays)),
        Figure("there and back, mean", "ms", statistics.fmean(delays)),
        Figure("there and back, p99", "ms", delays[-max(1, len(delays) // 100)]),
        Figure("there and back, worst", "ms", delays[-1]),
        Figure("memory of the shard process at the end", "MB", last.resident),
        Figure("of it, chains by its own count", "MB", last.chains),
        Figure("memory, slope of the second half", "MB/min", _slope(seen.memory, lambda memory: memory.resident)),
        Figure("memory of no file, slope of the second half", "MB/min", _slope(seen.memory, lambda memory: memory.own)),
        Figure("chains, slope of the second half", "MB/min", _slope(seen.memory, lambda memory: memory.chains)),
        Figure("chains found in memory", "%", chain_hits / max(1, chain_hits + chain_misses) * 100, {}, False),
        Figure("attachments' URLs asked for", "URLs", sum(urls.values()), {}, False),
        Figure("of them, found in the cache", "%", (1 - refreshed / max(1, sum(urls.values()))) * 100, {}, False),
        Figure("CPU of the shard process", "% of a core", cpu / seconds * 100),
    ]


def _bound(within: Mapping[float, float], share: float) -> float:
    return min(bound for bound, below in within.items() if below >= share) * 1000


def _slope(memory: Sequence[Memory], megabytes: Callable[[Memory], float]) -> float:
    """Megabytes a minute in the second half."""
    half = memory[len(memory) // 2 :]
    points = [(point.at / 60, megabytes(point)) for point in half]
    return statistics.linear_regression(*zip(*points, strict=True)).slope if len(points) > 2 else 0.0
