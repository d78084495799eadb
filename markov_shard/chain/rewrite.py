"""A changed image's arrays, from those of the old one and a counted change."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.delta import Delta
from markov_shard.chain.errors import NotLearnedError
from markov_shard.chain.image import Image
from markov_shard.chain.locate import is_there, places, state_marks, token_marks, transition_marks
from markov_shard.chain.rewrite_choice import RowChanges, changed_choices
from markov_shard.chain.rewrite_sources import changed_sources
from markov_shard.chain.splice import Splice, ranges, renumbered
from markov_shard.chain.tables import BIG, Tables, counts_of

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]
I64 = NDArray[np.int64]


@dataclass(slots=True)
class Level:
    """What happens to words, states or transitions: of the delta's, which are there, which come and which go."""

    marks: I64  # place of each of the delta's in the image
    born: NDArray[np.bool_]  # those put in
    dead: NDArray[np.bool_]  # those taken out
    splice: Splice
    now: I64  # their places afterwards; of a dead one, where the next one went; undefined for what never comes

    @classmethod
    def of(cls, marks: I64, born: NDArray[np.bool_], dead: NDArray[np.bool_], length: int) -> "Level":
        """Edits of arrays of `length`, for what lies at these marks (ascending)."""
        splice = Splice(length, places(marks[dead]), places(marks[born]))
        now = splice.places(places(marks))
        now[born] = splice.inserted_places()
        return cls(marks, born, dead, splice, now)


def rewritten(image: Image, delta: Delta, added_ids: I64, removed_ids: I64, seed: int) -> Image:
    """The image after the change. Raises NotLearnedError where a removed transition is not there."""
    old = image.tables
    words = token_marks(old, delta.vocabulary)
    states = state_marks(old, words[delta.state_tokens])
    transitions = transition_marks(old, states[delta.origin], states[delta.dest])

    known = is_there(transitions)
    before = np.zeros(len(transitions), np.int64)
    before[known] = counts_of(old, places(transitions[known]))
    after = before + delta.change
    if len(after) and int(after.min()) < 0:
        raise NotLearnedError("a transition of a removed message is not in the image")
    moves = Level.of(transitions, ~known & (after > 0), known & (after == 0), old.transitions)
    state_level, sizes = _states(old, delta, states, moves)
    word_level = _words(old, delta, words, state_level)

    rows = _rows(old, state_level, sizes)
    counts = _counts(old, moves, known & (after > 0), after)
    source, source_ids = changed_sources(old, delta, moves.splice, moves, after, added_ids, removed_ids, seed)
    states_now, words_now = state_level.splice.map(), word_level.splice.map()
    born = state_level.now[delta.dest[moves.born]]
    dest = moves.splice.apply(renumbered(states_now, old.dest), born)
    drawn = changed_choices(old, _changed_rows(delta, state_level, sizes, rows), counts, dest, states_now)
    tables = Tables(
        **_vocabulary(old, delta, word_level, state_level, words_now),
        state_tokens=[
            state_level.splice.apply(renumbered(words_now, column), word_level.now[own])
            for column, own in zip(old.state_tokens, delta.state_tokens[:, state_level.born], strict=True)
        ],
        state_row=rows,
        draws=drawn.draws,
        dest=dest,
        lists=drawn.lists,
        **counts,
        source=source,
        source_ids=source_ids,
        keep=drawn.keep,
        jump=drawn.jump,
        fingerprints=_fingerprints(old.fingerprints, delta),
    )
    return Image.of_tables(tables, image.tokens + int(delta.change[delta.dest != 0].sum()))


def _states(old: Tables, delta: Delta, marks: I64, moves: Level) -> tuple[Level, I64]:
    """What happens to the delta's states, and the length of each one's row afterwards."""
    number = len(marks)
    known = is_there(marks)
    sizes = np.zeros(number, np.int64)
    here = places(marks[known])
    sizes[known] = old.state_row[here + 1].astype(np.int64) - old.state_row[here]
    sizes += np.bincount(delta.origin[moves.born], minlength=number)
    sizes -= np.bincount(delta.origin[moves.dead], minlength=number)
    dead = known & (sizes == 0)
    dead[0] = False  # the empty state always is
    return Level.of(marks, ~known & (sizes > 0), dead, old.states), sizes


def _words(old: Tables, delta: Delta, marks: I64, states: Level) -> Level:
    """What happens to the delta's words; all of it counted in tokens, with the end of a message as the first."""
    last = delta.state_tokens[0]
    number = len(marks)
    known = is_there(marks)
    ending = np.zeros(number, np.int64)  # states that end in each
    here = places(marks[known])
    ending[known] = old.token_states[here + 1].astype(np.int64) - old.token_states[here]
    ending += np.bincount(last[states.born], minlength=number)
    ending -= np.bincount(last[states.dead], minlength=number)
    dead = known & (ending == 0)
    dead[0] = False
    return Level.of(marks, ~known & (ending > 0), dead, old.vocabulary + 1)


