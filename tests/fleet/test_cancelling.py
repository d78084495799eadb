"""`markov-shard jobs cancel` while a worker process is at it: it stops, and what it says of the messages is so."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from discord_sim import DEMO_TOKEN
from markov_shard.runtime import Runtime, ServiceUrls
from markov_shard.settings import Settings
from markov_shard.shared.connect import connect_redis
from markov_shard.shared.members import read_members
from markov_shard.store.guilds import read_guild
from markov_shard.store.images import current_images
from markov_shard.store.jobs import read_job
from markov_shard.store.messages import StoredMessage, learn_messages
from markov_shard.store.pool import Database
from markov_shard.training.compiling import compile_guild
from markov_shard.training.requests import request_training
from tests.fleet.processes import Fleet
from tests.fleet.servers import process_environment, serving_files

pytestmark = pytest.mark.timeout(120)

GUILD = 81384788765712384
LINES = 300_000
"""So many, a hundred at a time, that no machine is done with them before the cancelling."""
KNOWN = 20


@dataclass
class Place:
    """A worker process, a guild that knows a little, and a long file for it."""

    runtime: Runtime
    fleet: Fleet
    url: str

    async def stored(self) -> int:
        async with self.runtime.database.connection() as connection:
            return int(await connection.fetchval("SELECT count(*) FROM messages WHERE guild_id = $1", GUILD))

    async def is_idle(self) -> bool:
        """Whether the worker says of itself that it works on nothing."""
        workers = [member for member in await read_members(self.runtime.redis) if member.role == "worker"]
        return bool(workers) and not any(member.details["jobs"] for member in workers)


@pytest.fixture
async def place(tmp_path: Path, database: Database, migrated_url: str, redis_url: str) -> AsyncIterator[Place]:
    (tmp_path / "long.jsonl").write_bytes(b"".join(b'"line %d of a long file"\n' % n for n in range(LINES)))
    async with database.transaction() as connection:
        known = [StoredMessage(n, 1, 1, f"known before, {n}") for n in range(1, KNOWN + 1)]
        await learn_messages(connection, GUILD, known)
    await compile_guild(database, GUILD, state_size=2)
    redis = await connect_redis(redis_url)
    runtime = Runtime(Settings(), "test", ServiceUrls(migrated_url, redis_url), database, redis)
    async with serving_files(tmp_path) as files:
        environment = process_environment(
            tmp_path,
            DATABASE_URL=migrated_url,
            REDIS_URL=redis_url,
            TOKEN=DEMO_TOKEN,
            REST_URL=f"{files}/api/v10",
            BATCH_SIZE="100",
            WORKER_POOL_SIZE="1",
        )
        made = Place(runtime, Fleet(tmp_path, environment), f"{files}/long.jsonl")
        try:
            await made.fleet.start("worker-1")
            yield made
        finally:
            await made.fleet.stop()
            await redis.aclose()


@pytest.mark.parametrize(
    "clean", [pytest.param(True, id="clean"), pytest.param(False, id="keeping", marks=pytest.mark.long)]
)
async def test_a_job_in_work_stops_and_says_what_is_kept(place: Place, clean: bool) -> None:
    job_id = await request_training(place.runtime, GUILD, url=place.url, clean=clean, user_id=1)
    while await place.stored() == KNOWN:
        place.fleet.check()
        await asyncio.sleep(0.02)
    status, out, error = await place.fleet.command("jobs", "cancel", str(job_id))
    assert status == 0, error
    while not await place.is_idle():
        await asyncio.sleep(0.05)

    async with place.runtime.database.connection() as connection:
        job = await read_job(connection, GUILD, job_id)
        guild = await read_guild(connection, GUILD)
    assert (job.state, job.error) == ("cancelled", "cancelled by an operator")
    assert 0 < job.messages < LINES
    if clean:
        assert out == f"job {job_id} is cancelled; what was known before is kept, nothing of the job\n"
        while await place.stored() > KNOWN:  # what the job stored goes in small steps
            await asyncio.sleep(0.05)
        assert (guild.generation, guild.training_generation) == (1, None)
    else:
        kept = re.fullmatch(rf"job {job_id} is cancelled; ([\d,]+) messages that it had learned are kept\n", out)
        assert kept is not None, out
        assert int(kept[1].replace(",", "")) == job.messages == await place.stored() - KNOWN
        async with place.runtime.database.connection() as connection:
            while (image := (await current_images(connection, GUILD))["general"]).version == 1:
                await asyncio.sleep(0.05)  # a compile takes what is kept into the chain
        assert image.messages == KNOWN + job.messages
    status, out, error = await place.fleet.command("chain", str(GUILD), "--verify", "--json")
    assert status == 0, error
    assert json.loads(out)["messages"] == (KNOWN if clean else KNOWN + job.messages)
    events = [line["event"] for line in place.fleet.log("worker-1") if line.get("job") == job_id]
    assert events == ["working on a job", "a job is somebody else's now, or cancelled"]
