"""One random history of a fleet: joins, leaves, crashes, pauses, partitions, lost servers, and then peace."""

import asyncio
import contextlib
import math
import random
from collections.abc import Callable, Coroutine, Iterator
from dataclasses import dataclass
from typing import TypeVar

import structlog

from tests.simulation.fleet import HistoryError, SimFleet
from tests.simulation.loop import SimLoop

Result = TypeVar("Result")

SETTLE_SECONDS = 15.0
"""Within which every shard must be served again after the last fault: the promise of a replacement."""


@dataclass(frozen=True)
class Outcome:
    """What a history showed; seconds are simulated."""

    processes: int
    shard_count: int
    faults: int
    writes: int
    settled_seconds: float
    sure_together: float
    """Longest time for which two processes were both sure of one shard."""
    placements_tried: int


def run_history(
    seed: int,
    *,
    fenced: bool = True,
    most_processes: int = 64,
    most_shards: int = 1024,
    processes: int = 0,
    shard_count: int = 0,
) -> Outcome:
    """`processes` and `shard_count` are drawn where they are 0. Raises HistoryError when a promise is broken."""
    rng = random.Random(seed)
    processes, shard_count = processes or max(2, _upto(rng, most_processes)), shard_count or _upto(rng, most_shards)
    try:
        return play(lambda fleet: _history(fleet, rng, processes), rng, shard_count, fenced=fenced)
    except HistoryError as error:
        raise HistoryError(f"history {seed}: {error}") from error


def play(
    story: Callable[[SimFleet], Coroutine[object, object, Result]],
    rng: random.Random,
    shard_count: int,
    *,
    fenced: bool = True,
) -> Result:
    """What a story comes to that is told of a new fleet."""
    loop = SimLoop()
    fleet = SimFleet(loop, rng, shard_count, fenced=fenced)
    with structlog.testing.capture_logs():
        try:
            return loop.run_until_complete(story(fleet))
        finally:
            fleet.end()
            loop.end()
            loop.close()


def _upto(rng: random.Random, most: int) -> int:
    """Mostly small, sometimes the most: small fleets have the rarer meetings of faults, large ones the scale."""
    return round(math.exp(rng.uniform(0, math.log(most))))


async def _history(fleet: SimFleet, rng: random.Random, processes: int) -> Outcome:
    loop = fleet.loop
    for _ in range(2):
        fleet.add_leader()
    for _ in range(processes):
        fleet.add_shard()
    faults = Faults(fleet, rng, processes)
    watch = _Watch(fleet)
    watching = loop.create_task(watch.run())
    for _ in range(rng.randint(1, 8)):
        await asyncio.sleep(rng.choice((0.3, 2.0, 9.0)) * rng.random())
        faults.strike()
    await faults.end_all()
    started = loop.now
    while fleet.unserved():
        if loop.now - started > SETTLE_SECONDS:
            missing = fleet.unserved()
            raise HistoryError(f"shards {missing[:8]} are unserved {SETTLE_SECONDS:g} s after the last fault")
        await asyncio.sleep(0.25)
    settled = loop.now - started
    await asyncio.sleep(2.0)  # late writes of the superseded arrive, and are refused
    watching.cancel()
    if fleet.broken:
        raise HistoryError(fleet.broken[0])
    return Outcome(
        processes, fleet.shard_count, faults.count, fleet.writes, settled, watch.longest, fleet.placements_tried
    )


class _Watch:
    def __init__(self, fleet: SimFleet) -> None:
        self._fleet = fleet
        self.longest = 0.0

    async def run(self) -> None:
        step, together = 0.5, 0.0
        while True:
            await asyncio.sleep(step)
            together = together + step if self._fleet.sure() > 1 else 0.0
            self.longest = max(self.longest, together)


