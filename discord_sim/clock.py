"""The time the stand-in lives in: real time plus an offset that tests can move forward."""

from __future__ import annotations

import datetime
import time
from collections.abc import Callable


class Clock:
    """Wall and monotonic seconds; `advance` makes windows, expiries and signatures age without waiting."""

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = 0.0
        self._moved: list[Callable[[], None]] = []

    def on_advance(self, action: Callable[[], None]) -> None:
        """Calls `action` whenever the clock was moved."""
        self._moved.append(action)

    def wall(self) -> float:
        return self._wall() + self._offset

    def monotonic(self) -> float:
        return self._monotonic() + self._offset

    def advance(self, seconds: float) -> None:
        """Move both clocks forward. Raises ValueError for a negative number of seconds."""
        if seconds < 0:
            raise ValueError(f"a clock only moves forward, not by {seconds}")
        self._offset += seconds
        for action in self._moved:
            action()

    def iso(self) -> str:
        return iso_of(self.wall())


def iso_of(seconds: float) -> str:
    """Discord's timestamp text of Unix `seconds`: ISO 8601 in UTC with microseconds."""
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="microseconds")
