"""Where words, states and transitions lie in an image, or would lie: binary searches for many at once.

A place is written as one number, its *mark*: twice the index of what is there, or, for what is not, one less than
twice the index of what it comes before. So marks of both kinds compare in the image's order.
"""

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.tables import Tables
from markov_shard.chain.vocabulary import Vocabulary

I64 = NDArray[np.int64]
U32 = NDArray[np.uint32]


def is_there(marks: I64) -> NDArray[np.bool_]:
    """Whether each mark is of something in the image."""
    return np.asarray((marks & 1) == 0, np.bool_)


def places(marks: I64) -> I64:
    """The index of what is there, or of what it would come before."""
    return (marks + 1) >> 1


def token_marks(tables: Tables, vocabulary: Vocabulary) -> I64:
    """The mark of each token of another vocabulary among the image's tokens: [its words + 1], token 0 first."""
    marks = np.zeros(len(vocabulary.hashes) + 1, np.int64)
    text, ends = tables.word_text.data, tables.word_end.data
    known, words = tables.word_hash.data, tables.vocabulary
    own_text, own_ends = vocabulary.text.data, vocabulary.ends.tolist()
    found = np.searchsorted(tables.word_hash, vocabulary.hashes, side="left").tolist()
    for index, (place, wanted) in enumerate(zip(found, vocabulary.hashes.tolist(), strict=True)):
        mark = 2 * place + 1
        if place < words and known[place] == wanted:
            word = bytes(own_text[own_ends[index] : own_ends[index + 1]])
            while place < words and known[place] == wanted:
                other = bytes(text[ends[place] : ends[place + 1]])
                if other >= word:
                    break
                place += 1
            same = place < words and known[place] == wanted and other == word
            mark = 2 * place + (2 if same else 1)
        marks[index + 1] = mark
    return marks


def state_marks(tables: Tables, columns: I64) -> I64:
    """The mark of each state given as its tokens' marks: [state_size, S], last token first, 0 where it is shorter."""
    first = columns[0]
    starts = tables.token_states[places(first)].astype(np.int64)
    ends = np.where(is_there(first), tables.token_states[np.minimum(places(first) + 1, tables.vocabulary + 1)], starts)
    low, high = starts, ends.astype(np.int64)
    for column, marks in zip(tables.state_tokens[1:], columns[1:], strict=True):
        low, high = _bound(column, marks, low, high, before=True), _bound(column, marks, low, high, before=False)
    return np.asarray(2 * low - (low == high), np.int64)


def transition_marks(tables: Tables, origins: I64, dests: I64) -> I64:
    """The mark of each transition, given the marks of the states it goes from and to."""
    known = is_there(origins)
    starts = tables.state_row[places(origins)].astype(np.int64)
    ends = np.where(known, tables.state_row[np.minimum(places(origins) + 1, tables.states)], starts).astype(np.int64)
    low = _bound(tables.dest, dests, starts, ends, before=True)
    there = low < ends
    there[there] = tables.dest[low[there]] * np.int64(2) == dests[there]
    return 2 * low - ~there


def _bound(values: U32, marks: I64, low: I64, high: I64, *, before: bool) -> I64:
    """Binary search in [low, high) of each: the first value that is not below its mark, or that is above it."""
    low, high = low.copy(), high.copy()
    open_ = np.flatnonzero(low < high)
    while len(open_):
        middle = (low[open_] + high[open_]) >> 1
        found = values[middle] * np.int64(2)
        right = found < marks[open_] if before else found <= marks[open_]
        low[open_[right]] = middle[right] + 1
        high[open_[~right]] = middle[~right]
        open_ = open_[low[open_] < high[open_]]
    return low
