"""A worker with real Redis, Postgres and compile processes, and a server of attachments."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from aiohttp import web

from markov_shard.runtime import Runtime, ServiceUrls
from markov_shard.settings import Settings
from markov_shard.shared.connect import connect_redis
from markov_shard.store.pool import Database
from markov_shard.training.handlers import Handlers
from markov_shard.training.pool import WorkPool
from markov_shard.training.worker import Worker
from tests.fleet.processes import Fleet
from tests.fleet.servers import process_environment, serving


@pytest.fixture(scope="session")
def pool() -> Iterator[WorkPool]:
    made = WorkPool(1, memory_mb=2048, niceness=1)
    yield made
    made.close()


@pytest.fixture
def redirects() -> dict[str, tuple[int, str]]:
    """Where the attachments under `moved/` are redirected to, by name: status and address."""
    return {"chat.json": (302, "/chat.json")}


@pytest.fixture
async def files(tmp_path: Path, redirects: dict[str, tuple[int, str]]) -> AsyncIterator[str]:
    """A server of the attachments in `tmp_path`; gives its base URL."""
    (tmp_path / "chat.json").write_text(json.dumps([f"message number {n}" for n in range(1000)]))
    (tmp_path / "bad.json").write_text("no json")

    async def redirect(request: web.Request) -> web.Response:
        status, location = redirects[request.match_info["name"]]
        return web.Response(status=status, headers={"Location": location})

    app = web.Application()
    app.router.add_get("/moved/{name}", redirect)
    app.router.add_static("/", tmp_path)
    async with serving(app) as url:
        yield url


@pytest.fixture
async def runtime(database: Database, migrated_url: str, redis_url: str, files: str) -> AsyncIterator[Runtime]:
    redis = await connect_redis(redis_url)
    settings = Settings(rest_url=f"{files}/api/v10", batch_size=100)
    yield Runtime(settings, "worker-1", ServiceUrls(migrated_url, redis_url), database, redis)
    await redis.aclose()


@pytest.fixture
async def working(runtime: Runtime, pool: WorkPool) -> AsyncIterator[Worker]:
    worker, stop = Worker(runtime, Handlers(runtime, pool).by_kind()), asyncio.Event()
    running = asyncio.create_task(worker.run(stop))
    yield worker
    stop.set()
    await running


@pytest.fixture
def command_line(tmp_path: Path, migrated_url: str, redis_url: str) -> Fleet:
    """A fleet of no process, beside which commands are run."""
    environment = process_environment(
        tmp_path, DATABASE_URL=migrated_url, REDIS_URL=redis_url, LOG_LEVEL="warn", BATCH_SIZE="100"
    )
    return Fleet(tmp_path, environment)
