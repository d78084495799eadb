"""The fleet's figures as the coordinator's metrics, out of the latest look at it.

Every coordinator has them all, so that a scrape of either will do; rules take the maximum over coordinators.
"""

import time
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from coordinator.watch import FleetWatch
from markov_shard.health.metrics import Metrics

_STATES = ("connected", "connecting", "failed", "stopped", "unowned")


def measure_fleet(metrics: Metrics, watch: FleetWatch, *, clock: Callable[[], float] = time.time) -> None:
    """Registers them. Before the first look, and of what it could not learn, there are no samples."""
    gauge, gauges, total = metrics.gauge, metrics.gauges, metrics.total

    def of(read: Callable[[dict[str, Any]], float]) -> Callable[[], float]:
        return lambda: read(watch.seen) if watch.seen else float("nan")

    def each(read: Callable[[dict[str, Any]], Mapping[str, float]]) -> Callable[[], Mapping[str, float]]:
        return lambda: read(watch.seen) if watch.seen else {}

    gauge("markov_fleet_seen_seconds", "Age of what this coordinator knows of the fleet", lambda: _age(watch, clock()))
    gauges("markov_fleet_processes", "Processes alive", "role", each(_roles))
    gauge("markov_fleet_processes_draining", "Processes that are leaving", of(_draining))
    gauges("markov_fleet_shards", "Shards of the bot, by state", "state", each(_shards))
    gauge("markov_fleet_leaders", "Coordinators that lead: one", of(lambda seen: float(seen["leader"] is not None)))
    gauge("markov_identifies_left", "IDENTIFYs left of the day's budget", of(_budget("remaining")))
    gauge("markov_identifies_budget", "The day's budget of IDENTIFYs", of(_budget("total")))
    gauges("markov_queue_depth", "Jobs that wait or are being worked on", "lane", each(_lanes("depth")))
    gauges("markov_queue_oldest_seconds", "Age of the oldest of them", "lane", each(_lanes("oldest_seconds")))
    gauge("markov_dead_letters", "Jobs that were given up", of(lambda seen: seen["queue"]["dead"]))
    gauges("markov_jobs", "Jobs in the ledger", "state", each(lambda seen: seen["queue"]["jobs"] or {}))
    gauge("markov_redis_memory_bytes", "Memory Redis uses", of(lambda seen: seen["caches"]["redis"]["used"]))
    gauge("markov_redis_memory_max_bytes", "Its limit; 0: none", of(lambda seen: seen["caches"]["redis"]["limit"]))
    total("markov_redis_evicted_keys", "Keys Redis evicted", of(lambda seen: seen["caches"]["redis"]["evicted"]))
    total("markov_redis_hits", "Reads in Redis that found a key", of(lambda seen: seen["caches"]["redis"]["hits"]))
    total("markov_redis_misses", "Reads in Redis that found none", of(lambda seen: seen["caches"]["redis"]["misses"]))


def _age(watch: FleetWatch, now: float) -> float:
    return max(0.0, now - watch.seen_at) if watch.seen else float("inf")


def _roles(seen: Mapping[str, Any]) -> Mapping[str, float]:
    return {"coordinator": 0, "shard": 0, "worker": 0} | Counter(process["role"] for process in seen["processes"])


def _draining(seen: Mapping[str, Any]) -> float:
    return float(sum(process["draining"] for process in seen["processes"]))


def _shards(seen: Mapping[str, Any]) -> Mapping[str, float]:
    return dict.fromkeys(_STATES, 0.0) | Counter(shard["state"] for shard in seen["shards"])


def _budget(figure: str) -> Callable[[Mapping[str, Any]], float]:
    return lambda seen: float(seen["identifies"][figure]) if seen.get("identifies") else float("nan")


def _lanes(figure: str) -> Callable[[Mapping[str, Any]], Mapping[str, float]]:
    return lambda seen: {lane: figures[figure] for lane, figures in seen["queue"]["lanes"].items()}
