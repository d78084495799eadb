"""The hashes an image is built on: of a word, of a message's tokens, and a counter-based random stream.

All three are part of the image format (docs/chain-image.md) and never depend on the machine or the process.
"""

from collections.abc import Sequence
from itertools import accumulate
from operator import mul
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]

MASK64 = (1 << 64) - 1
FACTOR = 0x9E3779B97F4A7C15  # odd, so a power of it never loses a bit: the golden ratio in 64 bits

INVERSE = pow(FACTOR, -1, 1 << 64)
PART = 1 << 18  # words fingerprinted at a time
_POWERS = [pow(FACTOR, exponent, 1 << 64) for exponent in range(128)]
_SUMS = list(accumulate(_POWERS, initial=0))


def word_hash(word: str) -> int:
    """CRC-32 of the word's UTF-8 bytes; an image's vocabulary is sorted by it."""
    return crc32(word.encode())


def fingerprint(hashes: Sequence[int]) -> int:
    """A 64-bit fingerprint of a message from its words' hashes, in order.

    A polynomial in FACTOR modulo 2**64 (Horner), so that whole corpora can be fingerprinted in arrays.
    """
    number = len(hashes)
    if number < len(_POWERS):  # in one sum, which is twice as fast
        value: int = (sum(map(mul, reversed(hashes), _POWERS)) + _SUMS[number]) & MASK64
    else:
        value = 0
        for item in hashes:
            value = (value * FACTOR + item + 1) & MASK64
    return (value ^ (value >> 32)) * FACTOR & MASK64


def fingerprints(hashes: U32, lengths: NDArray[np.int64]) -> U64:
    """Fingerprints of many messages: `hashes` holds all their words' hashes, one message after the other.

    `lengths` (each at least 1) counts the words of each message; the result has one value a message.
    """
    if not len(lengths):
        return np.empty(0, np.uint64)
    values = np.empty(len(lengths), np.uint64)
    ends = np.cumsum(lengths)
    first = taken = 0
    while first < len(lengths):
        last = max(first + 1, int(np.searchsorted(ends, taken + PART, side="right")))
        stop = int(ends[last - 1])
        values[first:last] = _polynomials(hashes[taken:stop], ends[first:last] - taken, lengths[first:last])
        first, taken = last, stop
    values ^= values >> np.uint64(32)
    values *= np.uint64(FACTOR)
    return values


def _polynomials(hashes: U32, ends: NDArray[np.int64], lengths: NDArray[np.int64]) -> U64:
    """Each message's polynomial, with the powers counted down through all of them: FACTOR has an inverse."""
    terms = hashes.astype(np.uint64)
    terms += np.uint64(1)
    terms *= _powers(INVERSE, len(hashes))
    sums = np.add.reduceat(terms, ends - lengths)
    sums *= _powers(FACTOR, len(hashes))[ends - 1]
    return np.asarray(sums, np.uint64)


def _powers(base: int, count: int) -> U64:
    powers = np.full(count, base, np.uint64)
    powers[0] = 1
    return np.multiply.accumulate(powers)


def stream(seed: int, start: int, count: int) -> U64:
    """`count` random 32-bit numbers (as uint64) from position `start` of the stream `seed`.

    splitmix64 (Steele, Lea and Flood 2014) of the position: random access, the same on every machine.
    """
    values = np.arange(start + 1, start + count + 1, dtype=np.uint64)
    values *= np.uint64(FACTOR)
    values += np.uint64(seed & MASK64)
    values ^= values >> np.uint64(30)
    values *= np.uint64(0xBF58476D1CE4E5B9)
    values ^= values >> np.uint64(27)
    values *= np.uint64(0x94D049BB133111EB)
    values ^= values >> np.uint64(31)
    return values >> np.uint64(32)
