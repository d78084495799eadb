"""The learn path beside bare hikari with an empty listener: events per second, until everything is in Postgres.

Both are fed the same chat, encoded beforehand, as fast as they read it. Bare hikari is done when its listener has
been called for the last message, ours when Postgres holds it. The guilds' chains are not in memory, as those of
guilds that nobody is talking to now; then, in a last round, they are.
"""

import asyncio
import itertools
import statistics
import time
from dataclasses import dataclass

import orjson
import uvloop

from benchmarks.figures import Figure, Setup
from benchmarks.processes import Bot, Services, off_the_measured_core, our_bot, running, services
from benchmarks.standin import API, Connection, StandIn, channel_of, command_of, message_of, token_of, user_of
from markov_shard.store.channels import ChannelRow, set_listening

FIRST_GUILD = 81384788765712384
GUILDS = [FIRST_GUILD + (number << 22) for number in range(20)]
BARE, OURS = 4001, 4002
EVENTS = 100_000
ROUNDS = 3


@dataclass(frozen=True)
class Round:
    """One run: messages a second, CPU seconds of the bot a message, and its memory halfway and at the end."""

    rate: float
    cpu: float
    halfway: int
    end: int


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
    return _figures(rounds["bare"], rounds["ours"], in_memory)


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
    guilds = itertools.cycle((str(guild), str(channel_of(guild))) for guild in GUILDS)
    authors = itertools.cycle(user_of(str(5 + number), f"member{number}") for number in range(500))
    events = [
        (
            "MESSAGE_CREATE",
            orjson.dumps(message_of(standin.next_id(), where[1], where[0], author, text[:2000])),
        )
        for text, where, author in zip(texts, guilds, authors, strict=False)
    ]
    frames = connection.encode(events)
    before, cpu = await progress.count(), bot.cpu_seconds()
    started = time.perf_counter()
    streaming = asyncio.create_task(connection.stream(frames))
    halfway = 0
    async with asyncio.timeout(150):
        while (count := await progress.count() - before) < len(texts):
            if not halfway and count > len(texts) // 2:
                halfway = bot.memory()
            await asyncio.sleep(0.05)
    seconds = time.perf_counter() - started
    await streaming
    if isinstance(progress, _Stored):
        assert await progress.rows() == before + len(texts), "not everything is stored"
    spent = bot.cpu_seconds() - cpu
    return Round(len(texts) / seconds, spent / len(texts), halfway, bot.memory())


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


def _figures(bare: list[Round], ours: list[Round], in_memory: Round) -> list[Figure]:
    def median(rounds: list[Round], name: str) -> float:
        return float(statistics.median(getattr(one, name) for one in rounds))

    peer = "bare hikari, empty listener"
    return [
        Figure(
            f"events stored, median of {ROUNDS} times {EVENTS:,}",
            "events/s",
            median(ours, "rate"),
            {peer: median(bare, "rate")},
            smaller_is_better=False,
        ),
        Figure("CPU time an event", "µs", median(ours, "cpu") * 1e6, {peer: median(bare, "cpu") * 1e6}),
        Figure(
            f"events stored with the {len(GUILDS)} chains in memory",
            "events/s",
            in_memory.rate,
            {peer: median(bare, "rate")},
            smaller_is_better=False,
        ),
        Figure(
            "CPU time an event with the chains in memory", "µs", in_memory.cpu * 1e6, {peer: median(bare, "cpu") * 1e6}
        ),
        Figure("memory after the first round", "MB", ours[0].end / 1e6),
        Figure("memory after the last round without chains", "MB", ours[-1].end / 1e6),
        Figure("memory with the chains in memory", "MB", in_memory.end / 1e6),
    ]
