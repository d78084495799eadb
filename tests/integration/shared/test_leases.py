"""Leases, leadership, members and sessions, on a real server."""

import pytest
from redis.asyncio import Redis

from markov_shard.ranges import GuildRange
from markov_shard.shared import keys
from markov_shard.shared.assignment import Assignment, read_assignment, write_assignment
from markov_shard.shared.leases import ShardLeases, read_leases, release_leadership, take_leadership
from markov_shard.shared.members import Member, beat, leave, read_members
from markov_shard.shared.sessions import Session, Sessions


@pytest.fixture
def one(redis_client: Redis) -> ShardLeases:
    return ShardLeases(redis_client, "one")


@pytest.fixture
def two(redis_client: Redis) -> ShardLeases:
    return ShardLeases(redis_client, "two")


async def expire(redis: Redis, name: str) -> None:
    """As if the lease's time had passed."""
    await redis.hset(name, "expires_at", 1)


async def test_a_lease_has_one_holder_until_it_is_released(one: ShardLeases, two: ShardLeases) -> None:
    assert await one.take(4, 0)
    assert await one.take(4, 0)
    assert not await two.take(4, 0)
    await two.release(4, 0)  # not theirs: nothing happens
    assert not await two.take(4, 0)
    await one.release(4, 0)
    assert await two.take(4, 0)


async def test_an_expired_lease_can_be_taken_and_the_late_holder_learns_it(
    redis_client: Redis, one: ShardLeases, two: ShardLeases
) -> None:
    assert await one.take(4, 0)
    assert await one.renew(4, {0: 7}) == set()
    await expire(redis_client, keys.lease(4, 0))
    assert await two.take(4, 0)
    assert await one.renew(4, {0: 7}) == {0}
    (lease, *_) = await read_leases(redis_client, 4)
    assert (lease.holder, lease.epoch) == ("two", 0)  # the old epoch did not pass on


async def test_a_lease_lost_with_all_of_redis_is_written_anew(redis_client: Redis, one: ShardLeases) -> None:
    assert await one.take(4, 1)
    await redis_client.flushdb()
    assert await one.renew(4, {1: 7}) == set()
    assert [(lease.holder, lease.epoch) for lease in await read_leases(redis_client, 4)][1] == ("one", 7)


async def test_one_coordinator_leads_and_only_it_assigns(redis_client: Redis) -> None:
    decision = Assignment(4, 16, {"shard-1": GuildRange(0, 3, 4)}, "first placement")
    assert await take_leadership(redis_client, "a") == "a"
    assert await take_leadership(redis_client, "b") == "a"
    assert not await write_assignment(redis_client, "b", decision)
    assert await read_assignment(redis_client) is None
    assert await write_assignment(redis_client, "a", decision)
    assert await read_assignment(redis_client) == decision
    await release_leadership(redis_client, "a")
    assert await take_leadership(redis_client, "b") == "b"


async def test_members_are_those_with_a_fresh_heartbeat(redis_client: Redis) -> None:
    await beat(redis_client, Member("shard-1", "shard", "http://x", details={"shards": {3: {"state": "connected"}}}))
    await beat(redis_client, Member("worker-1", "worker"))
    await beat(redis_client, Member("gone", "shard"))
    await redis_client.hset(keys.member("gone"), "expires_at", 1)
    shard, worker = await read_members(redis_client)
    assert (shard.name, shard.url, shard.details["shards"][3]) == ("shard-1", "http://x", {"state": "connected"})
    assert worker.name == "worker-1"
    assert await redis_client.smembers(keys.members()) == {b"shard-1", b"worker-1"}  # the dead one is swept
    await leave(redis_client, "worker-1")
    assert [member.name for member in await read_members(redis_client)] == ["shard-1"]


async def test_a_session_is_not_overwritten_by_an_earlier_owner(redis_client: Redis) -> None:
    sessions = Sessions(redis_client)
    assert await sessions.load(4, 0) is None
    new, old = Session("new", 7, "wss://x", 1), Session("old", 99, "wss://x", 1)
    assert await sessions.save(4, 0, 3, new)
    assert not await sessions.save(4, 0, 2, old)
    assert await sessions.load(4, 0) == new


async def test_coordination_keys_never_expire_by_themselves(redis_client: Redis, one: ShardLeases) -> None:
    await one.take(4, 0)
    await beat(redis_client, Member("shard-1", "shard"))
    await take_leadership(redis_client, "a")
    for name in await redis_client.keys("*"):
        assert await redis_client.ttl(name) == -1  # so `volatile-lru` never evicts them
