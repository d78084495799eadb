"""The worker with real Redis, Postgres and compile processes; files come from a local server."""

import asyncio

import pytest

from markov_shard.errors import JobError
from markov_shard.runtime import Runtime
from markov_shard.shared import queue
from markov_shard.store.guilds import read_guild
from markov_shard.store.images import current_images
from markov_shard.store.jobs import Job, read_job
from markov_shard.store.messages import StoredMessage, count_messages, learn_messages
from markov_shard.training import worker as worker_module
from markov_shard.training.handlers import Handlers
from markov_shard.training.pool import WorkPool
from markov_shard.training.requests import cancel_job, request_compile, retry_job
from markov_shard.training.turns import Turn
from markov_shard.training.worker import Worker
from tests.integration.training.jobs import GUILD, finished, train


async def test_an_attached_file_becomes_messages_and_an_image(runtime: Runtime, files: str, working: Worker) -> None:
    job = await finished(runtime, await train(runtime, f"{files}/chat.json?ex=1"))
    assert (job.state, job.messages, job.skipped) == ("done", 1000, 0)
    while working.working_on:
        await asyncio.sleep(0.01)
    assert working.figures.messages == {"import": 1000, "backfill": 0}
    async with runtime.database.connection() as connection:
        assert await count_messages(connection, GUILD, 1) == 1000
        assert (await current_images(connection, GUILD))["general"].messages == 1000


async def test_the_same_file_again_counts_once(runtime: Runtime, files: str, working: Worker) -> None:
    await finished(runtime, await train(runtime, f"{files}/chat.json"))
    job = await finished(runtime, await train(runtime, f"{files}/chat.json"))
    assert (job.messages, job.skipped, job.payload["known"]) == (0, 0, "chat.json")
    job = await finished(runtime, await train(runtime, f"{files}/chat.json", force=True))
    assert (job.messages, job.skipped) == (0, 1000)
    async with runtime.database.connection() as connection:
        assert await count_messages(connection, GUILD, 1) == 1000


async def test_a_clean_training_replaces_what_was_known(runtime: Runtime, files: str, working: Worker) -> None:
    async with runtime.database.transaction() as connection:
        await learn_messages(connection, GUILD, [StoredMessage(1, 1, 1, "known before")])
    await finished(runtime, await train(runtime, f"{files}/chat.json", clean=True))
    async with runtime.database.connection() as connection:
        guild = await read_guild(connection, GUILD)
        assert (guild.generation, guild.training_generation) == (2, None)
        assert await count_messages(connection, GUILD, 1) == 0
        assert await count_messages(connection, GUILD, 2) == 1000


@pytest.mark.parametrize(
    ("name", "said"), [("bad.json", "not JSON"), ("missing.json", "status 404"), ("moved/chat.json", "status 302")]
)
async def test_a_job_that_cannot_succeed_fails_with_its_reason(
    runtime: Runtime, files: str, working: Worker, name: str, said: str
) -> None:
    async with runtime.database.transaction() as connection:
        await learn_messages(connection, GUILD, [StoredMessage(1, 1, 1, "known before")])
    job = await finished(runtime, await train(runtime, f"{files}/{name}", clean=True))
    assert job.state == "failed"
    assert job.error is not None
    assert said in job.error
    async with runtime.database.connection() as connection:
        assert (await read_guild(connection, GUILD)).training_generation is None
        assert await count_messages(connection, GUILD, 1) == 1


async def test_files_are_not_taken_from_elsewhere(runtime: Runtime, working: Worker) -> None:
    job = await finished(runtime, await train(runtime, "http://169.254.169.254/chat.json"))
    assert (job.state, job.error) == ("failed", "files are taken from Discord only, not from '169.254.169.254'")


async def test_a_second_training_is_refused_and_compiles_collapse(runtime: Runtime, files: str) -> None:
    await train(runtime, f"{files}/chat.json")
    with pytest.raises(JobError, match="teaching this server already"):
        await train(runtime, f"{files}/chat.json")
    assert await request_compile(runtime, GUILD)
    assert await request_compile(runtime, GUILD) is None


async def test_a_cancelled_job_is_not_worked_on_and_can_be_retried(
    runtime: Runtime, files: str, pool: WorkPool
) -> None:
    job_id = await train(runtime, f"{files}/chat.json")
    await cancel_job(runtime, job_id)
    with pytest.raises(JobError, match="cancelled already"):
        await cancel_job(runtime, job_id)
    await retry_job(runtime, job_id)
    worker, stop = Worker(runtime, Handlers(runtime, pool).by_kind()), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    assert (await finished(runtime, job_id)).state == "done"
    stop.set()
    await running


async def test_jobs_that_redis_lost_are_found_again(runtime: Runtime, files: str, pool: WorkPool) -> None:
    job_id = await train(runtime, f"{files}/chat.json")
    await runtime.redis.flushdb()
    worker, stop = Worker(runtime, Handlers(runtime, pool).by_kind()), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    assert (await finished(runtime, job_id)).state == "done"
    stop.set()
    await running


async def test_a_job_that_kills_every_worker_goes_to_the_dead_letters(
    runtime: Runtime, files: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(queue, "RECLAIM_MS", 1)
    tries = 0

    async def crash(job: Job, turn: Turn) -> None:
        nonlocal tries
        tries += 1
        raise RuntimeError("a bug")

    job_id = await train(runtime, f"{files}/chat.json")
    worker, stop = Worker(runtime, {"import": crash}), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    job = await finished(runtime, job_id)
    assert (job.state, tries) == ("dead", worker_module.MAX_DELIVERIES)
    while await queue.JobQueue(runtime.redis, "test").dead() != 1:
        await asyncio.sleep(0.01)
    stop.set()
    await running


async def test_a_worker_that_stops_gives_its_job_back_at_once(runtime: Runtime, files: str, pool: WorkPool) -> None:
    started = asyncio.Event()

    async def hang(job: Job, turn: Turn) -> None:
        started.set()
        await asyncio.Event().wait()

    job_id = await train(runtime, f"{files}/chat.json")
    worker, stop = Worker(runtime, {"import": hang}), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    await started.wait()
    stop.set()
    await running
    async with runtime.database.transaction() as connection:
        given_back = await read_job(connection, GUILD, job_id)
        assert (given_back.fence, given_back.deliveries) == (1, 0)  # stopping is not the job's fault
    next_worker, stop = Worker(runtime, Handlers(runtime, pool).by_kind()), asyncio.Event()
    running = asyncio.create_task(next_worker.run(stop))
    assert (await finished(runtime, job_id)).state == "done"
    stop.set()
    await running
