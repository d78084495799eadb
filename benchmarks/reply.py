"""The reply path beside bare hikari that answers a constant: replies per second, and the time one takes.

All bots run at once, each a process, on one core and in turns, against one stand-in on another. Throughput: a new
event as soon as a reply came in, WINDOW of them under way. Latency: events at RATE a second whatever comes back, from
the moment an event is written to the gateway's socket to the moment its reply's request has been read: two more
crossings of the loopback and the stand-in's own work are in it. The worst of the rounds is what counts. Of the
measuring process alone, garbage collection is off: its pauses would be taken for the bots'.
"""

import asyncio
import contextlib
import itertools
import statistics
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field

import orjson
import uvloop

from benchmarks.bare_discord import API, Connection, StandIn
from benchmarks.discord_objects import channel_of, command_of, message_of, token_of, user_of
from benchmarks.figures import Figure, Setup
from benchmarks.processes import Bot, Services, our_bot, running, services, timing_the_measured_core
from benchmarks.timing import percentile
from markov_shard.store.channels import ChannelRow, set_listening
from markov_shard.store.messages import StoredMessage, learn_messages
from markov_shard.store.pool import Database
from markov_shard.training.compiling import compile_guild

GUILD = 81384788765712384
BARE, KEPT, OURS = 4001, 4003, 4002
PLAIN, KEEPING = "bare hikari", "bare hikari that keeps connections"
WINDOW = 16
ROUNDS = 4
SECONDS = 2.0
RATE = 300
PATIENCE = 10.0
_BATCH = 5000

Event = Callable[[str], tuple[str, bytes]]
"""Makes an event for an ID: its name and its JSON."""


@dataclass
class Side:
    """One of the bots, its connection, and how events for it look."""

    bot: Bot
    connection: Connection
    event: Event


@dataclass
class Measured:
    """What one side did, by round: replies a second, CPU seconds a reply, and milliseconds of each reply."""

    rates: list[float] = field(default_factory=list)
    cpu: list[float] = field(default_factory=list)
    delays: list[list[float]] = field(default_factory=list)

    def worst(self, measure: Callable[[list[float]], float]) -> float:
        """Of the rounds' delays."""
        return max(measure(one) for one in self.delays)


def run(setup: Setup) -> list[Figure]:
    """Both kinds of reply: to a slash command, and to a message that mentions the bot."""
    with timing_the_measured_core() as core:
        return uvloop.run(_run(setup, core))


async def _run(setup: Setup, core: int) -> list[Figure]:
    async with services() as around:
        await fill(around.database, setup)
        figures = []
        for kind in ("command", "message"):
            async with StandIn([GUILD]) as standin:
                figures += await _measure(standin, around, kind, core)
        return figures


async def fill(database: Database, setup: Setup, guild_id: int = GUILD) -> None:
    """Gives the guild the corpus and its compiled chain, and listens to its channel."""
    batch: list[StoredMessage] = []
    async with database.connection() as connection:
        await set_listening(connection, guild_id, [ChannelRow(channel_of(guild_id))], listen=True)
        for number, text in enumerate(setup.messages(), 1):
            batch.append(StoredMessage(number, channel_of(guild_id), 5, text.replace("\0", "")))
            if len(batch) == _BATCH:
                await learn_messages(connection, guild_id, batch)
                batch.clear()
        if batch:
            await learn_messages(connection, guild_id, batch)
    await compile_guild(database, guild_id, state_size=2)


def event_of(kind: str, bot_id: int) -> Event:
    """What makes a bot answer; `both`: a command and a message in turn."""
    if kind == "both":
        turns = itertools.cycle([event_of("command", bot_id), event_of("message", bot_id)])

        def in_turn(number: str) -> tuple[str, bytes]:
            return next(turns)(number)

        return in_turn
    if kind == "command":
        return lambda number: ("INTERACTION_CREATE", orjson.dumps(command_of(number, bot_id, GUILD, "mark")))
    bot = user_of(str(bot_id), "markov", bot=True)
    where, guild, author = str(channel_of(GUILD)), str(GUILD), user_of("5", "ann")
    text = f"<@{bot_id}>"
    return lambda number: (
        "MESSAGE_CREATE",
        orjson.dumps(message_of(number, where, guild, author, text, mentions=[bot])),
    )


async def _measure(standin: StandIn, around: Services, kind: str, core: int) -> list[Figure]:
    async with sides(standin, around, kind, core) as running_sides:
        for side in running_sides.values():
            await _throughput(standin, side, seconds=1.0)  # warm
        found = {name: Measured() for name in running_sides}
        for _ in range(ROUNDS):
            for name, side in running_sides.items():
                before, cpu = standin.replies, side.bot.cpu_seconds()
                found[name].rates.append(await _throughput(standin, side, seconds=SECONDS))
                found[name].cpu.append((side.bot.cpu_seconds() - cpu) / (standin.replies - before))
        for _ in range(ROUNDS):
            for name, side in running_sides.items():
                load = await at_rate(standin, side, seconds=SECONDS)
                assert len(load.delays) == int(SECONDS * RATE), f"{name}: an event was not answered"
                found[name].delays.append(load.delays)
        memory = running_sides["ours"].bot.memory() / 1e6
    return [*_figures(kind, found), Figure(f"{kind}: memory of the process", "MB", memory)]


