"""The reply path beside bare hikari that answers a constant: replies per second, and the time one takes.

Both bots run at once, on one core and in turns, against one stand-in on another. Throughput: a new event as soon
as a reply came in, WINDOW of them under way. Latency: events at RATE a second whatever comes back, from the moment
an event is written to the gateway's socket to the moment its reply's request has been read: two more crossings of
the loopback and the stand-in's own work are in it. The worst of the rounds is what counts.
"""

import asyncio
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import orjson
import uvloop

from benchmarks.figures import Figure, Setup
from benchmarks.processes import Services, off_the_measured_core, our_bot, running, services
from benchmarks.standin import API, Connection, StandIn, channel_of, command_of, message_of, token_of, user_of
from markov_shard.store.channels import ChannelRow, set_listening
from markov_shard.store.messages import StoredMessage, learn_messages
from markov_shard.store.pool import Database
from markov_shard.training.compiling import compile_guild

GUILD = 81384788765712384
BARE, OURS = 4001, 4002
WINDOW = 16
ROUNDS = 5
SECONDS = 3.0
RATE = 300
_BATCH = 5000

Event = Callable[[str], tuple[str, bytes]]
"""Makes an event for an ID: its name and its JSON."""


@dataclass
class Side:
    """One of the bots, and how events for it look."""

    connection: Connection
    event: Event


def run(setup: Setup) -> list[Figure]:
    """Both kinds of reply: to a slash command, and to a message that mentions the bot."""
    with off_the_measured_core() as core:
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
    """What makes a bot answer."""
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
    rest_url = standin.url + API
    bare_arguments = ["-m", "benchmarks.bare", kind, rest_url, token_of(BARE)]
    async with (
        running(bare_arguments, around.folder / "bare.log", core=core),
        our_bot(around, rest_url, token_of(OURS), core) as bot,
    ):
        connections = [standin.connection(token_of(BARE)), standin.connection(token_of(OURS))]
        async with asyncio.timeout(60):
            bare, ours = await asyncio.gather(*connections)
        sides = {
            "bare hikari": Side(bare, event_of(kind, BARE)),
            "ours": Side(ours, event_of(kind, OURS)),
        }
        for side in sides.values():
            await _throughput(standin, side, seconds=1.0)  # warm
        rates: dict[str, list[float]] = {name: [] for name in sides}
        delays: dict[str, list[list[float]]] = {name: [] for name in sides}
        for _ in range(ROUNDS):
            for name, side in sides.items():
                rates[name].append(await _throughput(standin, side, seconds=SECONDS))
        for _ in range(ROUNDS):
            for name, side in sides.items():
                delays[name].append(await _latency(standin, side, seconds=SECONDS))
        memory = bot.memory() / 1e6
    return [*_figures(kind, rates, delays), Figure(f"{kind}: memory of the process", "MB", memory)]


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


async def _latency(standin: StandIn, side: Side, *, seconds: float) -> list[float]:
    """Milliseconds from event to request, of each event, at RATE a second."""
    sent: dict[str, float] = {}
    delays: list[float] = []
    finished = asyncio.get_running_loop().create_future()
    count = int(seconds * RATE)

    def on_reply(replied_to: str, when: float) -> None:
        if replied_to in sent:
            delays.append((when - sent[replied_to]) * 1000)
        if len(delays) == count and not finished.done():
            finished.set_result(None)

    standin.on_reply = on_reply
    started = time.perf_counter()
    for number in range(count):
        await asyncio.sleep(max(0.0, started + number / RATE - time.perf_counter()))
        event_id = standin.next_id()
        frame = b"".join(side.connection.encode([side.event(event_id)]))
        sent[event_id] = time.perf_counter()
        side.connection.send(frame)
    async with asyncio.timeout(20):
        await finished
    return delays


def _figures(kind: str, rates: dict[str, list[float]], delays: dict[str, list[list[float]]]) -> list[Figure]:
    def figure(name: str, unit: str, of: Callable[[str], float], *, smaller_is_better: bool = True) -> Figure:
        return Figure(f"{kind}: {name}", unit, of("ours"), {"bare hikari": of("bare hikari")}, smaller_is_better)

    def worst(measure: Callable[[list[float]], float]) -> Callable[[str], float]:
        return lambda side: max(measure(one) for one in delays[side])

    return [
        figure(
            f"replies at once {WINDOW}, median of {ROUNDS}",
            "replies/s",
            lambda side: statistics.median(rates[side]),
            smaller_is_better=False,
        ),
        figure(f"mean at {RATE}/s, worst of {ROUNDS} rounds", "ms", worst(statistics.fmean)),
        figure(f"median at {RATE}/s, worst of {ROUNDS} rounds", "ms", worst(statistics.median)),
        figure(f"p99 at {RATE}/s, worst of {ROUNDS} rounds", "ms", worst(lambda one: sorted(one)[-len(one) // 100])),
        figure(f"worst single one at {RATE}/s", "ms", worst(max)),
    ]
