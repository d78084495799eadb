"""Alerts about what runs out: connections, IDENTIFYs, memory, patience. See `test_alerts`."""

import asyncio
import contextlib
import itertools
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
from redis.asyncio import Redis

from discord_sim import DEMO_BOT_ID
from discord_sim.client import SimClient
from markov_shard.shared import keys
from markov_shard.store.pool import Database
from tests.fleet.processes import Fleet
from tests.fleet.prometheus import Prometheus
from tests.fleet.test_whole_path import Server, make_servers, until_stored

pytestmark = [pytest.mark.long, pytest.mark.timeout(580)]


@contextlib.asynccontextmanager
async def again_and_again(work: Callable[[], Awaitable[object]], pause: float) -> AsyncIterator[None]:
    """Does something over and over while the block runs; what it fails with is the fault's own doing."""

    async def repeat() -> None:
        while True:
            with contextlib.suppress(Exception):
                await work()
            await asyncio.sleep(pause)

    task = asyncio.create_task(repeat())
    try:
        yield
    finally:
        task.cancel()
        await asyncio.wait([task])


async def test_heartbeats_that_nobody_acknowledges(
    prometheus: Prometheus, watched: list[Server], sim: SimClient
) -> None:
    await sim.trouble_gateway(refuse=True)
    await sim.disconnect(code=4000)
    await prometheus.wait_for("MarkovShardsNotConnected", "MarkovHeartbeatLate", seconds=200)
    await sim.clear_faults()
    await sim.wait_for_sessions(4, seconds=120)
    await prometheus.wait_until_clear()


async def test_connections_that_bring_nothing(
    fleet: Fleet, prometheus: Prometheus, database: Database, sim: SimClient
) -> None:
    """Four of nine stand still, though their heartbeats are acknowledged; members write everywhere all the time."""
    fleet.shard_count = 9  # most of the eight others must be well for silence to be strange
    fleet.environment["SHARD_COUNT"] = "9"
    servers = await make_servers(sim, 9)
    await fleet.start()
    await prometheus.watch(fleet)
    numbers = itertools.count()

    async def chat() -> None:
        await asyncio.gather(*(server.chat([f"the fine day number {next(numbers)}"]) for server in servers))

    for server in servers:
        await server.listen()
    async with again_and_again(chat, 2.0):
        await prometheus.wait_until_clear()
        for shard_id in (0, 2, 5, 7):
            assert await sim.disconnect(shard_id, how="stall") == 1
        await prometheus.wait_for("MarkovConnectionsMended", seconds=200)
    async with asyncio.timeout(60):
        for server in servers:  # nothing was lost by it
            await until_stored(database, server)
    fleet.check()
    await prometheus.wait_until_clear(seconds=280)


async def test_few_identifies_left(fleet: Fleet, prometheus: Prometheus, watched: list[Server], sim: SimClient) -> None:
    async def discord_says(left: int) -> None:
        """A coordinator that begins to lead asks; the ledger counts from there."""
        await sim.edit_application(str(DEMO_BOT_ID), sessions_remaining=left)
        await fleet.stop("coordinator-1")
        await fleet.start("coordinator-1")
        await prometheus.watch(fleet)

    await discord_says(150)
    await prometheus.wait_for("MarkovIdentifiesLow")
    await discord_says(900)
    await prometheus.wait_until_clear()


async def test_work_that_queues_for_postgres(
    prometheus: Prometheus, watched: list[Server], database: Database, sim: SimClient
) -> None:
    async def ask() -> None:
        server = watched[0]
        asked = (sim.run_command(server.channel, server.owner, "train-status", {}) for _ in range(30))
        await asyncio.gather(*asked, return_exceptions=True)

    async with database.transaction() as connection:
        await connection.execute("LOCK TABLE guilds, channels, messages, jobs IN ACCESS EXCLUSIVE MODE")
        async with again_and_again(ask, 0.5):
            await prometheus.wait_for("MarkovDatabaseQueue")
    await prometheus.wait_until_clear()


