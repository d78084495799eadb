"""The processes in which jobs compute."""

import os

from markov_shard.training.pool import WorkPool


async def test_work_gives_way_to_whatever_answers(pool: WorkPool) -> None:
    assert await pool.run(os.nice, 0) == os.nice(0) + 1
