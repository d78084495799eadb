"""One state's transitions where the overlay has changed them."""

from collections import Counter

from markov_shard.chain.image import Image
from markov_shard.chain.losses import Losses
from markov_shard.chain.walk import Random, draw

SMALL = 8  # additions that are scanned rather than indexed
SOURCE_BITS = 32
SOURCE_MASK = (1 << SOURCE_BITS) - 1


class Row:
    """The image's row minus its losses, plus the additions.

    Additions are a list of single occurrences, so that a uniform pick is a pick by weight. Dropped ones stay in
    the list as dead, refused in proportion (rejection), until half the list is dead and it is written anew.
    """

    __slots__ = ("_added", "_base", "_buried", "_dead", "_live", "losses", "successors")

    def __init__(self, image: Image | None, state: int) -> None:
        self._base = 0  # the image's occurrences, before losses; below 0 where nobody has asked yet
        self.successors = 0  # live distinct destinations; whoever drops or loses keeps count
        if image is not None and state < image.states:
            self._base = -1
            self.successors = image.row[state + 1] - image.row[state]
        self.losses: Losses | None = None
        self._added: list[int] = []  # destination << SOURCE_BITS | place of the source
        self._live: dict[int, int] | None = None  # destination -> live additions, once there are many
        self._dead: dict[int, int] | None = None  # destination -> additions to be refused
        self._buried = 0  # their sum

    @classmethod
    def grown(cls, image: Image | None, state: int, item: int, *, known: bool) -> "Row":
        """The row of one packed addition; `known` as of `add`."""
        row = cls(image, state)
        row._added.append(item)
        if not known:
            row.successors += 1
        return row

    def weight(self, image: Image | None, state: int) -> int:
        """Live occurrences."""
        return self._left(image, state) + len(self._added) - self._buried

    def _left(self, image: Image | None, state: int) -> int:
        if self.losses is not None:
            return self.losses.weight
        if self._base < 0:
            assert image is not None
            self._base = image.row_weight(state)
        return self._base

    def added(self, dest: int) -> int:
        """Live additions of transitions to `dest`."""
        if self._live is not None:
            return self._live.get(dest, 0)
        return sum(item >> SOURCE_BITS == dest for item in self._added)

    def additions(self) -> dict[int, int]:
        """Live additions by destination."""
        return self._live if self._live is not None else Counter(item >> SOURCE_BITS for item in self._added)

    def add(self, dest: int, source: int, *, known: bool) -> None:
        """One more occurrence; `known` says whether the image has any left of this transition."""
        added, live = self._added, self._live
        if live is not None:
            before = live.get(dest, 0)
            live[dest] = before + 1
            known = known or before > 0
        elif added and not known:
            known = dest in [item >> SOURCE_BITS for item in added]
        if not known:
            self.successors += 1
        added.append(dest << SOURCE_BITS | source)
        if live is None and len(added) > SMALL:
            self._live = dict(self.additions())

    def drop(self, dest: int, source: int) -> None:
        """One addition less; where the row is short, the one of that source. There must be one."""
        if self._live is None:
            exact = dest << SOURCE_BITS | source
            self._added.remove(exact if exact in self._added else self._any(dest))
            return
        self._live[dest] -= 1
        if not self._live[dest]:
            del self._live[dest]
        if self._dead is None:
            self._dead = {}
        self._dead[dest] = self._dead.get(dest, 0) + 1
        self._buried += 1
        if self._buried * 2 > len(self._added):
            self._bury()

    def lose(self, transition: int, weight: int) -> None:
        """One occurrence of an image transition less, of a row of this weight in the image. There must be one."""
        if self.losses is None:
            self.losses = Losses(weight)
        self.losses.lose(transition)

    def lost(self, transition: int) -> int:
        """Occurrences of an image transition that are gone."""
        return self.losses.of(transition) if self.losses else 0

    def draw(self, image: Image | None, state: int, random: Random) -> tuple[int, int]:
        """One live occurrence by weight: its destination, and its packed addition or, from the image, -1."""
        left = self._left(image, state)
        if left and random() * (left + len(self._added) - self._buried) < left:
            assert image is not None
            if self.losses:
                return image.dest[self.losses.draw(image, state, random)], -1
            return draw(image, state, random), -1
        while True:
            item = self._added[int(random() * len(self._added))]
            dead = self._dead.get(item >> SOURCE_BITS, 0) if self._dead else 0
            if not dead or random() * (self.added(item >> SOURCE_BITS) + dead) >= dead:
                return item >> SOURCE_BITS, item

    def _any(self, dest: int) -> int:
        return next(item for item in self._added if item >> SOURCE_BITS == dest)

    def _bury(self) -> None:
        dead = self._dead or {}
        kept = []
        for item in self._added:
            left = dead.get(item >> SOURCE_BITS, 0)
            if left:
                dead[item >> SOURCE_BITS] = left - 1
            else:
                kept.append(item)
        self._added, self._dead, self._buried = kept, None, 0
