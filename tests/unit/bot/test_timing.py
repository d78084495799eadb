"""From event to reply, across tasks."""

import asyncio

from markov_shard.bot.timing import ReplyClock, replying


async def test_a_reply_is_timed_from_its_own_event_in_whatever_task() -> None:
    now, seen = [0.0], []
    clock = ReplyClock(seen.append, lambda: now[0])
    gate = asyncio.Event()

    async def handle() -> None:
        await gate.wait()
        replying()
        replying()  # a second message of the same answer

    clock.arrived()
    first = asyncio.create_task(handle())
    now[0] = 3.0
    clock.arrived()
    second = asyncio.create_task(handle())
    now[0] = 4.0
    gate.set()
    await asyncio.gather(first, second)
    assert sorted(seen) == [1.0, 4.0]
    assert clock.replies == 2


def test_a_reply_to_nothing_is_not_timed() -> None:
    replying()
