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

    __slots__ = ("_added", "_buried", "_dead", "_live", "base", "losses", "successors")

    def __init__(self, image: Image | None, state: int) -> None:
        self.base = 0  # the image's occurrences, before losses
        self.successors = 0  # live distinct destinations; whoever drops or loses keeps count
        if image is not None and state < image.states:
            self.base = image.row_weight(state)
            self.successors = image.row[state + 1] - image.row[state]
        self.losses: Losses | None = None
        self._added: list[int] = []  # destination << SOURCE_BITS | place of the source
        self._live: dict[int, int] | None = None  # destination -> live additions, once there are many
        self._dead: dict[int, int] | None = None  # destination -> additions to be refused
        self._buried = 0  # their sum

    def weight(self) -> int:
        """Live occurrences."""
        left = self.losses.weight if self.losses else self.base
        return left + len(self._added) - self._buried

    def added(self, dest: int) -> int:
        """Live additions of transitions to `dest`."""
        if self._live is not None:
            return self._live.get(dest, 0)
        return sum(item >> SOURCE_BITS == dest for item in self._added)

    def additions(self) -> dict[int, int]:
        """Live additions by destination."""
        return self._live if self._live is not None else Counter(item >> SOURCE_BITS for item in self._added)

    def add(self, dest: int, source: int, transition: int = -1, count: int = 0) -> None:
        """One more occurrence; of an image transition that the image counts `count` times, if it has it."""
        added, live = self._added, self._live
        if live is not None:
            before = live.get(dest, 0)
            live[dest] = before + 1
        else:
            before = dest in [item >> SOURCE_BITS for item in added] if added else 0
        if not before and (not count or (self.losses is not None and count <= self.losses.of(transition))):
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

    def lose(self, transition: int) -> None:
        """One occurrence of an image transition less. There must be one."""
        if self.losses is None:
            self.losses = Losses(self.base)
        self.losses.lose(transition)

    def lost(self, transition: int) -> int:
        """Occurrences of an image transition that are gone."""
        return self.losses.of(transition) if self.losses else 0

    def draw(self, image: Image | None, state: int, random: Random) -> tuple[int, int]:
        """One live occurrence by weight: its destination, and its packed addition or, from the image, -1."""
        left = self.losses.weight if self.losses else self.base
        if left and random() * self.weight() < left:
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
