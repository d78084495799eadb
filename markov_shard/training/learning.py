"""The parts of a job that compute, as they run in a process of their own: reading files, storing, compiling.

Plain functions of picklable arguments; each opens the connections it needs. What they write requires the claim of
the job they are given, so a process that outlives its job changes nothing.
"""

import asyncio
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import TypeVar

from markov_shard.store.claims import require_claim
from markov_shard.store.jobs import Job, note, trained_files
from markov_shard.store.pool import Database
from markov_shard.training.compiling import Published, compile_guild
from markov_shard.training.files import survey
from markov_shard.training.importing import apply_files, begin, import_settings, names

R = TypeVar("R")


def learn_file(database_url: str, job: Job, path: Path, *, batch_size: int, state_size: int) -> None:
    """Learns one file for a claimed import job, and publishes.

    Raises TrainingInputError for a file that is not what it claims to be, before anything is stored.
    """

    async def work(database: Database) -> None:
        file = survey(path, guild_id=job.guild_id)
        async with database.connection() as connection:
            known = await trained_files(connection, job.guild_id)
            if not (job.payload.get("clean") or job.payload.get("force")) and file.sha256.hex() in known:
                await note(connection, job, "known", path.name)
                return
            await note(connection, job, "files", names([file]))
            await note(connection, job, "problems", file.problems)
            await note(connection, job, "stage", "learning")
        begun = await begin(database, job, clean=bool(job.payload.get("clean")))
        await apply_files(database, begun, [file], batch_size=batch_size)
        async with database.connection() as connection:
            await note(connection, job, "stage", "publishing")
        await _compile(database, begun, state_size)
        await import_settings(database, begun, [file])

    _run(database_url, work)


def compile_for(database_url: str, job: Job, *, state_size: int) -> Published:
    """Compiles and publishes a guild's images for a claimed job. Raises SupersededError when the claim is lost."""
    return _run(database_url, lambda database: _compile(database, job, state_size))


async def _compile(database: Database, job: Job, state_size: int) -> Published:
    return await compile_guild(
        database,
        job.guild_id,
        state_size=state_size,
        generation=job.generation,
        guard=lambda connection: require_claim(connection, job),
    )


def _run(database_url: str, work: Callable[[Database], Coroutine[None, None, R]]) -> R:
    async def run() -> R:
        async with await Database.open(database_url, size=2, name="job") as database:
            return await work(database)

    return asyncio.run(run())
