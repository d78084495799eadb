"""Arrays with items taken out and others put in, at the speed of copying what stays."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

I64 = NDArray[np.int64]

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

    def map(self) -> NDArray[np.uint32]:
        """The new place of every old item; of a dropped one, where the next kept one went: [length + 1]."""
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
            return np.concatenate(self._runs(array, values.astype(array.dtype, copy=False)))
        result = np.empty((self.result, *array.shape[1:]), array.dtype)
        new = np.zeros(self.result, bool)
        new[self.inserted_places()] = True
        result[new] = values
        kept = np.ones(self.length, bool)
        kept[self.dropped] = False
        result[~new] = array[kept]
        return result

    def _runs(self, array: NDArray[Any], values: NDArray[Any]) -> list[NDArray[Any]]:
        spots, first = np.unique(self.inserted, return_index=True)
        last = np.append(first, len(self.inserted))[1:].tolist()
        edits = [(spot, spot, low, high) for spot, low, high in zip(spots.tolist(), first.tolist(), last, strict=True)]
        edits += [(place, place + 1, 0, 0) for place in self.dropped.tolist()]
        edits.sort()
        runs, end = [], 0
        for start, stop, low, high in edits:
            if end < start:
                runs.append(array[end:start])
            if low < high:
                runs.append(values[low:high])
            end = stop
        runs.append(array[end:])
        return runs


def ranges(starts: I64, lengths: I64) -> I64:
    """Every place of these ranges, laid end to end."""
    ends = np.cumsum(lengths)
    total = int(ends[-1]) if len(ends) else 0
    return np.asarray(np.repeat(starts - (ends - lengths), lengths) + np.arange(total), np.int64)
