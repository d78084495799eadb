"""What a chain learns of a stored message, and learning many of them on the event loop while others answer on it."""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from markov_shard.store.messages import StoredMessage

TURN_SECONDS = 0.0005
"""Several guilds may be opened at once, and an answer needs several turns of the loop."""


class Learned(NamedTuple):
    """A message in the shape the chain engine takes: its text, and its ID as the source."""

    text: str
    id: int


class Learns(Protocol):
    """A chain of the engine."""

    def learn(self, message: Learned) -> None:
        """Learns a message."""


def as_learned(message: StoredMessage) -> Learned:
    """The message as the chain engine takes it."""
    return Learned(message.content, message.message_id)


async def learn_in_turns(
    chain: Learns, messages: Sequence[StoredMessage], clock: Callable[[], float] = time.perf_counter
) -> None:
    """Learns into a chain that nobody uses yet; other tasks run every half millisecond."""
    since = clock()
    for message in messages:
        chain.learn(as_learned(message))
        if clock() - since >= TURN_SECONDS:
            await asyncio.sleep(0)
            since = clock()
