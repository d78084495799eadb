"""The job streams, on a real server."""

import pytest
from redis.asyncio import Redis

from markov_shard.shared import keys, queue
from markov_shard.shared.queue import JobQueue, Reference

JOB = Reference(81384788765712384, 5)


async def read(jobs: JobQueue) -> queue.Delivery | None:
    """The next delivery; the first read of all makes the group and finds nothing."""
    return await jobs.read("imports", block_ms=10) or await jobs.read("imports", block_ms=10)


async def test_a_job_goes_to_one_worker_and_away_when_it_is_done(redis_client: Redis) -> None:
    one, two = JobQueue(redis_client, "one"), JobQueue(redis_client, "two")
    await one.put("imports", JOB)
    delivery = await read(one)
    assert delivery is not None
    assert delivery.reference == JOB
    assert await read(two) is None
    assert (await one.depth("imports"), await one.waiting("imports")) == (1, 0)
    await one.done(delivery)
    assert await one.depth("imports") == 0


async def test_a_dead_workers_job_is_delivered_again(redis_client: Redis, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(queue, "RECLAIM_MS", 0)
    one, two = JobQueue(redis_client, "one"), JobQueue(redis_client, "two")
    await one.put("imports", JOB)
    assert await read(one)
    again = await read(two)
    assert again is not None
    assert again.reference == JOB


async def test_a_renewed_job_stays_where_it_is(redis_client: Redis) -> None:
    one = JobQueue(redis_client, "one")
    await one.put("imports", JOB)
    delivery = await read(one)
    assert delivery is not None
    await one.renew(delivery)
    (pending,) = await redis_client.xpending_range(keys.job_stream("imports"), queue.GROUP, "-", "+", 10)
    assert pending["consumer"] == b"one"
    assert pending["time_since_delivered"] < queue.RECLAIM_MS


async def test_what_cannot_be_read_is_buried_with_its_reason(redis_client: Redis) -> None:
    jobs = JobQueue(redis_client, "one")
    await redis_client.xadd(keys.job_stream("imports"), {"job": b"\xc1"})
    delivery = await read(jobs)
    assert delivery is not None
    assert delivery.reference is None
    await jobs.bury(delivery, "the reference cannot be read")
    assert await jobs.dead() == 1
    assert await jobs.depth("imports") == 0
    ((_, letter),) = await redis_client.xrange(keys.dead_letters())
    assert letter[b"reason"] == b"the reference cannot be read"
