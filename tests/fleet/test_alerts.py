"""Alerts fire when their fault is made in a running fleet, and clear after. A real Prometheus scrapes it.

The rules' thresholds are the shipped ones, their times are shortened. Those about capacity: `test_alerts_of_capacity`.
"""

import asyncio
import os
import signal

import pytest
from redis.asyncio import Redis

from discord_sim.client import SimClient
from markov_shard.shared.queue import Delivery, JobQueue
from markov_shard.store.pool import Database
from tests.fleet.processes import Fleet
from tests.fleet.prometheus import Prometheus
from tests.fleet.test_whole_path import Server

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


async def test_losing_processes(fleet: Fleet, prometheus: Prometheus, watched: list[Server]) -> None:
    await fleet.kill("shard-2")
    await prometheus.wait_for("MarkovProcessDown")
    await fleet.start("shard-2")
    await prometheus.watch(fleet)
    await prometheus.wait_until_clear()
    await fleet.kill("worker-1")
    await prometheus.wait_for("MarkovNoWorkers")
    await fleet.start("worker-1")
    await prometheus.watch(fleet)
    await prometheus.wait_until_clear()
    await fleet.kill("coordinator-1")
    await prometheus.wait_for("MarkovNoLeader")
    await fleet.start("coordinator-1")
    await prometheus.watch(fleet)
    await prometheus.wait_until_clear()


async def test_postgres_stuck(
    prometheus: Prometheus, watched: list[Server], database: Database, sim: SimClient
) -> None:
    async with database.transaction() as connection:
        await connection.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
        await watched[0].chat(["this cannot be stored for now"])
        await prometheus.wait_for("MarkovLearningStalled")
    await prometheus.wait_until_clear()
    async with asyncio.timeout(30):
        while await prometheus.value("sum(markov_messages_stored_total)") != 13:
            await asyncio.sleep(0.5)


async def test_redis_away_and_then_full(
    fleet: Fleet, prometheus: Prometheus, watched: list[Server], redis_client: Redis
) -> None:
    await redis_client.execute_command("CLIENT", "PAUSE", 45_000, "ALL")
    await prometheus.wait_for("MarkovFleetUnseen", "MarkovProcessUnwell")
    await prometheus.watch(fleet)
    await prometheus.wait_until_clear()
    limit = (await redis_client.config_get("maxmemory"))["maxmemory"]
    used = (await redis_client.info("memory"))["used_memory"]
    await redis_client.config_set("maxmemory", int(used * 0.9))  # nothing can be written
    try:
        await prometheus.wait_for("MarkovRedisFull", "MarkovNoLeader")
    finally:
        await redis_client.config_set("maxmemory", limit)
    fleet.check()
    await prometheus.wait_until_clear()


async def test_a_dead_letter(prometheus: Prometheus, watched: list[Server], redis_client: Redis) -> None:
    queue = JobQueue(redis_client, "tests")
    await queue.bury(Delivery("upkeep", b"1-1", None), "a test")
    await prometheus.wait_for("MarkovDeadLetters")
    await redis_client.delete("markov:{jobs}:dead")
    await prometheus.wait_until_clear()


async def test_discord_refusing_and_a_busy_process(
    fleet: Fleet, prometheus: Prometheus, watched: list[Server], sim: SimClient
) -> None:
    await sim.fail_requests("/callback", 429, count=100_000, retry_after=0.5)
    done = [asyncio.create_task(server.mark()) for server in watched]
    await prometheus.wait_for("MarkovRateLimited")
    await sim.clear_faults()
    await asyncio.gather(*done, return_exceptions=True)
    await prometheus.wait_until_clear()

    busy = fleet.processes["shard-1"].pid

    async def stutter() -> None:
        try:
            while True:
                os.kill(busy, signal.SIGSTOP)
                await asyncio.sleep(0.6)
                os.kill(busy, signal.SIGCONT)
                await asyncio.sleep(0.4)
        finally:
            os.kill(busy, signal.SIGCONT)

    task = asyncio.create_task(stutter())
    try:
        await prometheus.wait_for("MarkovEventLoopLags")
    finally:
        task.cancel()
        await asyncio.wait([task])
    await prometheus.wait_until_clear()


async def test_sessions_lost_again_and_again(prometheus: Prometheus, watched: list[Server], sim: SimClient) -> None:
    for _ in range(5):
        await sim.disconnect(code=4000, forget=True)
        await sim.wait_for_sessions(4, seconds=60)
    await prometheus.wait_for("MarkovIdentifyStorm")
    await prometheus.wait_until_clear()


async def test_slow_replies(prometheus: Prometheus, watched: list[Server], database: Database) -> None:
    """Chains that are not in memory yet, and a Postgres that takes two seconds to give their messages."""
    before = await prometheus.value("sum(markov_reply_seconds_count)") or 0
    for answered, server in enumerate(watched, 1):
        async with database.transaction() as connection:
            await connection.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
            asking = asyncio.create_task(server.mark())
            await asyncio.sleep(1.5)  # how slow Postgres is
        await asking
        async with asyncio.timeout(30):  # scraped one by one, so that the rate lasts for as long as the alert asks
            while await prometheus.value("sum(markov_reply_seconds_count)") < before + answered:
                await asyncio.sleep(0.2)
    await prometheus.wait_for("MarkovRepliesSlow")
    await prometheus.wait_until_clear()