def _vocabulary(
    old: Tables, delta: Delta, words: Level, states: Level, words_now: U32 | None
) -> dict[str, NDArray[Any]]:
    splice = Splice(old.vocabulary, words.splice.dropped - 1, words.splice.inserted - 1)
    born = np.flatnonzero(words.born) - 1
    own = delta.vocabulary
    own_starts, own_lengths = own.ends[:-1].astype(np.int64)[born], np.diff(own.ends).astype(np.int64)[born]
    lengths = splice.apply(np.diff(old.word_end), own_lengths.astype(np.uint32))
    gone_starts = old.word_end[splice.dropped].astype(np.int64)
    gone = ranges(gone_starts, old.word_end[splice.dropped + 1] - gone_starts)
    spots = np.repeat(old.word_end[splice.inserted].astype(np.int64), own_lengths)
    text = Splice(len(old.word_text), gone, spots).apply(old.word_text, own.text[ranges(own_starts, own_lengths)])
    ending = np.diff(old.token_states)
    last = delta.state_tokens[0]
    change = np.bincount(last[states.born], minlength=len(words.marks))
    change -= np.bincount(last[states.dead], minlength=len(words.marks))
    known = is_there(words.marks)
    ending[places(words.marks[known])] += change[known].astype(np.uint32)
    ending = words.splice.apply(ending, change[words.born].astype(np.uint32))
    return {
        "word_hash": splice.apply(old.word_hash, own.hashes[born]),
        "word_end": _running(lengths),
        "word_text": text,
        "token_states": _running(ending),
    } | _folds(old, delta, words, words_now)


def _folds(old: Tables, delta: Delta, words: Level, words_now: U32 | None) -> dict[str, U32]:
    kept = ~np.isin(old.fold_token, words.splice.dropped)
    own = delta.vocabulary
    born = words.born[own.fold_token]
    hashes = np.concatenate([old.fold_hash[kept], own.fold_hash[born]])
    tokens = np.concatenate([renumbered(words_now, old.fold_token[kept]), words.now[own.fold_token[born]]])
    keys = hashes.astype(np.uint64) << np.uint64(32) | tokens.astype(np.uint64)
    keys.sort(kind="stable")
    return {"fold_hash": (keys >> np.uint64(32)).astype(np.uint32), "fold_token": keys.astype(np.uint32)}


def _rows(old: Tables, states: Level, sizes: I64) -> U32:
    lengths = np.diff(old.state_row)
    known = is_there(states.marks)
    lengths[places(states.marks[known])] = sizes[known]
    return _running(states.splice.apply(lengths, sizes[states.born]))


def _counts(old: Tables, moves: Level, stays: NDArray[np.bool_], after: I64) -> dict[str, NDArray[Any]]:
    here = moves.now[stays]
    count = moves.splice.apply(old.count, np.minimum(after[moves.born], BIG))
    if count is old.count:
        count = count.copy()
    count[here] = np.minimum(after[stays], BIG)
    untouched = ~np.isin(old.big_index, places(moves.marks[is_there(moves.marks)]))
    touched = moves.now[stays | moves.born]
    values = after[stays | moves.born]
    index = np.concatenate([moves.splice.places(old.big_index[untouched]), touched[values >= BIG]])
    big = np.concatenate([old.big_count[untouched], values[values >= BIG]])
    order = np.argsort(index)
    return {
        "count": count,
        "big_index": index[order].astype(np.uint32),
        "big_count": big[order].astype(np.uint32),
    }


def _changed_rows(delta: Delta, states: Level, sizes: I64, rows: U32) -> RowChanges:
    changed = np.zeros(len(sizes), bool)
    changed[delta.origin[delta.change != 0]] = True
    changed &= is_there(states.marks) & ~states.dead
    return RowChanges(
        splice=states.splice,
        rows=rows,
        kept=places(states.marks[changed]),
        kept_now=states.now[changed],
        born=places(states.marks[states.born]),
        born_now=states.now[states.born],
        dead=places(states.marks[states.dead]),
    )


def _fingerprints(old: U64, delta: Delta) -> U64:
    prints = np.concatenate([delta.added_prints, delta.removed_prints])
    signs = np.ones(len(prints), np.int64)
    signs[len(delta.added_prints) :] = -1
    values, inverse = np.unique(prints, return_inverse=True)
    net = np.bincount(inverse, signs, len(values)).astype(np.int64)
    spots = np.searchsorted(old, values)
    less, more = net < 0, net > 0
    dropped = ranges(spots[less], -net[less])
    return Splice(len(old), dropped, np.repeat(spots[more], net[more])).apply(old, np.repeat(values[more], net[more]))


def _running(lengths: NDArray[Any]) -> U32:
    """Where each of these lengths starts, and where the last one ends."""
    ends = np.zeros(len(lengths) + 1, np.uint32)
    np.cumsum(lengths, out=ends[1:], dtype=np.uint32)
    return ends
