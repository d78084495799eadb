"""One bot for the tests of a module and others with settings of their own; every request they send is checked."""

import asyncio
import contextlib
import os
import shutil
import tempfile
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import asyncpg
import pytest
import pytest_asyncio

from markov_shard.embedded import EmbeddedUrls
from markov_shard.shared.connect import connect_redis
from tests.integration.bot.harness import Bot, running_bot
from tests.integration.bot.requests import RequestChecker

_FIRST_REDIS_DATABASE = 10
"""Of the sixteen that a server has; so there may be six bots in a run."""

SPEAKERS, OWNER, RESPONSES, IGNORED = 7001, 7002, 7003, 7004
"""IDs in the settings of the strict bot: a role, a user, and channels."""

MakeBot = Callable[..., Awaitable[Bot]]


@pytest.fixture(scope="session")
def checker() -> RequestChecker:
    """Knows what Discord accepts."""
    return RequestChecker()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def make_bot(servers: EmbeddedUrls, template: str, checker: RequestChecker) -> AsyncIterator[MakeBot]:
    """Makes bots, each with settings, a stand-in and a database of its own; the same settings give the same bot.

    In the end everything that they sent has been checked, what came after their last test included.
    """
    assert servers.database is not None
    assert servers.redis is not None
    folder = Path(tempfile.mkdtemp(prefix="markov-bot-"))
    made: dict[str, Bot] = {}
    async with contextlib.AsyncExitStack() as stack:

        async def make(**settings: Any) -> Bot:
            key = repr(sorted(settings.items()))
            if key not in made:
                name = f"markov_test_{uuid.uuid4().hex[:12]}"
                await _execute(servers.database, f"CREATE DATABASE {name} TEMPLATE {template}")
                if "DATABASE_URL" in os.environ:  # else the server goes with all it has, and faster
                    stack.push_async_callback(_execute, servers.database, f"DROP DATABASE {name} WITH (FORCE)")
                url = urlunsplit(urlsplit(servers.database)._replace(path=f"/{name}"))
                made[key] = await stack.enter_async_context(
                    running_bot(url, await _redis(servers.redis, len(made)), folder / name, **settings)
                )
            return made[key]

        yield make
        for bot in made.values():
            checker.check(bot.sim.journal)
    await asyncio.to_thread(shutil.rmtree, folder)


async def _execute(url: str, statement: str) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.execute(statement)
    finally:
        await connection.close()


async def _redis(url: str, number: int) -> str:
    """A Redis database of the bot's own, emptied: bots must not find each other's sessions."""
    parts = urlsplit(url)
    database = _FIRST_REDIS_DATABASE + number
    unix = parts.scheme == "unix"
    own = urlunsplit(parts._replace(query=f"db={database}") if unix else parts._replace(path=f"/{database}"))
    client = await connect_redis(own, name="tests")
    await client.flushdb()
    await client.aclose()
    return own


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def bot(make_bot: MakeBot) -> Bot:
    """The bot with ordinary settings."""
    return await make_bot()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def strict_bot(make_bot: MakeBot) -> Bot:
    """A bot whose operator has settled who may do what, where, and with which words."""
    return await make_bot(
        slash_command_name="chatter",
        message_command_prefix="?say",
        user_role_ids=frozenset({SPEAKERS}),
        owner_ids=frozenset({OWNER}),
        response_channel_ids=frozenset({RESPONSES}),
        ignored_channel_ids=frozenset({IGNORED}),
        blocked_words=("cat", "the log"),
    )


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def limited_bot(make_bot: MakeBot) -> Bot:
    """A bot that answers slowly, keeps little, and likes pictures."""
    return await make_bot(
        member_cooldown_seconds=600, max_messages_per_guild=5, retention_days=30, attachment_chance=100
    )


@pytest.fixture(autouse=True)
def every_request_is_valid(request: pytest.FixtureRequest, checker: RequestChecker) -> Iterator[None]:
    """After each test: what the bot sent since the one before is what Discord's documents allow."""
    yield
    for value in request.node.funcargs.values():
        if isinstance(value, Bot):
            checker.check(value.sim.journal)
