"""`markov-shard drain` and `reshard` as an operator runs them, where they cannot do what is asked; and what they print.

What they do to a fleet is in tests/fleet.
"""

import asyncio
import json
import os
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
from redis.asyncio import Redis

from coordinator.truth import DatabaseTruth
from discord_sim import DEMO_TOKEN
from discord_sim.server import DiscordSim
from markov_shard.ranges import GuildRange
from markov_shard.shared.assignment import Assignment, write_assignment
from markov_shard.shared.coordination import FleetCoordination, read_drains
from markov_shard.shared.identify import Budget, open_gate
from markov_shard.shared.leases import ShardKey, take_leadership
from markov_shard.shared.members import Member, beat
from markov_shard.store.pool import Database
from markov_shard.store.shard_plan import ShardPlan
from markov_shard.tasks import end
from tests.standin import stand_in

pytestmark = pytest.mark.timeout(150)

Run = Callable[..., Awaitable[tuple[int, str, str]]]


@pytest.fixture
async def sim() -> AsyncIterator[DiscordSim]:
    async with stand_in() as made:
        yield made


@pytest.fixture
def run(migrated_url: str, redis_url: str, sim: DiscordSim, tmp_path: Path) -> Run:
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "DATABASE_URL": migrated_url,
        "REDIS_URL": redis_url,
        "REST_URL": f"{sim.public_url}/api/v10",
        "TOKEN": DEMO_TOKEN,
        "CONFIG_DIR": str(tmp_path),
    }

    async def command(*arguments: str) -> tuple[int, str, str]:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "markov_shard", *arguments),
            env=environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, error = await process.communicate()
        return process.returncode or 0, out.decode().strip(), error.decode().strip()

    return command


@pytest.fixture
async def members(redis_client: Redis) -> AsyncIterator[list[Member]]:
    """Processes that send heartbeats."""
    alive = [Member("shard-1", "shard"), Member("coordinator-1", "coordinator")]

    async def keep_beating() -> None:
        while True:
            for member in alive:
                await beat(redis_client, member)
            await asyncio.sleep(0.2)

    beating = asyncio.create_task(keep_beating())
    yield alive
    await end([beating])


@pytest.fixture
async def placed(database: Database, redis_client: Redis, members: list[Member]) -> ShardPlan:
    """Four shards, all of one process."""
    plan = ShardPlan(4)
    assert await DatabaseTruth(database).save_plan(plan, was=ShardPlan())
    await take_leadership(redis_client, "leader")
    await open_gate(redis_client, Budget(20, 20, 3_600_000), ran_before=False)
    assert await write_assignment(redis_client, "leader", Assignment(4, 16, {"shard-1": GuildRange(0, 3, 4)}, "a test"))
    await FleetCoordination(redis_client, "shard-1").take([ShardKey(4, shard_id) for shard_id in range(4)])
    return plan


async def test_a_drain_needs_somebody_to_take_over(run: Run, placed: ShardPlan, redis_client: Redis) -> None:
    reason = "shard-1 is the only shard process that serves: nobody could take over"
    assert await run("drain", "shard-1") == (1, "", f"markov-shard: {reason}")
    assert await read_drains(redis_client) == frozenset()


async def test_a_drain_that_takes_too_long_says_so_and_goes_on(
    run: Run, placed: ShardPlan, members: list[Member], redis_client: Redis
) -> None:
    members.append(Member("shard-2", "shard"))
    status, _, error = await run("drain", "shard-1", "--timeout", "0.2")
    assert status == 1
    assert "shard-1 still has 4 shard(s) after 0.2 s; it goes on handing over" in error
    assert await read_drains(redis_client) == {"shard-1"}
    status, out, _ = await run("drain", "--undo", "shard-1", "--json")
    assert (status, json.loads(out)["draining"]) == (0, False)
    assert await read_drains(redis_client) == frozenset()


async def test_what_cannot_be_resharded_changes_nothing(run: Run, placed: ShardPlan, database: Database) -> None:
    status, out, error = await run("reshard", "19")
    assert (status, out) == (1, "")
    assert error.startswith("markov-shard: 19 shards need as many IDENTIFYs, and 18 may be used today")
    assert await DatabaseTruth(database).plan() == placed


async def test_a_resharding_is_begun_shown_and_taken_back(run: Run, placed: ShardPlan, database: Database) -> None:
    assert (await run("reshard", "8", "--no-wait"))[0] == 0
    assert await DatabaseTruth(database).plan() == ShardPlan(4, 8)
    status, out, _ = await run("reshard", "--json")
    assert (status, json.loads(out)) == (0, {"state": "coming up", "shards": 4, "target": 8, "up": 0})
    status, out, _ = await run("reshard", "--abort")
    assert (status, out.splitlines()) == (0, ["the resharding is taken back", "the bot has 4 shards"])
    assert await DatabaseTruth(database).plan() == placed
