"""What was asked of the stand-in and what it sent, for tests to assert on."""

from __future__ import annotations

from collections import deque

from discord_sim.clock import Clock
from discord_sim.state import Json


class Journal:
    """The last `limit` entries, each with a `seq` that grows by one."""

    def __init__(self, clock: Clock, limit: int = 50_000) -> None:
        self._clock = clock
        self._entries: deque[Json] = deque(maxlen=limit)
        self._seq = 0
        self.recording = True

    def record(self, kind: str, **entry: object) -> None:
        if not self.recording:
            return
        self._seq += 1
        self._entries.append({"seq": self._seq, "kind": kind, "at": self._clock.wall(), **entry})

    def since(self, seq: int, kind: str | None = None) -> list[Json]:
        """Entries after `seq`, oldest first."""
        return [e for e in self._entries if e["seq"] > seq and (kind is None or e["kind"] == kind)]
