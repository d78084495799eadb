"""The network between processes and servers: delays, lost questions and answers, partitions, servers that are away."""

import asyncio
import contextvars
import random
from collections.abc import Callable
from typing import Any

from markov_shard.errors import DatabaseUnavailableError, RedisUnavailableError
from tests.simulation.loop import SimLoop

TIMEOUT = {"redis": 2.0, "postgres": 3.0}
_ERROR = {"redis": RedisUnavailableError, "postgres": DatabaseUnavailableError}


class Network:
    """Carries questions to a server and answers back."""

    def __init__(self, loop: SimLoop, rng: random.Random) -> None:
        self._loop = loop
        self._rng = rng
        self._outside = contextvars.copy_context()  # servers run in no process's context
        self.down: set[str] = set()
        """Servers that refuse every connection."""
        self.cut: set[tuple[str, str]] = set()
        """(process, server): questions of one vanish on the way to the other."""
        self.loss = 0.0
        """Share of questions, and of answers, that are lost."""
        self.slow = 0.0
        """Seconds added to ways, at most."""

    async def ask(self, process: str, server: str, question: Callable[[], Any]) -> Any:
        """Raises RedisUnavailableError or DatabaseUnavailableError; whether the question took effect is then open."""
        answer: asyncio.Future[Any] = self._loop.create_future()
        error = _ERROR[server](f"{server} does not answer {process}")
        if server in self.down:
            self._later(0.001, _fail, answer, error)
        else:
            self._later(TIMEOUT[server], _fail, answer, error)
            if (process, server) not in self.cut and not self._is_lost():
                self._later(self._delay(), self._arrive, process, server, question, answer)
        return await answer

    def _arrive(self, process: str, server: str, question: Callable[[], Any], answer: asyncio.Future[Any]) -> None:
        if server in self.down:
            return
        said = question()
        if (process, server) not in self.cut and not self._is_lost():
            self._later(self._delay(), _tell, answer, said)

    def _is_lost(self) -> bool:
        return self.loss > 0 and self._rng.random() < self.loss

    def _delay(self) -> float:
        delay = 0.0002 + 0.003 * self._rng.random()
        return delay + self.slow * self._rng.random() if self.slow else delay

    def _later(self, seconds: float, callback: Callable[..., object], *args: Any) -> None:
        self._loop.call_later(seconds, callback, *args, context=self._outside)


def _tell(answer: asyncio.Future[Any], said: Any) -> None:
    if not answer.done():
        answer.set_result(said)


def _fail(answer: asyncio.Future[Any], error: Exception) -> None:
    if not answer.done():
        answer.set_exception(error)
