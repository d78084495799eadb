"""Every fault once, on real processes and servers, under a stream of messages: nothing lost, nothing twice."""

import asyncio
import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import pytest_asyncio

from tests.fleet.stage import SHARDS, Stage

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(240)]

Record = Callable[[str, object], None]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def stage(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Stage]:
    async with Stage(tmp_path_factory.mktemp("faults")) as built:
        yield built


async def measure(stage: Stage, fault: Callable[[Stage], Awaitable[None]], most_seconds: float) -> float:
    """The longest time for which a shard was not served in the course of a fault."""
    await stage.served()
    stage.gaps.longest.clear()
    await fault(stage)
    await stage.served()
    await stage.settled()
    worst = stage.gaps.worst
    print(f"{fault.__name__}: {worst:.2f} s without service")  # noqa: T201 - the figure this test is for
    assert worst <= most_seconds
    assert await stage.double_answers() == 0
    assert await stage.refused_identifies() == 0
    return worst


async def sigkill_a_shard_process(stage: Stage) -> None:
    await stage.freeze("shard-2")
    await stage.fleet.kill("shard-2")
    await stage.served()
    await stage.fleet.start("shard-2")


async def pause_a_shard_process(stage: Stage, seconds: float = 14.0) -> None:
    """Long enough for its leases to run out, so that it wakes up as a stranger."""
    await stage.freeze("shard-1")
    stage.fleet.signal(signal.SIGSTOP, "shard-1")
    await asyncio.sleep(seconds)
    stage.fleet.signal(signal.SIGCONT, "shard-1")


async def pause_a_shard_process_for_40_s(stage: Stage) -> None:
    await pause_a_shard_process(stage, 40.0)


async def sigkill_the_leader(stage: Stage) -> None:
    leader = (await stage.fleet.status())["leader"]
    await stage.fleet.kill(leader)
    while (await stage.fleet.status()).get("leader") in (leader, None):
        await asyncio.sleep(0.1)
    await stage.fleet.start(leader)


async def restart_redis_empty(stage: Stage) -> None:
    await stage.redis.restart_empty()


async def cut_a_process_from_redis(stage: Stage) -> None:
    stage.wires["shard-3"].cut()
    try:
        while stage.owned_by(await stage.fleet.status(), "shard-3"):
            await asyncio.sleep(0.2)
        await asyncio.sleep(1)
    finally:
        stage.wires["shard-3"].mend()


async def restart_postgres(stage: Stage) -> None:
    await stage.postgres.stop()
    await stage.postgres.start()


async def cut_every_socket(stage: Stage) -> None:
    await stage.sim.disconnect(how="cut")


async def storm_of_reconnects(stage: Stage) -> None:
    for _ in range(3):
        await stage.sim.disconnect(how="reconnect")
        await asyncio.sleep(0.5)


async def storm_of_invalid_sessions(stage: Stage) -> None:
    await stage.sim.disconnect(how="invalid", resumable=True)


async def dead_resume_url(stage: Stage) -> None:
    """Sessions are told of an address that nobody listens at, and are then cut off."""
    await stage.sim.trouble_gateway(resume_url="ws://127.0.0.1:9/")
    await stage.sim.disconnect(how="invalid", resumable=False)
    await asyncio.sleep(2)
    await stage.served()
    await stage.sim.trouble_gateway()
    await stage.sim.disconnect(how="cut")


FAULTS = [
    (cut_every_socket, 10.0),
    (storm_of_reconnects, 10.0),
    (storm_of_invalid_sessions, 15.0),
    (sigkill_the_leader, 15.0),
    (restart_redis_empty, 15.0),
    (restart_postgres, 15.0),
    (sigkill_a_shard_process, 15.0),
    (cut_a_process_from_redis, 15.0),
    (pause_a_shard_process, 15.0),
]


@pytest.mark.parametrize(("fault", "most_seconds"), FAULTS, ids=lambda value: getattr(value, "__name__", None))
async def test_nothing_is_lost_and_nothing_twice(
    stage: Stage, fault: Callable[[Stage], Awaitable[None]], most_seconds: float
) -> None:
    await measure(stage, fault, most_seconds)


async def test_the_chains_are_what_the_stored_messages_say(stage: Stage) -> None:
    await stage.pause_stream()
    await stage.settled()
    await stage.verify(*list(stage.guilds)[:2])
    assert {name for name in SHARDS if name in stage.fleet.processes} == set(SHARDS)
