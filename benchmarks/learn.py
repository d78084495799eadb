"""The learn path beside bare hikari with an empty listener: events per second, until everything is in Postgres.

Both are fed the same chat, encoded beforehand, as fast as they read it. Bare hikari is done with a message when its
listener has been called for it, ours when Postgres holds it. The clock stops a batch before the end, since the last
messages may wait CHAIN_SAVE_DEBOUNCE_MS to be written whatever the speed; all are waited for. The guilds' chains are
not in memory, as those of guilds that nobody is talking to now; then, in a last round, they are. The replay is measured
alone too, to a reader that drops all: it must not be what limits the bots. The slope of memory is that of all rounds
but the first.
"""

import asyncio
import itertools
import socket
import statistics
import threading
import time
from dataclasses import dataclass

import orjson
import uvloop

from benchmarks.bare_discord import API, Connection, StandIn
from benchmarks.discord_objects import channel_of, command_of, message_of, token_of, user_of
from benchmarks.figures import Figure, Setup
from benchmarks.processes import Bot, Services, off_the_measured_core, our_bot, running, services
from markov_shard.store.channels import ChannelRow, set_listening

FIRST_GUILD = 81384788765712384
GUILDS = [FIRST_GUILD + (number << 22) for number in range(20)]
BARE, OURS = 4001, 4002
EVENTS = 60_000
ROUNDS = 4
_BATCH = 5_000
_PEER = "bare hikari, empty listener"


@dataclass(frozen=True)
class Round:
    """One run: messages a second, CPU seconds of the bot a message, and the bot's memory in bytes, sampled."""

    rate: float
    cpu: float
    memory: list[int]


def run(setup: Setup) -> list[Figure]:
    """Rates, CPU time and memory."""
    with off_the_measured_core() as core:
        return uvloop.run(_run(setup, core))


async def _run(setup: Setup, core: int) -> list[Figure]:
    texts = list(itertools.islice(itertools.cycle(setup.messages()), EVENTS))
    async with services() as around, StandIn(GUILDS) as standin:
        for guild in GUILDS:
            async with around.database.connection() as connection:
                await set_listening(connection, guild, [ChannelRow(channel_of(guild))], listen=True)
        rest_url = standin.url + API
        async with (
            running(
                ["-m", "benchmarks.bare", "learn", rest_url, token_of(BARE)], around.folder / "bare.log", core=core
            ) as bare,
            our_bot(around, rest_url, token_of(OURS), core) as ours,
        ):
            async with asyncio.timeout(60):
                to_bare, to_ours = await asyncio.gather(
                    standin.connection(token_of(BARE)), standin.connection(token_of(OURS))
                )
            rounds: dict[str, list[Round]] = {"bare": [], "ours": []}
            for _ in range(ROUNDS):
                rounds["bare"].append(await _round(standin, to_bare, bare, texts, _Seen(bare)))
                rounds["ours"].append(await _round(standin, to_ours, ours, texts, _Stored(around)))
            await _open_chains(standin, to_ours)
            in_memory = await _round(standin, to_ours, ours, texts, _Stored(around))
            missing = EVENTS * (ROUNDS + 1) - await _Stored(around).rows()
            alone = await _replay_alone(to_bare.encode(_events(standin, texts)))
    return _figures(rounds["bare"], rounds["ours"], in_memory, missing, alone)


class _Seen:
    """How many messages bare hikari's listener was called for."""

    def __init__(self, bot: Bot) -> None:
        self._bot = bot

    async def count(self) -> int:
        return int(await self._bot.ask())


class _Stored:
    """How many messages Postgres holds: every message got here takes one sequence number of its guild."""

    def __init__(self, around: Services) -> None:
        self._database = around.database

    async def count(self) -> int:
        async with self._database.connection() as connection:
            return int(await connection.fetchval("SELECT coalesce(sum(learned_seq), 0) FROM guilds"))

    async def rows(self) -> int:
        async with self._database.connection() as connection:
            return int(await connection.fetchval("SELECT count(*) FROM messages"))


