"""The image's derived arrays: rows, alias cells, indexes."""

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.alias import alias_tables
from markov_shard.chain.count import Counted
from markov_shard.chain.hashing import U32
from markov_shard.chain.tables import Tables, packed_sources, source_width, split_counts

I64 = NDArray[np.int64]


def tables_of(counted: Counted) -> Tables:
    """All of an image's arrays."""
    words = counted.vocabulary
    states = counted.state_tokens.shape[1]
    sizes = np.bincount(counted.origin, minlength=states)
    rows = np.zeros(states + 1, np.uint32)
    np.cumsum(sizes, out=rows[1:], dtype=np.uint32)
    state_alias, keep, jump = alias_cells(counted.counts, rows[:-1].astype(np.int64), sizes)
    return Tables(
        word_hash=words.hashes,
        word_end=words.ends,
        word_text=words.text,
        token_states=token_states(counted.state_tokens[0], len(words.hashes)),
        fold_hash=words.fold_hash,
        fold_token=words.fold_token,
        state_tokens=tuple(counted.state_tokens),
        state_row=rows,
        state_alias=state_alias,
        dest=counted.dest,
        **split_counts(counted.counts),
        source=packed_sources(counted.source, source_width(len(counted.source_ids))),
        source_ids=counted.source_ids,
        keep=keep,
        jump=jump,
        fingerprints=counted.fingerprints,
    )


def token_states(last_tokens: U32, words: int) -> U32:
    """Where the states that end in each token start: [words + 2]."""
    return np.searchsorted(last_tokens, np.arange(words + 2, dtype=np.uint32)).astype(np.uint32)


def alias_cells(counts: U32, starts: I64, sizes: I64) -> tuple[U32, U32, U32]:
    """Alias cells of the rows whose counts differ, and where each state's cells start (plus 1; 0: none)."""
    state_alias = np.zeros(len(starts), np.uint32)
    several = np.flatnonzero(sizes > 1)
    if not len(several):
        return state_alias, np.empty(0, np.uint32), np.empty(0, np.uint32)
    differs = np.zeros(len(counts), bool)
    np.not_equal(counts[1:], counts[:-1], out=differs[1:])
    differs[starts[sizes > 0]] = False
    uneven = several[np.logical_or.reduceat(differs, starts[several])]
    if not len(uneven):
        return state_alias, np.empty(0, np.uint32), np.empty(0, np.uint32)
    lengths = sizes[uneven]
    cells = np.repeat(starts[uneven] - (np.cumsum(lengths) - lengths), lengths) + np.arange(lengths.sum())
    state_alias[uneven] = 1 + np.cumsum(lengths) - lengths
    keep, jump = alias_tables(counts[cells].astype(np.int64), lengths)
    return state_alias, keep, jump
