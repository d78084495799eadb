"""Connecting to Redis, and the one place that turns its client's errors into ours.

REDIS_URL may name one server (`redis://`, `rediss://`, `unix://`), a cluster (`redis+cluster://`) by some of its
nodes, or the primary that Sentinels know (`redis+sentinel://host,host/NAME`); `rediss+…` speaks TLS.
"""

import contextlib
from collections.abc import Iterator
from typing import Any, cast
from urllib.parse import SplitResult, parse_qs, unquote, urlsplit

from redis.asyncio import Redis, RedisCluster, Sentinel
from redis.asyncio.cluster import ClusterNode
from redis.asyncio.retry import Retry
from redis.asyncio.sentinel import SentinelConnectionPool
from redis.backoff import ExponentialBackoff
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ClusterDownError,
    ClusterError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisClusterException,
    RedisError,
    ResponseError,
)
from redis.exceptions import ConnectionError as RedisConnectionError
from redis.exceptions import TimeoutError as RedisTimeoutError

from markov_shard.errors import RedisUnavailableError

_UNAVAILABLE = (
    OSError,
    RedisConnectionError,
    RedisTimeoutError,
    BusyLoadingError,
    AuthenticationError,
    ClusterDownError,  # slots without a server, as in the middle of a failover
    ClusterError,
    RedisClusterException,
    ReadOnlyError,  # a primary that has just become a replica
    OutOfMemoryError,  # full of what may not be evicted: it can be read, but not written
)

_CLIENTS_OWN = (RuntimeError, AttributeError)
"""What the client of a cluster lets through when a server goes away under it: uvloop's word for a socket closed just
before, and its own stumbling over a connection that another task has dropped."""

ANY_REDIS_ERROR = (OSError, RedisError, RedisClusterException, RedisUnavailableError)
"""For whoever can do without Redis: whatever its client may raise, and what `redis_errors` makes of it."""

_PORT, _SENTINEL_PORT = 6379, 26379
_OPTIONS = frozenset({"db", "sentinel_username", "sentinel_password"})


def place_of(url: str) -> str:
    """Where a Redis URL points, without user and password."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return f"socket {parts.path}"
    if parts.scheme.endswith("+cluster"):
        return f"cluster of {_shown(parts, _PORT)}"
    if parts.scheme.endswith("+sentinel"):
        return f"{parts.path.strip('/')} of Sentinel {_shown(parts, _SENTINEL_PORT)}"
    return f"{parts.hostname or 'localhost'}:{parts.port or _PORT}{parts.path}"


@contextlib.contextmanager
def redis_errors(place: str) -> Iterator[None]:
    """Turns "cannot reach or use the server" into RedisUnavailableError; other errors pass as they are."""
    try:
        yield
    except (*_UNAVAILABLE, *_CLIENTS_OWN) as error:
        if isinstance(error, _CLIENTS_OWN) and not _is_from_the_client(error):
            raise
        reason = (str(error).splitlines() or [type(error).__name__])[0].rstrip(".")
        raise RedisUnavailableError(
            f"Redis at {place} cannot be used: {reason}; check REDIS_URL and that the server runs"
        ) from error


def _is_from_the_client(error: BaseException) -> bool:
    """Whether an error was raised in the client's code, or in what it calls."""
    last = error.__traceback__
    while last is not None and last.tb_next is not None:
        last = last.tb_next
    module: str = last.tb_frame.f_globals.get("__name__", "") if last is not None else ""
    return module.partition(".")[0] in ("redis", "asyncio", "uvloop")


def server_of(redis: Redis | RedisCluster) -> str:
    """Where a client connects to, without user and password."""
    if isinstance(redis, RedisCluster):
        return f"cluster of {', '.join(sorted(node.name for node in redis.get_primaries())) or 'unknown nodes'}"
    pool = redis.connection_pool
    if isinstance(pool, SentinelConnectionPool):
        return f"{pool.service_name} of Sentinel"
    options = pool.connection_kwargs
    return f"socket {options['path']}" if "path" in options else f"{options.get('host')}:{options.get('port')}"


