"""The models of the simulation against the real scripts: the same questions at the same times get the same answers."""

import random
from collections.abc import Awaitable, Callable

import pytest
from fakeredis.aioredis import FakeRedis

from markov_shard.ranges import GuildRange
from markov_shard.shared.assignment import Assignment
from markov_shard.shared.board import RedisBoard
from markov_shard.shared.coordination import FleetCoordination
from markov_shard.shared.identify import EARLY_MS, LONGEST_HOLD_MS, WINDOW_MS, Budget, RedisTickets, open_gate
from markov_shard.shared.leases import SHARD_LEASE_MS, ShardKey
from markov_shard.shared.members import Member
from tests.simulation.servers import RedisModel, TicketsModel

STEPS = 400
NAMES = ("one", "two", "three")
SHARDS = [ShardKey(4, shard_id) for shard_id in range(4)]


class Clock:
    """Redis's time, in milliseconds."""

    def __init__(self) -> None:
        self.now = 1_700_000_000_000

    def __call__(self) -> float:
        return self.now / 1000


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    made = Clock()
    monkeypatch.setattr("time.time", made)
    return made


def budget_of(rng: random.Random) -> Budget:
    return Budget(20, rng.randrange(0, 21), rng.choice([1_000, 60_000]))


@pytest.mark.parametrize("seed", range(6))
async def test_leases_members_leader_and_assignment(seed: int, clock: Clock) -> None:  # noqa: C901 - an act each
    rng, model, redis = random.Random(seed), RedisModel(), FakeRedis()
    board = RedisBoard(redis)
    ports = {name: FleetCoordination(redis, name) for name in NAMES}

    async def step(name: str) -> tuple[object, object]:
        held = {shard: rng.randrange(1, 5) for shard in rng.sample(SHARDS, rng.randrange(4))}
        member = Member(name, "shard", capacity=rng.randrange(1, 3), draining=rng.random() < 0.2)
        return await ports[name].step(member, held), model.step(clock.now, member, held)

    async def take(name: str) -> tuple[object, object]:
        wanted = rng.sample(SHARDS, rng.randrange(1, 4))
        return await ports[name].take(wanted), model.take(clock.now, name, wanted)

    async def release(name: str) -> tuple[object, object]:
        wanted = rng.sample(SHARDS, 2)
        return await ports[name].release(wanted), model.release(name, wanted)

    async def lead(name: str) -> tuple[object, object]:
        return await board.lead(name), model.lead(clock.now, name)

    async def step_down(name: str) -> tuple[object, object]:
        return await board.step_down(name), model.step_down(name)

    async def assign(name: str) -> tuple[object, object]:
        decision = Assignment(4, 16, {name: GuildRange(0, 3, 4)}, f"by {name} at {clock.now}")
        return await board.assign(name, decision), model.assign(clock.now, name, decision)

    async def look(_: str) -> tuple[object, object]:
        return await board.view(), model.view(clock.now)

    async def leases(_: str) -> tuple[object, object]:
        return list(await board.leases(4)), list(model.read_leases(clock.now, 4))

    async def open_it(_: str) -> tuple[object, object]:
        ran_before = rng.random() < 0.5
        await board.open_gate(Budget(1000, 1000, 0), ran_before=ran_before)
        return None, model.open_gate(clock.now, SHARD_LEASE_MS if ran_before else 0)

    async def lose_everything(_: str) -> tuple[object, object]:
        if rng.random() < 0.2:
            await redis.flushall()
            model.clear()
        return None, None

    acts: list[Callable[[str], Awaitable[tuple[object, object]]]] = [
        *(step, step, take, take, release, lead, step_down, assign, look, leases, open_it, lose_everything)
    ]
    for number in range(STEPS):
        clock.now += rng.choice([0, 1, 200, 1_000, 4_999, 5_000, 6_000, 10_000])
        act = rng.choice(acts)
        real, modelled = await act(rng.choice(NAMES))
        assert real == modelled, f"step {number}: {act.__name__}"
    await redis.aclose()


@pytest.mark.parametrize("seed", range(6))
async def test_tickets(seed: int, clock: Clock) -> None:
    rng, model, redis = random.Random(seed), TicketsModel(), FakeRedis()
    tickets = RedisTickets(redis)
    for number in range(STEPS):
        clock.now += rng.choice([0, 1, 200, 1_000, EARLY_MS, WINDOW_MS - EARLY_MS, WINDOW_MS, LONGEST_HOLD_MS])
        bucket, holder = rng.randrange(2), rng.choice(NAMES)
        act = rng.choice(["take", "take", "take", "release", "open"])
        if act == "take":
            recovery = rng.random() < 0.5
            real = await tickets.take(bucket, holder, recovery=recovery)
            modelled = model.take(
                clock.now, bucket, holder, WINDOW_MS, LONGEST_HOLD_MS, recovery=recovery, early=EARLY_MS
            )
            assert real == modelled, f"step {number}"
        elif act == "release":
            wait = rng.randrange(WINDOW_MS)
            await tickets.release(bucket, holder, wait)
            model.release(clock.now, bucket, holder, wait)
        else:
            budget, ran_before = budget_of(rng), rng.random() < 0.5
            await open_gate(redis, budget, ran_before=ran_before)
            model.open(clock.now, budget, WINDOW_MS + EARLY_MS if ran_before else 0)
    await redis.aclose()
