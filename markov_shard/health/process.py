"""What every process tells of itself, whatever its role: verdict, event loop, log, connections to Postgres."""

import asyncio
import contextlib
import importlib.metadata
import resource
import sys
import time
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prometheus_client import Histogram

from markov_shard.health.database import DatabaseWatch
from markov_shard.health.metrics import Metrics
from markov_shard.health.tally import Tally, tally_logs
from markov_shard.health.verdict import Health
from markov_shard.store.pool import Database
from markov_shard.tasks import end

_LAG_EVERY = 0.1


class LoopLag:
    """How late the event loop runs what is due: everything else in the process waits at least as long."""

    def __init__(self, histogram: Histogram, clock: Callable[[], float] = time.perf_counter) -> None:
        self._histogram = histogram
        self._clock = clock
        self.worst = 0.0
        """Seconds, since `take_worst` was last called."""

    async def run(self) -> None:
        """Measures until cancelled."""
        while True:
            due = self._clock() + _LAG_EVERY
            await asyncio.sleep(_LAG_EVERY)
            lag = max(0.0, self._clock() - due)
            self._histogram.observe(lag)
            self.worst = max(self.worst, lag)

    def take_worst(self) -> float:
        """The worst lag since the last call."""
        worst, self.worst = self.worst, 0.0
        return worst


@dataclass
class ProcessFigures:
    """A process's figures for its heartbeat, from which the status page draws."""

    tally: Tally
    lag: LoopLag

    def details(self) -> Mapping[str, Any]:
        """`memory` in bytes, `lag` in seconds, `errors`: the latest lines at error level."""
        return {"memory": resident_bytes(), "lag": round(self.lag.take_worst(), 4), "errors": self.tally.recent}


@contextlib.asynccontextmanager
async def measured_process(metrics: Metrics, health: Health, database: Database) -> AsyncIterator[ProcessFigures]:
    """Measures the process while the block runs."""
    with tally_logs() as tally:
        lag = LoopLag(metrics.seconds("markov_event_loop_lag_seconds", "How late the event loop ran what was due"))
        _register(metrics, health, database, tally)
        watch = DatabaseWatch(database)
        health.add("postgres", watch.finding)
        tasks = [
            asyncio.create_task(lag.run(), name="loop lag"),
            asyncio.create_task(watch.run(), name="watch Postgres"),
        ]
        try:
            yield ProcessFigures(tally, lag)
        finally:
            await end(tasks)


def _register(metrics: Metrics, health: Health, database: Database, tally: Tally) -> None:
    version = importlib.metadata.version("markov-shard")
    who = {"role": health.role, "name": health.name, "version": version}
    metrics.info("markov_process", "Who this process is", who)
    metrics.gauge("markov_ready", "1 while the process wants traffic", lambda: float(health.is_ready()))
    metrics.gauge(
        "markov_health_state", "The process's own verdict: 0 ok, 1 degraded, 2 down", lambda: float(health.verdict())
    )
    metrics.gauges(
        "markov_health_part_state",
        "The same, part by part",
        "part",
        lambda: {part: float(finding.verdict) for part, finding in health.findings().items()},
    )
    metrics.totals("markov_errors", "Log lines at error level, by who wrote them", "source", lambda: tally.errors)
    metrics.totals("markov_warnings", "Log lines at warning level, by who wrote them", "source", lambda: tally.warnings)
    metrics.totals(
        "markov_rest_rate_limited", "429 answers from Discord's REST API", "scope", lambda: tally.rate_limited
    )
    metrics.gauges("markov_database_connections", "Connections to Postgres", "state", lambda: database.connections)
    metrics.gauge("markov_database_connections_max", "Connections to Postgres at most", lambda: database.size)
    metrics.gauge(
        "markov_database_waiting", "Pieces of work that wait for a connection to Postgres", lambda: database.waiting
    )
    waited = metrics.seconds("markov_database_wait_seconds", "Seconds work waited for a connection to Postgres")
    database.observe_wait = waited.observe


def resident_bytes() -> int:
    """The process's resident memory; where the system does not say, the most it ever was."""
    try:
        pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    except (OSError, ValueError, IndexError):
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return peak if sys.platform == "darwin" else peak * 1024
    return pages * resource.getpagesize()
