"""The identify gate, on a real server; Redis's clock is moved by rewriting what it stamped."""

import asyncio

from redis.asyncio import Redis

from markov_shard.shared import keys
from markov_shard.shared.identify import Budget, FleetIdentifyGate, RedisTickets, open_gate, read_budget

FULL = Budget(1000, 1000, 86_400_000)


def gate_of(redis: Redis, name: str) -> FleetIdentifyGate:
    return FleetIdentifyGate(RedisTickets(redis), name)


async def blocked(waiting: "asyncio.Task[None]") -> bool:
    """Whether a task is still waiting after the loop had ample occasion to run it."""
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    return not done


async def hold(gate: FleetIdentifyGate, shard_id: int) -> None:
    async with gate.permit(shard_id):
        pass


async def end_window(redis: Redis, bucket: int) -> None:
    await redis.hset(keys.identify_bucket(bucket), "next_at", 1)


async def test_nobody_identifies_before_the_leader_opens_the_gate(redis_client: Redis) -> None:
    gate = gate_of(redis_client, "one")
    waiting = asyncio.create_task(hold(gate, 0))
    assert await blocked(waiting)
    await open_gate(redis_client, FULL, ran_before=False)
    await waiting


async def test_after_a_loss_of_redis_a_window_must_pass(redis_client: Redis) -> None:
    await open_gate(redis_client, FULL, ran_before=True)
    waiting = asyncio.create_task(hold(gate_of(redis_client, "one"), 0))
    assert await blocked(waiting)
    waiting.cancel()


async def test_one_bucket_is_held_by_one_shard_of_the_whole_fleet(redis_client: Redis) -> None:
    await open_gate(redis_client, FULL, ran_before=False)
    one, two = gate_of(redis_client, "one"), gate_of(redis_client, "two")
    one.max_concurrency = two.max_concurrency = 2
    async with one.permit(0):
        await hold(two, 1)  # another bucket
        waiting = asyncio.create_task(hold(two, 2))  # the same bucket
        await end_window(redis_client, 0)
        assert await blocked(waiting)  # held until READY, even past the window
    assert await blocked(waiting)  # the window counts from the end of the hold
    waiting.cancel()
    await end_window(redis_client, 0)
    await hold(two, 2)


async def test_a_dead_holders_bucket_comes_free(redis_client: Redis) -> None:
    await open_gate(redis_client, FULL, ran_before=False)
    permit = gate_of(redis_client, "dead").permit(0)
    await permit.__aenter__()
    await redis_client.hset(keys.identify_bucket(0), mapping={"held_until": 1, "next_at": 1})
    await hold(gate_of(redis_client, "alive"), 0)
    await permit.__aexit__(None, None, None)


async def test_the_budget_is_counted_and_its_reserve_is_for_recovery(redis_client: Redis) -> None:
    await open_gate(redis_client, Budget(20, 3, 60_000), ran_before=False)
    tickets = RedisTickets(redis_client)
    assert await tickets.take(0, "new", recovery=False) == (0, 0, 0)
    assert (await tickets.take(1, "new", recovery=False)).why == 4  # two of twenty are kept
    assert await tickets.take(1, "recovery", recovery=True) == (0, 0, 0)
    assert await tickets.take(2, "recovery", recovery=True) == (0, 0, 0)
    assert (await tickets.take(3, "recovery", recovery=True)).why == 4  # the last one would be the token's end
    await open_gate(redis_client, Budget(20, 3, 60_000), ran_before=False)  # Discord has not counted them yet
    budget = await read_budget(redis_client)
    assert budget is not None
    assert budget.remaining == 0
    await open_gate(redis_client, Budget(20, 3, 0), ran_before=False)
    await redis_client.hset(keys.identify_gate(), "resets_at", 1)  # the day is over
    await open_gate(redis_client, Budget(20, 20, 60_000), ran_before=False)
    assert await tickets.take(3, "new", recovery=False) == (0, 0, 0)