async def _round(
    standin: StandIn, connection: Connection, bot: Bot, texts: list[str], progress: "_Seen | _Stored"
) -> Round:
    frames = connection.encode(_events(standin, texts))
    before, cpu = await progress.count(), bot.cpu_seconds()
    started, seconds = time.perf_counter(), 0.0
    timed = len(texts) - _BATCH
    streaming = asyncio.create_task(connection.stream(frames))
    memory = []
    async with asyncio.timeout(150):
        while (done := await progress.count() - before) < len(texts):
            if done >= timed and not seconds:
                seconds, timed = time.perf_counter() - started, done
            memory.append(bot.memory())
            await asyncio.sleep(0.05)
    if not seconds:
        seconds, timed = time.perf_counter() - started, len(texts)
    await streaming
    spent = bot.cpu_seconds() - cpu
    return Round(timed / seconds, spent / len(texts), [*memory, bot.memory()])


def _events(standin: StandIn, texts: list[str]) -> list[tuple[str, bytes]]:
    guilds = itertools.cycle((str(guild), str(channel_of(guild))) for guild in GUILDS)
    authors = itertools.cycle(user_of(str(5 + number), f"member{number}") for number in range(500))
    return [
        (
            "MESSAGE_CREATE",
            orjson.dumps(message_of(standin.next_id(), where[1], where[0], author, text[:2000])),
        )
        for text, where, author in zip(texts, guilds, authors, strict=False)
    ]


async def _replay_alone(frames: list[bytes]) -> float:
    """Events a second that the replay reaches when a thread reads them and does nothing else."""
    mine, theirs = socket.socketpair()
    mine.setblocking(False)
    size, finished = sum(map(len, frames)), 0.0

    def read() -> None:
        nonlocal finished
        left = size
        while left:
            left -= len(theirs.recv(1 << 18))
        finished = time.perf_counter()

    reader = threading.Thread(target=read)
    reader.start()
    transport, _ = await asyncio.get_running_loop().create_connection(asyncio.Protocol, sock=mine)
    started = time.perf_counter()
    await Connection(transport).stream(frames)
    await asyncio.to_thread(reader.join)
    transport.close()
    theirs.close()
    return len(frames) / (finished - started)


async def _open_chains(standin: StandIn, connection: Connection) -> None:
    """Has every guild answer once."""
    answered = asyncio.Event()
    waiting = {standin.next_id(): guild for guild in GUILDS}

    def on_reply(replied_to: str, _: float) -> None:
        waiting.pop(replied_to, None)
        if not waiting:
            answered.set()

    standin.on_reply = on_reply
    commands = [
        ("INTERACTION_CREATE", orjson.dumps(command_of(number, OURS, guild, "mark")))
        for number, guild in waiting.items()
    ]
    connection.send(b"".join(connection.encode(commands)))
    async with asyncio.timeout(60):
        await answered.wait()


def _figures(bare: list[Round], ours: list[Round], in_memory: Round, missing: int, alone: float) -> list[Figure]:
    def median(rounds: list[Round], name: str) -> float:
        return float(statistics.median(getattr(one, name) for one in rounds))

    rate, cpu = median(bare, "rate"), median(bare, "cpu") * 1e6
    chains = f"with the {len(GUILDS)} chains in memory"
    return [
        Figure(
            f"events stored, median of {ROUNDS} times {EVENTS:,}",
            "events/s",
            median(ours, "rate"),
            {_PEER: rate},
            False,
        ),
        Figure("CPU time an event", "µs", median(ours, "cpu") * 1e6, {_PEER: cpu}),
        Figure(f"events stored {chains}", "events/s", in_memory.rate, {_PEER: rate}, False),
        Figure(f"CPU time an event {chains}", "µs", in_memory.cpu * 1e6, {_PEER: cpu}),
        Figure("the replay alone", "events/s", alone, {_PEER: rate}, False),
        Figure(f"of {EVENTS * (ROUNDS + 1):,} messages, not in Postgres at the end", "rows", missing),
        Figure("memory after the first round", "MB", ours[0].memory[-1] / 1e6),
        Figure("memory after the last round without chains", "MB", ours[-1].memory[-1] / 1e6),
        Figure("its slope since the first round", "MB a million events", _slope(ours[1:]) / 1e6),
        Figure(f"memory {chains}", "MB", in_memory.memory[-1] / 1e6),
    ]


def _slope(rounds: list[Round]) -> float:
    """Bytes a million events, by linear regression over the samples of rounds one after the other."""
    points = [
        (EVENTS * (number + place / len(one.memory)) / 1e6, memory)
        for number, one in enumerate(rounds)
        for place, memory in enumerate(one.memory)
    ]
    return statistics.linear_regression(*zip(*points, strict=True)).slope
