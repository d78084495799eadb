"""The real servers that tests run against: those of DATABASE_URL and REDIS_URL, else embedded ones; with
MARKOV_TEST_REDIS=cluster, three Valkeys as a cluster.

Databases made here are called `markov_test_…` and dropped again; of Redis, database 9 is emptied before each test.
"""

import asyncio
import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
from hypothesis import HealthCheck, settings
from redis.asyncio import Redis

from markov_shard.embedded import EmbeddedUrls, start_services, stop_services
from markov_shard.shared.connect import connect_redis
from markov_shard.store.migrate import migrate
from tests.redis_servers import ON_CLUSTER, Cluster

_REDIS_DATABASE = 9


def pytest_configure(config: pytest.Config) -> None:
    """The client of a cluster drops the sockets of servers that went away without closing them."""
    if ON_CLUSTER:
        config.addinivalue_line("filterwarnings", "ignore::pytest.PytestUnraisableExceptionWarning")


# By default Hypothesis fails a test whose machine is slow or busy; each test has its time limit without that.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")


@pytest.fixture(scope="session")
def servers() -> Iterator[EmbeddedUrls]:
    """Where the servers listen; embedded ones live as long as the test run."""
    database, redis = os.environ.get("DATABASE_URL"), os.environ.get("REDIS_URL")
    with _cluster() as cluster:
        yield from _servers(database, cluster or redis)


@contextlib.contextmanager
def _cluster() -> Iterator[str | None]:
    """The URL of a cluster, where tests are to run on one."""
    if not ON_CLUSTER:
        yield None
        return
    folder = Path(tempfile.mkdtemp(prefix="markov-cluster-"))
    cluster = Cluster(folder)
    try:
        asyncio.run(cluster.start())
        yield cluster.url
    finally:
        asyncio.run(cluster.stop())
        shutil.rmtree(folder)


def _servers(database: str | None, redis: str | None) -> Iterator[EmbeddedUrls]:
    if database and redis:
        yield EmbeddedUrls(database, redis)
        return
    folder = Path(tempfile.mkdtemp(prefix="markov-test-"))
    folder.chmod(0o755)  # as root, Postgres runs as another user
    use = start_services(folder, postgres=not database, redis=not redis)
    try:
        yield EmbeddedUrls(database or use.urls.database, redis or use.urls.redis)
    finally:
        stop_services(use)
        shutil.rmtree(folder)


@pytest.fixture(scope="session")
def postgres_url(servers: EmbeddedUrls) -> str:
    """A database of the server; tests make their own beside it."""
    assert servers.database is not None
    return servers.database


def _named(url: str, database: str) -> str:
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


@pytest.fixture
async def database_url(postgres_url: str) -> AsyncIterator[str]:
    """A fresh, empty database."""
    name = f"markov_test_{uuid.uuid4().hex[:12]}"
    await _execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
    yield _named(postgres_url, name)
    await _execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def template(postgres_url: str) -> Iterator[str]:
    """The name of a migrated database that others are copied from."""
    name = f"markov_test_{uuid.uuid4().hex[:12]}"

    async def make() -> None:
        await _execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE template0 ENCODING 'UTF8'")
        await migrate(_named(postgres_url, name))

    asyncio.run(make())
    yield name
    asyncio.run(_execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)"))


@pytest.fixture
async def migrated_url(postgres_url: str, template: str) -> AsyncIterator[str]:
    """A fresh, migrated database."""
    name = f"markov_test_{uuid.uuid4().hex[:12]}"
    await _execute(postgres_url, f"CREATE DATABASE {name} TEMPLATE {template}")
    yield _named(postgres_url, name)
    await _execute(postgres_url, f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def redis_url(servers: EmbeddedUrls) -> str:
    """An empty database of the Redis server."""
    assert servers.redis is not None
    parts = urlsplit(servers.redis)
    if parts.scheme.endswith("+cluster"):  # has one database
        url = servers.redis
    elif parts.scheme == "unix":
        url = urlunsplit(parts._replace(query=f"db={_REDIS_DATABASE}"))
    else:
        url = urlunsplit(parts._replace(path=f"/{_REDIS_DATABASE}"))
    client = await connect_redis(url, name="tests")
    await client.flushdb()
    await client.aclose()
    return url


@pytest.fixture
async def redis_client(redis_url: str) -> AsyncIterator[Redis]:
    """A client of that database."""
    client = await connect_redis(redis_url, name="tests")
    yield client
    await client.aclose()
