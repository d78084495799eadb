"""Walks that go by fewer tokens of context than the chain's states have: for chains too small for their order."""

import numpy as np

from markov_shard.chain.answer import Candidate
from markov_shard.chain.overlay import Overlay
from markov_shard.chain.walk import Random


def lower_walk(overlay: Overlay, prefix: tuple[int, ...], order: int, random: Random, limit: int) -> Candidate | None:
    """One walk by the last `order` tokens, those of the prefix included.

    Each step is drawn from all states that end in those tokens together, by weight: the chain of that order,
    exactly. None beyond `limit` tokens or where nothing follows.
    """
    tokens = list(prefix)
    left: list[int] = []
    entered: list[int] = []
    added: dict[int, int] = {}
    score = 0
    for _ in range(limit + 1):
        states = _states(overlay, tuple(tokens), order)
        weights = np.cumsum([overlay.rows.weight(state) for state in states])
        if not len(weights) or not weights[-1]:
            return None
        state = states[int(np.searchsorted(weights, random() * weights[-1], side="right"))]
        if tokens:
            score += _successors(overlay, states) - 1
        step = overlay.rows.draw(state, random)
        if step is None:
            return None
        dest, item = step
        if item >= 0:
            added[len(left)] = item
        left.append(state)
        entered.append(dest)
        if not dest:
            return Candidate(tokens, left, entered, added, score, order)
        tokens.append(overlay.token_of(dest))
    return None


def _states(overlay: Overlay, tokens: tuple[int, ...], order: int) -> list[int]:
    if len(tokens) < order:
        state = overlay.state(tokens)
        return [state] if state >= 0 else []
    context = tokens[-order:]
    states = overlay.ending(context)
    image = overlay.image
    if image is not None and max(context) <= image.vocabulary:
        states = [*range(*image.range_of(context)), *states]
    return states


def _successors(overlay: Overlay, states: list[int]) -> int:
    return len({token for state in states for token in overlay.successors(state)})
