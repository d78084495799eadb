"""Fixtures over the real servers of tests/conftest.py."""

from collections.abc import AsyncIterator

import pytest

from markov_shard.store.pool import Database


@pytest.fixture
async def database(migrated_url: str) -> AsyncIterator[Database]:
    """A fresh, migrated database."""
    async with await Database.open(migrated_url, size=5) as opened:
        yield opened
