"""Leases, leadership, members and sessions, on a real server."""

import pytest
from redis.asyncio import Redis

from markov_shard.ranges import GuildRange
from markov_shard.shared import keys
from markov_shard.shared.assignment import Assignment, read_assignment, write_assignment
from markov_shard.shared.coordination import FleetCoordination
from markov_shard.shared.identify import Budget, open_gate
from markov_shard.shared.leases import ShardKey, read_leases, release_leadership, take_leadership
from markov_shard.shared.members import Member, beat, leave, read_members
from markov_shard.shared.sessions import Session, Sessions

ZERO, ONE = ShardKey(4, 0), ShardKey(4, 1)


@pytest.fixture
async def one(redis_client: Redis) -> FleetCoordination:
    await open_gate(redis_client, Budget(1000, 1000, 0), ran_before=False)
    return FleetCoordination(redis_client, "one")


@pytest.fixture
def two(redis_client: Redis) -> FleetCoordination:
    return FleetCoordination(redis_client, "two")


async def expire(redis: Redis, name: str) -> None:
    """As if the lease's time had passed."""
    await redis.hset(name, "expires_at", 1)


async def test_a_lease_has_one_holder_until_it_is_released(one: FleetCoordination, two: FleetCoordination) -> None:
    assert await one.take([ZERO])
    assert await one.take([ZERO])
    assert not await two.take([ZERO])
    await two.release([ZERO])  # not theirs: nothing happens
    assert not await two.take([ZERO])
    await one.release([ZERO])
    assert await two.take([ZERO])


async def test_an_expired_lease_can_be_taken_and_the_late_holder_learns_it(
    redis_client: Redis, one: FleetCoordination, two: FleetCoordination
) -> None:
    assert await one.take([ZERO])
    assert (await one.step(Member("one", "shard"), {ZERO: 7})).lost == set()
    await expire(redis_client, keys.lease(4, 0))
    assert await two.take([ZERO])
    assert (await one.step(Member("one", "shard"), {ZERO: 7})).lost == {ZERO}
    (lease, *_) = await read_leases(redis_client, 4)
    assert (lease.holder, lease.epoch) == ("two", 0)  # the old epoch did not pass on


async def test_a_lease_lost_with_all_of_redis_is_written_anew(redis_client: Redis, one: FleetCoordination) -> None:
    assert await one.take([ONE])
    await redis_client.flushdb()
    assert (await one.step(Member("one", "shard"), {ONE: 7})).lost == set()
    assert [(lease.holder, lease.epoch) for lease in await read_leases(redis_client, 4)][1] == ("one", 7)


async def test_after_a_loss_of_redis_no_lease_is_given_until_those_of_before_have_run_out(
    redis_client: Redis, one: FleetCoordination, two: FleetCoordination
) -> None:
    assert await one.take([ZERO])
    await redis_client.flushdb()
    assert not await two.take([ZERO])  # the leader has not looked yet
    await open_gate(redis_client, Budget(1000, 1000, 0), ran_before=True)
    assert not await two.take([ZERO])
    assert (await one.step(Member("one", "shard"), {ZERO: 7})).lost == set()  # its holder is back first
    assert await one.take([ZERO])
    await redis_client.hset(keys.identify_gate(), "leases_from", 1)  # the wait is over
    assert not await two.take([ZERO])
    assert await two.take([ONE])


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


async def test_coordination_keys_never_expire_by_themselves(redis_client: Redis, one: FleetCoordination) -> None:
    await one.take([ZERO])
    await beat(redis_client, Member("shard-1", "shard"))
    await take_leadership(redis_client, "a")
    for name in await redis_client.keys("*"):
        assert await redis_client.ttl(name) == -1  # so `volatile-lru` never evicts them
