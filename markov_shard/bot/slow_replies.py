"""The log of slow replies: which took long, and where the time went."""

import time
from collections.abc import Callable

from markov_shard.bot.timing import Replied
from markov_shard.logs import get_logger

_log = get_logger(__name__)

_LINE_SECONDS = 1.0
"""At most one line in so many seconds: where everything is slow, the log must not be what is slowest."""


class SlowReplies:
    """Writes a line for a slow reply in a guild that is monitored."""

    def __init__(
        self,
        slow_seconds: float,
        is_monitored: Callable[[int], bool],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`slow_seconds`: from when on a reply is slow; 0: none is."""
        self._slow_seconds = slow_seconds or float("inf")
        self._is_monitored = is_monitored
        self._clock = clock
        self._next_line = 0.0
        self._unsaid = 0

    def consider(self, replied: Replied) -> None:
        """Looks at a reply that is going out."""
        if replied.seconds < self._slow_seconds or replied.guild_id is None:
            return
        if not self._is_monitored(int(replied.guild_id)):
            return
        if self._clock() < self._next_line:
            self._unsaid += 1
            return
        self._next_line = self._clock() + _LINE_SECONDS
        stages = {f"{stage}_ms": _ms(seconds) for stage, seconds in replied.stages.items()}
        more = {"unsaid": self._unsaid} if self._unsaid else {}
        self._unsaid = 0
        _log.warning("a reply was slow", guild=replied.guild_id, ms=_ms(replied.seconds), **stages, **more)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 1)
