"""A burst of gateway events shares the event loop."""

import asyncio
from itertools import pairwise

from markov_shard.bot.turns import ANSWERING_TURN_SECONDS, TURN_SECONDS, Turns


class Burst:
    """A socket on which everything has arrived; handling a message takes a tenth of a millisecond of its clock."""

    def __init__(self) -> None:
        self.now = 0.0

    async def receive(self, timeout: float | None = None) -> float:
        self.now += 0.0001
        return self.now

    def clock(self) -> float:
        return self.now


async def longest_wait_of_others(burst: Burst, turns: Turns) -> float:
    """The longest time for which another task did not run while 5,000 messages were taken."""
    ran = [0.0]

    async def other() -> None:
        while True:
            await asyncio.sleep(0)
            ran.append(burst.now)

    task = asyncio.create_task(other())
    for _ in range(5000):
        await turns()
    task.cancel()
    ran.append(burst.now)
    return max(after - before for before, after in pairwise(ran))


async def test_others_run_during_a_burst() -> None:
    burst = Burst()
    wait = await longest_wait_of_others(burst, Turns(burst.receive, clock=burst.clock))
    assert burst.now > 50 * TURN_SECONDS
    assert TURN_SECONDS <= wait < 3 * TURN_SECONDS


async def test_others_run_sooner_while_a_member_waits_for_an_answer() -> None:
    burst = Burst()
    wait = await longest_wait_of_others(burst, Turns(burst.receive, lambda: True, burst.clock))
    assert wait < 3 * ANSWERING_TURN_SECONDS < TURN_SECONDS


async def test_messages_that_come_one_by_one_are_not_delayed() -> None:
    """Their reader gives the others their turn by waiting: `receive` itself never does."""
    burst = Burst()
    turns = Turns(burst.receive, clock=burst.clock)
    for _ in range(3):
        await asyncio.sleep(0)
        burst.now += 1
        waiting = turns()
        try:
            waiting.send(None)
        except StopIteration:
            continue
        raise AssertionError("it gave up its turn")


async def test_the_timeout_is_passed_on() -> None:
    given: list[float | None] = []

    async def receive(timeout: float | None = None) -> None:
        given.append(timeout)

    turns = Turns(receive)
    await turns(1.5)
    await turns()
    assert given == [1.5, None]
