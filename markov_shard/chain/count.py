"""A token stream counted: its states and transitions, in the image's order."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.group import groups
from markov_shard.chain.hashing import U32, U64, fingerprints, stream
from markov_shard.chain.text import NO_SOURCE
from markov_shard.chain.vocabulary import Vocabulary

I64 = NDArray[np.int64]
_TABLE = 1 << 25  # tokens up to which a table says which message each is in


@dataclass(slots=True)
class Counted:
    """What messages come to: the primary arrays of an image, from which the others follow."""

    vocabulary: Vocabulary
    state_tokens: U32  # [state_size, N]
    origin: U32  # [M] state each transition starts from
    dest: U32  # [M]
    counts: U32  # [M]
    source: U32  # [M] 1 + place in source_ids; 0: none
    source_ids: I64
    fingerprints: U64  # ascending
    tokens: int


def count(tokens: U32, ids: I64, vocabulary: Vocabulary, state_size: int, seed: int) -> Counted:
    """Count a stream of the vocabulary's tokens (0 ends a message; no message is empty).

    `ids` holds one message ID a message, or NO_SOURCE. `seed` selects which occurrence is remembered.
    """
    ends = np.flatnonzero(tokens == 0)
    prints = fingerprints(vocabulary.hashes[tokens[tokens != 0] - 1], np.diff(ends, prepend=-1) - 1)
    prints.sort()
    words = len(tokens) - len(ends)
    message_at = _messages(ends, len(tokens)) if (ids != NO_SOURCE).any() else None
    states = list(states_reached(tokens, state_size))
    del tokens  # of a large guild, each array of a number a token is half a gigabyte
    state_tokens = states.pop()
    origin, dest, counts, source = _transitions(_after_start(states), message_at, seed)
    source, source_ids = _known_sources(source, ids)
    return Counted(vocabulary, state_tokens, origin, dest, counts, source, source_ids, prints, words)


def _messages(ends: I64, length: int) -> Callable[[U32 | I64], U32]:
    """What gives 1 + the message that each position is in: from a table or, where that were large, by search."""
    if length > _TABLE:
        return lambda places: (np.searchsorted(ends, places) + 1).astype(np.uint32)
    table = np.repeat(np.arange(1, len(ends) + 1, dtype=np.uint32), np.diff(ends, prepend=-1))
    return lambda places: table[places]


def _after_start(reached: list[U32]) -> U32:
    """A 0, for the state that everything starts from, and then the states reached, which are taken off the list."""
    path = np.zeros(len(reached[0]) + 1, np.uint32)
    path[1:] = reached.pop()
    return path


def states_reached(tokens: U32, state_size: int) -> tuple[U32, U32]:
    """The state reached at each position (0 at a message's end), and the tokens of each state."""
    words = int(tokens.max()) if len(tokens) else 0
    ranks, columns = tokens, np.arange(words + 1, dtype=np.uint32).reshape(1, -1)
    for _ in range(state_size - 1):
        shorter = np.empty_like(tokens)
        shorter[0:1] = 0
        shorter[1:] = ranks[:-1]
        shorter[tokens == 0] = 0
        ranks, columns = _longer(tokens, shorter, columns)
    return ranks, columns


def _longer(tokens: U32, shorter: U32, columns: U32) -> tuple[U32, U32]:
    """Dense ranks of the states of one token more than those of `shorter`, and their tokens."""
    if not len(tokens):
        return tokens, np.zeros((len(columns) + 1, 1), np.uint32)
    ranks = np.empty(len(tokens), np.uint32)
    parts, base = [], 0
    for part in groups(tokens, shorter):
        states = len(part.sizes)
        part.spread(np.arange(base, base + states, dtype=np.uint32), ranks)
        parts.append(np.concatenate([part.primary.reshape(1, -1), columns[:, part.secondary]]))
        base += states
    return ranks, np.concatenate(parts, axis=1)


def _transitions(path: U32, message_at: Callable[[U32 | I64], U32] | None, seed: int) -> tuple[U32, U32, U32, U32]:
    """Origin, destination and count of each transition, and 1 + a message it came from (0 without messages).

    `path` is a 0 and then the state reached at each position.
    """
    parts: list[tuple[U32, U32, U32, U32]] = []
    base = 0
    for part in groups(path[:-1], path[1:], positions=message_at is not None):
        sizes = part.sizes
        source = np.zeros(len(sizes), np.uint32)
        if message_at is not None:
            chosen = (stream(seed, base, len(sizes)) * sizes.astype(np.uint64)) >> np.uint64(32)
            source = message_at(part.positions(part.starts() + chosen.astype(np.int64)))
        parts.append((part.primary, part.secondary, sizes.astype(np.uint32), source))
        base += len(sizes)
    if not parts:
        return (np.empty(0, np.uint32),) * 4
    origin, dest, counts, sources = (np.concatenate(column) for column in zip(*parts, strict=True))
    return origin, dest, counts, sources


def _known_sources(source: U32, ids: I64) -> tuple[U32, I64]:
    """Keep only the messages that are remembered by some transition and have an ID."""
    kept = np.zeros(len(ids) + 1, bool)
    kept[source] = True
    kept[0] = False
    kept[1:] &= ids != NO_SOURCE
    places = np.cumsum(kept, dtype=np.uint32)
    places[~kept] = 0
    return places[source], ids[kept[1:]]
