"""Messages to one stream of token numbers: words in order, and 0 at each message's end.

Words of up to 16 bytes, which nearly all are, are numbered in arrays, as integers of their bytes; longer ones by a
dict. (Splitting into strings and looking each up takes twice as long: see benchmarks/README.md.)
"""

import re
import secrets
from collections.abc import Sequence
from itertools import starmap
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.errors import MessageError
from markov_shard.chain.hashing import U32, U64
from markov_shard.chain.shortwords import ShortWords
from markov_shard.chain.text import NO_SOURCE, fault_of, shown

I64 = NDArray[np.int64]

SLICE = 4096  # messages numbered at a time: their arrays stay in the processor's nearer caches
CELL = 8  # bytes of a word in one integer

# What str.split() takes for a space beyond ASCII; in it, 09 to 0D and 1C to 20.
_WIDE_SPACE = re.compile("[\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]")

_FIRST = np.array([(1 << 8 * length) - 1 for length in range(CELL + 1)], np.uint64)  # the bits of that many bytes


class Tokeniser:
    """Numbers words from 1, those new in a slice together; 0 is the end of a message."""

    def __init__(self) -> None:
        self.words: list[bytes] = []
        """The words numbered so far, in UTF-8: word i has number i + 1."""
        self._short = [ShortWords(cells, secrets.randbits(128)) for cells in (1, 2)]
        self._long: dict[bytes, int] = {}

    def encode(self, texts: Sequence[str], ids: Sequence[int | None] | None = None) -> tuple[U32, I64]:
        """The stream of these messages, and the IDs of those that have tokens (NO_SOURCE for none).

        Raises MessageError naming the message that cannot be learned; then nothing was numbered.
        """
        if ids is not None and len(ids) != len(texts):
            raise ValueError(f"{len(texts)} texts but {len(ids)} IDs")
        try:
            slices = [_joined(texts[start : start + SLICE]) for start in range(0, len(texts), SLICE)]
        except ValueError:
            _refuse(texts, ids)
        streams = [self._numbered(data) for data in slices]
        stream = np.concatenate(streams) if streams else np.empty(0, np.uint32)
        return _without_empty(stream, _ids(ids, len(texts)))

    def _numbered(self, data: bytes) -> U32:
        starts, ends = _words(data)
        lengths = ends - starts
        cells = np.zeros(len(data) // CELL + 3, "<u8")
        cells.view(np.uint8)[: len(data)] = np.frombuffer(data, np.uint8)
        first = _cell(cells, starts, lengths)
        first[lengths > CELL] = 0  # as a message's end: they are numbered below
        numbers = self._look_up(self._short[0], first.reshape(1, -1))
        longer = np.flatnonzero(lengths > CELL)
        middle = longer[lengths[longer] <= 2 * CELL]
        start, length = starts[middle], lengths[middle]
        both = np.stack([_cell(cells, start, length), _cell(cells, start + CELL, length - CELL)])
        numbers[middle] = self._look_up(self._short[1], both)
        longest = longer[lengths[longer] > 2 * CELL]
        words = map(
            data.__getitem__, starmap(slice, zip(starts[longest].tolist(), ends[longest].tolist(), strict=True))
        )
        numbers[longest] = [self._number_of(word) for word in words]
        return numbers

    def _look_up(self, table: ShortWords, keys: U64) -> U32:
        numbers, new = table.find(keys)
        if len(new):
            distinct, places = _distinct(keys[:, new])
            known = len(self.words) + 1
            own = np.arange(known, known + distinct.shape[1], dtype=np.uint32)
            table.put(distinct, own)
            numbers[new] = own[places]
            text = np.ascontiguousarray(distinct.T.astype("<u8", copy=False))
            self.words += text.view(f"S{CELL * len(keys)}").reshape(-1).tolist()
        return numbers

    def _number_of(self, word: bytes) -> int:
        number = self._long.get(word)
        if number is None:
            self.words.append(word)
            number = self._long[word] = len(self.words)
        return number


def _joined(texts: Sequence[str]) -> bytes:
    """The messages in UTF-8, a NUL between spaces after each. Raises ValueError where one cannot be learned."""
    plain = [text if text.isascii() else _WIDE_SPACE.sub(" ", text) for text in texts]
    data = " \0 ".join([*plain, ""]).encode()
    if data.count(b"\0") != len(texts):
        raise ValueError("a NUL")
    return data


def _words(data: bytes) -> tuple[I64, I64]:
    """Where each word starts and ends, the NULs included."""
    space = np.ones(len(data) + 1, bool)
    letters = np.frombuffer(data, np.uint8)
    np.less_equal(letters - np.uint8(0x09), 0x0D - 0x09, out=space[1:])  # below 09, the difference wraps around
    space[1:] |= letters - np.uint8(0x1C) <= 0x20 - 0x1C
    edges = np.flatnonzero(space[1:] != space[:-1])
    return edges[::2], edges[1::2]


def _cell(cells: U64, starts: I64, lengths: I64) -> U64:
    """The bytes from each start, at most CELL and no more than the word has, as one integer; the first lowest."""
    place = starts >> 3
    shift = ((starts & 7) << 3).astype(np.uint64)
    key: U64 = cells[place] >> shift
    # In two steps, since no shift of 64 bits is defined.
    key |= cells[place + 1] << np.uint64(1) << (np.uint64(63) - shift)
    key &= _FIRST[np.minimum(lengths, CELL)]
    return key


def _distinct(keys: U64) -> tuple[U64, I64]:
    """The distinct columns of [cells, n], and where among them each column is."""
    order = np.lexsort(keys) if len(keys) > 1 else np.argsort(keys[0])
    ranked = keys[:, order]
    new = np.ones(len(order), bool)
    np.any(ranked[:, 1:] != ranked[:, :-1], axis=0, out=new[1:])
    places = np.empty(len(order), np.int64)
    places[order] = np.cumsum(new) - 1
    return ranked[:, new], places


def _refuse(texts: Sequence[str], ids: Sequence[int | None] | None) -> NoReturn:
    for place, text in enumerate(texts):
        fault = fault_of(text)
        if fault:
            identity = ids[place] if ids is not None else None
            name = f"message {identity}" if identity is not None else f"message {place} of the batch, {shown(text)}"
            raise MessageError(f"{name}: {fault}")
    raise AssertionError("a batch was found faulty, but none of its messages")


def _ids(ids: Sequence[int | None] | None, length: int) -> I64:
    if ids is None:
        return np.full(length, NO_SOURCE, np.int64)
    return np.fromiter((NO_SOURCE if value is None else value for value in ids), np.int64, length)


def _without_empty(stream: U32, ids: I64) -> tuple[U32, I64]:
    """Drop messages that have no token."""
    ends = np.flatnonzero(stream == 0)
    empty = np.diff(ends, prepend=-1) == 1
    if not empty.any():
        return stream, ids
    return np.delete(stream, ends[empty]), ids[~empty]
