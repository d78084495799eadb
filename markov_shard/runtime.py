"""What every role starts with: settings, logging, Postgres and Redis, embedded where no URL is set."""

import contextlib
import os
import socket
from collections.abc import AsyncIterator
from dataclasses import dataclass

from redis.asyncio import Redis

from markov_shard.settings import Settings, reveal
from markov_shard.shared.connect import connect_redis
from markov_shard.store.migrate import check_schema, migrate
from markov_shard.store.pool import Database


@dataclass(frozen=True)
class ServiceUrls:
    """Where the servers are; with embedded ones, for as long as the context that gave them is open."""

    database: str
    redis: str


@dataclass(frozen=True)
class Runtime:
    """A running process's connections. `name` identifies the process in the fleet, in logs and in Postgres."""

    settings: Settings
    name: str
    urls: ServiceUrls
    database: Database
    redis: Redis


def process_name(settings: Settings, role: str) -> str:
    """PROCESS_NAME, or one that no other process on any host has at the same time."""
    return settings.process_name or f"{role}-{socket.gethostname()}-{os.getpid()}"


@contextlib.asynccontextmanager
async def service_urls(settings: Settings, *, postgres: bool = True, redis: bool = True) -> AsyncIterator[ServiceUrls]:
    """The configured servers' URLs; embedded servers are started for those that have none."""
    database_url, redis_url = reveal(settings.database_url), reveal(settings.redis_url)
    embed_postgres, embed_redis = postgres and not database_url, redis and not redis_url
    if not (embed_postgres or embed_redis):
        yield ServiceUrls(database_url or "", redis_url or "")
        return
    from markov_shard.embedded import embedded_services  # an extra that real servers need not install

    async with embedded_services(settings.data_dir, postgres=embed_postgres, redis=embed_redis) as embedded:
        yield ServiceUrls(database_url or embedded.database or "", redis_url or embedded.redis or "")


@contextlib.asynccontextmanager
async def open_runtime(settings: Settings, role: str, *, pool_size: int = 10) -> AsyncIterator[Runtime]:
    """Connects to Postgres and Redis and checks that the schema fits.

    An embedded database is migrated on the way; a configured one is the operator's, who runs `migrate`.
    Raises DatabaseUnavailableError, RedisUnavailableError or SchemaError, one clear line each.
    """
    name = process_name(settings, role)
    async with service_urls(settings) as urls:
        if settings.database_url is None:
            await migrate(urls.database)
        # A shard process that is paused within a transaction must not hold its epochs against the next owner.
        idle = 5 if role == "shard" else 0
        async with await Database.open(urls.database, size=pool_size, name=name, idle_seconds=idle) as database:
            async with database.connection() as connection:
                await check_schema(connection, database.place)
            redis = await connect_redis(urls.redis, name=name)
            try:
                yield Runtime(settings, name, urls, database, redis)
            finally:
                await redis.aclose()
