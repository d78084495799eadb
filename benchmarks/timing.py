"""Clocks for benchmarks: percentiles of single calls, best of several runs, and the machine's own limit."""

import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np

T = TypeVar("T")

STEPS = 300_000


def timed(call: Callable[[], T]) -> tuple[float, T]:
    """Seconds of one call, and what it returned."""
    started = time.perf_counter()
    result = call()
    return time.perf_counter() - started, result


def best(call: Callable[[], Any], rounds: int = 3) -> float:
    """Seconds of the fastest of several calls."""
    return min(timed(call)[0] for _ in range(rounds))


def each(call: Callable[[], Any], times: int) -> list[float]:
    """Seconds of each of many calls, ascending."""
    return sorted(timed(call)[0] for _ in range(times))


def percentile(ascending: Sequence[float], share: float) -> float:
    """The value that this share of the measurements does not exceed."""
    return ascending[min(len(ascending) - 1, int(len(ascending) * share))]


def random_read(nbytes: int) -> float:
    """Seconds that one read waits that depends on the one before, at random places of this much memory.

    Follows one cycle through all 4-byte cells, and takes off what the same loop costs in the nearest cache.
    """
    return max(0.0, best(lambda: _follow(_cycle(nbytes // 4)), 3) - best(lambda: _follow(_cycle(1024)), 3)) / STEPS


_cycles: dict[int, memoryview] = {}


def _cycle(cells: int) -> memoryview:
    if cells not in _cycles:
        order = np.random.default_rng(1).permutation(cells).astype(np.uint32)
        cycle = np.empty(cells, np.uint32)
        cycle[order] = np.roll(order, -1)
        _cycles[cells] = cycle.data
    return _cycles[cells]


def _follow(cycle: memoryview) -> None:
    place = 0
    for _ in range(STEPS):
        place = cycle[place]
