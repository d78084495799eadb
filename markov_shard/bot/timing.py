"""From the moment an event arrives to the moment its reply goes out, whatever tasks lie between the two.

The gateway notes the arrival in a context variable, which every task that handles the event inherits.
"""

import time
from collections.abc import Callable
from contextvars import ContextVar

_arrival: ContextVar["tuple[ReplyClock, float] | None"] = ContextVar("arrival", default=None)


class ReplyClock:
    """Times replies; `observe` is told seconds."""

    def __init__(
        self, observe: Callable[[float], None] = lambda seconds: None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._observe = observe
        self._clock = clock
        self.replies = 0

    def arrived(self) -> None:
        """An event that may be replied to is about to be handled by tasks of the present context."""
        _arrival.set((self, self._clock()))

    def _replying(self, arrived: float) -> None:
        self.replies += 1
        self._observe(self._clock() - arrived)


def replying() -> None:
    """The reply to the event in hand is handed to the REST client now; only the first of an event is timed."""
    arrival = _arrival.get()
    if arrival is not None:
        _arrival.set(None)
        clock, arrived = arrival
        clock._replying(arrived)  # noqa: SLF001 - the same thought, in the same file
