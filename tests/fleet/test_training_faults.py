"""Training while workers are killed and servers restarted: nothing is lost, nothing counts twice."""

import asyncio
import gzip
import json
import random
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.made_chat import write_chat
from discord_sim import DEMO_TOKEN
from markov_shard.chain import compile_chain
from markov_shard.errors import ServiceUnavailableError
from markov_shard.guilds.image_files import ImageFiles
from markov_shard.guilds.learned import Learned
from markov_shard.guilds.opening import ChainOpener
from markov_shard.runtime import Runtime, ServiceUrls
from markov_shard.settings import Settings
from markov_shard.shared.connect import connect_redis
from markov_shard.shared.image_cache import ImageCache
from markov_shard.store.images import current_images, read_image
from markov_shard.store.jobs import FINISHED, Job, read_job
from markov_shard.store.messages import count_messages
from markov_shard.store.migrate import migrate
from markov_shard.store.pool import Database
from markov_shard.training.progress import Stage
from markov_shard.training.requests import request_training
from tests.fleet.processes import Fleet
from tests.fleet.servers import OwnServers, own_servers, process_environment, serving_files

GUILD = 81384788765712384
WORKERS = ("worker-1", "worker-2")
OLD_MESSAGES = 300


@dataclass(frozen=True)
class Plan:
    """What is to befall a training."""

    messages: int
    batch_size: int
    kills: int
    restarts: int
    """Of Redis, emptied, and as many of Postgres."""


SMALL = Plan(messages=6_000, batch_size=250, kills=3, restarts=1)
GREAT = Plan(messages=200_000, batch_size=1000, kills=50, restarts=2)


@dataclass
class Training:
    """A training in a world of its own."""

    plan: Plan
    servers: OwnServers
    fleet: Fleet
    runtime: Runtime
    files: str
    folder: Path

    async def request(self, name: str, *, clean: bool) -> int:
        return await request_training(self.runtime, GUILD, url=f"{self.files}/{name}", clean=clean, user_id=1)

    async def job(self, job_id: int) -> Job:
        """The job's row, as soon as Postgres answers."""
        while True:
            try:
                async with self.runtime.database.connection() as connection:
                    return await read_job(connection, GUILD, job_id)
            except ServiceUnavailableError:
                await asyncio.sleep(0.05)

    async def finished(self, job_id: int) -> Job:
        while (job := await self.job(job_id)).state not in FINISHED:
            await asyncio.sleep(0.05)
        return job

    async def holder(self, job_id: int) -> str:
        """The worker that has the job's claim now."""
        while True:
            async with self.runtime.database.connection() as connection:
                consumer = await connection.fetchval("SELECT claimed_by FROM jobs WHERE job_id = $1", job_id)
            if consumer:
                return next(name for name in WORKERS if str(consumer).startswith(name))
            await asyncio.sleep(0.01)

    async def kill(self, name: str) -> None:
        if self.fleet.processes[name].returncode is None:  # else it is about to be started again anyway
            await self.fleet.kill(name)
            await self.fleet.start(name)

    @asynccontextmanager
    async def supervised(self) -> AsyncIterator[None]:
        """As an operator's supervisor does, starts workers again that met a server's restart while they began."""

        async def supervise() -> None:
            while True:
                for name in WORKERS:
                    process = self.fleet.processes.get(name)
                    if process is not None and process.returncode is not None:
                        last = (self.folder / f"{name}.log").read_text(encoding="utf-8").splitlines()[-1]
                        assert (process.returncode, last.partition(": ")[0]) == (1, "markov-shard"), last
                        await self.fleet.start(name)
                await asyncio.sleep(0.1)

        supervising = asyncio.create_task(supervise())
        try:
            yield
        finally:
            supervising.cancel()
            await asyncio.wait([supervising])
        if not supervising.cancelled():
            await supervising

    @asynccontextmanager
    async def answering(self) -> AsyncIterator[list[int]]:
        """The guild is asked again and again while the block runs: how much each chain that answered knew."""
        known: list[int] = []

        async def ask() -> None:
            while True:
                known.append(await self.known())

        asking = asyncio.create_task(ask())
        try:
            yield known
        finally:
            asking.cancel()
            await asyncio.wait([asking])
        if not asking.cancelled():
            await asking  # raises why there was no answer

    async def known(self) -> int:
        """How many messages the chain that answers now was counted from, having made it answer."""
        opener = ChainOpener(
            self.runtime.database, ImageCache(self.runtime.redis), ImageFiles(self.folder / "images"), 2
        )
        chain = (await opener.open(GUILD)).chain
        assert chain.answer(rng=random.Random(1), min_score=0).text
        return chain.messages


@pytest.fixture
def plan(request: pytest.FixtureRequest) -> Plan:
    plan: Plan = request.param
    return plan


