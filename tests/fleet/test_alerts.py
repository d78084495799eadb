"""Alerts fire when their fault is made in a running fleet, and clear after. A real Prometheus scrapes it.

The rest, whose faults take hours, are tested by `promtool` on made-up series (tests/deploy).
"""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from redis.asyncio import Redis

from discord_sim.client import SimClient
from markov_shard.shared.queue import Delivery, JobQueue
from markov_shard.store.pool import Database
from tests.fleet.processes import Fleet
from tests.fleet.prometheus import Prometheus
from tests.fleet.test_whole_path import Server, make_servers

pytestmark = [pytest.mark.long, pytest.mark.timeout(600)]


@pytest.fixture
async def prometheus(tmp_path: Path) -> AsyncIterator[Prometheus]:
    folder = tmp_path / "prometheus"
    folder.mkdir()
    async with Prometheus(folder).running() as running:
        yield running


async def look(fleet: Fleet, prometheus: Prometheus) -> None:
    """Waits for the fleet and has its processes of now scraped."""
    await fleet.ready()
    while True:
        processes = (await fleet.status())["processes"]
        if {process["name"] for process in processes} == fleet.processes.keys():
            break
        await asyncio.sleep(0.2)
    prometheus.scrape(process["url"] for process in processes)


@pytest.fixture
async def communities(fleet: Fleet, sim: SimClient, prometheus: Prometheus) -> list[Server]:
    made = await make_servers(sim)
    await fleet.start()
    await look(fleet, prometheus)
    for server in made:
        await server.listen()
        await server.chat(["a fine day for a walk", "a fine day for a long swim", "what a fine long walk"])
    async with asyncio.timeout(60):
        while await prometheus.value("sum(markov_messages_stored_total)") != 12:
            await asyncio.sleep(0.5)
    await prometheus.wait_until_clear()
    return made


async def test_losing_processes(fleet: Fleet, prometheus: Prometheus, communities: list[Server]) -> None:
    await fleet.kill("shard-2")
    await prometheus.wait_for("MarkovProcessDown", "MarkovShardsNotConnected")
    await fleet.start("shard-2")
    await look(fleet, prometheus)
    await prometheus.wait_until_clear()
    await fleet.kill("worker-1")
    await prometheus.wait_for("MarkovNoWorkers")
    await fleet.start("worker-1")
    await look(fleet, prometheus)
    await prometheus.wait_until_clear()
    await fleet.kill("coordinator-1")
    await prometheus.wait_for("MarkovNoLeader")
    await fleet.start("coordinator-1")
    await look(fleet, prometheus)
    await prometheus.wait_until_clear()


async def test_postgres_stuck(
    prometheus: Prometheus, communities: list[Server], database: Database, sim: SimClient
) -> None:
    async with database.transaction() as connection:
        await connection.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
        await communities[0].chat(["this cannot be stored for now"])
        await prometheus.wait_for("MarkovLearningStalled")
    await prometheus.wait_until_clear()
    async with asyncio.timeout(30):
        while await prometheus.value("sum(markov_messages_stored_total)") != 13:
            await asyncio.sleep(0.5)


async def test_redis_away_and_then_full(
    fleet: Fleet, prometheus: Prometheus, communities: list[Server], redis_client: Redis
) -> None:
    await redis_client.execute_command("CLIENT", "PAUSE", 45_000, "ALL")
    await prometheus.wait_for("MarkovFleetUnseen", "MarkovProcessUnwell")
    await look(fleet, prometheus)
    await prometheus.wait_until_clear()
    limit = (await redis_client.config_get("maxmemory"))["maxmemory"]
    used = (await redis_client.info("memory"))["used_memory"]
    await redis_client.config_set("maxmemory", int(used * 1.02))
    try:
        await prometheus.wait_for("MarkovRedisFull")
    finally:
        await redis_client.config_set("maxmemory", limit)
    await prometheus.wait_until_clear()


async def test_a_dead_letter(prometheus: Prometheus, communities: list[Server], redis_client: Redis) -> None:
    queue = JobQueue(redis_client, "tests")
    await queue.bury(Delivery("upkeep", b"1-1", None), "a test")
    await prometheus.wait_for("MarkovDeadLetters")
    await redis_client.delete("markov:{jobs}:dead")
    await prometheus.wait_until_clear()


async def test_discord_refusing_and_a_busy_process(
    fleet: Fleet, prometheus: Prometheus, communities: list[Server], sim: SimClient
) -> None:
    await sim.fail_requests("/callback", 429, count=100_000, retry_after=0.5)
    done = [asyncio.create_task(server.mark()) for server in communities]
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


async def test_sessions_lost_again_and_again(prometheus: Prometheus, communities: list[Server], sim: SimClient) -> None:
    for _ in range(5):
        await sim.disconnect(code=4000, forget=True)
        await sim.wait_for_sessions(4, seconds=60)
    await prometheus.wait_for("MarkovIdentifyStorm")
    await prometheus.wait_until_clear()


async def test_slow_replies(prometheus: Prometheus, communities: list[Server], database: Database) -> None:
    """Chains that are not in memory yet, and a Postgres that takes two seconds to give their messages."""
    for server in communities:
        async with database.transaction() as connection:
            await connection.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
            asking = asyncio.create_task(server.mark())
            await asyncio.sleep(1.5)
        await asking
        await asyncio.sleep(5)  # so that the rate has something to show for as long as the alert asks
    await prometheus.wait_for("MarkovRepliesSlow")
    await prometheus.wait_until_clear()
