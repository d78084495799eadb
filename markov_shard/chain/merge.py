"""An image plus additions and less removals: what compiling the remaining messages would give.

Only the remembered sources may differ. The work is proportional to the bytes that are copied and to the change;
nothing is done transition by transition in Python.

Compile jobs feed a `Merger` in batches:

    merger = Merger(image)
    merger.add(texts, ids)                  # as Compiler.add
    merger.remove(texts, ids)               # messages, where their text is at hand
    merger.remove_located(paths, ids)       # or as `Image.locate` numbered them, without any text
    merged = merger.finish()
"""

from collections.abc import Iterable, Sequence
from itertools import islice

import numpy as np
from numpy.typing import NDArray

from markov_shard.chain.compiler import BATCH, columns
from markov_shard.chain.delta import Delta, count_delta
from markov_shard.chain.errors import NotLearnedError
from markov_shard.chain.image import Image
from markov_shard.chain.rewrite import rewritten
from markov_shard.chain.text import NO_SOURCE, MessageLike
from markov_shard.chain.tokenise import Tokeniser
from markov_shard.chain.vocabulary import ordered

U32 = NDArray[np.uint32]
I64 = NDArray[np.int64]


class _Side:
    """Streams of tokens and IDs, as a compiler holds them."""

    def __init__(self) -> None:
        self._streams: list[U32] = [np.empty(0, np.uint32)]
        self._ids: list[I64] = [np.empty(0, np.int64)]

    def take(self, stream: U32, ids: I64) -> None:
        self._streams.append(stream)
        self._ids.append(ids)

    @property
    def stream(self) -> U32:
        return np.concatenate(self._streams)

    @property
    def ids(self) -> I64:
        return np.concatenate(self._ids)


class Merger:
    """Collects changes of one image in batches; holds 4 bytes a token, 8 a message and the distinct words."""

    def __init__(self, image: Image, *, seed: int = 0) -> None:
        """`seed` selects which of a transition's messages is remembered as its source."""
        self._image = image
        self._seed = seed
        self._tokeniser = Tokeniser()
        self._added, self._removed = _Side(), _Side()

    def add(self, texts: Sequence[str], ids: Sequence[int | None] | None = None) -> None:
        """Take a batch of new messages: their texts and, where they have any, their IDs.

        Raises MessageError naming a message that cannot be learned; then none of the batch was taken.
        """
        self._added.take(*self._tokeniser.encode(texts, ids))

    def remove(self, texts: Sequence[str], ids: Sequence[int | None] | None = None) -> None:
        """Take out messages, of the image or of those added. An ID, where known, is never again named as a source."""
        self._removed.take(*self._tokeniser.encode(texts, ids))

    def remove_located(self, paths: Iterable[Sequence[int]], ids: Sequence[int | None] | None = None) -> None:
        """Take out messages of the image, each given as its transitions' indices (`Image.locate`).

        Raises NotLearnedError, and takes none of them, where one is not a whole message's path.
        """
        word = self._image.word
        self.remove([" ".join(map(word, self._image.trace(path))) if len(path) else "" for path in paths], ids)

    def finish(self) -> Image:
        """The merged image; nothing is taken from the image that was given. The merger is to be used once.

        Raises NotLearnedError naming a removed message that is neither in the image nor among those added, and
        DamagedImageError where one of the image's checksums does not match.
        """
        self._image.verify_once()
        delta, added_ids, removed_ids = self._delta()
        self._check(delta, removed_ids)
        return rewritten(self._image, delta, added_ids, removed_ids, self._seed)

    def _delta(self) -> tuple[Delta, I64, I64]:
        vocabulary, tokens_of_number = ordered(self._tokeniser.words)
        added, removed = self._added, self._removed
        stream = np.concatenate([added.stream, removed.stream])
        stream = np.concatenate([np.zeros(1, np.uint32), tokens_of_number])[stream]
        added_ids, removed_ids = added.ids, removed.ids
        stream, added_ids, removed_ids = _cancelled(stream, added_ids, removed_ids)
        delta = count_delta(stream, len(added_ids), vocabulary, self._image.state_size, self._seed)
        return delta, added_ids, removed_ids

    def _check(self, delta: Delta, removed_ids: I64) -> None:
        """That the image and the additions hold each removed message as often as it is removed."""
        prints, wanted = np.unique(delta.removed_prints, return_counts=True)
        if not len(prints):
            return
        held = self._image.tables.fingerprints
        have = np.searchsorted(held, prints, "right") - np.searchsorted(held, prints, "left")
        new = np.sort(delta.added_prints)
        have += np.searchsorted(new, prints, "right") - np.searchsorted(new, prints, "left")
        missing = prints[have < wanted]
        if len(missing):
            place = int(np.flatnonzero(delta.removed_prints == missing[0])[0])
            identity = int(removed_ids[place])
            name = f"message {identity}" if identity != NO_SOURCE else f"removed message {place}"
            raise NotLearnedError(f"{name} is not in the image, or is removed more often than it is there")


def merge(
    image: Image,
    added: Iterable[MessageLike] = (),
    removed: Iterable[MessageLike] = (),
    *,
    seed: int = 0,
) -> Image:
    """The image of its messages with some added and some removed: strings, or objects with `.text` and `.id`.

    Equal to `compile_chain` of the remaining messages in everything but the remembered sources. A message that is
    added and removed is as if it had never been learned. Raises MessageError for one that cannot be learned, and
    NotLearnedError where a removed one is not there; the given image is never changed.
    """
    merger = Merger(image, seed=seed)
    for messages, take in ((added, merger.add), (removed, merger.remove)):
        rest = iter(messages)
        while batch := list(islice(rest, BATCH)):
            take(*columns(batch))
    return merger.finish()


def _cancelled(stream: U32, added_ids: I64, removed_ids: I64) -> tuple[U32, I64, I64]:
    """Without the messages that were added and removed again under one ID and text."""
    shared = np.intersect1d(added_ids[added_ids != NO_SOURCE], removed_ids)
    if not len(shared):
        return stream, added_ids, removed_ids
    ends = np.flatnonzero(stream == 0)
    starts = np.append(0, ends[:-1] + 1)
    ids = np.concatenate([added_ids, removed_ids])
    waiting: dict[tuple[int, bytes], list[int]] = {}
    gone = np.zeros(len(ids), bool)
    for place in np.flatnonzero(np.isin(ids, shared)).tolist():
        key = int(ids[place]), stream[starts[place] : ends[place]].tobytes()
        if place < len(added_ids):
            waiting.setdefault(key, []).append(place)
        elif waiting.get(key):
            gone[[place, waiting[key].pop()]] = True
    kept = np.repeat(~gone, ends - starts + 1)
    return stream[kept], added_ids[~gone[: len(added_ids)]], removed_ids[~gone[len(added_ids) :]]
