"""What may begin a resharding and take it back, and when one is suggested."""

from dataclasses import replace

import pytest

from coordinator.resharding import (
    GUILDS_PER_SHARD,
    OVERLAP_MS,
    ReshardingError,
    begun,
    decided,
    suggested,
    taken_back,
)
from markov_shard.shared.identify import Budget
from markov_shard.store.shard_plan import ShardPlan

NOW = 1_700_000_000_000
PLAN = ShardPlan(16)
FULL = Budget(1000, 1000, 0)


def begin(plan: ShardPlan = PLAN, target: int = 32, *, guilds: int = 100, budget: Budget | None = FULL) -> ShardPlan:
    return begun(plan, target, guilds=guilds, budget=budget, now=NOW)


def test_a_resharding_begins_without_the_time_of_an_earlier_switch() -> None:
    assert begin(replace(PLAN, switch_at=NOW - 60_000)) == ShardPlan(16, 32, 0)


def test_taking_it_back_leaves_the_plan_as_it_was() -> None:
    assert taken_back(begin(), NOW) == PLAN


@pytest.mark.parametrize(
    ("plan", "more", "reason"),
    [
        (ShardPlan(), {}, "not been placed yet"),
        (ShardPlan(16, 64), {}, "resharding to 64 is under way: --abort"),
        (ShardPlan(16, 0, NOW - OVERLAP_MS + 1), {}, "just ending"),
        (ShardPlan(32), {}, "32 shards already"),
        (PLAN, {"guilds": 32 * GUILDS_PER_SHARD + 1}, "80001 guilds need 33 shards at least"),
        (PLAN, {"budget": Budget(1000, 131, 7_200_000)}, r"32 shards .* 31 may be used today .* in 2\.0 h"),
    ],
)
def test_what_cannot_begin_says_why(plan: ShardPlan, more: dict[str, object], reason: str) -> None:
    with pytest.raises(ReshardingError, match=reason):
        begin(plan, **more)  # type: ignore[arg-type]


def test_what_cannot_be_taken_back_says_why() -> None:
    switched = decided(begin(), NOW)
    with pytest.raises(ReshardingError, match="too late: 32 shards take over now"):
        taken_back(switched, NOW)
    with pytest.raises(ReshardingError, match="no resharding is under way"):
        taken_back(switched, switched.switch_at + OVERLAP_MS)


@pytest.mark.parametrize(
    ("guilds", "shards", "target"),
    [(0, 0, None), (32_000, 16, None), (32_001, 16, 64), (2_001, 1, 4), (500, 16, None)],
)
def test_a_resharding_is_suggested_at_four_fifths_of_discords_limit(
    guilds: int, shards: int, target: int | None
) -> None:
    assert suggested(guilds, shards) == target
