"""The baseline for guilds outside the engine's rollout: the reference chain, kept off the event loop.

It is Python objects through and through, so another process could not hand it over for less than it costs to
count it here; a thread yields to the loop every few milliseconds, which unpickling would not.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from markov_shard.chain import Answer, ChainError, MessageLike, ReferenceChain
from markov_shard.logs import get_logger

_log = get_logger(__name__)

_BYTES_A_TOKEN = 350  # measured on chat text: a state's tuple, its counter, the successor's ID list


class BaselineChain(ReferenceChain):
    """A reference chain that answers in a thread; what is learned meanwhile is taken in when it is done."""

    def __init__(self, state_size: int) -> None:
        super().__init__(state_size=state_size)
        self._lock = asyncio.Lock()
        self._apart = False
        self._later: deque[Callable[[], None]] = deque()
        self._learned = 0
        self._tokens = 0

    @property
    def messages(self) -> int:
        """Live messages, those to be taken in included."""
        return self._learned

    @property
    def overlay_nbytes(self) -> int:
        """An estimate of the memory it takes, in bytes."""
        return self._tokens * _BYTES_A_TOKEN

    def learn(self, message: MessageLike) -> None:
        """As the reference chain does; later, while a thread reads."""
        self._now_or_later(partial(super().learn, message), message, 1)

    def unlearn(self, message: MessageLike) -> None:
        """As the reference chain does; later, while a thread reads."""
        self._now_or_later(partial(super().unlearn, message), message, -1)

    def _now_or_later(self, change: Callable[[], None], message: MessageLike, sign: int) -> None:
        if self._apart:
            self._later.append(change)
        else:
            change()
        self._count(message, sign)

    def _count(self, message: MessageLike, sign: int) -> None:
        tokens = len((message if isinstance(message, str) else message.text).split())
        self._tokens += sign * tokens
        self._learned += sign * (tokens > 0)

    async def learn_apart(self, messages: Sequence[MessageLike]) -> None:
        """Learns many messages in a thread."""

        def learn() -> None:
            for message in messages:
                ReferenceChain.learn(self, message)
                self._count(message, 1)

        await self._in_thread(learn)

    async def answer_apart(self, **how: Any) -> Answer:
        """`answer` in a thread: it walks counters, and looks through all states for a seed."""
        answer: Answer = await self._in_thread(partial(self.answer, **how))
        return answer

    async def _in_thread(self, work: Callable[[], Any]) -> Any:
        async with self._lock:
            self._apart = True
            thread = asyncio.ensure_future(asyncio.to_thread(work))
            try:
                return await asyncio.shield(thread)
            finally:
                if not thread.done():  # cancelled: the thread still reads
                    await asyncio.wait([thread])
                self._apart = False
                while self._later:
                    try:
                        self._later.popleft()()
                    except ChainError as error:
                        _log.warning("a change to a baseline chain came to nothing", reason=str(error))
