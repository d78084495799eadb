"""Who is in a rollout."""

import random
from decimal import Decimal

import pytest

from markov_shard.flags import WHOLE, Rollout, first_rollouts, hundredths_of, place_of
from markov_shard.settings import Settings

GUILDS = [random.Random(number).getrandbits(63) for number in range(20_000)]


@pytest.mark.parametrize("percentage", ["0", "0.01", "1", "10", "12.34", "50", "99.99", "100"])
def test_the_share_of_guilds_is_the_percentage(percentage: str) -> None:
    rollout = Rollout(hundredths_of(Decimal(percentage)))
    share = 100 * sum(map(rollout.includes, GUILDS)) / len(GUILDS)
    assert abs(share - float(percentage)) < 1


def test_sequential_ids_are_spread_as_evenly() -> None:
    rollout = Rollout(1000)
    assert abs(sum(rollout.includes(guild << 22) for guild in range(20_000)) / 200 - 10) < 1


def test_raising_only_adds_guilds() -> None:
    before: set[int] = set()
    for percentage in ("0", "0.01", "0.5", "1", "10", "50", "100"):
        rollout = Rollout(hundredths_of(Decimal(percentage)))
        included = {guild for guild in GUILDS if rollout.includes(guild)}
        assert before <= included
        before = included
    assert before == set(GUILDS)


def test_a_hundredth_of_a_percent_counts() -> None:
    guild = next(guild for guild in GUILDS if 0 < place_of(guild) < WHOLE - 1)
    assert not Rollout(place_of(guild)).includes(guild)
    assert Rollout(place_of(guild) + 1).includes(guild)


def test_the_place_of_a_guild_never_changes() -> None:
    assert [place_of(guild) for guild in (0, 81384788765712384, 2**63 - 1)] == [5848, 7605, 5478]


def test_forced_guilds_are_in_at_any_percentage() -> None:
    assert Rollout(0, frozenset({5})).includes(5)
    assert not Rollout(0, frozenset({5})).includes(6)


def test_first_values_come_from_the_settings() -> None:
    settings = Settings(
        optimization_rollout_percentage=Decimal("12.5"),
        optimization_force_guild_ids=frozenset({7}),
        enable_worker_pool=False,
    )
    first = first_rollouts(settings)
    assert first["markov_store"] == first["batch_optimization"] == Rollout(1250, frozenset({7}))
    assert first["worker_pool"] == Rollout(0)  # what is disabled is not forced either
    assert first["performance_monitoring"] == Rollout(WHOLE)
