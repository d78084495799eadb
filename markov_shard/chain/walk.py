"""Steps through an image; `choice` says how a state's successor is drawn. A step reads two to five numbers."""

from collections.abc import Callable, Sequence
from itertools import repeat
from math import floor
from operator import itemgetter

from markov_shard.chain.image import Image

Random = Callable[[], float]  # uniform in [0, 1), as random.Random.random

UNIT = 4294967296.0


def draw(image: Image, state: int, random: Random) -> int:
    """The state that follows, by the counts of the transitions; 0 is the message's end."""
    draws, start = image.draws[state], image.start[state]
    if draws == 1:
        return start
    if draws:
        return image.choice[start + floor(random() * draws)]
    low = image.row[state]
    spot = random() * (image.row_end[state] - low)
    column = floor(spot)
    cell = 2 * (start + column)
    if (spot - column) * UNIT >= image.cell[cell]:
        column = image.cell[cell + 1]
    return image.dest[low + column]


def walk(image: Image, state: int, random: Random, limit: int) -> list[int] | None:
    """The states from one to a message's end, neither included; None beyond `limit` of them.

    As `draw` again and again, written out: a call a step would cost more than the step.
    """
    draws_of, start, choice = image.draws, image.start, image.choice
    whole = floor
    reached: list[int] = []
    reach = reached.append
    for _ in repeat(None, limit + 1):
        draws = draws_of[state]
        if draws == 1:
            state = start[state]
        elif draws:
            state = choice[start[state] + whole(random() * draws)]
        else:
            low = image.row[state]
            spot = random() * (image.row_end[state] - low)
            column = whole(spot)
            place = 2 * (start[state] + column)
            if (spot - column) * UNIT >= image.cell[place]:
                column = image.cell[place + 1]
            state = choice[low + column]
        if not state:
            return reached
        reach(state)
    return None


def tokens_along(image: Image, states: Sequence[int]) -> tuple[int, ...]:
    """The last tokens of these states."""
    if len(states) > 1:
        tokens: tuple[int, ...] = itemgetter(*states)(image.token_of)
        return tokens
    return tuple(image.token_of[state] for state in states)


def score_along(image: Image, states: Sequence[int]) -> int:
    """The sum of (successors - 1) over these states."""
    if len(states) > 1:
        rows = itemgetter(*states)
        score: int = sum(rows(image.row_end)) - sum(rows(image.row)) - len(states)
        return score
    return sum(image.row[state + 1] - image.row[state] - 1 for state in states)
