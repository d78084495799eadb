"""Tasks that swallow a cancellation end all the same."""

import asyncio
import contextlib

from markov_shard.tasks import end


async def test_a_task_that_swallows_a_cancellation_is_cancelled_again() -> None:
    swallowed = asyncio.Event()

    async def stubborn() -> None:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.Event().wait()
        swallowed.set()
        await asyncio.Event().wait()

    task = asyncio.create_task(stubborn())
    await asyncio.sleep(0)
    await end([task], patience=0.01)
    assert swallowed.is_set()
    assert task.cancelled()


async def test_a_task_may_tidy_up_and_an_ended_one_is_left_alone() -> None:
    tidied = asyncio.Event()

    async def careful() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            tidied.set()

    async def failing() -> None:
        raise ValueError("its own affair")

    tasks = [asyncio.create_task(careful()), asyncio.create_task(failing())]
    await asyncio.sleep(0)
    await end(tasks)
    assert tidied.is_set()
    assert isinstance(tasks[1].exception(), ValueError)


async def test_nothing_to_end_is_fine() -> None:
    await end([])
