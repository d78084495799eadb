"""Requests that are given up while they wait hold up no others."""

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from types import SimpleNamespace
from typing import Any

import pytest
from hikari.impl.buckets import RESTBucketManager
from hikari.internal import routes

from markov_shard.rest_lines import keep_lines_moving

ROUTE = routes.POST_CHANNEL_MESSAGES.compile(channel=1)
OTHER = routes.POST_CHANNEL_MESSAGES.compile(channel=2)


@pytest.fixture
async def lines() -> AsyncIterator[Any]:
    """A client's bucket manager, its lines kept moving."""
    manager = RESTBucketManager(max_rate_limit=300.0)
    manager.start()
    client: Any = SimpleNamespace(_bucket_manager=manager)
    keep_lines_moving(client)
    yield client._bucket_manager
    await client._bucket_manager.close()


def known(lines: Any, *, remaining: int, limit: int = 5, reset_after: float = 0.2) -> None:
    """Discord has told the route's limit."""
    lines.update_rate_limits(ROUTE, None, "bucket", remaining, limit, time.time() + reset_after, reset_after)


async def request(lines: Any, done: list[int], number: int, *, seconds: float = 0.01, route: Any = ROUTE) -> None:
    async with lines.acquire_bucket(route, None):
        await asyncio.sleep(seconds)
        done.append(number)


async def given_up(lines: Any, numbers: range, which: int) -> list[int]:
    """Begins requests one after the other, gives one of them up while it waits, and tells which were made."""
    done: list[int] = []
    tasks = [asyncio.create_task(request(lines, done, number)) for number in numbers]
    for _ in range(3):
        await asyncio.sleep(0)
    tasks[which].cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await tasks[which]
    async with asyncio.timeout(10):
        await asyncio.gather(*tasks, return_exceptions=True)
    return done


async def test_a_request_that_leaves_its_routes_line(lines: Any) -> None:
    async with lines.acquire_bucket(ROUTE, None):
        known(lines, remaining=0)
    assert await given_up(lines, range(4), 0) == [1, 2, 3]
    assert await given_up(lines, range(12), 5) == [0, 1, 2, 3, 4, 6, 7, 8, 9, 10, 11]


async def test_a_request_that_leaves_the_line_of_the_global_limit(lines: Any) -> None:
    async with lines.acquire_bucket(ROUTE, None):
        known(lines, remaining=4)
    lines.throttle(0.1)
    assert await given_up(lines, range(3), 0) == [1, 2]


async def test_a_request_that_leaves_the_line_before_a_limit_is_known(lines: Any) -> None:
    assert await given_up(lines, range(4), 1) == [0, 2, 3]
    lines.throttle(0.1)
    assert await given_up(lines, range(3), 0) == [1, 2]


async def test_as_many_requests_as_are_given_up_can_be_made_afterwards(lines: Any) -> None:
    async with lines.acquire_bucket(ROUTE, None):
        known(lines, remaining=0, limit=2, reset_after=0.1)
    for _ in range(3):
        await given_up(lines, range(2), 1)
    assert await given_up(lines, range(2), 1) == [0]


async def test_an_unknown_route_waits_for_the_global_limit_too(lines: Any) -> None:
    lines.throttle(0.1)
    began = time.monotonic()
    await request(lines, [], 0, seconds=0.0, route=OTHER)
    assert time.monotonic() - began >= 0.09


async def test_without_a_line_nothing_is_started(lines: Any) -> None:
    before = asyncio.all_tasks()
    async with lines.acquire_bucket(ROUTE, None):
        assert asyncio.all_tasks() == before


async def test_closing_ends_the_waiting(lines: Any) -> None:
    done: list[int] = []
    first = asyncio.create_task(request(lines, done, 0, seconds=10.0))
    second = asyncio.create_task(request(lines, done, 1))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    await lines.close()
    first.cancel()
    async with asyncio.timeout(10):
        await asyncio.gather(first, second, return_exceptions=True)
    assert done == []
    lines.start()
