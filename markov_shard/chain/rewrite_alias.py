"""A changed image's alias cells: those of changed rows are made anew, the others copied."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.build import alias_cells
from markov_shard.chain.splice import Splice, ranges
from markov_shard.chain.tables import Tables, counts_in

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]

WINDOW = 32  # states looked at together for the next one that has cells


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
    dead_now: I64


def changed_cells(old: Tables, changes: RowChanges, counts: dict[str, NDArray[Any]]) -> tuple[U32, U32, U32]:
    """The new state_alias, keep and jump; `counts` holds the new count, big_index and big_count."""
    now = np.concatenate([changes.kept_now, changes.born_now])
    was = np.concatenate([changes.kept, changes.born])
    order = np.argsort(now)
    now, was = now[order], was[order]
    starts = changes.rows[now].astype(np.int64)
    sizes = changes.rows[now + 1] - starts
    chosen = counts_in(counts["count"], counts["big_index"], counts["big_count"], ranges(starts, sizes))
    flags, keep, jump = alias_cells(chosen, np.cumsum(sizes) - sizes, sizes)
    lengths = np.where(flags > 0, sizes, 0)

    spots = _cells_before(old, was)
    gone = np.sort(np.concatenate([changes.kept, changes.dead]))
    gone_lengths = _cell_lengths(old, gone)
    held = gone_lengths > 0
    dropped = ranges(old.state_alias[gone[held]].astype(np.int64) - 1, gone_lengths[held])
    cells = Splice(len(old.keep), dropped, np.repeat(spots, lengths))

    alias = changes.splice.apply(old.state_alias, np.zeros(len(changes.born), np.uint32))
    if alias is old.state_alias:
        alias = alias.copy()
    alias[now] = np.where(flags > 0, spots + 1, 0)
    alias = _shifted(alias, old, changes, now, lengths)
    return alias, cells.apply(old.keep, keep), cells.apply(old.jump, jump)


def _shifted(alias: U32, old: Tables, changes: RowChanges, now: I64, lengths: I64) -> U32:
    """Each state's cells moved by what was put in and taken out before them."""
    shift = np.zeros(len(alias) + 1, np.int32)
    np.add.at(shift, now + 1, lengths.astype(np.int32))
    np.add.at(shift, changes.kept_now + 1, -_cell_lengths(old, changes.kept).astype(np.int32))
    np.add.at(shift, changes.dead_now, -_cell_lengths(old, changes.dead).astype(np.int32))
    np.cumsum(shift, out=shift)
    moved = alias + shift[:-1].view(np.uint32)
    moved[alias == 0] = 0
    return moved


def _cell_lengths(old: Tables, states: I64) -> I64:
    sizes = old.state_row[states + 1].astype(np.int64) - old.state_row[states]
    return np.where(old.state_alias[states] > 0, sizes, 0)


def _cells_before(old: Tables, states: I64) -> I64:
    """How many of the old cells belong to states before each of these."""
    result = np.full(len(states), len(old.keep), np.int64)
    where, open_ = states.copy(), np.flatnonzero(states < old.states)
    while len(open_):
        window = where[open_, None] + np.arange(WINDOW)
        inside = old.state_alias[np.minimum(window, old.states - 1)]
        inside[window >= old.states] = 0
        found = inside > 0
        first = found.argmax(axis=1)
        hit = found[np.arange(len(open_)), first]
        result[open_[hit]] = inside[hit, first[hit]].astype(np.int64) - 1
        where[open_] += WINDOW
        open_ = open_[~hit & (where[open_] < old.states)]
    return result
