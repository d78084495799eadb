"""Messages to be added and removed, counted: the signed change of each transition."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.count import states_reached
from markov_shard.chain.group import groups
from markov_shard.chain.hashing import U32, U64, fingerprints, stream
from markov_shard.chain.vocabulary import Vocabulary

I64 = NDArray[np.int64]


@dataclass(slots=True)
class Delta:
    """What a batch of additions and removals comes to, in tokens and states of its own.

    Both are numbered in the image's order, so mapping them into an image keeps them ascending.
    """

    vocabulary: Vocabulary
    state_tokens: U32  # [state_size, S]
    origin: U32  # [D]
    dest: U32  # [D]
    change: I64  # [D] occurrences added less those removed
    added: I64  # [D] occurrences added
    source: U32  # [D] 1 + a uniformly sampled one of the added messages; 0: none was added
    added_prints: U64  # of each added message, in order
    removed_prints: U64


def count_delta(tokens: U32, added: int, vocabulary: Vocabulary, state_size: int, seed: int) -> Delta:
    """Count a stream of the vocabulary's tokens (0 ends a message) whose first `added` messages are additions."""
    ends = np.flatnonzero(tokens == 0)
    lengths = np.diff(ends, prepend=-1)
    prints = fingerprints(vocabulary.hashes[tokens[tokens != 0] - 1], lengths - 1)
    reached, state_tokens = states_reached(tokens, state_size)
    before = np.empty_like(reached)
    before[0:1] = 0
    before[1:] = reached[:-1]
    message = np.repeat(np.arange(1, len(ends) + 1, dtype=np.uint32), lengths)
    is_new = message <= added
    columns: list[tuple[I64 | U32, ...]] = []
    base = 0
    for part in groups(before, reached):
        # Positions are in order within a group, so its additions come before its removals.
        starts = part.starts()
        new = np.add.reduceat(is_new[part.positions()], starts, dtype=np.int64)
        chosen = (stream(seed, base, len(starts)) * new.astype(np.uint64)) >> np.uint64(32)
        source = message[part.positions(starts + chosen.astype(np.int64))]
        source[new == 0] = 0
        columns.append((part.primary, part.secondary, 2 * new - part.sizes, new, source))
        base += len(starts)
    if not columns:
        none = np.empty(0, np.int64)
        columns = [(none.astype(np.uint32), none.astype(np.uint32), none, none, none.astype(np.uint32))]
    origin, dest, change, new, source = (np.concatenate(column) for column in zip(*columns, strict=True))
    return Delta(vocabulary, state_tokens, origin, dest, change, new, source, prints[:added], prints[added:])
