"""Learning what was stored since an image, while others use the event loop."""

import asyncio
from itertools import pairwise

from markov_shard.guilds.learned import TURN_SECONDS, Learned, learn_in_turns
from markov_shard.store.messages import StoredMessage


class Chain:
    """One that takes a tenth of a millisecond of its clock to learn a message."""

    def __init__(self) -> None:
        self.now = 0.0
        self.learned: list[Learned] = []

    def learn(self, message: Learned) -> None:
        self.now += 0.0001
        self.learned.append(message)


async def test_all_is_learned_in_order_and_others_run_meanwhile() -> None:
    chain, ran = Chain(), [0.0]

    async def other() -> None:
        while True:
            ran.append(chain.now)
            await asyncio.sleep(0)

    task = asyncio.create_task(other())
    messages = [StoredMessage(number, 1, 2, f"number {number}") for number in range(1000)]
    await learn_in_turns(chain, messages, lambda: chain.now)
    task.cancel()
    ran.append(chain.now)
    assert chain.learned == [Learned(message.content, message.message_id) for message in messages]
    assert max(after - before for before, after in pairwise(ran)) < 2 * TURN_SECONDS
