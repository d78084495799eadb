"""Steps through an image: two reads where a state has one successor, the alias method where it has more.

Vose, "A linear algorithm for generating random numbers with a given distribution" (1991).
"""

from collections.abc import Callable

from markov_shard.chain.image import Image
from markov_shard.chain.layout import RECORD

Random = Callable[[], float]  # uniform in [0, 1), as random.Random.random

UNIT = 4294967296.0


def draw(image: Image, state: int, random: Random) -> int:
    """One of a state's transitions, by their counts."""
    low, cells, _, end = image.record[RECORD * state : RECORD * state + RECORD + 1]
    size = end - low
    if size == 1:
        return low
    spot = random() * size
    column = int(spot)
    if cells:
        place = (cells + column) * 2
        if (spot - column) * UNIT >= image.cell[place - 2]:
            column = image.cell[place - 1]
    return low + column


def walk(image: Image, state: int, random: Random, limit: int) -> tuple[list[int], list[int], int] | None:
    """From a state to a message's end: states reached, transitions taken, and the score; None beyond `limit` tokens.

    The score is the sum of (successors - 1) over the steps taken from any state but the empty one. The
    transitions include the last one, to the end; the states do not.
    """
    record, dest, cell = image.record, image.dest, image.cell
    reached: list[int] = []
    taken: list[int] = []
    score = 0 if state else 1 - record[RECORD]
    for _ in range(limit + 1):
        place = RECORD * state
        low = record[place]
        size = record[place + RECORD] - low
        if size > 1:
            score += size - 1
            spot = random() * size
            column = int(spot)
            cells = record[place + 1]
            if cells:
                place = (cells + column) * 2
                if (spot - column) * UNIT >= cell[place - 2]:
                    column = cell[place - 1]
            low += column
        state = dest[low]
        taken.append(low)
        if not state:
            return reached, taken, score
        reached.append(state)
    return None


def raw_walk(image: Image, random: Random, limit: int) -> list[int] | None:
    """As `walk` from the empty state, for the states alone."""
    record, dest, cell = image.record, image.dest, image.cell
    reached: list[int] = []
    reach = reached.append
    state = 0
    for _ in range(limit + 1):
        place = RECORD * state
        low = record[place]
        size = record[place + RECORD] - low
        if size > 1:
            spot = random() * size
            column = int(spot)
            cells = record[place + 1]
            if cells:
                place = (cells + column) * 2
                if (spot - column) * UNIT >= cell[place - 2]:
                    column = cell[place - 1]
            state = dest[low + column]
        else:
            state = dest[low]
        if not state:
            return reached
        reach(state)
    return None
