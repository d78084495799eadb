"""Taking a resharding back, before each of its steps and after the switch, on real Redis and Postgres."""

import asyncio

import pytest

from coordinator.resharding import ReshardingError, begun, taken_back
from coordinator.truth import DatabaseTruth
from markov_shard.ranges import GuildRange
from markov_shard.runtime import Runtime
from markov_shard.shared import keys
from markov_shard.shared.assignment import Assignment, read_assignment
from markov_shard.shared.board import RedisBoard
from markov_shard.shared.members import Member, beat
from markov_shard.store.shard_plan import ShardPlan
from tests.integration.coordinator.test_service import Discord, assignment, running, runtime, settled

__all__ = ["runtime"]


async def change(runtime: Runtime, *, target: int = 0) -> ShardPlan:
    """Begins a resharding to `target`, or takes it back."""
    truth = DatabaseTruth(runtime.database)
    plan, now = await truth.plan(), (await RedisBoard(runtime.redis).view()).now
    after = begun(plan, target, guilds=4, budget=None, now=now) if target else taken_back(plan, now)
    assert await truth.save_plan(after, was=plan)
    return after


async def connected(runtime: Runtime, upcoming: dict[str, list[int]]) -> None:
    """Heartbeats that say which shards of the new set are connected."""
    for name, shards in upcoming.items():
        await beat(runtime.redis, Member(name, "shard", details={"upcoming": shards}))
        await runtime.redis.hset(keys.member(name), "joined_at", 1)


async def until(runtime: Runtime, upcoming: int) -> Assignment:
    while (found := await read_assignment(runtime.redis)) is None or found.upcoming_count != upcoming:
        await asyncio.sleep(0.01)
    return found


NAMES = ("shard-1", "shard-2")
UPCOMING = {"shard-1": [0, 1, 2, 3], "shard-2": [4, 5, 6, 7]}


@pytest.mark.parametrize("connected_before", [{}, {"shard-1": [0, 1, 2, 3]}, {**UPCOMING, "shard-2": [4, 5, 6]}])
async def test_taken_back_while_the_new_set_comes_up(runtime: Runtime, connected_before: dict[str, list[int]]) -> None:
    await settled(runtime, *NAMES)
    async with running(runtime, Discord()):
        before = await assignment(runtime, *NAMES)
        await change(runtime, target=8)
        during = await until(runtime, 8)
        assert during.ranges == before.ranges
        assert during.upcoming == {"shard-1": GuildRange(0, 3, 8), "shard-2": GuildRange(4, 7, 8)}
        await connected(runtime, connected_before)
        await change(runtime)
        after = await until(runtime, 0)
    assert (after.ranges, after.shard_count, after.switch_at) == (before.ranges, 4, 0)
    assert after.why == "the resharding was taken back"
    assert await DatabaseTruth(runtime.database).plan() == ShardPlan(4)


async def test_taken_back_before_the_leader_has_seen_it(runtime: Runtime) -> None:
    await settled(runtime, *NAMES)
    async with running(runtime, Discord()):
        before = await assignment(runtime, *NAMES)
    await change(runtime, target=8)
    await change(runtime)
    async with running(runtime, Discord()) as coordinator:
        await settled(runtime, *NAMES)
        await coordinator._once()
        assert await read_assignment(runtime.redis) == before


async def test_taken_back_when_all_is_up_and_nobody_leads(runtime: Runtime) -> None:
    await settled(runtime, *NAMES)
    async with running(runtime, Discord()):
        before = await assignment(runtime, *NAMES)
        await change(runtime, target=8)
        await until(runtime, 8)
    await connected(runtime, UPCOMING)
    await change(runtime)
    async with running(runtime, Discord()):
        after = await until(runtime, 0)
    assert (after.ranges, after.switch_at) == (before.ranges, 0)


async def test_after_the_switch_it_is_too_late(runtime: Runtime) -> None:
    await settled(runtime, *NAMES)
    async with running(runtime, Discord()):
        await assignment(runtime, *NAMES)
        await change(runtime, target=8)
        await until(runtime, 8)
        await connected(runtime, UPCOMING)
        while not (plan := await DatabaseTruth(runtime.database).plan()).switch_at:
            await asyncio.sleep(0.01)
        assert (plan.shard_count, plan.target) == (8, 0)
        with pytest.raises(ReshardingError, match="too late"):
            await change(runtime)


async def test_a_second_resharding_is_muted_until_its_own_switch(runtime: Runtime) -> None:
    """The time of the first one's switch must not let it serve at once."""
    truth = DatabaseTruth(runtime.database)
    await settled(runtime, *NAMES)
    async with running(runtime, Discord()):
        await assignment(runtime, *NAMES)
        plan = await truth.plan()
        assert await truth.save_plan(ShardPlan(4, 0, 1_000, ran_before=plan.ran_before), was=plan)
        await change(runtime, target=8)
        assert (await until(runtime, 8)).switch_at == 0
