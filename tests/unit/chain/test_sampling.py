"""Sampling follows the counts: chi-square tests, and biased samplers that must fail them.

Sensitivity, measured over all rows of 2 to 10,000 successors tried here: of random numbers raised to the power of
1.25 every row notices, of 1.15 all but 5 of 80, of 1.1 half. A row of one successor cannot be biased.
"""

import math
import random
from collections import Counter
from functools import cache
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


def small(size):
    """Counts of 1 and 2 by turns, so that the whole row is short enough for a list."""
    return {f"w{number}": 1 + number % 2 for number in range(size)}


def even(size):
    """Each word was seen equally often."""
    return {f"w{number}": 3 for number in range(size)}


# Rows by how they are drawn from: each kind has another way (docs/chain-image.md), and `even` two of them.
KINDS = {skewed: SIZES, small: (2, 3, 10, 100, 170), even: (2, 3, 10, 255, 256)}
ROWS = [pytest.param(kind, size, id=f"{kind.__name__}-{size}") for kind, sizes in KINDS.items() for size in sizes]
LEANABLE = [row for row in ROWS if row.values[1] > 1]


def said(counts):
    return [word for word, count in counts.items() for _ in range(count)]


def draws(size):
    return max(5000, min(30 * size, 40_000))


def drawn(chain, rng, size):
    return Counter(chain.walk(rng) for _ in range(draws(size)))


def image_alone(counts):
    return Chain(compile_chain(said(counts), 1))


def with_additions(counts):
    """Half of the words, and a part of the others' occurrences, were learned since the image."""
    old = {word: count // 2 for number, (word, count) in enumerate(counts.items()) if number % 2}
    chain = Chain(compile_chain(said(old), 1))
    for word, count in reversed(counts.items()):  # so that image and additions lean the same way, if they do
        for _ in range(count - old.get(word, 0)):
            chain.learn(word)
    return chain


def with_removals(counts):
    """Each word was seen more often, most of them much more, and some words are gone."""
    lost = {word: (number * 7) % 11 for number, word in enumerate(counts)}
    lost |= {f"gone{number}": 2 for number in range(len(counts) // 2)}
    chain = Chain(compile_chain(said(counts) + said(lost), 1))
    for word, count in lost.items():
        for _ in range(count):
            chain.unlearn(word)
    return chain


def with_both(counts):
    """Additions that were themselves unlearned again, over removals."""
    chain = with_removals(counts)
    extra = said({word: count % 5 for word, count in skewed(len(counts), 2).items()})
    for word in extra:
        chain.learn(word)
    for word in extra:
        chain.unlearn(word)
    return chain


def with_few_removals(counts):
    """Only a little is gone, so that the image's own row is drawn from, and what is gone refused."""
    lost = {word: number % 2 for number, word in enumerate(counts)}
    chain = Chain(compile_chain(said(counts) + said(lost), 1))
    for word in said(lost):
        chain.unlearn(word)
    return chain


@cache
def made(make, kind, size):
    return make(kind(size))


MAKES = [image_alone, with_additions, with_removals, with_few_removals, with_both]


@pytest.mark.parametrize(("kind", "size"), ROWS)
@pytest.mark.parametrize("make", MAKES)
def test_sampling_follows_the_counts(make, kind, size):
    assert significance(kind(size), drawn(made(make, kind, size), random.Random(7), size)) < 5


class Biased(random.Random):
    """Leans a little towards small numbers."""

    def random(self):
        return super().random() ** 1.25


@pytest.mark.parametrize(("kind", "size"), LEANABLE)
@pytest.mark.parametrize("make", MAKES)
def test_the_test_has_power(make, kind, size):
    assert significance(kind(size), drawn(made(make, kind, size), Biased(7), size)) > 5


@pytest.mark.parametrize("size", [size for size in SIZES if size > 1])
def test_the_test_tells_equal_shares_from_the_counts(size):
    counts = skewed(size)
    seen = Counter(random.Random(7).choices(list(counts), k=draws(size)))
    assert significance(counts, seen) > 5


def test_a_row_of_one_cannot_lean_for_it_needs_no_random_number():
    class Never(random.Random):
        def random(self):
            raise AssertionError("a number was drawn")

    assert image_alone({"only": 9}).walk(Never()) == "only"


@pytest.mark.parametrize(("kind", "size"), ROWS)
def test_rows_are_drawn_in_the_ways_that_are_tried_here(kind, size):
    ways = {skewed: 0, small: sum(small(size).values()), even: size if size < 256 else 0}
    expected = 1 if size == 1 else ways[kind]
    if kind is skewed and size < 100:
        return
    assert compile_chain(said(kind(size)), 1).draws[0] == expected


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
