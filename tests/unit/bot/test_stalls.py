"""Which connections are no good, and what is done about them, on a clock of the test's own."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace

import pytest

from markov_shard.bot.stalls import Connection, Norm, Sign, diagnose
from markov_shard.bot.watching import ShardWatch
from markov_shard.errors import RedisUnavailableError
from markov_shard.shared.leases import ShardKey
from markov_shard.shared.members import Member

WELL = Connection(disconnected_for=None, ack_age=20.0, beat_interval=41.25, event_age=1.0, longest_silence=5.0)
BUSY = Norm(shards=15, connected=15, event_age=0.5)


@pytest.mark.parametrize(
    ("seen", "norm", "sign"),
    [
        (WELL, BUSY, None),
        (replace(WELL, disconnected_for=121.0), BUSY, "disconnected"),
        (replace(WELL, disconnected_for=60.0), BUSY, None),  # hikari dials again by itself
        (replace(WELL, disconnected_for=900.0), replace(BUSY, connected=7), None),  # Discord is away for everyone
        (replace(WELL, disconnected_for=900.0), Norm(2, 2, 0.5), None),  # too few to compare with
        (replace(WELL, ack_age=93.0), BUSY, "unacknowledged"),
        (replace(WELL, ack_age=93.0), Norm.of([]), "unacknowledged"),
        (replace(WELL, ack_age=92.0), BUSY, None),
        (replace(WELL, ack_age=None, beat_interval=None), BUSY, None),
        (replace(WELL, event_age=121.0), BUSY, "silent"),
        (replace(WELL, event_age=121.0, longest_silence=31.0), BUSY, None),  # a quiet shard
        (replace(WELL, event_age=121.0), replace(BUSY, event_age=7.0), None),  # a quiet hour
        (replace(WELL, event_age=900.0), Norm.of([]), None),
    ],
)
def test_a_connection_is_judged_against_its_surroundings(seen: Connection, norm: Norm, sign: Sign | None) -> None:
    found = diagnose(seen, norm)
    assert (found.sign if found else None) == sign


def test_what_was_seen_is_said_in_words() -> None:
    found = diagnose(replace(WELL, event_age=130.0), BUSY)
    assert found is not None
    assert found.text == (
        "no event for 130 s, while the fleet's middle shard had one 0.5 s ago"
        " and this one was never silent for more than 5 s"
    )


def test_the_norm_is_that_of_connected_shards() -> None:
    assert Norm.of([(True, 1.0), (True, 3.0), (False, 900.0), (True, None)]) == Norm(4, 3, 2.0)


@dataclass
class Shard:
    """A connection as it looks from outside."""

    is_connected: bool = True
    is_waiting: bool = False
    last_ack_age: float = 1.0
    beat_interval: float | None = 41.25
    last_event_at: float = 0.0
    longest_silence: float = 2.0
    reconnected: int = 0

    async def reconnect(self) -> None:
        self.reconnected += 1


class World:
    """One process with a shard, others with three, and a clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.shard = Shard()
        self.redis_away = False
        self.watch = ShardWatch("one", lambda: {ShardKey(4, 0): self.shard}, self.members, clock=lambda: self.now)

    async def members(self) -> Sequence[Member]:
        if self.redis_away:
            raise RedisUnavailableError("away")
        states = {number: {"state": "connected", "last_event_age": 0.5} for number in (1, 2, 3)}
        own = {0: {"state": "connected", "last_event_age": 500.0}}
        return [
            Member("one", "shard", details={"shards": own}),
            Member("two", "shard", details={"shards": states}),
            Member("coordinator-1", "coordinator"),
        ]

    async def look(self, at: float) -> None:
        self.now = at
        await self.watch.look()


async def test_a_silent_shard_is_reconnected_counted_and_explained() -> None:
    world = World()
    await world.look(100.0)
    assert world.shard.reconnected == 0
    await world.look(130.0)
    await world.look(150.0)  # it has time to recover
    assert world.shard.reconnected == 1
    assert world.watch.reconnects == Counter(silent=1)
    assert "reconnected 20 s ago: no event for 130 s" in (world.watch.note(ShardKey(4, 0)) or "")
    world.shard.last_event_at = 140.0
    await world.look(200.0)
    assert world.shard.reconnected == 1
    assert not world.watch.beyond_repair.is_set()


async def test_what_a_reconnect_does_not_mend_restarts_the_process() -> None:
    world = World()
    await world.look(130.0)
    await world.look(200.0)
    assert world.watch.beyond_repair.is_set()
    assert "shard 0 is no better after a reconnect: no event for 200 s" in world.watch.why


async def test_a_shard_without_a_connection_is_timed_by_the_watch_itself() -> None:
    world = World()
    await world.look(10.0)
    world.shard.is_connected = False
    world.shard.is_waiting = True  # for its turn to identify
    await world.look(300.0)
    world.shard.is_waiting = False
    await world.look(310.0)
    assert world.watch.reconnects.total() == 0
    await world.look(430.0)
    assert world.watch.reconnects == Counter(disconnected=1)


async def test_without_redis_only_acknowledgements_are_judged() -> None:
    world = World()
    world.redis_away = True
    await world.look(900.0)
    assert world.watch.reconnects.total() == 0
    world.shard.last_ack_age = 100.0
    await world.look(910.0)
    assert world.watch.reconnects == Counter(unacknowledged=1)


async def test_the_run_looks_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("markov_shard.bot.watching.LOOK_SECONDS", 0.001)
    world = World()
    world.now = 130.0
    running = asyncio.create_task(world.watch.run())
    while not world.shard.reconnected:
        await asyncio.sleep(0)
    running.cancel()
