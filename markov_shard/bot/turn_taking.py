"""Which events a shard serves while the fleet is resharded and two sets of shards hear everything."""

import enum
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

from markov_shard.ownership.turns import Turns
from markov_shard.snowflakes import made_at_ms

TIMED = frozenset({"MESSAGE_CREATE", "INTERACTION_CREATE"})
"""Events that are served by one set of shards, chosen by the time in their ID."""

_UNTIMED = frozenset({"MESSAGE_UPDATE", "MESSAGE_DELETE", "MESSAGE_DELETE_BULK"})
"""Events that a muted set leaves to the other."""

_KEPT_SECONDS = 30.0
"""How long a muted shard keeps what it heard: far longer than a process may take to learn of the switch."""


class Share(enum.Enum):
    """What a shard does with an event."""

    SERVE = enum.auto()
    LEAVE = enum.auto()
    """The other set serves it."""
    KEEP = enum.auto()
    """The other set serves it as far as is known; it may turn out that this one was to."""


def share(turns: Turns, shard_count: int, name: str, payload: Any, now_ms: int) -> Share:
    """What a shard of a set of `shard_count` does with an event at `now_ms`, milliseconds since 1970."""
    muted = turns.upcoming == shard_count and not turns.serves(shard_count, now_ms)
    if name in TIMED and not _serves(turns, shard_count, payload):
        return Share.KEEP if muted else Share.LEAVE
    return Share.LEAVE if muted and name in _UNTIMED else Share.SERVE


def _serves(turns: Turns, shard_count: int, payload: Any) -> bool:
    return turns.serves(shard_count, made_at_ms(int(payload["id"])))


class Heard(NamedTuple):
    """An event: when it came by the monotonic clock in seconds, its sequence number, name and payload."""

    at: float
    seq: int
    name: str
    payload: Any


class Kept:
    """What a muted shard heard lately."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heard: deque[Heard] = deque()

    def add(self, seq: int, name: str, payload: Any) -> None:
        """Keeps an event for a while."""
        now = self._clock()
        self._heard.append(Heard(now, seq, name, payload))
        while self._heard[0].at < now - _KEPT_SECONDS:
            self._heard.popleft()

    def take(self, turns: Turns, shard_count: int) -> Iterator[Heard]:
        """The messages that were this set's to serve, as is known by now; nothing is kept any longer.

        Interactions are not among them: nobody waits longer than three seconds for their answer.
        """
        heard, self._heard = self._heard, deque()
        return (
            event for event in heard if event.name == "MESSAGE_CREATE" and _serves(turns, shard_count, event.payload)
        )
