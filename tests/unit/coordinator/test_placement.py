"""Placement: everything owned once, balanced, with as little movement as there can be."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from coordinator.placement import place
from markov_shard.ranges import GuildRange
from tests.simulation.movement import least_moved, moved

NAMES = [f"shard-{number}" for number in range(12)]


@st.composite
def histories(draw: st.DrawFn) -> tuple[int, list[set[str]]]:
    fleets = st.sets(st.sampled_from(NAMES), min_size=1)
    return draw(st.integers(1, 64)), draw(st.lists(fleets, min_size=1, max_size=8))


@given(histories())
def test_every_shard_has_one_owner_and_sizes_differ_by_one(history: tuple[int, list[set[str]]]) -> None:
    shard_count, fleets = history
    current: dict[str, GuildRange] = {}
    for fleet in fleets:
        current = place(shard_count, sorted(fleet), current)
        parts = sorted(current.values())
        assert parts[0].first == 0
        assert parts[-1].last == shard_count - 1
        assert all(one.last + 1 == two.first for one, two in pairwise(parts))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1
        assert len(parts) == min(len(fleet), shard_count)
        assert current.keys() <= fleet


@given(histories())
def test_nothing_moves_when_nothing_changed(history: tuple[int, list[set[str]]]) -> None:
    shard_count, fleets = history
    current: dict[str, GuildRange] = {}
    for fleet in fleets:
        current = place(shard_count, sorted(fleet), current)
        assert place(shard_count, sorted(fleet), current) == current


@given(
    st.integers(5, 200),
    st.lists(st.dictionaries(st.sampled_from(NAMES[:5]), st.integers(1, 3), min_size=1), min_size=2, max_size=5),
)
def test_movement_is_within_one_range_of_the_least_whatever_the_capacities(
    shard_count: int, fleets: list[dict[str, int]]
) -> None:
    current: dict[str, GuildRange] = {}
    for capacities in fleets:
        after = place(shard_count, sorted(capacities), current, capacities)
        assert after.keys() == capacities.keys() or shard_count < 15
        total = sum(capacities.values())
        for name, part in after.items():
            assert abs(len(part) - shard_count * capacities[name] / total) <= 1
        more = moved(current, after) - least_moved(shard_count, capacities, current)
        assert more <= max(map(len, after.values()))
        current = after


def test_a_newcomer_takes_only_its_share_and_what_balance_needs() -> None:
    before = place(16, ["a", "b"], {})
    after = place(16, ["a", "b", "c"], before)
    assert moved(before, after) == 5


def test_a_leavers_shards_go_to_the_others_and_theirs_stay() -> None:
    before = place(16, ["a", "b", "c", "d"], {})
    after = place(16, ["a", "c", "d"], before)
    owner = {shard: name for name, part in after.items() for shard in part.shard_ids}
    stayed = sum(owner[shard] == name for name in after for shard in before[name].shard_ids)
    assert stayed >= 12 - 3  # four shards found new owners; balance may move a few more


def test_without_processes_nobody_owns_anything() -> None:
    assert place(16, [], {}) == {}
