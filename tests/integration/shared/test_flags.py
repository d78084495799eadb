"""Rollout flags from Postgres over Redis to every process, on real servers."""

import asyncio
from collections.abc import Callable

import pytest
from redis.asyncio import Redis

from coordinator.flags import keep_flags
from markov_shard.flags import WHOLE, Flag, Rollout, Rollouts, first_rollouts
from markov_shard.runtime import Runtime, ServiceUrls
from markov_shard.settings import Settings
from markov_shard.shared import keys
from markov_shard.shared.flags import LiveFlags, publish_flags
from markov_shard.store.flags import change_flag, ensure_flags, flag_history, read_flags, with_forced
from markov_shard.store.pool import Database

SETTINGS = Settings()
FIRST = first_rollouts(SETTINGS)
GUILD = 81384788765712384


@pytest.fixture
def runtime(database: Database, redis_client: Redis) -> Runtime:
    return Runtime(SETTINGS, "leader", ServiceUrls("", ""), database, redis_client)


async def change(
    database: Database, flag: Flag, to: Callable[[Rollout], Rollout], who: str = "me"
) -> tuple[int, Rollouts]:
    async with database.transaction() as connection:
        await ensure_flags(connection, FIRST)
        values = await change_flag(connection, flag, to, changed_by=who)
    return values.change_id, values.rollouts


async def test_first_values_are_those_of_the_settings_and_are_set_once(database: Database) -> None:
    async def ensure() -> None:
        async with database.transaction() as connection:
            await ensure_flags(connection, FIRST)

    await asyncio.gather(*(ensure() for _ in range(4)))
    async with database.connection() as connection:
        values = await read_flags(connection)
        history = await flag_history(connection, limit=100)
    assert values.rollouts == FIRST
    assert {entry.changed_by for entry in history} == {"settings"}
    assert len(history) == len(FIRST)


async def test_every_change_is_kept_with_who_and_when(database: Database) -> None:
    await change(database, "worker_pool", lambda rollout: Rollout(1234, rollout.forced), "ann")
    await change(database, "worker_pool", lambda rollout: with_forced(rollout, [3, 1], forced=True), "bob")
    await change(database, "worker_pool", lambda rollout: with_forced(rollout, [3], forced=False), "ann")
    await change(database, "worker_pool", lambda rollout: with_forced(rollout, [3], forced=False), "nobody")  # the same
    async with database.connection() as connection:
        history = await flag_history(connection, limit=3)
    assert [(entry.changed_by, entry.rollout) for entry in history] == [
        ("ann", Rollout(1234, frozenset({1}))),
        ("bob", Rollout(1234, frozenset({1, 3}))),
        ("ann", Rollout(1234)),
    ]
    assert history[0].changed_at >= history[1].changed_at


async def test_changes_at_once_are_numbered_as_they_are_committed(database: Database, redis_client: Redis) -> None:
    await change(database, "worker_pool", lambda rollout: rollout)

    async def one(guild: int, flag: Flag) -> None:
        values = await change(database, flag, lambda rollout: with_forced(rollout, [guild], forced=True))
        await publish_flags(redis_client, *values)

    flags: tuple[Flag, ...] = ("worker_pool", "markov_store")
    await asyncio.gather(*(one(guild, flags[guild % 2]) for guild in range(10)))
    live = LiveFlags(redis_client, {flag: Rollout(0) for flag in FIRST})
    await live.refresh()
    async with database.connection() as connection:
        truth = await read_flags(connection)
    assert live.change == truth.change_id
    assert truth.rollouts["worker_pool"].forced == {0, 2, 4, 6, 8}
    assert all(live.is_on(flags[guild % 2], guild) for guild in range(10))


async def test_a_process_follows_within_a_second(database: Database, redis_client: Redis) -> None:
    live = LiveFlags(redis_client, FIRST)
    following = asyncio.create_task(live.follow())
    try:
        values = await change(database, "markov_store", lambda rollout: Rollout(0, frozenset({GUILD})))
        await publish_flags(redis_client, *values)
        async with asyncio.timeout(10):
            while live.change != values[0]:
                await asyncio.sleep(0.01)
    finally:
        following.cancel()
    assert live.is_on("markov_store", GUILD)
    assert not live.is_on("markov_store", GUILD + 1)
    assert live.is_on("worker_pool", GUILD + 1)


async def test_the_leader_rewrites_what_redis_lost(runtime: Runtime) -> None:
    await change(runtime.database, "markov_store", lambda rollout: Rollout(77))
    await keep_flags(runtime)
    live = LiveFlags(runtime.redis, {flag: Rollout(WHOLE) for flag in FIRST})
    await runtime.redis.flushdb()
    await live.refresh()  # nothing is live: what was known counts
    assert live.is_on("markov_store", GUILD)
    await keep_flags(runtime)
    await live.refresh()
    assert not live.is_on("markov_store", GUILD)


async def test_the_leader_publishes_a_change_whose_author_could_not(runtime: Runtime) -> None:
    await keep_flags(runtime)
    change_id, _ = await change(runtime.database, "worker_pool", lambda rollout: Rollout(5))
    await keep_flags(runtime)
    assert int(await runtime.redis.hget(keys.flags(), "change") or 0) == change_id


async def test_a_later_change_is_not_undone_by_an_earlier_one(runtime: Runtime) -> None:
    earlier = await change(runtime.database, "worker_pool", lambda rollout: Rollout(5))
    later = await change(runtime.database, "worker_pool", lambda rollout: Rollout(6))
    assert await publish_flags(runtime.redis, *later)
    assert not await publish_flags(runtime.redis, *earlier)


async def test_a_restored_database_wins_over_a_redis_ahead_of_it(runtime: Runtime) -> None:
    await publish_flags(runtime.redis, 1_000_000, {flag: Rollout(0) for flag in FIRST})
    await keep_flags(runtime)
    live = LiveFlags(runtime.redis, FIRST)
    await live.refresh()
    assert live.change < 1_000_000
    assert live.is_on("markov_store", GUILD)


async def test_flags_that_cannot_be_read_change_nothing(redis_client: Redis) -> None:
    await redis_client.hset(keys.flags(), mapping={"change": "9", "content": b"\xc1"})
    live = LiveFlags(redis_client, FIRST)
    await live.refresh()
    assert live.change == 0
