"""Processes for CPU work: compiling a guild takes all of one, and gives its memory back when it ends."""

import asyncio
import multiprocessing
import os
import threading
from concurrent.futures import ProcessPoolExecutor
from functools import partial

from markov_shard.store.jobs import Job, require_claim
from markov_shard.store.pool import Database
from markov_shard.training.compiling import Published, compile_guild


def make_pool(size: int) -> ProcessPoolExecutor:
    """A pool whose processes start when needed, end after some work, and never outlive this process."""
    return ProcessPoolExecutor(
        size, mp_context=multiprocessing.get_context("spawn"), initializer=_end_with_parent, max_tasks_per_child=8
    )


def _end_with_parent() -> None:
    parent = multiprocessing.parent_process()

    def watch() -> None:
        if parent is not None:
            parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()


async def compile_in_pool(
    pool: ProcessPoolExecutor, database_url: str, job: Job, *, generation: int | None, state_size: int
) -> Published:
    """Compiles and publishes a guild's images for a claimed job. Raises SupersededError when the claim is lost."""
    work = partial(_compile, database_url, job, generation, state_size)
    return await asyncio.get_running_loop().run_in_executor(pool, work)


def _compile(database_url: str, job: Job, generation: int | None, state_size: int) -> Published:
    async def work() -> Published:
        async with await Database.open(database_url, size=2, name="compile") as database:
            return await compile_guild(
                database,
                job.guild_id,
                state_size=state_size,
                generation=generation,
                guard=lambda connection: require_claim(connection, job),
            )

    return asyncio.run(work())
