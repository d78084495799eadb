"""Ending background tasks for certain, and work that servers out of reach only put off."""

import asyncio
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeVar

from markov_shard.errors import ServiceUnavailableError

R = TypeVar("R")


async def persist(
    work: Callable[[], Awaitable[R]], *, on_trouble: Callable[[ServiceUnavailableError], None], most: float = 10.0
) -> R:
    """Does work again, after longer and longer pauses of at most `most` seconds, until no server it needs is away."""
    delay = 0.1
    while True:
        try:
            return await work()
        except ServiceUnavailableError as error:
            on_trouble(error)
        await asyncio.sleep(delay)
        delay = min(delay * 2, most)


async def end(tasks: Iterable["asyncio.Task[Any]"], *, patience: float = 1.0) -> None:
    """Cancels tasks and waits until all have ended, however they do; their outcomes are left to the caller.

    One cancellation is not enough: `asyncio.wait_for` of Python 3.11, which redis-py writes through, drops one that
    arrives just as it is done (python/cpython#86296), and a loop around it would run on for ever. A task that tidies
    up has `patience` seconds before it is cancelled again.
    """
    left = set(tasks)
    while left:
        for task in left:
            task.cancel()
        _, left = await asyncio.wait(left, timeout=patience)