async def test_a_job_that_does_not_move(
    fleet: Fleet, prometheus: Prometheus, watched: list[Server], redis_client: Redis
) -> None:
    """The only worker is stuck, and what it should do has waited for forty minutes."""
    fleet.signal(signal.SIGSTOP, "worker-1")
    try:
        seconds, _ = await redis_client.time()
        stream = keys.job_stream("imports")
        await redis_client.xadd(stream, {"job": "0"}, id=f"{(seconds - 2400) * 1000}-1")
        await prometheus.wait_for("MarkovQueueOld")
        await redis_client.delete(stream)
    finally:
        fleet.signal(signal.SIGCONT, "worker-1")
    await prometheus.wait_until_clear()


async def test_errors_in_the_log(prometheus: Prometheus, watched: list[Server], sim: SimClient) -> None:
    async def ask() -> None:
        await asyncio.gather(*(server.mark() for server in watched), return_exceptions=True)

    await sim.fail_requests("/callback", 400, count=100_000)
    async with again_and_again(ask, 0.5):
        await prometheus.wait_for("MarkovErrors")
    await sim.clear_faults()
    await prometheus.wait_until_clear()


async def test_invalid_answers_that_would_get_the_address_banned(
    prometheus: Prometheus, watched: list[Server], sim: SimClient, redis_client: Redis
) -> None:
    """A storm of 429s, each of which has the library ask again, until the fleet asks nothing; then ten minutes pass."""

    async def ask() -> None:
        for server in watched:
            await server.ask(5)

    await sim.fail_requests("/messages$", 429, count=None, retry_after=0.0)
    async with again_and_again(ask, 5.0):
        await prometheus.wait_for("MarkovRestPaused", seconds=240)
    refused = sum(entry["status"] == 429 for entry in await sim.requests())
    assert 9_000 <= refused < 10_000
    before = await prometheus.value("sum(markov_messages_stored_total)") or 0
    await watched[0].chat(["learned all the same"])
    async with asyncio.timeout(30):
        while await prometheus.value("sum(markov_messages_stored_total)") != before + 1:
            await asyncio.sleep(0.5)
    await sim.clear_faults()
    assert await prometheus.value("max(markov_rest_paused)") == 1
    for name in await redis_client.hkeys(keys.rest()):
        if name.startswith(b"invalid:"):  # of this minute, and now of one that counts no more
            minute = int(name.removeprefix(b"invalid:"))
            await redis_client.hset(keys.rest(), f"invalid:{minute - 11}", await redis_client.hget(keys.rest(), name))
            await redis_client.hdel(keys.rest(), name)
    await prometheus.wait_until_clear()
    assert "fine" in await watched[0].mark()


async def test_a_redis_that_evicts(prometheus: Prometheus, watched: list[Server], redis_client: Redis) -> None:
    numbers = itertools.count()

    async def fill() -> None:
        for _ in range(20):
            await redis_client.set(f"markov:test:{next(numbers)}", os.urandom(20_000), ex=600)

    before = await redis_client.config_get("maxmemory*")
    used = (await redis_client.info("memory"))["used_memory"]
    await redis_client.config_set("maxmemory-policy", "volatile-lru")
    await redis_client.config_set("maxmemory", used + 2_000_000)
    try:
        async with again_and_again(fill, 0.2):
            await prometheus.wait_for("MarkovRedisEvicts")
    finally:
        for name in ("maxmemory", "maxmemory-policy"):
            await redis_client.config_set(name, before[name])
    await prometheus.wait_until_clear()


async def test_memory_that_grows_until_the_process_is_restarted(
    fleet: Fleet, prometheus: Prometheus, watched: list[Server], database: Database
) -> None:
    """What cannot be stored waits in memory, and members go on writing."""
    numbers = itertools.count()

    async def chat() -> None:
        for server in watched:
            await server.chat([" ".join(f"word{next(numbers)}" for _ in range(150)) for _ in range(20)])

    async with database.transaction() as connection:
        await connection.execute("LOCK TABLE messages IN ACCESS EXCLUSIVE MODE")
        async with again_and_again(chat, 0.5):
            await prometheus.wait_for("MarkovMemoryGrows", seconds=200)
    await fleet.stop("shard-1", "shard-2")
    await fleet.start("shard-1", "shard-2")
    await prometheus.watch(fleet)
    await prometheus.wait_until_clear(seconds=240)
