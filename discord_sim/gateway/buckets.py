"""Discord's limits on a gateway client: sends a minute, IDENTIFYs in 5 s and IDENTIFYs a day."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

_ARRIVAL_JITTER = 0.05


class SendLimit:
    """At most `limit` sends in any `window` seconds on one connection."""

    def __init__(self, clock: Callable[[], float], limit: int = 120, window: float = 60.0) -> None:
        self._clock = clock
        self._limit = limit
        self._window = window
        self._sent: deque[float] = deque()

    def allow(self) -> bool:
        now = self._clock()
        while self._sent and self._sent[0] <= now - self._window:
            self._sent.popleft()
        self._sent.append(now)
        return len(self._sent) <= self._limit


class IdentifyBuckets:
    """One IDENTIFY for each `shard_id % max_concurrency` in 5 s, whichever process it comes from.

    A client that waits exactly 5 s is let through although its packet may arrive a few milliseconds early.
    """

    def __init__(self, clock: Callable[[], float], max_concurrency: int = 16, window: float = 5.0) -> None:
        self._clock = clock
        self.max_concurrency = max_concurrency
        self._window = window
        self._last: dict[tuple[int, int], float] = {}

    def take(self, application_id: int, shard_id: int) -> bool:
        key = (application_id, shard_id % self.max_concurrency)
        now = self._clock()
        last = self._last.get(key)
        if last is not None and now - last < self._window - _ARRIVAL_JITTER:
            return False
        self._last[key] = now
        return True


class SessionBudget:
    """The IDENTIFYs an application has left today; the day begins with the first one."""

    def __init__(self, clock: Callable[[], float], total: int = 1000, period: float = 86_400.0) -> None:
        self._clock = clock
        self.total = total
        self._period = period
        self._used = 0
        self._began: float | None = None

    def leave(self, remaining: int) -> None:
        """Let only `remaining` be left for what is left of the day."""
        self._roll()
        if self._began is None:
            self._began = self._clock()
        self._used = self.total - remaining

    def take(self) -> bool:
        """Use one up. False when none is left: Discord then ends every session and resets the token."""
        self._roll()
        if self._began is None:
            self._began = self._clock()
        if self._used >= self.total:
            return False
        self._used += 1
        return True

    @property
    def remaining(self) -> int:
        self._roll()
        return max(0, self.total - self._used)

    @property
    def reset_after_ms(self) -> int:
        self._roll()
        return 0 if self._began is None else int((self._began + self._period - self._clock()) * 1000)

    def _roll(self) -> None:
        if self._began is not None and self._clock() >= self._began + self._period:
            self._began = None
            self._used = 0
