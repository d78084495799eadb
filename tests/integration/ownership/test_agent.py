"""The ownership agent against real Redis and Postgres, with a runner that only notes what it is told."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable

import pytest

from markov_shard.errors import DiscordUnavailableError, SupersededError
from markov_shard.ownership.agent import OwnershipAgent
from markov_shard.ownership.epochs import DatabaseEpochs
from markov_shard.ownership.runner import OwnedShard, ShardHealth
from markov_shard.ownership.turns import Turns
from markov_shard.ranges import GuildRange
from markov_shard.shared.assignment import Assignment, write_assignment
from markov_shard.shared.connect import connect_redis
from markov_shard.shared.coordination import FleetCoordination
from markov_shard.shared.identify import Budget, open_gate
from markov_shard.shared.leases import ShardKey, read_leases, take_leadership
from markov_shard.store.epochs import require_epoch, take_epoch
from markov_shard.store.pool import Database

Fleet = Callable[[str], "contextlib.AbstractAsyncContextManager[tuple[OwnershipAgent, Runner, asyncio.Event]]"]


class Runner:
    """Connects at once, unless told that Discord is away."""

    def __init__(self) -> None:
        self.running: dict[int, OwnedShard] = {}
        self.stopped: list[tuple[int, bool]] = []
        self.away = False
        self.changed = asyncio.Event()

    async def start_shard(self, shard: OwnedShard) -> None:
        if self.away:
            raise DiscordUnavailableError("away")
        self.running[shard.shard_id] = shard
        self.changed.set()

    async def stop_shard(self, shard: OwnedShard, *, drain: bool) -> None:
        self.running.pop(shard.shard_id, None)
        self.stopped.append((shard.shard_id, drain))
        self.changed.set()

    def shard_health(self, shard: ShardKey) -> ShardHealth:
        return ShardHealth(state="connected" if shard.shard_id in self.running else "connecting")

    def take_turns(self, turns: Turns) -> None:
        pass

    async def until_running(self, *shard_ids: int) -> None:
        while set(self.running) != set(shard_ids):
            self.changed.clear()
            await self.changed.wait()


@pytest.fixture
def fleet(database: Database, redis_url: str) -> Fleet:
    """Starts agents by name, each with a connection of its own."""

    @contextlib.asynccontextmanager
    async def start(name: str) -> AsyncIterator[tuple[OwnershipAgent, Runner, asyncio.Event]]:
        redis = await connect_redis(redis_url)
        runner, stop = Runner(), asyncio.Event()
        agent = OwnershipAgent(name, FleetCoordination(redis, name), DatabaseEpochs(database, name), runner, tick=0.02)
        running = asyncio.create_task(agent.run(stop))
        try:
            yield agent, runner, stop
        finally:
            stop.set()
            await running
            await redis.aclose()

    return start


async def assign(redis_url: str, **ranges: tuple[int, int]) -> None:
    redis = await connect_redis(redis_url)
    await take_leadership(redis, "leader")
    await open_gate(redis, Budget(1000, 1000, 0), ran_before=False)
    parts = {name.replace("_", "-"): GuildRange(first, last, 4) for name, (first, last) in ranges.items()}
    assert await write_assignment(redis, "leader", Assignment(4, 16, parts, "a test"))
    await redis.aclose()


async def test_an_agent_takes_what_it_is_assigned_and_drains_at_the_end(
    fleet: Fleet, redis_url: str, database: Database
) -> None:
    await assign(redis_url, one=(0, 1))
    async with fleet("one") as (agent, runner, _):
        await runner.until_running(0, 1)
        assert set(agent.held) == {(4, 0), (4, 1)}
        redis = await connect_redis(redis_url)
        assert [lease.holder for lease in await read_leases(redis, 4)] == ["one", "one", "", ""]
        async with database.transaction() as connection:
            await require_epoch(connection, 4, 0, agent.held[ShardKey(4, 0)].epoch)
    assert sorted(runner.stopped) == [(0, True), (1, True)]
    assert {lease.holder for lease in await read_leases(redis, 4)} == {""}
    await redis.aclose()


async def test_a_shard_changes_hands_drained_and_under_a_newer_epoch(
    fleet: Fleet, redis_url: str, database: Database
) -> None:
    await assign(redis_url, one=(0, 3))
    async with fleet("one") as (first, old, _), fleet("two") as (second, new, _):
        await old.until_running(0, 1, 2, 3)
        epoch = first.held[ShardKey(4, 3)].epoch
        await assign(redis_url, one=(0, 1), two=(2, 3))
        await new.until_running(2, 3)
        assert sorted(old.stopped) == [(2, True), (3, True)]
        assert second.held[ShardKey(4, 3)].epoch == epoch + 1
        async with database.transaction() as connection:
            with pytest.raises(SupersededError):
                await require_epoch(connection, 4, 3, epoch)


async def test_an_agent_that_postgres_superseded_lets_go_without_a_drain(
    fleet: Fleet, redis_url: str, database: Database
) -> None:
    await assign(redis_url, one=(0, 0))
    async with fleet("one") as (agent, runner, _):
        await runner.until_running(0)
        epoch = agent.held[ShardKey(4, 0)].epoch
        async with database.connection() as connection:
            await take_epoch(connection, 4, 0, "somebody else")
        agent.superseded(ShardKey(4, 0), epoch)
        await runner.until_running()
        assert runner.stopped == [(0, False)]


async def test_a_shard_that_cannot_be_started_gives_its_lease_back(fleet: Fleet, redis_url: str) -> None:
    redis = await connect_redis(redis_url)
    async with fleet("one") as (agent, runner, _):
        runner.away = True
        await assign(redis_url, one=(0, 0))
        while not runner.stopped:
            runner.changed.clear()
            await runner.changed.wait()
        while agent.held:
            await asyncio.sleep(0)
        while any(lease.holder for lease in await read_leases(redis, 4)):
            await asyncio.sleep(0)
    assert runner.stopped == [(0, False)]
    await redis.aclose()
