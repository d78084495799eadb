"""Import jobs against a real database: each chunk once, whatever interrupts it."""

import asyncio
import json
from pathlib import Path

import pytest

from markov_shard.errors import JobError, SupersededError
from markov_shard.runtime import Runtime
from markov_shard.store.claims import claim_job
from markov_shard.store.generations import drop_generations
from markov_shard.store.guilds import read_guild
from markov_shard.store.jobs import Job, create_job, read_job
from markov_shard.store.messages import StoredMessage, bury_messages, count_messages, learn_messages
from markov_shard.store.pool import Database
from markov_shard.training.compiling import compile_guild
from markov_shard.training.files import Survey, survey
from markov_shard.training.handlers import Handlers
from markov_shard.training.importing import apply_files, begin, finish, give_up
from markov_shard.training.pool import WorkPool
from markov_shard.training.requests import cancel_job
from markov_shard.training.worker import Worker

GUILD = 81384788765712384


class KilledError(Exception):
    """Stands for the worker's death."""


@pytest.fixture
def file(tmp_path: Path) -> Survey:
    path = tmp_path / "chat.json"
    path.write_text(json.dumps([{"message": f"message number {n}", "id": str(n)} for n in range(1, 1001)]))
    return survey(path)


async def claim(database: Database, job_id: int | None = None) -> Job:
    async with database.transaction() as connection:
        job_id = job_id or await create_job(connection, GUILD, "import", payload={"clean": True})
        assert job_id is not None
        job = await claim_job(connection, GUILD, job_id, holder="test")
    assert job is not None
    return job


async def counts(database: Database) -> dict[int, int]:
    """Stored messages by generation."""
    async with database.connection() as connection:
        rows = await connection.fetch("SELECT generation, count(*) AS n FROM messages GROUP BY generation")
    return {row["generation"]: row["n"] for row in rows}


async def learn(database: Database, message_id: int, text: str) -> None:
    async with database.transaction() as connection:
        await learn_messages(connection, GUILD, [StoredMessage(message_id, 1, 2, text)])


async def test_a_killed_import_goes_on_where_it_was(database: Database, file: Survey) -> None:
    job = await begin(database, await claim(database), clean=True)
    chunks = 0

    def die_after_three(_: object) -> None:
        nonlocal chunks
        chunks += 1
        if chunks == 3:
            raise KilledError

    with pytest.raises(KilledError):
        await apply_files(database, job, [file], batch_size=100, on_chunk=die_after_three)
    again = await begin(database, await claim(database, job.job_id), clean=True)
    assert again.generation == job.generation
    positions: list[int] = []
    await apply_files(
        database, again, [file], batch_size=100, on_chunk=lambda batch: positions.append(batch.position["entries"])
    )
    assert positions == [400, 500, 600, 700, 800, 900, 1000]
    assert await counts(database) == {2: 1000}
    async with database.connection() as connection:
        assert (await read_job(connection, GUILD, job.job_id)).messages == 1000


async def test_an_earlier_claimer_can_write_nothing_more(database: Database, file: Survey) -> None:
    slow = await begin(database, await claim(database), clean=True)
    await claim(database, slow.job_id)
    with pytest.raises(SupersededError):
        await apply_files(database, slow, [file], batch_size=100)
    assert await counts(database) == {}


async def test_a_clean_import_replaces_all_at_once_and_live_messages_stay(database: Database, file: Survey) -> None:
    await learn(database, 5001, "said before the training")
    job = await begin(database, await claim(database), clean=True)
    await apply_files(database, job, [file], batch_size=300)
    await learn(database, 5002, "said during the training")
    assert await counts(database) == {1: 2, 2: 1001}
    published = await compile_guild(database, GUILD, state_size=2, generation=job.generation)
    assert (published.messages, published.generation) == (1001, 2)
    await finish(database, job)
    assert await counts(database) == {2: 1001}
    async with database.connection() as connection:
        assert (await read_guild(connection, GUILD)).training_generation is None
        assert (await read_job(connection, GUILD, job.job_id)).state == "done"


async def test_a_failed_clean_import_leaves_the_old_chain(database: Database, file: Survey) -> None:
    await learn(database, 5001, "said before the training")
    job = await begin(database, await claim(database), clean=True)
    await apply_files(database, job, [file], batch_size=300)
    await give_up(database, job, "failed", "the disk is full")
    assert await counts(database) == {1: 1}
    async with database.connection() as connection:
        guild = await read_guild(connection, GUILD)
        assert (guild.generation, guild.training_generation, guild.image_version) == (1, None, 0)
        assert (await read_job(connection, GUILD, job.job_id)).error == "the disk is full"


async def test_a_guild_has_one_training_job_and_one_waiting_compile(database: Database) -> None:
    async with database.connection() as connection:
        assert await create_job(connection, GUILD, "import")
        assert await create_job(connection, GUILD, "backfill") is None
        assert await create_job(connection, GUILD, "compile")
        assert await create_job(connection, GUILD, "compile") is None
        assert await create_job(connection, GUILD + 1, "import")


async def test_deleted_messages_are_not_imported(database: Database, file: Survey) -> None:
    async with database.connection() as connection:
        await bury_messages(connection, GUILD, [7, 8])
    job = await begin(database, await claim(database), clean=True)
    await apply_files(database, job, [file], batch_size=300)
    async with database.connection() as connection:
        assert await count_messages(connection, GUILD, 2) == 998
        assert (await read_job(connection, GUILD, job.job_id)).skipped == 2


async def test_rows_of_dead_generations_go_in_small_steps(database: Database, file: Survey) -> None:
    job = await begin(database, await claim(database), clean=True)
    await apply_files(database, job, [file], batch_size=300)
    async with database.connection() as connection:
        await connection.execute("UPDATE guilds SET training_generation = NULL")
        assert await drop_generations(connection, GUILD) == 1000
        assert await drop_generations(connection, GUILD) == 0


async def test_cancelling_answers_at_once_and_leaves_the_deleting_to_a_worker(
    runtime: Runtime, pool: WorkPool, file: Survey
) -> None:
    database = runtime.database
    await learn(database, 5001, "said before the training")
    job = await begin(database, await claim(database), clean=True)
    await apply_files(database, job, [file], batch_size=300)
    assert str(await cancel_job(runtime, job.job_id)).endswith("what was known before is kept, nothing of the job")
    assert await counts(database) == {1: 1, 2: 1000}  # millions of rows would take a minute
    worker, stop = Worker(runtime, Handlers(runtime, pool).by_kind()), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    while await counts(database) != {1: 1}:
        await asyncio.sleep(0.05)
    stop.set()
    await running


async def test_what_is_published_already_is_finished_and_not_cancelled(runtime: Runtime, file: Survey) -> None:
    database = runtime.database
    job = await begin(database, await claim(database), clean=True)
    await apply_files(database, job, [file], batch_size=300)
    await compile_guild(database, GUILD, state_size=2, generation=job.generation)
    with pytest.raises(JobError, match=f"job {job.job_id} was just finished: what it learned answers already"):
        await cancel_job(runtime, job.job_id)
    async with database.connection() as connection:
        assert (await read_job(connection, GUILD, job.job_id)).state == "done"
    with pytest.raises(SupersededError):
        await finish(database, job)
