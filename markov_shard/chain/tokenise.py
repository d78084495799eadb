"""Messages to one stream of token numbers: words in order, and 0 at each message's end."""

from collections import defaultdict
from collections.abc import Sequence
from itertools import count, islice
from typing import NoReturn

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.errors import MessageError
from markov_shard.chain.text import NO_SOURCE, fault_of, shown

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]

SLICE = 64  # messages split at a time: their words stay in the processor's nearest cache


class Tokeniser:
    """Numbers words from 1 in the order they are first seen; 0 is the end of a message."""

    def __init__(self) -> None:
        self._numbers: defaultdict[str, int] = defaultdict(count().__next__)
        self._numbers["\0"]  # takes 0

    @property
    def words(self) -> list[str]:
        """The words numbered so far: word i has number i + 1."""
        words = list(self._numbers)
        return words[1:]

    def encode(self, texts: Sequence[str], ids: Sequence[int | None] | None = None) -> tuple[U32, I64]:
        """The stream of these messages, and the IDs of those that have tokens (NO_SOURCE for none).

        Raises MessageError naming the message that cannot be learned; then nothing was numbered.
        """
        if ids is not None and len(ids) != len(texts):
            raise ValueError(f"{len(texts)} texts but {len(ids)} IDs")
        known = len(self._numbers)
        number = self._numbers.__getitem__
        streams = []
        for start in range(0, len(texts), SLICE):
            words = " \0 ".join(texts[start : start + SLICE]).split()
            words.append("\0")
            streams.append(np.fromiter(map(number, words), np.uint32, len(words)))
        stream = np.concatenate(streams) if streams else np.empty(0, np.uint32)
        new = list(islice(reversed(self._numbers), len(self._numbers) - known))
        if np.count_nonzero(stream == 0) != len(texts) or _faulty(new):
            for word in new:
                del self._numbers[word]
            self._numbers.default_factory = count(known).__next__
            _refuse(texts, ids)
        return _without_empty(stream, _ids(ids, len(texts)))


def _faulty(new: list[str]) -> bool:
    """Whether a word, seen for the first time, is one that cannot be learned."""
    joined = "".join(new)
    return "\0" in joined or fault_of(joined) is not None


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