class Faults:
    """What can go wrong; everything that lasts is over after `end_all`."""

    def __init__(self, fleet: SimFleet, rng: random.Random, processes: int) -> None:
        self._fleet = fleet
        self._rng = rng
        self._most = processes
        self._lasting: list[asyncio.Task[None]] = []
        self.count = 0
        self._kinds = {
            self._join: 2,
            self._restart: 2,
            self._leave: 2,
            self._crash: 3,
            self._pause: 3,
            self._cut: 3,
            self._lose_redis: 2,
            self._empty_redis: 2,
            self._lose_postgres: 1,
            self._crash_leader: 2,
            self._pause_leader: 1,
            self._bad_network: 2,
        }

    def strike(self) -> None:
        """Lets one thing go wrong now."""
        kind = self._rng.choices(list(self._kinds), list(self._kinds.values()))[0]
        kind()
        self.count += 1

    async def end_all(self) -> None:
        """Waits for the end of all that lasts; there is a fleet left then."""
        if self._lasting:
            await asyncio.wait(self._lasting)
        for task in self._lasting:
            task.result()
        if not self._fleet.shards:
            self._fleet.add_shard()
        if not self._fleet.leaders:
            self._fleet.add_leader()

    def _for(self, seconds: float, what: "contextlib.AbstractContextManager[None]") -> None:
        async def last() -> None:
            with what:
                await asyncio.sleep(seconds)

        self._lasting.append(self._fleet.loop.create_task(last()))

    def _some_shard(self) -> str | None:
        return self._rng.choice(sorted(self._fleet.shards)) if self._fleet.shards else None

    # --- the kinds ------------------------------------------------------------------------------------------

    def _join(self) -> None:
        if len(self._fleet.shards) < self._most:
            self._fleet.add_shard(capacity=self._rng.choice((1, 1, 1, 2)))

    def _restart(self) -> None:
        if name := self._some_shard():
            self._fleet.kill_shard(name)
            self._fleet.add_shard(name)

    def _leave(self) -> None:
        if len(self._fleet.shards) > 1 and (name := self._some_shard()):
            self._fleet.stop_shard(name)

    def _crash(self) -> None:
        for _ in range(self._rng.choice((1, 1, 2, 5))):
            if name := self._some_shard():
                self._fleet.kill_shard(name)

    def _crash_leader(self) -> None:
        if self._fleet.leaders:
            self._fleet.kill_leader(self._rng.choice(sorted(self._fleet.leaders)))
            if self._rng.random() < 0.7:
                self._fleet.add_leader()

    def _pause(self) -> None:
        if name := self._some_shard():
            self._for(self._rng.uniform(0.5, 40), self._paused(self._fleet.shards[name].process))

    def _pause_leader(self) -> None:
        if self._fleet.leaders:
            name = self._rng.choice(sorted(self._fleet.leaders))
            self._for(self._rng.uniform(0.5, 20), self._paused(self._fleet.leaders[name].process))

    def _cut(self) -> None:
        if name := self._some_shard():
            servers = self._rng.choice((("redis",), ("redis",), ("postgres",), ("redis", "postgres")))
            self._for(self._rng.uniform(1, 30), self._partition(name, servers))

    def _lose_redis(self) -> None:
        self._for(self._rng.uniform(0.5, 30), self._away("redis", emptied=self._rng.random() < 0.5))

    def _lose_postgres(self) -> None:
        self._for(self._rng.uniform(0.5, 10), self._away("postgres", emptied=False))

    def _empty_redis(self) -> None:
        self._fleet.redis.clear()

    def _bad_network(self) -> None:
        self._for(self._rng.uniform(1, 15), self._noise())

    @contextlib.contextmanager
    def _paused(self, process: object) -> Iterator[None]:
        process.pause()  # type: ignore[attr-defined]
        yield
        process.resume(self._fleet.loop)  # type: ignore[attr-defined]

    @contextlib.contextmanager
    def _partition(self, name: str, servers: tuple[str, ...]) -> Iterator[None]:
        cuts = {(name, server) for server in servers}
        self._fleet.network.cut |= cuts
        yield
        self._fleet.network.cut -= cuts

    @contextlib.contextmanager
    def _away(self, server: str, *, emptied: bool) -> Iterator[None]:
        self._fleet.network.down.add(server)
        yield
        if emptied:
            self._fleet.redis.clear()
        self._fleet.network.down.discard(server)

    @contextlib.contextmanager
    def _noise(self) -> Iterator[None]:
        network = self._fleet.network
        network.loss, network.slow = self._rng.uniform(0, 0.2), self._rng.uniform(0, 0.3)
        yield
        network.loss = network.slow = 0.0
