"""Bots as processes of their own, each on the one core that is measured; everything else runs on the others."""

import asyncio
import contextlib
import gc
import os
import signal
import sys
import tempfile
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from markov_shard.embedded import embedded_services
from markov_shard.store.migrate import migrate
from markov_shard.store.pool import Database

ROOT = Path(__file__).parents[1]


def measured_core() -> int:
    """The core for the bots; the calling process and its other children keep off it where there are several."""
    return min(os.sched_getaffinity(0))


@contextlib.contextmanager
def off_the_measured_core() -> "contextlib.AbstractContextManager[int]":  # type: ignore[misc]
    """Leaves the measured core to the bots while the block runs; gives its number."""
    before = os.sched_getaffinity(0)
    core = min(before)
    if len(before) > 1:
        os.sched_setaffinity(0, before - {core})
    try:
        yield core
    finally:
        os.sched_setaffinity(0, before)


@contextlib.contextmanager
def timing_the_measured_core() -> "contextlib.AbstractContextManager[int]":  # type: ignore[misc]
    """As `off_the_measured_core`, without garbage collection here: its pauses would be taken for the bots'."""
    gc.disable()
    try:
        with off_the_measured_core() as core:
            yield core
    finally:
        gc.enable()


@contextlib.contextmanager
def at_ordinary_priority() -> "contextlib.AbstractContextManager[None]":  # type: ignore[misc]
    """What is started within the block gets no real-time priority, which a benchmark may have on a busy machine.

    Else a server that shares the stand-in's core would hold it up, at the same priority, for as long as it liked.
    """
    policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
    _be_ordinary()
    try:
        yield
    finally:
        if policy != os.SCHED_OTHER:
            os.sched_setscheduler(0, policy, parameters)


def _be_ordinary() -> None:
    if os.sched_getscheduler(0) != os.SCHED_OTHER:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))


@dataclass(frozen=True)
class Bot:
    """A running bot."""

    process: asyncio.subprocess.Process
    log: Path

    def memory(self) -> int:
        """Resident bytes."""
        return self._pages()[1]

    def own_memory(self) -> int:
        """Resident bytes that are of no file."""
        _, resident, shared, *_ = self._pages()
        return resident - shared

    def _pages(self) -> list[int]:
        fields = Path(f"/proc/{self.process.pid}/statm").read_text().split()
        return [int(pages) * os.sysconf("SC_PAGE_SIZE") for pages in fields]

    def cpu_seconds(self) -> float:
        """User and system time so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    async def ask(self) -> str:
        """Writes a line to its standard input; returns the line it answers."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.write(b"count\n")
        return (await self.process.stdout.readline()).decode().strip()


@contextlib.asynccontextmanager
async def running(
    arguments: list[str], log: Path, *, environment: Mapping[str, str] | None = None, core: int | None = None
) -> AsyncIterator[Bot]:
    """A Python module as a process, on one core if told so; ended with the block."""
    command = [sys.executable, *arguments]
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=ROOT,
            env={**os.environ, **(environment or {})},
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=output,
            preexec_fn=(lambda: os.sched_setaffinity(0, {core})) if core is not None else _be_ordinary,
        )
    try:
        yield Bot(process, log)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.communicate(), 20)
            except TimeoutError:
                process.kill()
                await process.wait()


@dataclass(frozen=True)
class Services:
    """Embedded servers with a migrated database, and a folder for everything else."""

    folder: Path
    database_url: str
    redis_url: str
    database: Database


@contextlib.asynccontextmanager
async def services() -> AsyncIterator[Services]:
    """Real servers of the benchmark's own, gone with the block."""
    with tempfile.TemporaryDirectory(prefix="markov-bench-") as name:
        folder = Path(name)
        folder.chmod(0o755)  # as root, Postgres runs as another user
        async with contextlib.AsyncExitStack() as stack:
            with at_ordinary_priority():
                urls = await stack.enter_async_context(embedded_services(folder / "data"))
            assert urls.database is not None
            assert urls.redis is not None
            await migrate(urls.database)
            async with await Database.open(urls.database, size=4) as database:
                yield Services(folder, urls.database, urls.redis, database)


@contextlib.asynccontextmanager
async def our_bot(
    around: Services, rest_url: str, token: str, core: int, settings: Mapping[str, str] | None = None
) -> AsyncIterator[Bot]:
    """A coordinator, and a shard process that owns every guild: the real ones, with their default settings."""
    environment = {
        "DATABASE_URL": around.database_url,
        "REDIS_URL": around.redis_url,
        "DATA_DIR": str(around.folder / "data"),
        "CONFIG_DIR": str(around.folder),
        "TOKEN": token,
        "REST_URL": rest_url,
        "SHARD_COUNT": "1",
        "LOG_FORMAT": "json",
        "HTTP_PORT": "0",
        **(settings or {}),
    }
    role = ["-m", "markov_shard"]
    async with (
        running([*role, "coordinator"], around.folder / "coordinator.log", environment=environment),
        running([*role, "shard"], around.folder / "shard.log", environment=environment, core=core) as bot,
    ):
        yield bot
