"""An immutable chain image, used where it lies."""

from bisect import bisect_left
from collections.abc import Container, Iterable, Iterator, Sequence
from functools import cached_property
from itertools import pairwise
from operator import itemgetter
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.errors import INSIDE, DamagedImageError, NotLearnedError
from markov_shard.chain.hashing import fingerprint
from markov_shard.chain.layout import assemble, parse, verify_sections
from markov_shard.chain.tables import BIG, Tables
from markov_shard.chain.text import NO_SOURCE, MessageLike, shown, text_of, tokens_of
from markov_shard.chain.words import Words

_SPOKEN = 4  # states ending in a word from which on its token is kept when it is learned again: an eighth of words

Transition = tuple[tuple[str, ...], str | None, int]


class Image:
    """One guild's chain, compiled. `bytes(image)` is what to store; `open_image` reads it back.

    Its memoryviews (`row`, `dest`, ...) are for reading one number at a time, its `tables` for whole arrays.
    """

    def __init__(self, data: memoryview) -> None:
        self._data = data
        self._verified = False
        parsed = parse(data)
        self.tables = tables = parsed.tables
        self.tokens = parsed.tokens
        self.state_size = tables.state_size
        self.states = tables.states
        self.transitions = tables.transitions
        self.vocabulary = tables.vocabulary
        self.messages = tables.messages
        self.draws = tables.draws.data
        self.start = parsed.start.data
        self.choice = parsed.dest.data  # all destinations and then all lists: what a start leads into
        self.cell = parsed.cell.data  # keep and jump of each alias cell, one after the other
        self.row = tables.state_row.data
        self.row_end = self.row[1:]
        self.dest = tables.dest.data
        self.columns = [column.data for column in tables.state_tokens]
        self.token_of = self.columns[0]
        self.token_states = tables.token_states.data
        self._count = tables.count.data
        self._big_index = tables.big_index.data
        self._big_count = tables.big_count.data
        self._hashes = tables.word_hash.data
        self._word_end = tables.word_end.data
        self._word_text = tables.word_text.data
        self._words = Words(self._word_text, self._word_end, self.token_states)
        self.spoken: dict[str, int] = {}  # tokens of frequent words that were learned again
        self._fold_hash = tables.fold_hash.data
        self._fold_token = tables.fold_token.data
        self._source = tables.source.data
        self._source_ids = tables.source_ids.data
        self._source_width = tables.source_width
        self._fingerprints = tables.fingerprints.data

    @classmethod
    def of_tables(cls, tables: Tables, tokens: int) -> "Image":
        """The image of these arrays, laid out in memory of its own."""
        image = cls(memoryview(assemble(tables, tokens)).toreadonly())
        image._verified = True
        return image

    def __bytes__(self) -> bytes:
        return bytes(self._data)

    @property
    def data(self) -> memoryview:
        """The image's bytes, not copied."""
        return self._data

    @property
    def nbytes(self) -> int:
        """Size in bytes."""
        return len(self._data)

    def verify(self) -> None:
        """Recompute all checksums; raises DamagedImageError naming the section that does not match."""
        verify_sections(self._data)
        self._verified = True

    def verify_once(self) -> None:
        """As `verify`, unless that was done before or the image was made in this process."""
        if not self._verified:
            self.verify()

    # --- words

    def word(self, token: int) -> str:
        """The word of a token from 1 to `vocabulary`."""
        return self._words[token]

    @property
    def words_nbytes(self) -> int:
        """An estimate of the memory that words kept as strings take: averages of CPython's objects and its dict's."""
        return 150 * (len(self._words) + len(self.spoken))

    def text(self, tokens: Sequence[int]) -> str:
        """The words of these tokens (at least one) with spaces between them."""
        words = self._words
        return " ".join(itemgetter(*tokens)(words)) if len(tokens) > 1 else words[tokens[0]]

    @cached_property
    def _all_words(self) -> list[str]:
        ends = self.tables.word_end.tolist()
        text = bytes(self._word_text)
        return ["", *(text[start:end].decode() for start, end in pairwise(ends))]

    def token(self, word: str) -> int:
        """The word's token, or 0 where the image does not know it."""
        encoded = word.encode(errors="surrogatepass")  # a seed may have any; no learned word does
        return self._token_of(encoded, crc32(encoded))

    def token_hashed(self, word: str, wanted: int) -> int:
        """As `token`, of a learned word whose hash is known; a frequent one is kept in `spoken`."""
        token = self._token_of(word.encode(), wanted)
        if token and self.token_states[token + 1] - self.token_states[token] >= _SPOKEN:
            self.spoken[word] = token
        return token

    def _token_of(self, encoded: bytes, wanted: int) -> int:
        hashes = self._hashes
        place = bisect_left(hashes, wanted)
        while place < len(hashes) and hashes[place] == wanted:
            if self._word_text[self._word_end[place] : self._word_end[place + 1]] == encoded:
                return place + 1
            place += 1
        return 0

    def hash_of(self, token: int) -> int:
        """The hash of a token's word."""
        return self._hashes[token - 1]

    def folded(self, word: str) -> list[int]:
        """The tokens that equal the word but for case, in ascending order."""
        fold = word.casefold()
        wanted = crc32(fold.encode(errors="surrogatepass"))
        exact = self.token(fold)
        found = [exact] if exact else []
        place = bisect_left(self._fold_hash, wanted)
        while place < len(self._fold_hash) and self._fold_hash[place] == wanted:
            token = self._fold_token[place]
            if self.word(token).casefold() == fold:
                found.append(token)
            place += 1
        return sorted(found)

    # --- states and transitions

    def range_of(self, tokens: Sequence[int]) -> tuple[int, int]:
        """The states whose last tokens are these (at least one): first and one past the last.

        With fewer tokens than the state size, states that are longer are included.
        """
        last = tokens[-1]
        low, high = self.token_states[last], self.token_states[last + 1]
        for depth, token in enumerate(reversed(tokens[:-1]), 1):
            column = self.columns[depth]
            low, high = bisect_left(column, token, low, high), bisect_left(column, token + 1, low, high)
        return low, high

    def state(self, tokens: Sequence[int]) -> int:
        """The state of exactly these tokens (up to the state size of them), or -1."""
        if not tokens:
            return 0
        if len(tokens) == self.state_size > 1:
            low, high = self.range_of(tokens[1:])
            column = self.columns[len(tokens) - 1]
            place = bisect_left(column, tokens[0], low, high)
            return place if place < high and column[place] == tokens[0] else -1
        low, high = self.range_of(tokens)
        if low == high or (len(tokens) < self.state_size and self.columns[len(tokens)][low]):
            return -1
        return low

    def tokens_of_state(self, state: int) -> tuple[int, ...]:
        """The tokens of a state, oldest first."""
        tokens = []
        for column in self.columns:
            token = column[state]
            if not token:
                break
            tokens.append(token)
        return tuple(reversed(tokens))

    def find(self, state: int, token: int) -> int:
        """The transition from a state through a token (0: the message's end), or -1."""
        place, end = self.row[state], self.row_end[state]
        if token and end - place > 1:
            place = bisect_left(self.dest, self.token_states[token], place, end)
        return place if place < end and self.token_of[self.dest[place]] == token else -1

    def between(self, state: int, dest: int) -> int:
        """The transition from one state to another that follows it. Raises IndexError where there is none."""
        place = self.row[state]
        if self.draws[state] != 1:
            place = bisect_left(self.dest, dest, place, self.row_end[state])
        if self.dest[place] != dest:
            raise IndexError(f"no transition from state {state} to {dest}")
        return place

    def count(self, transition: int) -> int:
        """How often the transition was seen."""
        count = self._count[transition]
        if count < BIG:
            return count
        place = bisect_left(self._big_index, transition)
        if self._big_index[place] != transition:
            raise IndexError(f"no count of transition {transition}")
        return self._big_count[place]

    def source(self, transition: int) -> int | None:
        """The ID of one message the transition was seen in, or None."""
        start = transition * self._source_width
        place = int.from_bytes(self._source[start : start + self._source_width], "little")
        identity = self._source_ids[place - 1] if place else NO_SOURCE
        return identity if identity != NO_SOURCE else None

    def origin(self, transition: int) -> int:
        """The state a transition starts from."""
        low, high = 0, self.states
        while high - low > 1:
            middle = (low + high) // 2
            if self.row[middle] <= transition:
                low = middle
            else:
                high = middle
        return low

    def row_weight(self, state: int) -> int:
        """The sum of a state's counts."""
        low, high = self.row[state], self.row[state + 1]
        if high - low == 1:
            return self.count(low)
        if high - low <= 4:
            return sum(map(self.count, range(low, high)))
        weight = int(self.tables.count[low:high].sum(dtype=np.int64))
        first, last = bisect_left(self._big_index, low), bisect_left(self._big_index, high)
        return weight + sum(self._big_count[place] - BIG for place in range(first, last))

    def hashes_of(self, tokens: Iterable[int]) -> list[int]:
        """The hashes of some tokens' words."""
        hashes = self._hashes
        return [hashes[token - 1] for token in tokens]

    def copies(self, print_: int) -> int:
        """How many learned messages have this fingerprint."""
        place = bisect_left(self._fingerprints, print_)
        found = 0
        while place < self.messages and self._fingerprints[place] == print_:
            found, place = found + 1, place + 1
        return found

    # --- whole messages

    @INSIDE
    def locate(self, message: MessageLike) -> NDArray[np.uint32]:
        """The indices of one learned message's transitions, one more than it has tokens (none for no token).

        Raises NotLearnedError naming the word, the transition or the message that is not in the image,
        MessageError for a text that cannot be learned, and DamagedImageError.
        """
        words = tokens_of(message)
        if not words:
            return np.empty(0, np.uint32)
        tokens = []
        for word in words:
            token = self.token(word)
            if not token:
                raise NotLearnedError(f"the word {shown(word)} is not in the image")
            tokens.append(token)
        if not self.copies(fingerprint([self.hash_of(token) for token in tokens])):
            raise NotLearnedError(f"the message {shown(text_of(message))} is not in the image")
        path, state = [], 0
        for token in [*tokens, 0]:
            transition = self.find(state, token)
            if transition < 0:
                word = shown(self.word(token)) if token else "the message's end"
                raise NotLearnedError(f"no transition to {word} after {shown(self._spelled(state))} in the image")
            path.append(transition)
            state = self.dest[transition]
        return np.array(path, np.uint32)

    @INSIDE
    def trace(self, indices: Sequence[int]) -> list[int]:
        """The tokens along a whole message's transitions, as `locate` gave them.

        Raises NotLearnedError where the indices are not one message's path through this image; DamagedImageError.
        """
        state, tokens = 0, []
        for index in indices:
            if not 0 <= index < self.transitions or not self.row[state] <= index < self.row[state + 1]:
                raise NotLearnedError(f"transition {index} is not one of state {state}'s: not this image's path")
            state = self.dest[index]
            tokens.append(self.token_of[state])
        if not tokens or tokens.pop() != 0 or 0 in tokens:
            raise NotLearnedError("the transitions do not make up one whole message")
        return tokens

    def iterate(self, skipped: Container[int] = ()) -> Iterator[Transition]:
        """Each (state's words, successor or None for the end, count), in the image's order, of states not skipped."""
        words = self._all_words
        rows, counts = self.tables.state_row.tolist(), self.tables.counts()
        token_of = self.tables.state_tokens[0]
        for state in range(self.states):
            if state in skipped:
                continue
            low, high = rows[state], rows[state + 1]
            spelled = tuple(words[token] for token in self.tokens_of_state(state))
            successors = token_of[self.tables.dest[low:high]].tolist()
            for token, count in zip(successors, counts[low:high].tolist(), strict=True):
                yield spelled, words[token] if token else None, count

    def _spelled(self, state: int) -> str:
        return " ".join(map(self.word, self.tokens_of_state(state)))


def open_image(data: Any) -> Image:
    """An image over anything with the buffer protocol (bytes, mmap, memoryview, ...), used where it lies.

    Checks the header and all bounds but not the sections' checksums: call `verify` on what came over a network.
    Raises the ImageError that names the fault; the buffer must stay unchanged while the image is in use.
    """
    view = memoryview(data)
    if not view.c_contiguous:
        raise DamagedImageError("not one contiguous run of bytes")
    return Image(view.cast("B").toreadonly())
