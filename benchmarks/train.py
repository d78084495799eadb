"""Training: in memory alone (`train_memory`), and from a file to Postgres and a published image (`train_whole`)."""

from benchmarks import train_memory, train_whole
from benchmarks.figures import Figure, Setup


def run(setup: Setup) -> list[Figure]:
    """All figures of training."""
    return train_memory.figures(setup) + train_whole.figures(setup)
