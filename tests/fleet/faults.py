"""What can befall a fleet, each as one function of the stage; and what a fault cost its members."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

from tests.fleet.processes import free_port
from tests.fleet.stage import COORDINATORS, SHARDS, WORKERS, Stage

PROMISED_SECONDS = 15.0
"""Without service after a fault: a heartbeat's and a lease's life, and what a machine with nothing else to do needs."""

MOST_SECONDS = 60.0
"""The same on a machine that has much else to do; how fast it is, the table says."""

_ANSWER_SECONDS = 3.0
"""For which an answer is waited for that has not come when all is stored."""

Fault = Callable[[Stage], Awaitable[None]]


@dataclass(frozen=True)
class Cost:
    """Of one fault. Seconds: the longest for which a shard was not served, and the longest wait for an answer."""

    without_service: float
    longest_wait: float
    twice: int
    unanswered: int
    identifies: int


async def cost_of(stage: Stage, fault: Fault) -> Cost:
    """Makes a fault and waits until all is well again: every message stored, each once, and no IDENTIFY refused."""
    await stage.served()
    await stage.balanced()
    stage.gaps.longest.clear()
    first, identifies, twice = stage.newest_sent, await stage.identifies(), (await stage.read_answers()).twice()
    await fault(stage)
    await stage.served()
    await stage.settled()
    asked = set(stage.answers.asked)
    answers = await stage.read_answers(within=_ANSWER_SECONDS, since=first)
    cost = Cost(
        stage.gaps.worst,
        answers.longest_wait(first),
        answers.twice() - twice,
        len(answers.missing(first) & asked),
        await stage.identifies() - identifies,
    )
    print(f"{fault.__name__}: {cost}")  # noqa: T201 - the figures these tests are for
    assert cost.without_service <= MOST_SECONDS
    assert cost.twice == 0
    assert await stage.refused_identifies() == 0
    return cost


async def sigkill_a_shard_process(stage: Stage) -> None:
    await stage.freeze("shard-2")
    await stage.fleet.kill("shard-2")
    await stage.served()
    await stage.fleet.start("shard-2")
    await stage.balanced()


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
    await stage.fleet.answers(leader)  # the fleet's page may still count the heartbeats of the dead one


async def restart_redis_empty(stage: Stage) -> None:
    await stage.redis.restart_empty()


async def cut_a_process_from_redis(stage: Stage) -> None:
    await stage.redis.cut("shard-3")
    try:
        while stage.owned_by(await stage.fleet.status(), "shard-3"):
            await asyncio.sleep(0.2)
        await asyncio.sleep(1)  # the fault's own length: for a while its successor serves and it cannot know
    finally:
        await stage.redis.mend("shard-3")


async def restart_postgres(stage: Stage) -> None:
    await stage.postgres.stop()
    await stage.postgres.start()


async def _after(stage: Stage, count: Callable[[], Awaitable[int]], how: str, **more: object) -> None:
    """Ends every connection and waits until as many sessions have begun or been resumed: the fault has happened."""
    before = await count()
    ended = await stage.sim.disconnect(how=how, **more)
    assert ended == stage.shard_count
    while await count() < before + ended:
        await asyncio.sleep(0.05)


async def cut_every_socket(stage: Stage) -> None:
    await _after(stage, stage.resumes, "cut")


async def reconnect_every_shard(stage: Stage) -> None:
    await _after(stage, stage.resumes, "reconnect")


async def storm_of_reconnects(stage: Stage) -> None:
    for _ in range(3):
        await reconnect_every_shard(stage)


async def storm_of_invalid_sessions(stage: Stage) -> None:
    """Every connection must be given up and its session resumed, 1 to 5 s later."""
    await _after(stage, stage.resumes, "invalid", resumable=True)


async def storm_of_lost_sessions(stage: Stage) -> None:
    """No session can be resumed: each shard identifies, and what it missed is read over REST."""
    await _after(stage, stage.identifies, "invalid", forget=True)


async def dead_resume_url(stage: Stage) -> None:
    """Sessions begin that name an address where nobody listens; then every socket is cut."""
    await stage.sim.trouble_gateway(resume_url=f"ws://127.0.0.1:{free_port()}")
    try:
        await storm_of_lost_sessions(stage)
        await stage.served()
        stage.gaps.longest.clear()
        await cut_every_socket(stage)
    finally:
        await stage.sim.trouble_gateway()


async def _drain(stage: Stage, name: str) -> None:
    status, out, error = await stage.fleet.command("drain", name)
    assert status == 0, out + error
    while stage.owned_by(await stage.fleet.status(), name):  # what the status shows may be a second old
        await asyncio.sleep(0.1)


async def planned_drain(stage: Stage) -> None:
    await _drain(stage, "shard-4")
    status, out, error = await stage.fleet.command("drain", "--undo", "shard-4")
    assert status == 0, out + error
    await stage.balanced()


async def restart(stage: Stage, names: Sequence[str]) -> None:
    """SIGTERM, and the same process anew, one after the other."""
    for name in names:
        assert await stage.fleet.stop(name) == {name: 0}
        await stage.fleet.start(name)
        await stage.balanced()
        await stage.all_there()


async def restart_every_process(stage: Stage) -> None:
    await restart(stage, (*SHARDS, *COORDINATORS, *WORKERS))


async def drain_and_restart_one_and_the_leader(stage: Stage) -> None:
    """A process is asked to hand over, then stopped; it comes back to serve."""
    await _drain(stage, SHARDS[0])
    leader = (await stage.fleet.status())["leader"]
    await restart(stage, (SHARDS[0], leader))


async def _connected(stage: Stage, shard_count: int) -> int:
    """How many sessions of a shard count are connected."""
    return sum(s["connected"] and s["shard"][1] == shard_count for s in await stage.sim.sessions())


async def take_a_resharding_back(stage: Stage) -> None:
    """With part of the new set connected."""
    target = 2 * stage.shard_count
    status, out, error = await stage.fleet.command("reshard", str(target), "--no-wait")
    assert status == 0, out + error
    while not await _connected(stage, target):
        await asyncio.sleep(0.02)
    status, out, error = await stage.fleet.command("reshard", "--abort")
    assert status == 0, out + error
    while await _connected(stage, target):
        await asyncio.sleep(0.02)


async def reshard_to_twice_as_many(stage: Stage) -> None:
    """The old set counts until the new one takes over; from then on the new one must be connected throughout."""
    target = 2 * stage.shard_count
    running = asyncio.create_task(stage.fleet.command("reshard", str(target)))
    while not await stage.has_switched(target):
        await asyncio.sleep(0.02)
        assert not running.done(), running.result()
    stage.shard_count = stage.fleet.shard_count = target
    status, out, error = await running
    assert status == 0, out + error
    while await _connected(stage, target // 2):
        await asyncio.sleep(0.02)


async def pause_one_and_cut_another(stage: Stage) -> None:
    """Two at the same time, half of the fleet, for the time of one."""
    await asyncio.gather(pause_a_shard_process(stage), cut_a_process_from_redis(stage))
