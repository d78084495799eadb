"""Messages to an image, batch by batch, in arrays."""

from collections.abc import Iterable, Sequence
from itertools import islice
from typing import cast

import numpy as np

from markov_shard.chain.build import tables_of
from markov_shard.chain.count import Counted, count
from markov_shard.chain.hashing import U32
from markov_shard.chain.image import Image
from markov_shard.chain.text import MessageLike, checked_state_size, id_of, text_of
from markov_shard.chain.tokenise import Tokeniser
from markov_shard.chain.vocabulary import ordered

BATCH = 1 << 14  # messages of an iterable that are held as Python strings at a time


class Compiler:
    """Counts messages in batches; holds 4 bytes a token, 8 a message and the distinct words until it finishes."""

    def __init__(self, state_size: int, *, seed: int = 0) -> None:
        """`seed` selects which of a transition's messages is remembered as its source."""
        self._state_size = checked_state_size(state_size)
        self._seed = seed
        self._tokeniser = Tokeniser()
        self._streams: list[np.ndarray[tuple[int], np.dtype[np.uint32]]] = []
        self._ids: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []
        self.messages = 0
        self.tokens = 0

    def add(self, texts: Sequence[str], ids: Sequence[int | None] | None = None) -> None:
        """Take a batch (a few thousand messages are best): their texts and, where they have any, their IDs.

        Raises MessageError naming a message that cannot be learned; then none of the batch was taken.
        """
        stream, known = self._tokeniser.encode(texts, ids)
        self._streams.append(stream)
        self._ids.append(known)
        self.messages += len(known)
        self.tokens += len(stream) - len(known)

    def finish(self) -> Image:
        """The image of all that was added. The compiler is then empty again."""
        counted = self.counted()
        return Image.of_tables(tables_of(counted), counted.tokens)

    def counted(self) -> Counted:
        """The counted arrays of all that was added. The compiler is then empty again."""
        vocabulary, tokens_of_number = ordered(self._tokeniser.words)
        numbers = np.concatenate([np.zeros(1, np.uint32), tokens_of_number])
        ids = np.concatenate([np.empty(0, np.int64), *self._ids])
        streams, state_size, seed = self._streams, self._state_size, self._seed
        self.__init__(state_size, seed=seed)  # type: ignore[misc]
        # The stream is not held here: counting lets go of it when it is done with it.
        return count(_numbered(streams, numbers), ids, vocabulary, state_size, seed)


def _numbered(streams: list[U32], numbers: U32) -> U32:
    """The streams as one, in the vocabulary's tokens; empties the list, so that no more is held than needed."""
    joined = np.empty(sum(map(len, streams)), np.uint32)
    place = len(joined)
    while streams:
        part = streams.pop()
        place -= len(part)
        joined[place : place + len(part)] = numbers[part]
    return joined


def compile_chain(messages: Iterable[MessageLike], state_size: int = 2, *, seed: int = 0) -> Image:
    """The image of these messages: strings, or objects with `.text` and `.id`.

    The same messages give the same bytes on every machine. Raises MessageError, StateSizeError.
    """
    return compiled(messages, state_size, seed).finish()


def compiled(messages: Iterable[MessageLike], state_size: int, seed: int) -> Compiler:
    """A compiler that has taken these messages."""
    compiler = Compiler(state_size, seed=seed)
    rest = iter(messages)
    while batch := list(islice(rest, BATCH)):
        compiler.add(*columns(batch))
    return compiler


def columns(batch: list[MessageLike]) -> tuple[list[str], list[int | None] | None]:
    """The texts of a batch and, where it is not of bare strings alone, the IDs."""
    if set(map(type, batch)) == {str}:
        return cast("list[str]", batch), None
    return [text_of(message) for message in batch], [id_of(message) for message in batch]
