"""Every fault once, on real processes and servers, under a stream of messages: nothing lost, nothing twice.

No resume URL works here, so that each RESUME meets that fault too.

`make test-long` repeats each and prints what it cost (`test_repeated_faults.py`).
"""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.fleet import faults
from tests.fleet.faults import Fault, cost_of
from tests.fleet.stage import SHARDS, Stage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with Stage(tmp_path_factory.mktemp("faults"), dead_resume_urls=True) as built:
        yield built


def named(fault: Fault) -> str:
    return fault.__name__


@pytest.mark.parametrize(
    "fault", [faults.sigkill_the_leader, faults.restart_redis_empty, faults.restart_postgres], ids=named
)
async def test_members_notice_nothing(stage: Stage, fault: Fault) -> None:
    await stage.served()
    await stage.balanced()
    before = await stage.resumes(), await stage.identifies()
    assert (await cost_of(stage, fault)).without_service == 0
    assert (await stage.resumes(), await stage.identifies()) == before, "no connection was touched"


@pytest.mark.parametrize(
    "fault",
    [
        faults.cut_every_socket,
        faults.reconnect_every_shard,
        faults.storm_of_invalid_sessions,
        faults.sigkill_a_shard_process,
        faults.pause_one_and_cut_another,
    ],
    ids=named,
)
async def test_sessions_are_resumed(stage: Stage, fault: Fault) -> None:
    assert (await cost_of(stage, fault)).identifies == 0


async def test_what_operators_do_costs_nothing(stage: Stage) -> None:
    since = stage.newest_sent
    assert (await cost_of(stage, faults.drain_and_restart_one_and_the_leader)).identifies == 0
    await stage.all_answered(since)


async def test_resharding_misses_nothing_and_answers_nothing_twice(stage: Stage) -> None:
    since = stage.newest_sent
    cost = await cost_of(stage, faults.reshard_to_twice_as_many)
    assert cost.without_service == 0
    await stage.all_answered(since)


async def test_the_chains_are_what_the_stored_messages_say(stage: Stage) -> None:
    await stage.pause_stream()
    await stage.settled()
    await stage.verify(*list(stage.guilds)[:2])
    assert {name for name in SHARDS if name in stage.fleet.processes} == set(SHARDS)
