"""Sampling follows the counts: chi-square tests, and a biased sampler that must fail them."""

import math
import random
from collections import Counter
from zlib import crc32

import numpy as np
import pytest

from markov_shard.chain import Chain, compile_chain
from markov_shard.chain.alias import alias_tables

SIZES = (1, 2, 3, 10, 100, 1000, 10_000)
EXPECTED = 8  # of the rarest cells together


def significance(counts, seen):
    """How many standard deviations a chi-square statistic lies above its mean (Wilson and Hilferty 1931).

    Cells that are expected less than EXPECTED times are pooled. A true sampler passes 5 but once in 3 million runs.
    """
    draws, weight = sum(seen.values()), sum(counts.values())
    assert set(seen) <= set(counts)
    statistic, cells, pooled, pooled_seen = 0.0, -1, 0.0, 0
    for value, count in sorted(counts.items(), key=lambda item: crc32(item[0].encode())):  # the image's order
        expected = draws * count / weight
        pooled, pooled_seen = pooled + expected, pooled_seen + seen[value]
        if pooled >= EXPECTED:
            statistic += (pooled_seen - pooled) ** 2 / pooled
            cells, pooled, pooled_seen = cells + 1, 0.0, 0
    if cells < 1:
        return 0.0
    spread = 2 / (9 * cells)
    return (math.cbrt(statistic / cells) - (1 - spread)) / math.sqrt(spread)


def skewed(size, seed=1):
    """Counts of `size` words, from equal to very unequal."""
    rng = random.Random(seed)
    return {f"w{number}": 1 + int(rng.paretovariate(1.2)) % 400 for number in range(size)}


def said(counts):
    return [word for word, count in counts.items() for _ in range(count)]


def drawn(chain, rng, size):
    return Counter(chain.walk(rng) for _ in range(max(5000, min(10 * size, 60_000))))


def image_alone(size):
    return Chain(compile_chain(said(skewed(size)), 1))


def with_additions(size):
    """Half of the words, and a part of the others' occurrences, were learned since the image."""
    counts = skewed(size)
    old = {word: count // 2 for number, (word, count) in enumerate(counts.items()) if number % 2}
    chain = Chain(compile_chain(said(old), 1))
    for word, count in counts.items():
        for _ in range(count - old.get(word, 0)):
            chain.learn(word)
    return chain


def with_removals(size):
    """Each word was seen more often, most of them much more, and some words are gone."""
    counts = skewed(size)
    lost = {word: (number * 7) % 11 for number, word in enumerate(counts)}
    lost |= {f"gone{number}": 2 for number in range(size // 2)}
    chain = Chain(compile_chain(said(counts) + said(lost), 1))
    for word, count in lost.items():
        for _ in range(count):
            chain.unlearn(word)
    return chain


def with_both(size):
    """Additions that were themselves unlearned again, over removals."""
    chain = with_removals(size)
    extra = said({word: count % 5 for word, count in skewed(size, 2).items()})
    for word in extra:
        chain.learn(word)
    for word in extra:
        chain.unlearn(word)
    return chain


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("make", [image_alone, with_additions, with_removals, with_both])
def test_sampling_follows_the_counts(make, size):
    seen = drawn(make(size), random.Random(7), size)
    assert significance(skewed(size), seen) < 5


class Biased(random.Random):
    """Leans a little towards small numbers."""

    def random(self):
        return super().random() ** 1.2


@pytest.mark.parametrize("size", [size for size in SIZES if size > 2])
def test_the_test_has_power(size):
    counts = skewed(size)
    assert significance(counts, drawn(image_alone(size), Biased(7), size)) > 5
    flat = Counter(random.Random(7).choices(list(counts), k=max(5000, min(10 * size, 60_000))))
    assert significance(counts, flat) > 5


def test_sampling_after_a_common_context():
    counts = {f"x{number}": number % 9 + 1 for number in range(50)}
    image = compile_chain([f"a b {word}" for word in said(counts)], 2)
    seen = Counter(Chain(image).walk(rng).split()[2] for rng in [random.Random(3)] for _ in range(10_000))
    assert significance(counts, seen) < 5


def test_alias_tables_hold_each_row_exactly():
    rng = np.random.default_rng(5)
    sizes = rng.integers(1, 300, 200)
    counts = rng.zipf(1.5, sizes.sum()).clip(max=1 << 20)
    keep, jump = alias_tables(counts, sizes)
    start = 0
    for size in sizes:
        row = counts[start : start + size]
        stay = keep[start : start + size] / 2**32
        mass = stay.copy()
        np.add.at(mass, jump[start : start + size], 1 - stay)
        np.testing.assert_allclose(mass / size, row / row.sum(), atol=size * 2.0**-31)
        start += size
