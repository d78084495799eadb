"""From the moment an event arrives to the moment its reply goes out, whatever tasks lie between the two.

The gateway notes the arrival in a context variable, which every task that handles the event inherits.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Literal

Stage = Literal["wait", "open", "choose", "url", "file"]
"""Of a reply: until its event's turn came, having the guild's chain in memory, choosing what to say, and, where it
carries an attachment, the attachment's fresh URL and its download."""


@dataclass(frozen=True)
class Replied:
    """One reply's time: `seconds` without what was left out, and the stages that were noted, in seconds too."""

    guild_id: str | None
    seconds: float
    stages: Mapping[Stage, float]


@dataclass(slots=True)
class _Arrival:
    clock: "ReplyClock"
    guild_id: str | None
    at: float
    left_out: float = 0.0
    stages: dict[Stage, float] = field(default_factory=dict)


_OWED_SECONDS = 0.1
"""An answer takes a hundredth of that; some that are owed never come, as to a command of another program."""

_arrival: ContextVar[_Arrival | None] = ContextVar("arrival", default=None)


class ReplyClock:
    """Times replies; `observe` is told each."""

    def __init__(
        self, observe: Callable[[Replied], None] = lambda replied: None, clock: Callable[[], float] = time.perf_counter
    ) -> None:
        self._observe = observe
        self.now = clock
        self.replies = 0
        self._owed_since = -_OWED_SECONDS

    def arrived(self, guild_id: str | None = None) -> None:
        """An event that may be replied to is about to be handled by tasks of the present context."""
        _arrival.set(_Arrival(self, guild_id, self.now()))

    def owe(self) -> None:
        """An event that has arrived is going to be replied to."""
        self._owed_since = self.now()

    @property
    def is_answering(self) -> bool:
        """Whether a reply may be under way: the last one became owed a moment ago."""
        return self.now() - self._owed_since < _OWED_SECONDS

    def replying(self, arrival: _Arrival) -> None:
        """The reply to an event goes out."""
        self.replies += 1
        self._observe(Replied(arrival.guild_id, self.now() - arrival.at - arrival.left_out, arrival.stages))


def replying() -> None:
    """The first request of a reply to the event in hand is handed to the REST client now; later ones do not count."""
    arrival = _arrival.get()
    if arrival is not None:
        _arrival.set(None)
        arrival.clock.replying(arrival)


def owe_reply() -> None:
    """The event in hand is going to be replied to."""
    arrival = _arrival.get()
    if arrival is not None:
        arrival.clock.owe()


def waited() -> float:
    """Seconds since the event in hand arrived; 0 where there is none, or it has been replied to."""
    arrival = _arrival.get()
    return arrival.clock.now() - arrival.at if arrival is not None else 0.0


def note(stages: Mapping[Stage, float]) -> None:
    """Notes how many seconds stages of the reply to the event in hand took."""
    arrival = _arrival.get()
    if arrival is not None:
        arrival.stages.update(stages)


@contextmanager
def left_out(
    stage: Stage, observe: Callable[[Stage, float], None], clock: Callable[[], float] = time.perf_counter
) -> Iterator[None]:
    """What the block takes is told to `observe`, and not counted as the reply's time: it is Discord that takes it."""
    arrival, started = _arrival.get(), clock()
    try:
        yield
    finally:
        seconds = clock() - started
        observe(stage, seconds)
        if arrival is not None:
            arrival.left_out += seconds
            arrival.stages[stage] = seconds
