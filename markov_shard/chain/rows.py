"""The rows of a chain that differ from its image's."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from markov_shard.chain.image import Image
from markov_shard.chain.row import SOURCE_BITS, Row
from markov_shard.chain.walk import Random, draw

Step = tuple[int, int, int]  # state, destination, and the image's transition or -1


class Rows:
    """Rows by state, over an image or over nothing.

    One that differs from the image's by a single addition is a number in `singles`, not a Row in `full`: in chat nine
    of ten do, and a number takes a third of the memory.
    """

    def __init__(self, image: Image | None) -> None:
        self.full: dict[int, Row] = {}
        self.singles: dict[int, int] = {}  # packed addition; its complement where the image has no such transition
        self.have_losses = False
        self._image = image
        self._image_states = image.states if image is not None else 0

    def __bool__(self) -> bool:
        return bool(self.full or self.singles)

    @property
    def nbytes(self) -> int:
        """An estimate of its memory: measured averages of CPython's objects."""
        return len(self.full) * 330 + len(self.singles) * 100

    def states(self) -> set[int]:
        """The states whose rows differ."""
        return self.full.keys() | self.singles.keys()

    def row(self, state: int) -> Row | None:
        """A state's row where it differs from the image's; that of a single addition is made, not kept."""
        row = self.full.get(state)
        if row is None and state in self.singles:
            item, known = _unpacked(self.singles[state])
            row = Row.grown(self._image, state, item, known=known)
        return row

    def successors(self, state: int) -> int:
        """How many distinct states follow one now, the end counted as one."""
        row = self.full.get(state)
        if row is not None:
            return row.successors
        image = self._image
        successors = image.row[state + 1] - image.row[state] if image is not None and state < self._image_states else 0
        return successors + (self.singles.get(state, 0) < 0)

    def weight(self, state: int) -> int:
        """Live occurrences of a state's transitions."""
        row = self.full.get(state)
        return row.weight(self._image, state) if row is not None else self.image_weight(state) + (state in self.singles)

    def draw(self, state: int, random: Random) -> tuple[int, int] | None:
        """A successor by weight, and its packed addition or, from the image, -1; None where nothing follows."""
        row = self.full.get(state)
        if row is not None:
            return row.draw(self._image, state, random) if row.successors else None
        single = self.singles.get(state)
        if single is not None:
            weight = self.image_weight(state)
            if not weight or random() * (weight + 1) >= weight:
                item, _ = _unpacked(single)
                return item >> SOURCE_BITS, item
        assert self._image is not None
        return draw(self._image, state, random), -1

    def outgrown(self, path: Iterable[Step]) -> dict[int, Row]:
        """Rows for the states of a path that will differ by more than one addition; `keep` puts them in place."""
        states = [state for state, _, _ in path]
        each = set(states)
        wanted = self.singles.keys() & each
        if len(each) < len(states):
            wanted |= {state for state, times in Counter(states).items() if times > 1 and state not in self.full}
        return {state: self.row(state) or Row(self._image, state) for state in wanted}

    def keep(self, rows: Mapping[int, Row]) -> None:
        """Takes rows in, in place of what they grew out of."""
        self.full.update(rows)
        for state in rows:
            self.singles.pop(state, None)

    def add(self, path: Sequence[Step], source: int, gone: set[int]) -> None:
        """One more occurrence of each step, its outgrown rows kept; `gone` are the image's that have none left."""
        full, singles = self.full, self.singles
        for state, dest, transition in path:
            row = full.get(state)
            if row is not None:
                row.add(dest, source, known=transition >= 0 and transition not in gone)
            else:
                item = dest << SOURCE_BITS | source
                singles[state] = item if transition >= 0 else ~item

    def image_weight(self, state: int) -> int:
        """The sum of the state's counts in the image."""
        return self._image.row_weight(state) if self._image is not None and state < self._image_states else 0


def _unpacked(single: int) -> tuple[int, bool]:
    """The packed addition, and whether the image has its transition."""
    return (single, True) if single >= 0 else (~single, False)
