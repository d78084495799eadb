"""Looks at the fleet once a second: the latest document, a short past of it, and what happened in between.

One look serves the status page, `status.json`, `status --watch` and the coordinator's metrics, however many ask.
"""

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import asdict, dataclass
from statistics import median
from typing import Any

from coordinator.happenings import Happening, changes
from markov_shard.errors import MarkovShardError
from markov_shard.logs import get_logger

_log = get_logger(__name__)

_POINTS = 300
_HAPPENINGS = 100
_LOOKS_A_RATE = 6
"""Heartbeats and looks both come once a second, so that a rate between two looks would jump."""
_COUNTS = ("events", "replies", "learned")


@dataclass(frozen=True)
class Point:
    """The fleet at one moment, for a sparkline. Rates are a second's, over all processes."""

    at: float
    events: float
    replies: float
    learned: float
    queue: int
    connected: int
    latency_ms: float


class FleetWatch:
    """`ask` gives the fleet's document, as `fleet_status` makes it, or raises MarkovShardError."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[dict[str, Any]]],
        *,
        tick: float = 1.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._ask = ask
        self._tick = tick
        self._clock = clock
        self._seen: dict[str, Any] | None = None
        self._counts: deque[tuple[float, Mapping[str, Mapping[str, int]]]] = deque(maxlen=_LOOKS_A_RATE)
        self._points: deque[Point] = deque(maxlen=_POINTS)
        self._happened: deque[Happening] = deque(maxlen=_HAPPENINGS)
        self._errors: dict[str, float] = {}
        self.seen_at = 0.0
        """When the document was last fetched, in seconds since the epoch."""
        self.trouble: str | None = "nobody has looked at the fleet yet"
        """Why the document is out of date; None while it is fresh."""

    @property
    def seen(self) -> dict[str, Any] | None:
        """The latest document, however old; None before the first."""
        return self._seen

    @property
    def document(self) -> dict[str, Any]:
        """The latest document with its past. Its `trouble` says why it is out of date."""
        return {
            **(self._seen or {}),
            "at": self.seen_at,
            "trouble": self.trouble,
            "history": [asdict(point) for point in self._points],
            "happened": [asdict(happening) for happening in reversed(self._happened)],
        }

    async def run(self) -> None:
        """Looks until cancelled."""
        while True:
            await self.look()
            await asyncio.sleep(self._tick)

    async def look(self) -> None:
        """Looks once."""
        try:
            fresh = await self._ask()
        except MarkovShardError as error:
            if self.trouble is None:
                self._happened.append(Happening(self._clock(), "error", f"the fleet cannot be seen: {error}"))
            self.trouble = str(error)
            return
        except Exception as error:  # noqa: BLE001 - the page must outlive one odd document
            _log.exception("the fleet's state could not be read")
            self.trouble = f"the fleet's state could not be read: {error!r}"
            return
        now = self._clock()
        self._happened.extend(changes(self._seen, fresh, now))
        self._note_errors(fresh)
        self._points.append(self._point(fresh, now))
        self._seen, self.seen_at, self.trouble = fresh, now, None

    def _note_errors(self, fresh: Mapping[str, Any]) -> None:
        """Takes over from heartbeats the errors that are newer than those known of the process."""
        known = {process["name"]: self._errors.get(process["name"], 0.0) for process in fresh["processes"]}
        for process in fresh["processes"]:
            for error in process["errors"]:
                if error["at"] > known[process["name"]]:
                    text = f"{process['name']}: {error['text']}"
                    self._happened.append(Happening(error["at"], "error", text))
            latest = max((error["at"] for error in process["errors"]), default=0.0)
            known[process["name"]] = max(known[process["name"]], latest)
        self._errors = known

    def _point(self, fresh: Mapping[str, Any], now: float) -> Point:
        counts = {process["name"]: process["counts"] for process in fresh["processes"] if process["counts"]}
        self._counts.append((now, counts))
        then, before = self._counts[0]
        rates = {
            name: sum(max(0, count[name] - before[who][name]) for who, count in counts.items() if who in before)
            / max(now - then, 1e-3)
            for name in _COUNTS
        }
        latencies = [shard["latency_ms"] for shard in fresh["shards"] if shard["latency_ms"] is not None]
        return Point(
            now,
            queue=sum(lane["depth"] for lane in fresh["queue"]["lanes"].values()),
            connected=sum(shard["state"] == "connected" for shard in fresh["shards"]),
            latency_ms=round(median(latencies), 1) if latencies else 0.0,
            **{name: round(rate, 2) for name, rate in rates.items()},
        )
