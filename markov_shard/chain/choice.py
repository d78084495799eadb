"""How each state's successor is drawn: the fastest way that takes no more memory than alias cells would.

- One successor: it is taken, and no random number.
- Equal counts: one of the row's destinations, each alike.
- Small counts: one of a list that holds each destination as often as it was seen. A walk then needs one random
  number and one read, where alias cells need a comparison and often a second read.
- All else: by alias cells (see `alias`).

Which of them holds follows from a state's `draws` and the length of its row.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.alias import alias_tables
from markov_shard.chain.tables import U8, U32

I64 = NDArray[np.int64]

MOST = 255  # numbers that are picked from without alias cells: what fits in a byte
DEAREST = 2  # listed destinations a successor, at most: 4 bytes each, where an alias cell has 8


@dataclass(frozen=True, slots=True)
class Choices:
    """How the successors of R rows, laid end to end, are drawn."""

    draws: U8  # [R]
    lists: U32
    keep: U32
    jump: U32


def choices(counts: U32, dest: U32, sizes: I64) -> Choices:
    """For rows of these sizes (each at least 1), given all their counts and destinations."""
    draws = np.zeros(len(sizes), np.uint8)
    if not len(sizes):
        return Choices(draws, *(np.empty(0, np.uint32),) * 3)
    starts = np.cumsum(sizes) - sizes
    weights = np.add.reduceat(counts, starts, dtype=np.int64)
    even = weights == counts[starts] * sizes
    even[even] = np.maximum.reduceat(counts, starts)[even] == counts[starts][even]
    short = even & (sizes <= MOST)
    listed = ~even & (weights <= np.minimum(MOST, sizes * DEAREST))
    draws[short] = sizes[short]
    draws[listed] = weights[listed]
    each = np.repeat(listed, sizes)
    lists = np.repeat(dest[each], counts[each])
    aliased = draws == 0
    each = np.repeat(aliased, sizes)
    keep, jump = alias_tables(counts[each].astype(np.int64), sizes[aliased])
    return Choices(draws, lists, keep, jump)


def list_lengths(draws: U8, sizes: NDArray[Any]) -> NDArray[Any]:
    """How many listed destinations states have, given the lengths of their rows."""
    return np.where(draws > sizes, draws, 0).astype(sizes.dtype)


def cell_lengths(draws: U8, sizes: NDArray[Any]) -> NDArray[Any]:
    """How many alias cells states have, given the lengths of their rows."""
    return np.where(draws == 0, sizes, 0).astype(sizes.dtype)


def choice_starts(draws: U8, rows: U32, dest: U32) -> U32:
    """[N] What a walk goes on with from each state.

    The destination itself where there is but one; where its row or its list starts, counted through all
    destinations and then all lists; or where its alias cells start.
    """
    starts = rows[:-1].copy()
    listed = np.flatnonzero(draws > np.diff(rows))
    lengths = draws[listed].astype(np.uint32)
    starts[listed] = len(dest) + np.cumsum(lengths, dtype=np.uint32) - lengths
    aliased = np.flatnonzero(draws == 0)
    lengths = rows[aliased + 1] - rows[aliased]
    starts[aliased] = np.cumsum(lengths, dtype=np.uint32) - lengths
    single = np.flatnonzero(draws == 1)
    starts[single] = dest[rows[single]]
    return starts
