"""What a prompt is about, and how much a candidate says about it."""

from collections.abc import Iterable
from dataclasses import dataclass

from markov_shard.chain.overlay import Overlay
from markov_shard.chain.seeds import Start, parts_of
from markov_shard.chain.walk import Random

MAX_PROMPT = 64  # words of a prompt that are looked at
FOCUS = 4  # of its words that candidates start from
ELSEWHERE = 0.25  # share of candidates that start as any message does


@dataclass(slots=True)
class Prompt:
    """A prompt's known words, weighed by how rare they are in the chain."""

    tokens: tuple[int, ...]  # the whole prompt, as far as looked at; 0 where a word is unknown
    words: list[str]
    places: dict[int, int]  # token (in any case of its letters) -> place in `words`
    weights: list[int]  # of each word: the square of log2(states / states that end in it), in whole steps
    starts: list[Start]

    def start(self, random: Random) -> Start:
        """Where a candidate starts: from one of the rarest words, more often from the rarer ones, or anywhere."""
        if random() < ELSEWHERE:
            return Start.anywhere()
        spot = random()
        return self.starts[int(spot * spot * len(self.starts))]

    def shared(self, tokens: Iterable[int]) -> set[int]:
        """Places of the prompt's words that are among these tokens."""
        places = self.places
        return {places[token] for token in tokens if token in places}

    def relevance(self, tokens: Iterable[int]) -> int:
        """The weights of the prompt's words among these tokens, each word counted once."""
        return sum(self.weights[place] for place in self.shared(tokens))


def read_prompt(overlay: Overlay, seed: str) -> Prompt | None:
    """What the chain knows of a prompt; None for one no longer than a state, or of which it knows nothing."""
    spoken = seed.split()[:MAX_PROMPT]
    if len(spoken) <= overlay.state_size:
        return None
    states = overlay.states
    prompt = Prompt(tuple(map(overlay.token, spoken)), [], {}, [], [])
    found: list[tuple[int, int, Start]] = []  # states, place, start
    for word, token in zip(spoken, prompt.tokens, strict=True):
        if token in prompt.places:
            continue
        spellings = overlay.folded(word)
        if not spellings:
            continue
        parts = parts_of(overlay, [(spelling,) for spelling in spellings])
        ending = sum(map(len, parts))
        if not ending:
            continue
        place = len(prompt.words)
        prompt.places.update(dict.fromkeys(spellings, place))
        prompt.words.append(word)
        prompt.weights.append((states // ending).bit_length() ** 2)
        found.append((ending, place, Start(parts, word)))
    # A word that was seen once could only be followed by the rest of the one message it stands in.
    found.sort(key=lambda item: (item[0] < 2, item[0], item[1]))
    prompt.starts = [start for _, _, start in found[:FOCUS]]
    return prompt if found else None
