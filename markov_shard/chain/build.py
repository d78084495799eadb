"""The image's derived arrays: rows, choices, indexes."""

import numpy as np

from markov_shard.chain.choice import choices
from markov_shard.chain.count import Counted
from markov_shard.chain.hashing import U32
from markov_shard.chain.tables import Tables, packed_sources, source_width, split_counts


def tables_of(counted: Counted) -> Tables:
    """All of an image's arrays."""
    words = counted.vocabulary
    states = counted.state_tokens.shape[1]
    sizes = np.bincount(counted.origin, minlength=states)
    rows = np.zeros(states + 1, np.uint32)
    np.cumsum(sizes, out=rows[1:], dtype=np.uint32)
    drawn = choices(counted.counts, counted.dest, sizes[sizes > 0])  # without a message, the empty state has no row
    return Tables(
        word_hash=words.hashes,
        word_end=words.ends,
        word_text=words.text,
        token_states=token_states(counted.state_tokens[0], len(words.hashes)),
        fold_hash=words.fold_hash,
        fold_token=words.fold_token,
        state_tokens=tuple(counted.state_tokens),
        state_row=rows,
        draws=drawn.draws if len(counted.dest) else np.zeros(states, np.uint8),
        dest=counted.dest,
        lists=drawn.lists,
        **split_counts(counted.counts),
        source=packed_sources(counted.source, source_width(len(counted.source_ids))),
        source_ids=counted.source_ids,
        keep=drawn.keep,
        jump=drawn.jump,
        fingerprints=counted.fingerprints,
    )


def token_states(last_tokens: U32, words: int) -> U32:
    """Where the states that end in each token start: [words + 2]."""
    return np.searchsorted(last_tokens, np.arange(words + 2, dtype=np.uint32)).astype(np.uint32)
