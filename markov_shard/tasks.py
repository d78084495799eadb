"""Ending background tasks for certain."""

import asyncio
from collections.abc import Iterable
from typing import Any


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
