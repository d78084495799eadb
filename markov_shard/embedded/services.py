"""Who uses the embedded servers of a data directory: the first starts them, the last stops them."""

import asyncio
import contextlib
import fcntl
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from markov_shard.embedded.postgres import Postgres
from markov_shard.embedded.valkey import Valkey


@dataclass(frozen=True)
class EmbeddedUrls:
    """Where the servers listen; None for one that was not asked for."""

    database: str | None
    redis: str | None


@dataclass(frozen=True)
class _Use:
    """A command's part in keeping the servers up: a shared lock that the kernel drops when the command dies."""

    data_dir: Path
    urls: EmbeddedUrls
    users: IO[bytes]


@contextlib.asynccontextmanager
async def embedded_services(
    data_dir: Path, *, postgres: bool = True, redis: bool = True
) -> AsyncIterator[EmbeddedUrls]:
    """The servers of a data directory, running while the block runs.

    Raises ServiceUnavailableError, naming the server's log, when one cannot be started.
    """
    use = await asyncio.to_thread(start_services, data_dir, postgres=postgres, redis=redis)
    try:
        yield use.urls
    finally:
        await asyncio.shield(asyncio.to_thread(stop_services, use))


def start_services(data_dir: Path, *, postgres: bool = True, redis: bool = True) -> _Use:
    """Starts what does not run yet; `stop_services` must follow."""
    data_dir = data_dir.absolute()
    data_dir.mkdir(parents=True, exist_ok=True)
    with _starting(data_dir):
        users = (data_dir / "users.lock").open("wb")
        try:
            fcntl.flock(users, fcntl.LOCK_SH)
            urls = EmbeddedUrls(
                Postgres(data_dir).start() if postgres else None,
                Valkey(data_dir).start() if redis else None,
            )
        except BaseException:
            _leave(data_dir, users)
            raise
    return _Use(data_dir, urls, users)


def stop_services(use: _Use) -> None:
    """Ends one use of the servers; they stop when it was the last."""
    with _starting(use.data_dir):
        _leave(use.data_dir, use.users)


@contextlib.contextmanager
def _starting(data_dir: Path) -> Iterator[None]:
    """One process at a time starts or stops servers."""
    with (data_dir / "start.lock").open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _leave(data_dir: Path, users: IO[bytes]) -> None:
    with users:
        try:
            fcntl.flock(users, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return  # somebody else uses them
        Valkey(data_dir).stop()
        Postgres(data_dir).stop()
