"""From 10,000 to 10 million messages: time of an answer, of compiling and of merging 1,000 messages.

The text is the corpus, made longer as `benchmarks/corpus.py` says. SCALE_TOP is the largest number of messages
(default 1 million; 10 million need about 6 GB and ten minutes), SCALE_PLOT a file to draw the figures to.

Compiling and merging are given in seconds of the processor's time, which other work on the machine disturbs least.
Growth is given as the exponent of a power law, fitted to all sizes by least squares of the logarithms: 1 is linear.
"""

import os
import random
import resource
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial

import numpy as np

from benchmarks.corpus import batches, grown
from benchmarks.figures import Figure, Setup
from benchmarks.timing import each, percentile
from markov_shard.chain import Chain, Compiler, Image, merge

STATE_SIZE = 2
SIZES = (10_000, 30_000, 100_000, 300_000, 1_000_000, 3_000_000, 10_000_000)
ANSWERS = 20_000
MERGED = 1000
REPEATED = 100_000  # messages up to which compiling is so short that the best of five is taken


@dataclass(frozen=True)
class Point:
    """What was measured at one size."""

    messages: int
    transitions: int
    image_mb: float
    compile_s: float
    peak_mb: float
    merge_s: float
    answer_us: float
    answer_p99_us: float


def run(setup: Setup) -> list[Figure]:
    """The figures of each size, and how the largest compares with the smallest."""
    top = int(os.environ.get("SCALE_TOP", "1000000"))
    if os.environ.get("SCALE_PLOT"):
        import matplotlib  # noqa: F401 - it is better to miss it now than after some minutes
    corpus = list(setup.messages())
    points = [_point(corpus, size) for size in SIZES if size <= top]
    if os.environ.get("SCALE_PLOT"):
        _plot(points, os.environ["SCALE_PLOT"])
    return [figure for point in points for figure in _figures(point)] + _growth(points)


def _point(corpus: list[str], size: int) -> Point:
    text = grown(corpus)
    before = _peak_mb()
    compile_s, image = _compiled(batches(text, size))
    peak = _peak_mb() - before  # of the process so far: sizes are ascending
    if size <= REPEATED:
        compile_s = min(compile_s, *(_compiled(batches(grown(corpus), size))[0] for _ in range(4)))
    new = [message for batch in batches(text, MERGED) for message in batch]
    started = time.process_time()
    merged = merge(image, new)
    merge_s = time.process_time() - started
    assert merged.messages > image.messages
    del merged
    chain, rng = Chain(image), random.Random(1)
    answers = each(partial(chain.answer, rng), ANSWERS)
    return Point(
        image.messages,
        image.transitions,
        image.nbytes / 1e6,
        compile_s,
        peak,
        merge_s,
        1e6 * percentile(answers, 0.5),
        1e6 * percentile(answers, 0.99),
    )


def _compiled(text: Iterable[list[str]]) -> tuple[float, Image]:
    """Seconds spent in the compiler alone, not in making the text, and the image."""
    compiler = Compiler(STATE_SIZE)
    seconds = 0.0
    for batch in text:
        started = time.process_time()
        compiler.add(batch)
        seconds += time.process_time() - started
    started = time.process_time()
    image = compiler.finish()
    return seconds + time.process_time() - started, image


def _peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def _figures(point: Point) -> list[Figure]:
    name = f"{point.messages:,} messages"
    return [
        Figure(f"{name}: answer, p50", "us", point.answer_us),
        Figure(f"{name}: answer, p99", "us", point.answer_p99_us),
        Figure(f"{name}: compile", "s", point.compile_s),
        Figure(f"{name}: compile, peak memory beyond all before", "MB", point.peak_mb),
        Figure(f"{name}: merge {MERGED:,} more", "s", point.merge_s, {"compile": point.compile_s}),
        Figure(f"{name}: image", "MB", point.image_mb),
        Figure(f"{name}: image", "bytes a transition", 1e6 * point.image_mb / point.transitions),
    ]


def _growth(points: list[Point]) -> list[Figure]:
    small, large = points[0], points[-1]
    times = large.messages / small.messages
    return [
        Figure(
            f"answer, p50, at {times:,.0f} times the messages", "times", large.answer_us / small.answer_us, {"bound": 4}
        ),
        Figure("compile, exponent of the messages", "", _exponent(points, "compile_s"), {"linear": 1}),
        Figure("merge, exponent of the messages", "", _exponent(points, "merge_s"), {"linear": 1}),
        Figure("compile, per message, largest to smallest", "times", large.compile_s / small.compile_s / times),
    ]


def _exponent(points: list[Point], name: str) -> float:
    """By which power of the messages the time grows."""
    if len(points) < 2:
        return 1.0
    sizes = np.log([point.messages for point in points])
    return float(np.polyfit(sizes, np.log([getattr(point, name) for point in points]), 1)[0])


def _plot(points: list[Point], path: str) -> None:
    import matplotlib as mpl

    mpl.use("svg")
    from matplotlib import pyplot

    sizes = [point.messages for point in points]
    figure, (answers, seconds) = pyplot.subplots(1, 2, figsize=(10, 4), layout="constrained")
    answers.plot(sizes, [point.answer_us for point in points], "o-", label="p50")
    answers.plot(sizes, [point.answer_p99_us for point in points], "o--", label="p99")
    answers.set(title="One answer", xlabel="messages", ylabel="microseconds", xscale="log", ylim=(0, None))
    powers = [f"grows by the power of {_exponent(points, name):.2f}" for name in ("compile_s", "merge_s")]
    seconds.plot(sizes, [point.compile_s for point in points], "o-", label=f"compile: {powers[0]}")
    seconds.plot(sizes, [point.merge_s for point in points], "o--", label=f"merge {MERGED:,} more: {powers[1]}")
    seconds.set(title="Making an image", xlabel="messages", ylabel="seconds", xscale="log", yscale="log")
    for axes in (answers, seconds):
        axes.grid(visible=True, alpha=0.3)
        axes.legend()
    figure.savefig(path)
