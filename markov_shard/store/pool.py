"""Connections to Postgres: one pool a process, and the one place that turns a driver's errors into ours."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any, Literal, TypeAlias
from urllib.parse import urlsplit

import asyncpg

from markov_shard.errors import DatabaseUnavailableError

Connection: TypeAlias = Any
"""An asyncpg connection, from the pool or not (the driver ships no types for the two together)."""

_UNAVAILABLE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.CannotConnectNowError,
    asyncpg.TooManyConnectionsError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.InterfaceError,
    asyncpg.InternalClientError,  # a connection that the server ended just now: its last word is read, its loss not yet
    asyncpg.InvalidAuthorizationSpecificationError,
    asyncpg.InvalidCatalogNameError,
)


@contextlib.contextmanager
def database_errors(place: str) -> Iterator[None]:
    """Turns "cannot reach or use the server" into DatabaseUnavailableError; other errors pass as they are."""
    try:
        yield
    except _UNAVAILABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise DatabaseUnavailableError(
            f"Postgres at {place} cannot be used: {reason}; check DATABASE_URL and that the server runs"
        ) from error


def place_of(url: str) -> str:
    """Where a connection URL points, without user and password."""
    parts = urlsplit(url)
    host = parts.hostname or (parts.query and f"socket {parts.query.removeprefix('host=')}") or "the local socket"
    return f"{host}{f':{parts.port}' if parts.port else ''}{parts.path}"


class Database:
    """A pool of connections; `async with await Database.open(url) as database`."""

    def __init__(self, pool: Any, url: str) -> None:
        self._pool = pool
        self.url = url
        """With user and password: for processes that connect for themselves, never for a log."""
        self.place = place_of(url)
        self.waiting = 0
        """Pieces of work that wait for a connection."""
        self.observe_wait: Callable[[float], None] = lambda seconds: None
        """Told how many seconds each piece of work waited."""

    @classmethod
    async def open(cls, url: str, *, size: int = 10, name: str = "markov-shard", idle_seconds: int = 0) -> "Database":
        """Connects at once, so that a wrong URL stops the start. Raises DatabaseUnavailableError.

        `idle_seconds`: after which the server ends a transaction that asks for nothing, 0 never.
        """
        place = place_of(url)
        with database_errors(place):
            pool = await asyncpg.create_pool(
                url,
                min_size=1,
                max_size=size,
                timeout=10,
                command_timeout=120,
                server_settings={
                    "application_name": name[:63],
                    "timezone": "UTC",
                    "idle_in_transaction_session_timeout": str(idle_seconds * 1000),
                },
            )
        return cls(pool, url)

    async def close(self) -> None:
        """Waits for the connections in use, at most 10 s, then closes them all."""
        try:
            async with asyncio.timeout(10):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    async def __aenter__(self) -> "Database":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    @contextlib.asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """A connection for single statements."""
        with database_errors(self.place):
            started = time.perf_counter()
            self.waiting += 1
            try:
                connection = await self._pool.acquire()
            finally:
                self.waiting -= 1
            try:
                self.observe_wait(time.perf_counter() - started)
                yield connection
            finally:
                await self._pool.release(connection)

    @contextlib.asynccontextmanager
    async def transaction(
        self,
        *,
        isolation: Literal["read_committed", "repeatable_read"] = "read_committed",
        readonly: bool = False,
    ) -> AsyncIterator[Connection]:
        """A connection in a transaction, committed when the block ends without an error."""
        async with (
            self.connection() as connection,
            connection.transaction(isolation=isolation, readonly=readonly),
        ):
            yield connection

    @property
    def size(self) -> int:
        """Connections at most."""
        return int(self._pool.get_max_size())

    @property
    def connections(self) -> dict[str, int]:
        """Open connections, `used` and `idle`."""
        idle = self._pool.get_idle_size()
        return {"idle": idle, "used": self._pool.get_size() - idle}

    async def ping(self) -> None:
        """Raises DatabaseUnavailableError when the server does not answer."""
        async with self.connection() as connection:
            await connection.fetchval("SELECT 1", timeout=5)
