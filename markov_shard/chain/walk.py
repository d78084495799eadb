"""Steps through an image: two reads where a state has one successor, the alias method where it has more.

Vose, "A linear algorithm for generating random numbers with a given distribution" (1991).
"""

from collections.abc import Callable

from markov_shard.chain.image import Image

Random = Callable[[], float]  # uniform in [0, 1), as random.Random.random

UNIT = 4294967296.0


def draw(image: Image, state: int, random: Random) -> int:
    """One of a state's transitions, by their counts."""
    low = image.row[state]
    size = image.row[state + 1] - low
    if size == 1:
        return low
    spot = random() * size
    column = int(spot)
    cells = image.alias[state]
    if cells and (spot - column) * UNIT >= image.keep[cells + column - 1]:
        column = image.jump[cells + column - 1]
    return low + column


def walk(image: Image, state: int, random: Random, limit: int) -> tuple[list[int], list[int], int] | None:
    """From a state to a message's end: states reached, transitions taken, and the score; None beyond `limit` tokens.

    The score is the sum of (successors - 1) over the steps taken from any state but the empty one. The
    transitions include the last one, to the end; the states do not.
    """
    row, dest, alias, keep, jump = image.row, image.dest, image.alias, image.keep, image.jump
    reached: list[int] = []
    taken: list[int] = []
    score = 0 if state else 1 - (row[1] - row[0])
    for _ in range(limit + 1):
        low = row[state]
        size = row[state + 1] - low
        if size > 1:
            score += size - 1
            spot = random() * size
            column = int(spot)
            cells = alias[state]
            if cells and (spot - column) * UNIT >= keep[cells + column - 1]:
                column = jump[cells + column - 1]
            low += column
        state = dest[low]
        taken.append(low)
        if not state:
            return reached, taken, score
        reached.append(state)
    return None
