"""Words in the image's order: by hash, then by bytes, so that a binary search finds one."""

from dataclasses import dataclass
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.hashing import U32

U8 = NDArray[np.uint8]


@dataclass(slots=True)
class Vocabulary:
    """V words; token i + 1 is the i-th."""

    hashes: U32  # [V] ascending
    ends: U32  # [V + 1] where each word's bytes start
    text: U8
    fold_hash: U32
    fold_token: U32


def ordered(encoded: list[bytes]) -> tuple[Vocabulary, U32]:
    """The vocabulary of these distinct words in UTF-8, and for each the token it became."""
    hashes = np.fromiter(map(crc32, encoded), np.uint32, len(encoded))
    order = np.argsort(hashes, kind="stable")
    _order_equal_hashes(order, hashes, encoded)
    tokens = np.empty(len(encoded), np.uint32)
    tokens[order] = np.arange(1, len(encoded) + 1, dtype=np.uint32)
    ranked = list(map(encoded.__getitem__, order.tolist()))
    ends = np.zeros(len(encoded) + 1, np.int64)
    np.cumsum(np.fromiter(map(len, ranked), np.int64, len(ranked)), out=ends[1:])
    text = np.frombuffer(b"".join(ranked), np.uint8)
    fold_hash, fold_token = _folds(ranked)
    return Vocabulary(hashes[order], ends.astype(np.uint32), text, fold_hash, fold_token), tokens


def _order_equal_hashes(order: NDArray[np.int64], hashes: U32, encoded: list[bytes]) -> None:
    ranked = hashes[order]
    same = np.flatnonzero(ranked[1:] == ranked[:-1])
    start = -1
    for place in same.tolist():
        if place < start:
            continue
        stop = int(np.searchsorted(ranked, ranked[place], side="right"))
        order[place:stop] = sorted(order[place:stop].tolist(), key=encoded.__getitem__)
        start = stop


def _folds(words: list[bytes]) -> tuple[U32, U32]:
    """(hash of the folded form, token) of each word that its case-folding changes, in ascending order."""
    lower = b"\0".join(words).lower().split(b"\0")  # which for ASCII is all there is to it
    pairs = []
    for token, (word, folded) in enumerate(zip(words, lower, strict=False), 1):
        if word != folded or not word.isascii():
            whole = folded if word.isascii() else word.decode().casefold().encode()
            if word != whole:
                pairs.append((crc32(whole) << 32) | token)
    keys = np.sort(np.array(pairs, np.uint64))
    return (keys >> np.uint64(32)).astype(np.uint32), keys.astype(np.uint32)
