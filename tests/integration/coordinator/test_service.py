"""The coordinator against real Redis and Postgres."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from coordinator.plan import GatewayPlan
from coordinator.service import Coordinator
from coordinator.status import fleet_status
from coordinator.truth import DatabaseTruth
from markov_shard.errors import DiscordUnavailableError
from markov_shard.ranges import GuildRange
from markov_shard.runtime import Runtime, ServiceUrls
from markov_shard.settings import Settings
from markov_shard.shared import keys
from markov_shard.shared.assignment import Assignment, read_assignment
from markov_shard.shared.board import RedisBoard
from markov_shard.shared.connect import connect_redis
from markov_shard.shared.identify import Budget
from markov_shard.shared.members import Member, beat, leave
from markov_shard.store.pool import Database


class Discord:
    """What the coordinator asks Discord for."""

    def __init__(self) -> None:
        self.away = False
        self.registered = asyncio.Event()

    async def ask(self) -> GatewayPlan:
        if self.away:
            raise DiscordUnavailableError("away")
        return GatewayPlan(4, 16, Budget(1000, 1000, 0))

    async def register(self) -> None:
        self.registered.set()


@pytest.fixture
async def runtime(database: Database, redis_url: str) -> AsyncIterator[Runtime]:
    redis = await connect_redis(redis_url)
    yield Runtime(Settings(), "coordinator-1", ServiceUrls("", redis_url), database, redis)
    await redis.aclose()


@contextlib.asynccontextmanager
async def running(runtime: Runtime, discord: Discord) -> AsyncIterator[Coordinator]:
    coordinator = Coordinator(
        runtime.name,
        RedisBoard(runtime.redis),
        DatabaseTruth(runtime.database),
        ask_discord=discord.ask,
        register_commands=discord.register,
        tick=0.02,
    )
    stop = asyncio.Event()
    task = asyncio.create_task(coordinator.run(stop))
    try:
        yield coordinator
    finally:
        stop.set()
        await task


async def settled(runtime: Runtime, *names: str) -> None:
    """Heartbeats of shard processes that have been there for a while."""
    for name in names:
        await beat(runtime.redis, Member(name, "shard"))
        await runtime.redis.hset(keys.member(name), "joined_at", 1)


async def assignment(runtime: Runtime, *names: str) -> Assignment:
    """Waits until exactly these processes own the shards."""
    while (found := await read_assignment(runtime.redis)) is None or found.ranges.keys() != set(names):
        await asyncio.sleep(0.01)
    return found


async def test_shards_are_placed_and_placed_again_when_a_process_leaves(runtime: Runtime) -> None:
    await settled(runtime, "shard-1", "shard-2")
    discord = Discord()
    async with running(runtime, discord):
        first = await assignment(runtime, "shard-1", "shard-2")
        assert first.ranges == {"shard-1": GuildRange(0, 1, 4), "shard-2": GuildRange(2, 3, 4)}
        assert first.max_concurrency == 16
        await discord.registered.wait()
        await leave(runtime.redis, "shard-2")
        second = await assignment(runtime, "shard-1")
        assert second.why == "shard-2 left"
        assert second.ranges == {"shard-1": GuildRange(0, 3, 4)}


async def test_a_draining_process_is_given_nothing(runtime: Runtime) -> None:
    await settled(runtime, "shard-1", "shard-2")
    async with running(runtime, Discord()):
        await assignment(runtime, "shard-1", "shard-2")
        await beat(runtime.redis, Member("shard-1", "shard", draining=True))
        await assignment(runtime, "shard-2")


async def test_without_any_process_the_last_placement_stays(runtime: Runtime) -> None:
    await settled(runtime, "shard-1")
    async with running(runtime, Discord()) as coordinator:
        placed = await assignment(runtime, "shard-1")
        await leave(runtime.redis, "shard-1")
        await coordinator._once()
        assert await read_assignment(runtime.redis) == placed


async def test_discords_absence_is_said_and_waited_out(runtime: Runtime) -> None:
    await settled(runtime, "shard-1")
    discord = Discord()
    discord.away = True
    async with running(runtime, discord) as coordinator:
        while coordinator.trouble is None:
            await asyncio.sleep(0.01)
        assert "away" in coordinator.finding().text
        discord.away = False
        await assignment(runtime, "shard-1")


async def test_the_status_shows_processes_shards_queue_and_caches(runtime: Runtime) -> None:
    await settled(runtime, "shard-1")
    async with running(runtime, Discord()):
        await assignment(runtime, "shard-1")
        status = await fleet_status(runtime)
    assert {process["name"] for process in status["processes"]} == {"coordinator-1", "shard-1"}
    assert [shard["state"] for shard in status["shards"]] == ["unowned"] * 4
    assert status["leader"] == "coordinator-1"
    assert status["queue"]["training"] == 0
    assert status["caches"]["redis"]["used"] > 0
