"""A worker's figures of its trainings."""

from markov_shard.store.claims import claim_job
from markov_shard.store.jobs import create_job
from markov_shard.store.ledger import Chunk, record_chunk
from markov_shard.store.pool import Database
from markov_shard.training.figures import TrainingFigures
from tests.integration.training.jobs import GUILD


async def test_messages_are_counted_once_and_time_left_while_it_lasts(database: Database) -> None:
    async with database.transaction() as connection:
        job_id = await create_job(connection, GUILD, "import")
        assert job_id is not None
        job = await claim_job(connection, GUILD, job_id)
    assert job is not None
    figures = TrainingFigures(database)
    await figures.look([job])
    assert (figures.messages["import"], figures.seconds_left["import"]) == (0, 0.0)
    for number in range(4):
        async with database.transaction() as connection:
            # As if each took fifteen seconds: of chunks that took none, nothing is left, and the estimate says so.
            await connection.execute("UPDATE job_chunks SET committed_at = committed_at - interval '15 seconds'")
            await record_chunk(connection, job, Chunk(number, 90, 10, {"fraction": 0.2 * (number + 1)}))
        await figures.look([job])
        await figures.look([job])
    assert figures.messages["import"] == 400
    assert 0 < figures.seconds_left["import"] < 60
    assert figures.seconds_left["backfill"] == 0
    async with database.transaction() as connection:
        await record_chunk(connection, job, Chunk(4, 50, 0, {"fraction": 1.0}))
    await figures.ended(job)
    assert figures.messages["import"] == 450
    assert figures.seconds_left["import"] == 0
    async with database.transaction() as connection:
        again = await claim_job(connection, GUILD, job_id)
    assert again is not None
    await figures.look([again])  # delivered again: what was counted before is not counted twice
    assert figures.messages["import"] == 450
