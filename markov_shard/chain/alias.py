"""Alias tables for all rows at once.

Vose, "A linear algorithm for generating random numbers with a given distribution" (1991), in the order of the
sweeping construction of Hübschle-Schneider and Sanders, "Parallel Weighted Random Sampling" (2022): small and
large items are paired through prefix sums, so there is no loop over rows or transitions. All in integers.
"""

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.hashing import U32

ALWAYS = 0xFFFFFFFF


def alias_tables(counts: NDArray[np.int64], sizes: NDArray[np.int64]) -> tuple[U32, U32]:
    """Alias cells for rows laid end to end.

    `counts` holds every row's counts (each at least 1), `sizes` the length of each row (at least 1). Returns,
    for each transition, the probability of staying in its column in units of 2**-32, and the place in the same
    row to go to otherwise.
    """
    starts = np.cumsum(sizes) - sizes
    weights = np.add.reduceat(counts, starts) if len(starts) else np.empty(0, np.int64)
    unit = np.repeat(weights, sizes)
    excess = counts * np.repeat(sizes, sizes) - unit
    place = np.arange(len(counts)) - np.repeat(starts, sizes)
    keep = np.full(len(counts), ALWAYS, np.uint32)
    target = place.astype(np.uint32)

    small = np.flatnonzero(excess < 0)
    large = np.flatnonzero(excess > 0)
    # In each row what the small items lack is what the large ones have over, so sums may run on across rows.
    lacking = np.cumsum(-excess[small])
    over = np.cumsum(excess[large])

    giver = large[np.searchsorted(over, lacking + excess[small], side="right")]
    target[small] = place[giver]
    keep[small] = _fraction(unit[small] + excess[small], unit[small])

    # A large item is used up by the first small one that brings what is lacking to its own sum or beyond.
    beyond = lacking[np.searchsorted(lacking, over, side="left")] - over
    used = np.flatnonzero(beyond > 0)
    spent = large[used]
    target[spent] = place[large[used + 1]]
    keep[spent] = _fraction(unit[spent] - beyond[used], unit[spent])
    return keep, target


def _fraction(part: NDArray[np.int64], whole: NDArray[np.int64]) -> U32:
    return ((part.astype(np.uint64) << np.uint64(32)) // whole.astype(np.uint64)).astype(np.uint32)
