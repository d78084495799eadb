"""Grouping positions by a pair of numbers: the one kernel that states and transitions are counted with."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

PART = 1 << 22  # positions sorted at a time: bounds the temporary memory, and lets a sort key fit in 64 bits
CHUNK = 1 << 18  # positions sent to their parts at a time
BUCKETS = 1 << 16


@dataclass(slots=True)
class Groups:
    """The distinct pairs of one part, in order, and where they are."""

    primary: U32  # [P]
    secondary: U32  # [P]
    sizes: I64  # [P] positions that have the pair
    order: I64  # these positions in `chosen`, pair by pair, each pair's ascending; empty where they were not asked for
    chosen: U32 | None = None  # the part's positions, ascending; None: all of them

    def positions(self, places: I64 | slice = slice(None)) -> U32 | I64:
        """The positions at these places of `order`."""
        return self.order[places] if self.chosen is None else self.chosen[self.order[places]]

    def spread(self, values: U32, into: U32) -> None:
        """Write one value a pair to all its positions."""
        # By way of the part's own array, for its places are near each other, and then in order.
        own = np.empty(len(self.order), values.dtype)
        own[self.order] = np.repeat(values, self.sizes)
        into[self.chosen if self.chosen is not None else slice(None)] = own

    def starts(self) -> I64:
        """Where in `order` each pair's positions begin."""
        return np.asarray(np.cumsum(self.sizes) - self.sizes, np.int64)


def groups(primary: U32, secondary: U32, *, positions: bool = True) -> Iterator[Groups]:
    """All pairs in order, in parts that never divide a pair's positions.

    Memory beyond the result is 4 bytes a position and the part's, unless one value of `primary` fills more than that.
    """
    if len(primary) <= PART:
        if len(primary):
            yield _sorted(primary, secondary, positions=positions)
        return
    for low, chosen in _parts(primary, _bits(secondary)):
        part = _sorted(primary[chosen] - np.uint32(low), secondary[chosen], positions=positions)
        part.primary += np.uint32(low)
        part.chosen = chosen
        yield part


def _parts(primary: U32, second_bits: int) -> Iterator[tuple[int, U32]]:
    """Some positions at a time, ascending: those of the lowest values first. With them, a lower bound of the values.

    At most PART, and with values so close together that a sort key fits in 64 bits; more where one value fills more.
    """
    shift = np.uint32(max(0, _bits(primary) - (BUCKETS - 1).bit_length()))
    chunks = range(0, len(primary), CHUNK)
    share = np.zeros(BUCKETS, np.int64)
    for start in chunks:
        share += np.bincount(primary[start : start + CHUNK] >> shift, minlength=BUCKETS)
    part_of, lows = _cuts(share, max(1, 1 << max(0, 64 - second_bits - PART.bit_length()) >> int(shift)))
    ends = np.cumsum(np.bincount(part_of, share, len(lows)).astype(np.int64))
    placed = np.empty(len(primary), np.uint32)
    free = [0, *ends[:-1].tolist()]
    for start in chunks:
        parts = part_of[primary[start : start + CHUNK] >> shift]
        order = (np.argsort(parts, kind="stable") + start).astype(np.uint32)
        taken = 0
        for part, number in enumerate(np.bincount(parts, minlength=len(lows)).tolist()):
            placed[free[part] : free[part] + number] = order[taken : taken + number]
            free[part] += number
            taken += number
    begin = 0
    for low, end in zip(lows, ends.tolist(), strict=True):
        yield low << int(shift), placed[begin:end]
        begin = end


def _cuts(share: I64, most: int) -> tuple[NDArray[np.uint8 | np.uint16], list[int]]:
    """The part that each bucket belongs to, at most `most` to a part, and the first bucket of each part."""
    lows, filled = [0], 0
    for bucket in np.flatnonzero(share).tolist():
        held = int(share[bucket])
        if filled and (filled + held > PART or bucket - lows[-1] >= most):
            lows.append(bucket)
            filled = 0
        filled += held
    part_of = np.zeros(len(share), np.uint16)
    for part, low in enumerate(lows):
        part_of[low:] = part
    return part_of.astype(np.uint8) if len(lows) <= 256 else part_of, lows  # the fewer bytes, the faster sorted


def _sorted(primary: U32, secondary: U32, *, positions: bool) -> Groups:
    count = len(primary)
    place_bits = count.bit_length() if positions else 0
    second_bits = _bits(secondary)
    if _bits(primary) + second_bits + place_bits <= 64:
        keys = _packed(primary, secondary, second_bits)
        if not positions:
            keys.sort()
            return _of(keys, second_bits, np.empty(0, np.int64))
        keys <<= np.uint64(place_bits)
        keys |= np.arange(count, dtype=np.uint64)
        keys.sort()
        order = (keys & np.uint64((1 << place_bits) - 1)).view(np.int64)
        keys >>= np.uint64(place_bits)
        return _of(keys, second_bits, order)
    keys = _packed(primary, secondary, 32)
    order = np.argsort(keys, kind="stable")
    return _of(keys[order], 32, order)


def _bits(values: U32) -> int:
    return int(values.max()).bit_length()


def _of(keys: U64, second_bits: int, order: I64) -> Groups:
    """The groups of sorted keys."""
    changed = np.empty(len(keys), bool)
    changed[0] = True
    np.not_equal(keys[1:], keys[:-1], out=changed[1:])
    starts = np.flatnonzero(changed)
    first = keys[starts]
    secondary = (first & np.uint64((1 << second_bits) - 1)).astype(np.uint32)
    first >>= np.uint64(second_bits)
    return Groups(first.astype(np.uint32), secondary, np.diff(starts, append=len(keys)), order)


def _packed(primary: U32, secondary: U32, bits: int) -> U64:
    keys = primary.astype(np.uint64)
    keys <<= np.uint64(bits)
    keys |= secondary
    return keys
