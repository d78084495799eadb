"""Grouping: the same pairs in the same order, however the positions are parted."""

import numpy as np
import pytest

from markov_shard.chain import group
from markov_shard.chain.group import groups


@pytest.mark.parametrize(("part", "chunk", "buckets"), [(1 << 22, 1 << 18, 1 << 16), (64, 100, 16), (8, 5, 1024)])
@pytest.mark.parametrize("size", [0, 1, 50, 1000])
@pytest.mark.parametrize("bounds", [(1, 1), (3, 9), (1 << 20, 5), (10, 1 << 32), (1 << 32, 3), (1 << 32, 1 << 32)])
def test_positions_are_in_order_of_their_pairs(monkeypatch, part, chunk, buckets, size, bounds):
    monkeypatch.setattr(group, "PART", part)
    monkeypatch.setattr(group, "CHUNK", chunk)
    monkeypatch.setattr(group, "BUCKETS", buckets)
    rng = np.random.default_rng(size)
    primary, secondary = (rng.integers(0, bound, size).astype(np.uint32) for bound in bounds)
    wanted = np.lexsort((np.arange(size), secondary, primary))
    for positions in (True, False):
        parts = list(groups(primary, secondary, positions=positions))
        pairs = [pair for found in parts for pair in zip(found.primary.tolist(), found.secondary.tolist(), strict=True)]
        assert pairs == sorted(set(zip(primary.tolist(), secondary.tolist(), strict=True)))
        order = [place for found in parts for place in found.positions().tolist()]
        assert order == (wanted.tolist() if positions else [])
        assert sum(int(found.sizes.sum()) for found in parts) == size
        if positions:
            spread = np.zeros(size, np.uint32)
            for found in parts:
                found.spread(found.primary, spread)
            assert spread.tolist() == primary.tolist()
