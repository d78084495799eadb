"""Ranges partition all guild IDs: none unowned, none owned twice."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from markov_shard.ranges import GuildRange, shard_of

guild_ids = st.integers(0, 2**63 - 1)


@st.composite
def partitions(draw: st.DrawFn) -> list[GuildRange]:
    whole = GuildRange.whole(draw(st.integers(1, 2000)))
    return whole.split(draw(st.integers(1, min(len(whole), 50))))


@given(partitions(), guild_ids)
def test_exactly_one_part_owns_a_guild(parts: list[GuildRange], guild_id: int) -> None:
    assert sum(part.contains(guild_id) for part in parts) == 1


@given(partitions())
def test_parts_are_contiguous_and_balanced(parts: list[GuildRange]) -> None:
    assert parts[0].first == 0
    assert parts[-1].last == parts[0].shard_count - 1
    assert all(one.last + 1 == two.first for one, two in pairwise(parts))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@given(st.integers(0, 2**42), st.integers(1, 1000), st.integers(0, 2**22 - 1))
def test_a_shard_follows_discords_formula(stamp: int, shard_count: int, rest: int) -> None:
    assert shard_of((stamp << 22) | rest, shard_count) == stamp % shard_count


def test_a_range_prints_itself() -> None:
    assert str(GuildRange(4, 7, 16)) == "shards 4-7 of 16"
    assert list(GuildRange(4, 7, 16).shard_ids) == [4, 5, 6, 7]


@pytest.mark.parametrize(("first", "last", "count"), [(0, 0, 0), (3, 2, 8), (0, 8, 8), (-1, 2, 8)])
def test_what_is_no_range_is_refused(first: int, last: int, count: int) -> None:
    with pytest.raises(ValueError, match="no range"):
        GuildRange(first, last, count)


def test_a_range_is_not_split_into_more_parts_than_shards() -> None:
    with pytest.raises(ValueError, match="cannot be split into 5"):
        GuildRange(0, 3, 4).split(5)