async def connect_redis(url: str, *, name: str = "markov-shard") -> Redis:
    """A client whose server has answered; values are bytes. Raises RedisUnavailableError.

    A broken connection is tried again a few times within a second, so that a restart of the server costs an
    idempotent command a short delay; longer outages reach the caller. A cluster's client answers to the same
    methods, as long as the keys of one call lie in one slot.
    """
    try:
        place = place_of(url)
        client = _client(url, name)
    except ValueError as error:
        raise RedisUnavailableError(f"REDIS_URL cannot be understood: {error}") from None
    with redis_errors(place):
        try:
            await client.ping()
        except ResponseError as error:  # refused, as by protected mode
            await client.aclose()
            raise RedisConnectionError(str(error).partition(". ")[0]) from None
        except BaseException:
            await client.aclose()
            raise
    return client


def _client(url: str, name: str) -> Redis:
    parts = urlsplit(url)
    options: dict[str, Any] = {
        "client_name": name,
        "socket_timeout": 5,
        "socket_connect_timeout": 5,
        "health_check_interval": 15,
        "retry": Retry(ExponentialBackoff(cap=0.5, base=0.05), 3),
        "retry_on_error": [RedisConnectionError],
    }
    if parts.scheme in ("redis+cluster", "rediss+cluster"):
        _, credentials = _asked(parts)
        nodes = [ClusterNode(host, port) for host, port in _hosts(parts, _PORT)]
        options |= {"ssl": _is_tls(parts), **credentials}
        return cast("Redis", RedisCluster(startup_nodes=nodes, **options))
    if parts.scheme in ("redis+sentinel", "rediss+sentinel"):
        asked, credentials = _asked(parts)
        service = parts.path.strip("/")
        if not service:
            raise ValueError("redis+sentinel://HOST,HOST/NAME names the primary, as in /mymaster")
        sentinel_options = {key.removeprefix("sentinel_"): asked[key] for key in asked if key.startswith("sentinel_")}
        sentinel: Any = Sentinel(  # type: ignore[no-untyped-call]
            _hosts(parts, _SENTINEL_PORT),
            sentinel_kwargs={"socket_timeout": 2, "socket_connect_timeout": 2, **sentinel_options},
        )
        options |= {"db": int(asked.get("db", "0")), "ssl": _is_tls(parts), **credentials}
        primary: Redis = sentinel.master_for(service, connection_pool_class=_SentinelPool, **options)
        return primary
    client: Redis = Redis.from_url(url, **options)
    return client


class _SentinelPool(SentinelConnectionPool):
    """Closed with the client, it closes the connections to the Sentinels too, which redis-py leaves open."""

    async def disconnect(self, inuse_connections: bool = True) -> None:
        await super().disconnect(inuse_connections)
        if inuse_connections:
            for sentinel in self.sentinel_manager.sentinels:
                await sentinel.aclose()


def _is_tls(parts: SplitResult) -> bool:
    return parts.scheme.startswith("rediss")


def _hosts(parts: SplitResult, port: int) -> list[tuple[str, int]]:
    """The servers of a URL that may name several, with commas between. Raises ValueError."""
    found = []
    for named in parts.netloc.rpartition("@")[2].split(","):
        one = urlsplit(f"//{named}")
        if not one.hostname:
            raise ValueError(f"it names no host in {named!r}")
        found.append((one.hostname, one.port or port))
    return found


def _shown(parts: SplitResult, port: int) -> str:
    return ", ".join(f"{host}:{number}" for host, number in _hosts(parts, port))


def _asked(parts: SplitResult) -> tuple[dict[str, str], dict[str, str]]:
    """The options after `?`, and user and password. Raises ValueError."""
    asked = {key: values[-1] for key, values in parse_qs(parts.query).items()}
    if unknown := asked.keys() - _OPTIONS:
        raise ValueError(f"there is no option {min(unknown)!r}")
    user, _, password = parts.netloc.rpartition("@")[0].partition(":")
    named = {"username": unquote(user), "password": unquote(password)}
    return asked, {key: value for key, value in named.items() if value}


def of_each_node(answer: Any) -> list[Any]:
    """The answers to a question about servers, not keys: a cluster's client gives one for each node, by name."""
    if isinstance(answer, dict) and answer and all(isinstance(value, dict) for value in answer.values()):
        return list(answer.values())
    return [answer]
