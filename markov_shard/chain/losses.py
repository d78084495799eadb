"""What an image row lost: exact picks among what is left of it."""

from bisect import bisect_right
from itertools import accumulate

from markov_shard.chain.image import Image
from markov_shard.chain.walk import Random, draw

PATIENCE = 64  # picks refused in a row: half of them are not, so that is as unlikely as it gets


class Losses:
    """Occurrences of one image state's transitions that were removed.

    A pick is drawn as if nothing were gone and refused in proportion to what is; when more than half the weight
    is gone, the next draw rebuilds the row as running sums over what is left, so at most two are needed on average.
    """

    __slots__ = ("_counts", "_kept", "_recorded", "_sums", "_weight")

    def __init__(self, weight: int) -> None:
        self._counts: dict[int, int] = {}
        self._weight = weight
        self._recorded = weight  # weight of the structure that picks are drawn from
        self._kept: list[int] | None = None  # the rebuilt structure: transitions, and running sums of their counts
        self._sums: list[int] = []

    @property
    def weight(self) -> int:
        """Occurrences left."""
        return self._weight

    def of(self, transition: int) -> int:
        """Occurrences of a transition that are gone."""
        return self._counts.get(transition, 0)

    def items(self) -> list[tuple[int, int]]:
        """(transition, occurrences gone) for each that lost any."""
        return list(self._counts.items())

    def lose(self, transition: int) -> None:
        """One occurrence less. The caller knows that there is one."""
        self._counts[transition] = self._counts.get(transition, 0) + 1
        self._weight -= 1

    def draw(self, image: Image, state: int, random: Random) -> int:
        """A transition, by what is left of its count. There must be some weight left."""
        if self._weight * 2 < self._recorded:
            self._rebuild(image, state)
        if self._kept is None:
            for _ in range(PATIENCE):
                transition = image.between(state, draw(image, state, random))
                gone = self._counts.get(transition, 0)
                if not gone or random() * image.count(transition) >= gone:
                    return transition
            self._rebuild(image, state)  # not unlucky but damaged: the image's draws do not follow its counts
        return self._draw_kept(image, random)

    def _draw_kept(self, image: Image, random: Random) -> int:
        kept = self._kept or []
        while True:
            place = bisect_right(self._sums, random() * self._recorded)
            transition = kept[place]
            recorded = self._sums[place] - (self._sums[place - 1] if place else 0)
            left = image.count(transition) - self._counts.get(transition, 0)
            if left == recorded or random() * recorded < left:
                return transition

    def _rebuild(self, image: Image, state: int) -> None:
        row = range(image.row[state], image.row[state + 1])
        left = [(transition, image.count(transition) - self._counts.get(transition, 0)) for transition in row]
        self._kept = [transition for transition, count in left if count > 0]
        self._sums = list(accumulate(count for _, count in left if count > 0))
        self._weight = self._recorded = self._sums[-1] if self._sums else 0
