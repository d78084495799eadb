"""Short words numbered in arrays: a hash table of words as integers, looked up for a whole batch at once.

Open addressing with linear probing. Where a word starts looking is multiply-shift hashing (Dietzfelbinger et al.,
"A Reliable Randomized Algorithm for the Closest-Pair Problem", 1997) by factors that nobody who writes messages
knows, so that no one can make words that collide.
"""

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.hashing import MASK64, U32, U64

I64 = NDArray[np.int64]

LOAD = 4  # places a word, at least


class ShortWords:
    """Numbers of words that fill `cells` 64-bit integers; the first of them is never 0, which marks a free place."""

    def __init__(self, cells: int, salt: int) -> None:
        """`salt` selects the hash function; what comes out is the same with any."""
        factors = [(salt >> 64 * cell | 1) & MASK64 for cell in range(cells)]
        self._factors = np.array(factors, np.uint64)
        self._used = 0
        self._allot(12)

    def _allot(self, bits: int) -> None:
        self._bits = bits
        self._keys = np.zeros((len(self._factors), 1 << bits), np.uint64)
        self._numbers = np.zeros(1 << bits, np.uint32)

    def find(self, keys: U64) -> tuple[U32, I64]:
        """Each word's number, undefined for those that are not there, and which those are; `keys` is [cells, n].

        A key of 0 has the number 0.
        """
        places = self._first_places(keys)
        numbers = self._numbers[places]
        absent = [np.empty(0, np.int64)]
        open_ = np.flatnonzero(self._differs(places, keys))
        places = places[open_]
        while len(open_):
            differs = self._differs(places, keys[:, open_])
            numbers[open_[~differs]] = self._numbers[places[~differs]]
            free = differs & (self._keys[0][places] == 0)
            absent.append(open_[free])
            open_, places = open_[differs & ~free], self._next_places(places[differs & ~free])
        return numbers, np.concatenate(absent)

    def put(self, keys: U64, numbers: U32) -> None:
        """Take in words that are not there yet, each once."""
        self._used += len(numbers)
        if self._used * LOAD > len(self._numbers):
            taken = np.flatnonzero(self._keys[0])
            kept_keys, kept_numbers = self._keys[:, taken], self._numbers[taken]
            self._allot((self._used * LOAD * 2).bit_length())
            self._place(kept_keys, kept_numbers)
        self._place(keys, numbers)

    def _place(self, keys: U64, numbers: U32) -> None:
        places = self._first_places(keys)
        while len(numbers):
            free = np.flatnonzero(self._keys[0][places] == 0)
            self._numbers[places[free]] = numbers[free]
            won = free[self._numbers[places[free]] == numbers[free]]  # of several at one place, one
            self._keys[:, places[won]] = keys[:, won]
            left = np.ones(len(numbers), bool)
            left[won] = False
            keys, numbers, places = keys[:, left], numbers[left], self._next_places(places[left])

    def _first_places(self, keys: U64) -> I64:
        mixed: U64 = keys[0] * self._factors[0]
        for key, factor in zip(keys[1:], self._factors[1:], strict=True):
            mixed += key * factor
        mixed >>= np.uint64(64 - self._bits)
        return mixed.astype(np.int64)

    def _next_places(self, places: I64) -> I64:
        return (places + 1) & (len(self._numbers) - 1)

    def _differs(self, places: I64, keys: U64) -> NDArray[np.bool_]:
        differs: NDArray[np.bool_] = self._keys[0][places] != keys[0]
        for mine, key in zip(self._keys[1:], keys[1:], strict=True):
            differs |= mine[places] != key
        return differs
