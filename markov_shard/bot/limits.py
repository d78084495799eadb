"""Cooldowns, in memory: how often a member, and a channel, may have the bot talk."""

import time
from collections import OrderedDict
from collections.abc import Callable, Hashable

_REMEMBERED = 100_000


class Cooldowns:
    """Of one process, which is all that is needed: a guild has one owner at a time."""

    def __init__(self, *, member: float = 0, channel: float = 0, clock: Callable[[], float] = time.monotonic) -> None:
        """Seconds between two answers to a member in a channel, and in a channel whoever asks; 0: none."""
        self._member = member
        self._channel = channel
        self._clock = clock
        self._until: OrderedDict[Hashable, float] = OrderedDict()

    def take(self, user_id: int, channel_id: int) -> float:
        """0, and the time runs anew, when an answer is allowed now; else the seconds that are left."""
        if not (self._member or self._channel):
            return 0.0
        now = self._clock()
        left = max(self._until.get((user_id, channel_id), now), self._until.get(channel_id, now)) - now
        if left > 0:
            return left
        if self._member:
            self._start((user_id, channel_id), now + self._member)
        if self._channel:
            self._start(channel_id, now + self._channel)
        return 0.0

    def _start(self, key: Hashable, until: float) -> None:
        self._until[key] = until
        self._until.move_to_end(key)
        while len(self._until) > _REMEMBERED:
            self._until.popitem(last=False)