@pytest.fixture
async def training(plan: Plan, tmp_path: Path, chat: Sequence[str]) -> AsyncIterator[Training]:
    """Two workers, servers of their own, a guild that knows a little, and a file to learn."""
    write_chat(tmp_path / "old.jsonl", chat, OLD_MESSAGES, seed=2)
    write_chat(tmp_path / "new.jsonl", chat, plan.messages)
    (tmp_path / "new.jsonl.gz").write_bytes(gzip.compress((tmp_path / "new.jsonl").read_bytes(), 1))
    async with serving_files(tmp_path) as files, own_servers() as servers:
        await migrate(servers.database_url)
        environment = process_environment(
            tmp_path,
            DATABASE_URL=servers.database_url,
            REDIS_URL=servers.redis_url,
            TOKEN=DEMO_TOKEN,
            REST_URL=f"{files}/api/v10",
            BATCH_SIZE=str(plan.batch_size),
            WORKER_POOL_SIZE="1",
        )
        fleet = Fleet(tmp_path, environment)
        redis = await connect_redis(servers.redis_url)
        async with await Database.open(servers.database_url, size=2) as database:
            urls = ServiceUrls(servers.database_url, servers.redis_url)
            runtime = Runtime(Settings(), "test", urls, database, redis)
            made = Training(plan, servers, fleet, runtime, files, tmp_path)
            try:
                await fleet.start(*WORKERS)
                async with made.supervised():
                    assert (await made.finished(await made.request("old.jsonl", clean=True))).state == "done"
                    yield made
            finally:
                await fleet.stop()
                await redis.aclose()


def faults(plan: Plan, rng: random.Random) -> list[tuple[int, str]]:
    """When what happens: after how many messages, each fault after another chunk."""
    kinds = ["kill"] * plan.kills + ["redis", "postgres"] * plan.restarts
    chunks = rng.sample(range(plan.messages // plan.batch_size), len(kinds))
    rng.shuffle(kinds)
    return sorted(zip((chunk * plan.batch_size for chunk in chunks), kinds, strict=True))


def moments(plan: Plan, rng: random.Random) -> list[tuple[Stage, int]]:
    """At what stages a job's worker is killed, and after how many messages at least."""
    chunks = sorted(rng.sample(range(1, plan.messages // plan.batch_size), plan.kills - 4))
    learning: list[tuple[Stage, int]] = [("learning", chunk * plan.batch_size) for chunk in chunks]
    publishing: list[tuple[Stage, int]] = [("publishing", plan.messages)] * 3
    return [("checking", 0), *learning, *publishing]


def plans(kills: int, seeds: int) -> list[object]:
    """The small plan with one seed for every run of the tests, the great one for long ones."""
    great = Plan(GREAT.messages, GREAT.batch_size, kills, GREAT.restarts)
    long = [pytest.mark.long, pytest.mark.timeout(1800)]
    return [
        pytest.param(SMALL, 1, marks=pytest.mark.timeout(120), id="small"),
        *(pytest.param(great, seed, marks=long, id=f"great, seed {seed}") for seed in range(1, seeds + 1)),
    ]


@pytest.mark.parametrize(("plan", "seed"), plans(50, 5), indirect=["plan"])
async def test_whatever_breaks_each_message_counts_once(plan: Plan, seed: int, training: Training) -> None:
    rng = random.Random(seed)
    job_id = await training.request("new.jsonl.gz", clean=True)
    for messages, kind in faults(plan, rng):
        while (job := await training.job(job_id)).messages < messages and job.state not in FINISHED:
            await asyncio.sleep(0.02)
        assert job.state not in FINISHED, f"over before the {kind} after {messages} messages: {job}"
        if kind == "kill":
            await training.kill(await training.holder(job_id) if rng.random() < 0.8 else rng.choice(WORKERS))
            assert await training.known() in (OLD_MESSAGES, plan.messages)
        elif kind == "redis":
            await training.servers.restart_redis_empty()
        else:
            await training.servers.restart_postgres()
    job = await training.finished(job_id)
    assert (job.state, job.messages, job.skipped) == ("done", plan.messages, 0), job
    await check(training, plan.messages)


@pytest.mark.parametrize(("plan", "seed"), plans(20, 1)[1:], indirect=["plan"])
async def test_a_clean_retrain_never_leaves_a_guild_without_a_chain(plan: Plan, seed: int, training: Training) -> None:
    """Killed anywhere, the checking and the compiling of the file included, and asked all the while."""
    rng = random.Random(seed)
    async with training.answering() as known:
        job_id = await training.request("new.jsonl.gz", clean=True)
        fence = 0
        for stage, messages in moments(plan, rng):
            while True:
                job = await training.job(job_id)
                assert job.state not in FINISHED, f"over before it was killed while {stage}"
                here = stage != "publishing" or job.payload.get("stage") == "publishing"
                if job.state == "running" and job.fence > fence and job.messages >= messages and here:
                    break
                await asyncio.sleep(0.02)
            fence = job.fence  # the next one is killed only once it has the job
            await asyncio.sleep(rng.uniform(0, 0.2) if stage != "learning" else 0)  # somewhere in the stage
            await training.kill(await training.holder(job_id))
        assert (await training.finished(job_id)).state == "done"
        assert await training.known() == plan.messages
    # Never less than the old chain, and from some moment on the new one.
    assert known == [OLD_MESSAGES] * known.count(OLD_MESSAGES) + [plan.messages] * known.count(plan.messages)
    assert len(known) > 3 * plan.kills
    await check(training, plan.messages)


async def check(training: Training, messages: int) -> None:
    """The guild holds exactly the file's messages, and the image is the one of an undisturbed run."""
    async with training.runtime.database.connection() as connection:
        row = (await current_images(connection, GUILD))["general"]
        assert await count_messages(connection, GUILD, row.generation) == messages
        data = await read_image(connection, row)
    lines = (training.folder / "new.jsonl").read_bytes().splitlines()
    entries = [json.loads(line) for line in lines]
    assert data == bytes(compile_chain([Learned(entry["message"], int(entry["id"])) for entry in entries], 2))
    status, _, error = await training.fleet.command("chain", str(GUILD), "--verify")
    assert status == 0, error
