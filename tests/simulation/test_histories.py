"""Random histories of whole fleets: the real agents, coordinators and placement, in virtual time."""

import asyncio
import os
import random
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context

import pytest

from markov_shard.ownership.tenure import CONFIRMED_SECONDS
from tests.simulation.fleet import HistoryError, SimFleet
from tests.simulation.history import SETTLE_SECONDS, Outcome, play, run_history

NORMAL, LONG = 120, 10_000


def check(outcome: Outcome) -> None:
    assert outcome.writes > 0
    assert outcome.settled_seconds <= SETTLE_SECONDS
    assert outcome.sure_together <= CONFIRMED_SECONDS + 0.5  # looked at twice a second


@pytest.mark.parametrize("first", range(0, NORMAL, 20))
def test_small_fleets_keep_their_promises(first: int) -> None:
    outcomes = [run_history(seed, most_processes=12, most_shards=128) for seed in range(first, first + 20)]
    for outcome in outcomes:
        check(outcome)
    assert sum(outcome.placements_tried for outcome in outcomes) > 0


def test_a_fleet_of_64_processes_and_1024_shards_keeps_its_promises() -> None:
    outcome = run_history(7, processes=64, shard_count=1024)
    check(outcome)
    assert (outcome.processes, outcome.shard_count) == (64, 1024)


def test_one_that_was_paused_takes_nothing_from_its_successor() -> None:
    """Not even where Redis was emptied and it asks first: it would hold leases under epochs that nobody accepts."""

    async def story(fleet: SimFleet) -> tuple[int, list[int]]:
        fleet.add_leader()
        fleet.add_shard("first")
        await asyncio.sleep(5)
        first = fleet.shards["first"].process
        first.pause()
        fleet.add_shard("second")
        await asyncio.sleep(30)
        fleet.redis.clear()
        first.resume(fleet.loop)
        await asyncio.sleep(3)
        kept = len(fleet.shards["second"].runner.running)
        await asyncio.sleep(SETTLE_SECONDS)
        return kept, fleet.unserved()

    assert play(story, random.Random(1), shard_count=100) == (100, [])


def test_a_missing_fence_is_caught_by_the_same_run() -> None:
    def run_unfenced() -> None:
        for seed in range(NORMAL):
            run_history(seed, fenced=False, most_processes=12, most_shards=128)

    with pytest.raises(HistoryError, match="two holders' writes accepted"):
        run_unfenced()


def _outcomes(seeds: range) -> list[Outcome]:
    return [run_history(seed) for seed in seeds]


@pytest.mark.long
@pytest.mark.timeout(7200)
def test_ten_thousand_histories() -> None:
    parts = [range(first, first + 50) for first in range(1_000_000, 1_000_000 + LONG, 50)]
    with ProcessPoolExecutor(os.cpu_count(), mp_context=get_context("spawn")) as pool:
        outcomes = [outcome for part in pool.map(_outcomes, parts) for outcome in part]
    for outcome in outcomes:
        check(outcome)
    assert len(outcomes) == LONG
    assert max(outcome.processes for outcome in outcomes) > 50
    assert max(outcome.shard_count for outcome in outcomes) > 900
