"""What a benchmark is given and what it returns."""

import gzip
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Setup:
    """How a benchmark is to be run."""

    corpus: Path
    """Chat text: JSON lines with `message`, gzipped or not."""
    peers: bool
    """Measure the peers too, in the same run; they must be installed (`make bench` does)."""

    def messages(self) -> Iterator[str]:
        """The corpus's texts, in order."""
        opener = gzip.open if self.corpus.suffix == ".gz" else open
        with opener(self.corpus, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield json.loads(line)["message"]


@dataclass(frozen=True)
class Figure:
    """One measured number beside those of its peers or bounds."""

    name: str
    unit: str
    ours: float
    peers: Mapping[str, float] = field(default_factory=dict)
    """By the peer's or bound's name, in the same unit."""
    smaller_is_better: bool = True

    @property
    def ratio(self) -> dict[str, float]:
        """How many times better ours is, by peer: above 1, ours is better."""
        return {
            name: (value / self.ours if self.smaller_is_better else self.ours / value)
            for name, value in self.peers.items()
            if value and self.ours
        }
