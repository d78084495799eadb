"""Connecting to Redis, and the one place that turns its client's errors into ours."""

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import ExponentialBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, ResponseError
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from markov_shard.errors import RedisUnavailableError

_UNAVAILABLE = (OSError, RedisConnectionError, RedisTimeoutError, BusyLoadingError, AuthenticationError)


def place_of(url: str) -> str:
    """Where a Redis URL points, without user and password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"socket {parts.path}"
    return f"{parts.hostname or 'localhost'}:{parts.port or 6379}{parts.path}"


@contextlib.contextmanager
def redis_errors(place: str) -> Iterator[None]:
    """Turns "cannot reach or use the server" into RedisUnavailableError; other errors pass as they are."""
    try:
        yield
    except _UNAVAILABLE as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise RedisUnavailableError(
            f"Redis at {place} cannot be used: {reason}; check REDIS_URL and that the server runs"
        ) from error


def server_of(redis: Redis) -> str:
    """Where a client connects to, without user and password."""
    options = redis.connection_pool.connection_kwargs
    return f"socket {options['path']}" if "path" in options else f"{options.get('host')}:{options.get('port')}"


async def connect_redis(url: str, *, name: str = "markov-shard") -> Redis:
    """A client whose server has answered; values are bytes. Raises RedisUnavailableError.

    A broken connection is tried again a few times within a second, so that a restart of the server costs an
    idempotent command a short delay; longer outages reach the caller.
    """
    place = place_of(url)
    with redis_errors(place):
        try:
            client: Redis = Redis.from_url(
                url,
                client_name=name,
                socket_timeout=5,
                socket_connect_timeout=5,
                health_check_interval=15,
                retry=Retry(ExponentialBackoff(cap=0.5, base=0.05), 3),
                retry_on_error=[RedisConnectionError],
            )
        except ValueError as error:
            raise RedisUnavailableError(f"REDIS_URL cannot be understood: {error}") from None
        try:
            await client.ping()
        except ResponseError as error:  # refused, as by protected mode
            await client.aclose()
            raise RedisConnectionError(str(error).partition(". ")[0]) from None
        except BaseException:
            await client.aclose()
            raise
    return client
