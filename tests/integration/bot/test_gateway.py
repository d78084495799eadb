"""Gateway shards against the stand-in: leaving must not end the session."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import replace
from typing import ClassVar

import hikari
import pytest
from hikari.impl import shard as hikari_shard

from discord_sim import DEMO_TOKEN
from discord_sim.demo import add_demo
from discord_sim.server import DiscordSim
from markov_shard.bot.fleet_bot import FleetBot
from markov_shard.bot.gateway import FleetShard, SentNotice
from tests.standin import stand_in


class Unnoticed:
    """Nobody is told when the IDENTIFY went out."""

    async def due(self) -> None:
        pass

    def sent(self) -> None:
        pass


class OpenGate:
    """Lets every IDENTIFY pass."""

    @contextlib.asynccontextmanager
    async def permit(self, shard_id: int, *, recovery: bool = False) -> AsyncIterator[SentNotice]:
        yield Unnoticed()


class AnyTime:
    """Lets a connection begin whenever it wants to."""

    def may_connect(self) -> bool:
        return True

    def is_recovery(self) -> bool:
        return False

    async def before_identify(self) -> None:
        pass

    def is_answering(self) -> bool:
        return False


@pytest.fixture
async def sim() -> AsyncIterator[DiscordSim]:
    async with stand_in() as made:
        add_demo(made)
        yield made


@pytest.fixture
async def bot(sim: DiscordSim) -> AsyncIterator[FleetBot]:
    made = FleetBot(
        DEMO_TOKEN,
        rest_url=f"{sim.public_url}/api/v10",
        intents=hikari.Intents.GUILDS,
        banner=None,
        logs=None,
    )
    await made.open(1)
    yield made
    await made.close()


async def connected(bot: FleetBot) -> FleetShard:
    return await bot.add_shard(
        0, 1, gate=OpenGate(), rules=AnyTime(), on_dispatch=lambda seq, name, payload: True, resume=None
    )


async def test_a_shard_that_leaves_keeps_its_session_and_dials_no_more(
    sim: DiscordSim, bot: FleetBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A connection older than this window is dialled again without a pause, as after any length of real service.
    monkeypatch.setattr(hikari_shard, "_BACKOFF_WINDOW", 0.0)
    shard = await connected(bot)
    await bot.drop_shard(shard)
    sessions = list(sim.gateway.sessions)
    assert [session.connected for session in sessions] == [False], "the session is there, for its next owner"
    assert [session.resumes for session in sessions] == [0], "nothing was dialled again"
    assert shard.resumes == 0


async def test_a_shard_leaves_though_its_cancellation_is_swallowed(
    sim: DiscordSim, bot: FleetBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    """hikari takes a cancellation for that of a heartbeat which it is ending, when a connection has just closed."""
    ending, may_end = asyncio.Event(), asyncio.Event()
    beat = FleetShard._heartbeat

    async def slow_to_end(shard: FleetShard, interval: float) -> None:
        try:
            await beat(shard, interval)
        except asyncio.CancelledError:
            ending.set()
            with contextlib.suppress(asyncio.CancelledError):
                await may_end.wait()
            raise

    monkeypatch.setattr(FleetShard, "_heartbeat", slow_to_end)
    shard = await connected(bot)
    sim.faults.add({"disconnect": {"how": "close", "code": 4000}})
    await ending.wait()
    leaving = asyncio.create_task(bot.drop_shard(shard))
    while not shard._is_closing:
        await asyncio.sleep(0)
    may_end.set()
    await leaving
    assert [session.connected for session in sim.gateway.sessions] == [False]


async def test_a_reader_that_finds_the_socket_closing_does_not_end_the_session(sim: DiscordSim, bot: FleetBot) -> None:
    shard = await connected(bot)
    assert shard._ws is not None
    socket = shard._ws._ws
    leaving = asyncio.create_task(bot.drop_shard(shard))
    while not socket._closing:
        await asyncio.sleep(0)
    assert not socket.closed
    await socket.close()  # what `receive` does when an event is there at this very moment
    await leaving
    assert [session.connected for session in sim.gateway.sessions] == [False]


async def test_a_dead_resume_url_is_left_for_the_ordinary_one_at_once(sim: DiscordSim, bot: FleetBot) -> None:
    shard = await connected(bot)
    await bot.drop_shard(shard)
    assert shard.resume_point is not None
    dead = replace(shard.resume_point, resume_url="ws://127.0.0.1:9")
    again = await bot.add_shard(
        0, 1, gate=OpenGate(), rules=AnyTime(), on_dispatch=lambda seq, name, payload: True, resume=dead
    )
    assert [session.resumes for session in sim.gateway.sessions] == [1]
    assert (again.resumes, again.identifies) == (1, 0)


class NeverDue(Unnoticed):
    """An IDENTIFY whose time does not come."""

    def __init__(self) -> None:
        self.waiting = asyncio.Event()

    async def due(self) -> None:
        self.waiting.set()
        await asyncio.Event().wait()


class ClosedGate:
    """Gives tickets for a time that does not come."""

    def __init__(self) -> None:
        self.notice = NeverDue()

    @contextlib.asynccontextmanager
    async def permit(self, shard_id: int, *, recovery: bool = False) -> AsyncIterator[SentNotice]:
        yield self.notice


async def test_nothing_is_left_of_a_connection_that_is_given_up_half_way(bot: FleetBot) -> None:
    gate = ClosedGate()
    starting = asyncio.create_task(
        bot.add_shard(0, 1, gate=gate, rules=AnyTime(), on_dispatch=lambda seq, name, payload: True, resume=None)
    )
    await gate.notice.waiting.wait()
    starting.cancel()
    await asyncio.wait([starting])
    left = {task.get_name() for task in asyncio.all_tasks()}
    assert not {name for name in left if name.startswith(("heartbeat", "poll events"))}


async def until(reached: Callable[[], object]) -> None:
    while not reached():
        await asyncio.sleep(0.01)


async def test_a_connection_whose_heartbeats_go_unanswered_is_counted_and_resumed(
    sim: DiscordSim, bot: FleetBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hikari_shard, "_BACKOFF_WINDOW", 0.0)
    sim.gateway.limits.heartbeat_interval = 0.2
    shard = await connected(bot)
    assert shard.beat_interval == pytest.approx(0.2)
    sim.faults.add({"gateway": {"silent": True}})
    await until(lambda: shard.zombies)
    sim.faults.clear()
    await until(lambda: shard.is_connected and shard.resumes)
    assert shard.identifies == 1
    await bot.drop_shard(shard)


async def test_a_shard_that_is_reconnected_resumes(
    sim: DiscordSim, bot: FleetBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hikari_shard, "_BACKOFF_WINDOW", 0.0)
    shard = await connected(bot)
    await shard.reconnect()
    await until(lambda: shard.is_connected and shard.resumes == 1)
    assert [session.resumes for session in sim.gateway.sessions] == [1]
    assert shard.zombies == 0
    await bot.drop_shard(shard)


class BackOff:
    """Counts how often it was asked since it began anew, and never waits."""

    asked: ClassVar[list[int]] = []

    def __init__(self, **_: float) -> None:
        self._step = 0

    def __next__(self) -> float:
        self._step += 1
        self.asked.append(self._step)
        return 0.0

    def reset(self) -> None:
        self._step = 0


async def test_a_connection_that_is_cut_again_and_again_is_not_waited_for_longer_each_time(
    sim: DiscordSim, bot: FleetBot, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hikari_shard.rate_limits, "ExponentialBackOff", BackOff)
    monkeypatch.setattr(BackOff, "asked", [])
    shard = await connected(bot)
    for number in (1, 2, 3):
        sim.faults.add({"disconnect": {"how": "cut"}})
        await until(lambda number=number: shard.is_connected and shard.resumes == number)
    assert BackOff.asked == [1, 1, 1]
    await bot.drop_shard(shard)
