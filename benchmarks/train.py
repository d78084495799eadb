"""Training: so far in memory alone (`train_memory`)."""

from benchmarks.figures import Figure, Setup
from benchmarks.train_memory import figures


def run(setup: Setup) -> list[Figure]:
    """All figures of training."""
    return figures(setup)
