"""How a changed image draws successors: changed rows' choices are made anew, the others copied."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.choice import Choices, cell_lengths, choices, list_lengths
from markov_shard.chain.splice import Splice, ranges, renumbered
from markov_shard.chain.tables import Tables, counts_in

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]


@dataclass(slots=True)
class RowChanges:
    """States whose rows changed, came or went: where they were (or come before), and where they are now."""

    splice: Splice  # of the states
    rows: U32  # [N + 1] the new state_row
    kept: I64
    kept_now: I64
    born: I64
    born_now: I64
    dead: I64


def changed_choices(
    old: Tables, changes: RowChanges, counts: dict[str, NDArray[Any]], dest: U32, states_now: U32 | None
) -> Choices:
    """The new draws, lists, keep and jump.

    `counts` holds the new count, big_index and big_count, `dest` the new destinations, and `states_now` the new
    number of each old state, None where none changes.
    """
    now = np.concatenate([changes.kept_now, changes.born_now])
    was = np.concatenate([changes.kept, changes.born])
    order = np.argsort(now)
    now, was = now[order], was[order]
    starts = changes.rows[now].astype(np.int64)
    sizes = changes.rows[now + 1] - starts
    filled = sizes > 0  # all but the empty state, where it has nothing left to lead to
    now, was, starts, sizes = now[filled], was[filled], starts[filled], sizes[filled]
    cells = ranges(starts, sizes)
    fresh = choices(counts_in(counts["count"], counts["big_index"], counts["big_count"], cells), dest[cells], sizes)

    draws = changes.splice.apply(old.draws, np.zeros(len(changes.born), np.uint8))
    if draws is old.draws:
        draws = draws.copy()
    draws[changes.kept_now] = 0
    draws[now] = fresh.draws

    gone = np.sort(np.concatenate([changes.kept, changes.dead]))
    old_sizes = np.diff(old.state_row)
    lists = _edits(list_lengths(old.draws, old_sizes), gone, was, list_lengths(fresh.draws, sizes))
    alias = _edits(cell_lengths(old.draws, old_sizes), gone, was, cell_lengths(fresh.draws, sizes))
    return Choices(
        draws,
        lists.apply(renumbered(states_now, old.lists), fresh.lists),
        alias.apply(old.keep, fresh.keep),
        alias.apply(old.jump, fresh.jump),
    )


def _edits(lengths: U32, gone: I64, was: I64, fresh: I64) -> Splice:
    """Runs of some length of each old state, end to end: those of the gone ones taken out, fresh ones put in."""
    ends = np.zeros(len(lengths) + 1, np.uint32)
    np.cumsum(lengths, out=ends[1:], dtype=np.uint32)
    dropped = ranges(ends[gone].astype(np.int64), lengths[gone].astype(np.int64))
    return Splice(int(ends[-1]), dropped, np.repeat(ends[was].astype(np.int64), fresh))
