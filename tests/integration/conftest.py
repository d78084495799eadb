"""Fixtures over the real servers of tests/conftest.py."""

from collections.abc import AsyncIterator

import pytest

from markov_shard.store.migrate import migrate
from markov_shard.store.pool import Database


@pytest.fixture
async def database(database_url: str) -> AsyncIterator[Database]:
    """A fresh, migrated database."""
    await migrate(database_url)
    async with await Database.open(database_url, size=5) as opened:
        yield opened
