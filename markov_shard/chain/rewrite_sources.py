"""A changed image's remembered sources."""

from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.delta import Delta
from markov_shard.chain.hashing import stream
from markov_shard.chain.splice import Splice
from markov_shard.chain.tables import U8, Tables, packed_sources, source_width
from markov_shard.chain.text import NO_SOURCE

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]
Bools = NDArray[np.bool_]


class Moves(Protocol):
    """What happens to the delta's transitions."""

    marks: I64
    born: Bools
    dead: Bools
    now: I64


def changed_sources(
    old: Tables, delta: Delta, splice: Splice, moves: Moves, after: I64, added_ids: I64, removed_ids: I64, seed: int
) -> tuple[U8, I64]:
    """The new source and source_ids.

    Where a transition was added to, an added message takes the place of the remembered one in proportion, so that
    the sample stays uniform. IDs of removed messages are wiped: their places stay, and are never used again until
    they are a quarter of all, when the places are numbered anew.
    """
    gone = np.isin(old.source_ids, removed_ids[removed_ids != NO_SOURCE])
    stays = (moves.marks & 1 == 0) & ~moves.dead & (delta.change != 0)
    here = moves.marks[stays] >> 1
    remembered = _unpacked(old, here)
    wiped = (remembered > 0) & gone[np.maximum(remembered.astype(np.int64) - 1, 0)] if len(gone) else remembered < 0
    remembered[wiped] = 0
    added, total = delta.added[stays].astype(np.uint64), after[stays].astype(np.uint64)
    total[wiped] = 0
    dice = stream(~seed, 0, len(here))
    takes = (added > 0) & ((dice * total) >> np.uint64(32) < added)

    message = np.concatenate([np.where(takes, delta.source[stays], 0), delta.source[moves.born]])
    message[message > 0] *= added_ids[message[message > 0] - 1] != NO_SOURCE
    named = np.unique(message[message > 0])
    ids = np.concatenate([np.where(gone, NO_SOURCE, old.source_ids), added_ids[named - 1]])
    fresh = np.where(message > 0, np.searchsorted(named, message) + len(old.source_ids) + 1, 0).astype(np.uint32)
    kept = np.where(takes, fresh[: len(here)], remembered)

    width = source_width(len(ids))
    narrow = old.source_width if old.transitions else width
    if width == narrow:
        rows = splice.apply(old.source.reshape(-1, width), packed_sources(fresh[len(here) :], width).reshape(-1, width))
        if rows.base is old.source or rows is old.source:
            rows = rows.copy()
        rows[moves.now[stays]] = packed_sources(kept, width).reshape(-1, width)
        packed = rows.reshape(-1)
    else:
        wide = splice.apply(old.sources(), fresh[len(here) :])
        wide[moves.now[stays]] = kept
        packed = packed_sources(wide, width)
    if np.count_nonzero(ids == NO_SOURCE) * 4 > len(ids):
        return _renumbered(packed, width, ids)
    return packed, ids


def _unpacked(old: Tables, transitions: I64) -> U32:
    wide = np.zeros((len(transitions), 4), np.uint8)
    if len(transitions):
        wide[:, : old.source_width] = old.source.reshape(-1, old.source_width)[transitions]
    return wide.view("<u4").reshape(-1).astype(np.uint32)


def _renumbered(packed: U8, width: int, ids: I64) -> tuple[U8, I64]:
    """Without the places that no transition uses or whose ID was wiped."""
    wide = np.zeros((len(packed) // width, 4), np.uint8)
    wide[:, :width] = packed.reshape(-1, width)
    sources = wide.view("<u4").reshape(-1)
    used = np.zeros(len(ids) + 1, bool)
    used[sources] = True
    used[0] = False
    used[1:] &= ids != NO_SOURCE
    number = np.cumsum(used, dtype=np.uint32)
    number[~used] = 0
    kept = ids[used[1:]]
    return packed_sources(number[sources], source_width(len(kept))), kept
