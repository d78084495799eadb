"""The arrays of a chain image, by name; docs/chain-image.md describes each one."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

U8 = NDArray[np.uint8]
U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]

BIG = 255  # a count of this or more stands in `big_count`


@dataclass(frozen=True, slots=True)
class Tables:
    """One image's arrays.

    V words, N states, M transitions, K listed destinations, A alias cells, Q sources, L messages. Token 0 is a
    message's end, tokens 1 to V are words in the order of (hash, bytes). State 0 is the empty one. States are in
    order of their tokens read backwards, shorter first, so all states that end alike are adjacent; the transitions
    of a state are adjacent, in order of destination, and destination 0 is the message's end.
    """

    word_hash: U32  # [V] hash of each word, ascending
    word_end: U32  # [V + 1] where each word's bytes start in word_text
    word_text: U8  # the words' UTF-8 bytes
    token_states: U32  # [V + 2] first state that ends in each token
    fold_hash: U32  # [F] hash of the case-folded form of each word that differs from it, ascending
    fold_token: U32  # [F] the word's token
    state_tokens: Sequence[U32]  # state_size times [N]: last token, the one before, ...; 0 where the state is shorter
    state_row: U32  # [N + 1] where each state's transitions start
    draws: U8  # [N] how many numbers the state's next one is picked from, each alike; 0: by its alias cells
    dest: U32  # [M] destination state
    lists: U32  # [K] of states with unequal but small counts, each destination as often as it was seen
    count: U8  # [M] count, or BIG
    big_index: U32  # [B] transitions whose count is BIG or more, ascending
    big_count: U32  # [B] their counts
    source: U8  # [M * width] little-endian: 1 + place in source_ids, or 0 for none
    source_ids: I64  # [Q] message IDs
    keep: U32  # [A] alias cell: probability of staying, in 2**-32
    jump: U32  # [A] alias cell: place in the row to go to otherwise
    fingerprints: U64  # [L] of every learned message, ascending, repeats included

    @property
    def state_size(self) -> int:
        return len(self.state_tokens)

    @property
    def states(self) -> int:
        return len(self.state_tokens[0])

    @property
    def transitions(self) -> int:
        return len(self.dest)

    @property
    def vocabulary(self) -> int:
        return len(self.word_hash)

    @property
    def messages(self) -> int:
        return len(self.fingerprints)

    @property
    def source_width(self) -> int:
        """Bytes a source takes."""
        return len(self.source) // max(1, len(self.dest))

    def counts(self) -> U32:
        """Every transition's count, a fresh array [M]."""
        counts = self.count.astype(np.uint32)
        counts[self.big_index] = self.big_count
        return counts

    def sources(self) -> U32:
        """Every transition's source as 1 + place in source_ids (0: none), a fresh array [M]."""
        wide = np.zeros((len(self.dest), 4), np.uint8)
        if len(self.dest):
            wide[:, : self.source_width] = self.source.reshape(len(self.dest), -1)
        return wide.view("<u4").reshape(-1).astype(np.uint32)


def source_width(places: int) -> int:
    """Whole bytes that hold the values 0 to `places`."""
    return max(1, (int(places).bit_length() + 7) // 8)


def packed_sources(sources: U32, width: int) -> U8:
    """Sources in `width` bytes each."""
    return np.ascontiguousarray(sources.astype("<u4", copy=False).view(np.uint8).reshape(-1, 4)[:, :width]).reshape(-1)


def counts_of(tables: Tables, transitions: I64) -> U32:
    """The counts of these transitions."""
    return counts_in(tables.count, tables.big_index, tables.big_count, transitions)


def counts_in(count: U8, big_index: U32, big_count: U32, transitions: I64) -> U32:
    """The counts of these transitions, from the three arrays that hold all."""
    found = count[transitions].astype(np.uint32)
    big = np.flatnonzero(found == BIG)
    found[big] = big_count[np.searchsorted(big_index, transitions[big].astype(np.uint32))]
    return found


def split_counts(counts: U32) -> dict[str, Any]:
    """Counts as the image holds them: one byte each, larger ones apart."""
    big = np.flatnonzero(counts >= BIG).astype(np.uint32)
    return {
        "count": np.minimum(counts, BIG).astype(np.uint8),
        "big_index": big,
        "big_count": counts[big],
    }
