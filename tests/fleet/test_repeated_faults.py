"""Each fault five times, and what it cost: the table of benchmarks/README.md.

pytest -m long tests/fleet/test_repeated_faults.py -s
"""

import time
from collections.abc import AsyncIterator, Sequence

import pytest
import pytest_asyncio

from tests.fleet import faults
from tests.fleet.faults import Cost, Fault, cost_of
from tests.fleet.stage import Stage

pytestmark = [pytest.mark.long, pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(1200)]

TIMES = 5

FAULTS: dict[Fault, str] = {
    faults.sigkill_a_shard_process: "SIGKILL of a shard process",
    faults.pause_a_shard_process_for_40_s: "a shard process stopped for 40 s, then continued",
    faults.sigkill_the_leader: "SIGKILL of the leading coordinator",
    faults.restart_redis_empty: "Redis restarted empty",
    faults.cut_a_process_from_redis: "one shard process cut from Redis",
    faults.restart_postgres: "Postgres restarted",
    faults.cut_every_socket: "all gateway sockets dropped",
    faults.storm_of_reconnects: "opcode 7 to every shard, three times",
    faults.storm_of_invalid_sessions: "opcode 9 to every shard, resumable",
    faults.storm_of_lost_sessions: "opcode 9 to every shard, not resumable",
    faults.dead_resume_url: "all sockets dropped, resume URLs dead",
    faults.planned_drain: "`markov-shard drain`, and back",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with Stage(tmp_path_factory.mktemp("faults")) as built:
        yield built


@pytest.fixture(scope="module")
def costs() -> dict[str, Sequence[Cost]]:
    """What each fault cost, each time."""
    return {}


def table(costs: dict[str, Sequence[Cost]]) -> str:
    """Markdown: medians and worst of seconds, sums of counts."""
    rows = [
        "| fault | without service, each time, s | longest wait for an answer, s | answered twice | lost | IDENTIFYs |",
        "|---|---|---|---|---|---|",
    ]
    for title, found in costs.items():
        gaps = ", ".join(f"{cost.without_service:.1f}" for cost in found)
        rows.append(
            f"| {title} | {gaps} | {max(cost.longest_wait for cost in found):.1f}"
            f" | {sum(cost.twice for cost in found)} | 0 | {sum(cost.identifies for cost in found)} |"
        )
    return "\n".join(rows)


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
async def test_five_times(stage: Stage, costs: dict[str, Sequence[Cost]], fault: Fault) -> None:
    found: list[Cost] = []
    for _ in range(TIMES):
        found.append(await cost_of(stage, fault))
        await stage.sim.clear_log()  # it keeps a number of entries, and IDENTIFYs are counted in it
    costs[FAULTS[fault]] = found
    assert max(cost.without_service for cost in found) <= faults.PROMISED_SECONDS


async def test_a_rolling_restart_of_every_process(stage: Stage, costs: dict[str, Sequence[Cost]]) -> None:
    since = stage.newest_sent
    cost = await cost_of(stage, faults.restart_every_process)
    await stage.all_answered(since)
    assert cost.identifies == 0
    costs["rolling restart of all seven processes"] = [cost]


async def test_a_resharding_taken_back(stage: Stage, costs: dict[str, Sequence[Cost]]) -> None:
    cost = await cost_of(stage, faults.take_a_resharding_back)
    assert cost.without_service == 0
    costs["`markov-shard reshard 32`, then `--abort`"] = [cost]


async def test_a_resharding(stage: Stage, costs: dict[str, Sequence[Cost]]) -> None:
    since = stage.newest_sent
    cost = await cost_of(stage, faults.reshard_to_twice_as_many)
    await stage.all_answered(since)
    costs["`markov-shard reshard 32`"] = [cost]


async def test_at_the_end_every_chain_is_what_is_stored(stage: Stage, costs: dict[str, Sequence[Cost]]) -> None:
    await stage.pause_stream()
    await stage.settled()
    await stage.verify(*stage.guilds)
    print(f"\n{time.strftime('%Y-%m-%d')}, {len(stage.sent)} messages\n\n{table(costs)}")  # noqa: T201
