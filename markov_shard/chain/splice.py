"""Arrays with items taken out and others put in, at the speed of copying what stays."""

from collections.abc import Iterator
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]

CHUNK = 1 << 14
SPARSE = 64  # items to each edit from which copying run by run beats masks


class Splice:
    """One set of edits, to be made to any number of arrays of the same length.

    `dropped` holds the places taken out (ascending, each once), `inserted` the places before which an item is
    put in (ascending, repeats allowed: they keep their order), both as places in the old array.
    """

    def __init__(self, length: int, dropped: I64, inserted: I64) -> None:
        self.length = length
        self.dropped = dropped
        self.inserted = inserted
        self.result = length - len(dropped) + len(inserted)

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return not len(self.dropped) and not len(self.inserted)

    def places(self, old: NDArray[Any]) -> I64:
        """The new places of some kept items, given by their old ones."""
        shift = np.searchsorted(self.inserted, old, side="right") - np.searchsorted(self.dropped, old, side="left")
        return np.asarray(old.astype(np.int64) + shift, np.int64)

    def inserted_places(self) -> I64:
        """The new places of the inserted items."""
        before = np.searchsorted(self.dropped, self.inserted, side="left")
        return np.asarray(self.inserted + np.arange(len(self.inserted)) - before, np.int64)

    def map(self) -> U32 | None:
        """The new place of every old item; of a dropped one, where the next kept one went: [length + 1].

        None where nothing changes.
        """
        if self.empty:
            return None
        places = np.ones(self.length + 1, np.int32)
        places[:1] = 0
        dropped = np.zeros(self.length + 2, np.int32) if len(self.dropped) > self.length // SPARSE else None
        if dropped is not None:
            dropped[self.dropped + 1] = 1
            places -= dropped[:-1]
        else:
            places[self.dropped + 1] -= 1
        spots, times = np.unique(self.inserted, return_counts=True)
        places[spots] += times.astype(np.int32)
        return np.cumsum(places, dtype=np.uint32)

    def apply(self, array: NDArray[Any], values: NDArray[Any]) -> NDArray[Any]:
        """The array after the edits; `values` holds what is put in, one for each place in `inserted`."""
        if self.empty:
            return array
        if (len(self.dropped) + len(self.inserted)) * SPARSE < self.length:
            return np.concatenate(list(self._runs(array, values.astype(array.dtype, copy=False))))
        result = np.empty((self.result, *array.shape[1:]), array.dtype)
        new = np.zeros(self.result, bool)
        new[self.inserted_places()] = True
        result[new] = values
        kept = np.ones(self.length, bool)
        kept[self.dropped] = False
        result[~new] = array[kept]
        return result

    def _runs(self, array: NDArray[Any], values: NDArray[Any]) -> Iterator[NDArray[Any]]:
        """What stays and what is put in, piece by piece."""
        end = 0
        for start, stop, low, high in zip(*self._edits, strict=True):
            if end < start:
                yield array[end:start]
            if low < high:
                yield values[low:high]
            end = stop
        yield array[end:]

    @cached_property
    def _edits(self) -> tuple[list[int], list[int], list[int], list[int]]:
        """Where each edit begins and ends in the old array, and which values it puts in, in order.

        Columns of numbers, because a tuple an edit would set off collections of all the process's garbage.
        """
        spots, first = np.unique(self.inserted, return_index=True)
        none = np.zeros(len(self.dropped), np.int64)
        starts = np.concatenate([spots, self.dropped])
        stops = np.concatenate([spots, self.dropped + 1])
        order = np.lexsort((stops, starts))  # what is put in before a place that is taken out comes first
        low = np.concatenate([first, none])
        high = np.concatenate([np.append(first[1:], len(self.inserted)), none]) if len(spots) else none
        starts, stops, low, high = starts[order], stops[order], low[order], high[order]
        return starts.tolist(), stops.tolist(), low.tolist(), high.tolist()


def renumbered(places: U32 | None, array: U32) -> U32:
    """An array of old places with the new ones that a splice's `map` has for them; without a map it stays as it is.

    In pieces, because numpy takes by 8-byte places, and a whole array of them would be written and read again.
    """
    if places is None:
        return array
    result = np.empty_like(array)
    for start in range(0, len(array), CHUNK):
        result[start : start + CHUNK] = places.take(array[start : start + CHUNK])
    return result


def ranges(starts: I64, lengths: I64) -> I64:
    """Every place of these ranges, laid end to end."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.repeat(starts - (ends - lengths), lengths) + np.arange(total), np.int64)
