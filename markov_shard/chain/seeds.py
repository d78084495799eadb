"""Where an answer to a seed phrase starts."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, product

from markov_shard.chain.overlay import Overlay
from markov_shard.chain.walk import Random

SPELLINGS = 16  # case variants of a phrase that are tried


@dataclass(slots=True)
class Part:
    """States that end in the same tokens: a range of the image's and some of the overlay's."""

    tokens: tuple[int, ...]
    low: int
    high: int
    own: list[int]

    def __len__(self) -> int:
        return max(0, self.high - self.low) + len(self.own)  # a damaged image may have them crossed


@dataclass(slots=True)
class Start:
    """What part of the seed is known, and the states that end in it; without any, the empty state."""

    parts: list[Part]
    used: str | None

    @classmethod
    def anywhere(cls) -> "Start":
        """A message's beginning."""
        return cls([], None)

    def choose(self, random: Random) -> tuple[int, tuple[int, ...]]:
        """A state, each alike, and the tokens to begin the text with."""
        if not self.parts:
            return 0, ()
        place = int(random() * sum(map(len, self.parts)))
        for part in self.parts:
            if place < len(part):
                break
            place -= len(part)
        inside = max(0, part.high - part.low)
        return (part.low + place if place < inside else part.own[place - inside]), part.tokens


def starts(overlay: Overlay, seed: str) -> Start:
    """The longest run of the seed's words that is a state's end (exact case first), else its rarest known word."""
    words = seed.split()
    for length in range(min(len(words), overlay.state_size), 1, -1):
        for place in range(len(words) - length, -1, -1):
            run = words[place : place + length]
            found = _known(overlay, run)
            if found:
                return Start(found, " ".join(run))
    known = [(word, parts) for word in words if (parts := _known(overlay, [word]))]
    if not known:
        return Start.anywhere()
    word, parts = min(known, key=lambda pair: sum(map(len, pair[1])))
    return Start(parts, word)


def _known(overlay: Overlay, words: Sequence[str]) -> list[Part]:
    exact = tuple(overlay.token(word) for word in words)
    if all(exact):
        parts = parts_of(overlay, [exact])
        if parts:
            return parts
    spellings = product(*(overlay.folded(word) for word in words))
    return parts_of(overlay, islice(spellings, SPELLINGS))


def parts_of(overlay: Overlay, spellings: Iterable[tuple[int, ...]]) -> list[Part]:
    """The states that end in each of these runs of tokens, where there are any."""
    parts = []
    for tokens in spellings:
        low = high = 0
        if overlay.image is not None and max(tokens) <= overlay.image.vocabulary:
            low, high = overlay.image.range_of(tokens)
        part = Part(tokens, low, high, overlay.ending(tokens))
        if len(part):
            parts.append(part)
    return parts