@contextlib.asynccontextmanager
async def sides(standin: StandIn, around: Services, kind: str, core: int) -> AsyncIterator[dict[str, Side]]:
    """Bare hikari, once as it is and once with its connections kept, and our bot, all connected."""
    rest_url = standin.url + API
    bare = ["-m", "benchmarks.bare", kind, rest_url]
    async with (
        running([*bare, token_of(BARE)], around.folder / "bare.log", core=core) as plain,
        running([*bare, token_of(KEPT), "kept"], around.folder / "kept.log", core=core) as keeping,
        our_bot(around, rest_url, token_of(OURS), core) as ours,
    ):
        bots = {PLAIN: (BARE, plain), KEEPING: (KEPT, keeping), "ours": (OURS, ours)}
        async with asyncio.timeout(60):
            connections = [await standin.connection(token_of(bot_id)) for bot_id, _ in bots.values()]
        yield {
            name: Side(bot, connection, event_of(kind, bot_id))
            for (name, (bot_id, bot)), connection in zip(bots.items(), connections, strict=True)
        }


async def _throughput(standin: StandIn, side: Side, *, seconds: float) -> float:
    """Replies per second with WINDOW events under way."""
    started = time.perf_counter()
    replies, last = 0, started
    finished = asyncio.get_running_loop().create_future()
    under_way = 0

    def send() -> None:
        nonlocal under_way
        under_way += 1
        side.connection.send(b"".join(side.connection.encode([side.event(standin.next_id())])))

    def on_reply(_: str, when: float) -> None:
        nonlocal replies, last, under_way
        replies, last, under_way = replies + 1, when, under_way - 1
        if when - started < seconds:
            send()
        elif not under_way and not finished.done():
            finished.set_result(None)

    standin.on_reply = on_reply
    for _ in range(WINDOW):
        send()
    async with asyncio.timeout(seconds + 20):
        await finished
    return replies / (last - started)


@dataclass
class Load:
    """What came of events at a steady rate. All in milliseconds."""

    delays: list[float] = field(default_factory=list)
    """From event to request, in the order of the answers."""
    late: float = 0.0
    """By how much the stand-in missed an event's moment at most: so much of a delay may be its own."""


async def at_rate(standin: StandIn, side: Side, *, seconds: float, rate: float = RATE) -> Load:
    """Events at `rate` a second, whatever comes back.

    An event that is not answered PATIENCE after the last one was sent is missing.
    """
    sent: dict[str, float] = {}
    load = Load()
    delays = load.delays
    finished = asyncio.get_running_loop().create_future()
    count = int(seconds * rate)

    def on_reply(replied_to: str, when: float) -> None:
        if replied_to in sent:
            delays.append((when - sent[replied_to]) * 1000)
        if len(delays) == count and not finished.done():
            finished.set_result(None)

    standin.on_reply = on_reply
    started = time.perf_counter()
    for number in range(count):
        due = started + number / rate
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        load.late = max(load.late, (time.perf_counter() - due) * 1000)
        event_id = standin.next_id()
        frame = b"".join(side.connection.encode([side.event(event_id)]))
        sent[event_id] = time.perf_counter()
        side.connection.send(frame)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(PATIENCE):
            await finished
    return load


def _figures(kind: str, found: Mapping[str, Measured]) -> list[Figure]:
    def figure(name: str, unit: str, of: Callable[[Measured], float], *, smaller_is_better: bool = True) -> Figure:
        peers = {peer: of(found[peer]) for peer in (PLAIN, KEEPING)}
        return Figure(f"{kind}: {name}", unit, of(found["ours"]), peers, smaller_is_better)

    def worst(name: str, measure: Callable[[list[float]], float]) -> Figure:
        return figure(f"{name} at {RATE}/s, worst of {ROUNDS} rounds", "ms", lambda side: side.worst(measure))

    return [
        figure(
            f"replies, {WINDOW} at once, median of {ROUNDS}",
            "replies/s",
            lambda side: statistics.median(side.rates),
            smaller_is_better=False,
        ),
        figure("CPU time a reply", "µs", lambda side: statistics.median(side.cpu) * 1e6),
        worst("mean", statistics.fmean),
        worst("median", statistics.median),
        worst("p99", lambda delays: percentile(sorted(delays), 0.99)),
        worst("worst single one", max),
    ]
