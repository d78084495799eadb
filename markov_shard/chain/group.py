"""Grouping positions by a pair of numbers: the one kernel that states and transitions are counted with."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]

PART = 1 << 23  # positions sorted at a time: bounds the temporary memory, and lets the sort key fit in 64 bits


def groups(primary: U32, secondary: U32) -> Iterator[tuple[U32 | I64, I64]]:
    """Positions in order of (primary, secondary, position), in parts that never divide a pair's positions.

    Yields (order, starts): `order` the positions of one part, `starts` where in it each new pair begins.
    Memory beyond the result is bounded by the part, unless one value of `primary` fills more than that.
    """
    if len(primary) <= PART:
        if len(primary):
            yield _sorted(primary, secondary)
        return
    for low, high in _cuts(primary):
        chosen = np.flatnonzero((primary >= low) & (primary < high)).astype(np.uint32)
        if len(chosen):
            order, starts = _sorted(primary[chosen] - np.uint32(low), secondary[chosen])
            yield chosen[order], starts


def _cuts(primary: U32) -> Iterator[tuple[int, int]]:
    """Ranges of `primary` that hold about PART positions each."""
    shift = max(0, int(primary.max()).bit_length() - 20)
    share = np.zeros(1 << 20, np.int64)
    for start in range(0, len(primary), PART):
        share += np.bincount(primary[start : start + PART] >> np.uint32(shift), minlength=1 << 20)
    filled, low = 0, 0
    for place in np.flatnonzero(share):
        if filled and filled + share[place] > PART:
            yield low << shift, int(place) << shift
            filled, low = 0, int(place)
        filled += int(share[place])
    yield low << shift, 1 << 32


def _sorted(primary: U32, secondary: U32) -> tuple[I64, I64]:
    count = len(primary)
    place_bits = count.bit_length()
    second_bits = int(secondary.max()).bit_length()
    if int(primary.max()).bit_length() + second_bits + place_bits <= 64:
        keys = _packed(primary, secondary, second_bits)
        keys <<= np.uint64(place_bits)
        keys |= np.arange(count, dtype=np.uint64)
        keys.sort()
        order = (keys & np.uint64((1 << place_bits) - 1)).astype(np.int64)
        keys >>= np.uint64(place_bits)
        return order, _starts(keys)
    keys = _packed(primary, secondary, 32)
    order = np.argsort(keys)
    starts = _starts(keys[order])
    # Equal keys come in any order from that sort; put each group's positions in order.
    ranked = np.repeat(np.arange(len(starts), dtype=np.uint64), np.diff(starts, append=count))
    ranked <<= np.uint64(place_bits)
    ranked |= order.astype(np.uint64)
    ranked.sort()
    return (ranked & np.uint64((1 << place_bits) - 1)).astype(np.int64), starts


def _packed(primary: U32, secondary: U32, bits: int) -> NDArray[np.uint64]:
    keys = primary.astype(np.uint64)
    keys <<= np.uint64(bits)
    keys |= secondary
    return keys


def _starts(keys: NDArray[np.uint64]) -> I64:
    changed = np.empty(len(keys), bool)
    changed[0] = True
    np.not_equal(keys[1:], keys[:-1], out=changed[1:])
    return np.flatnonzero(changed)
