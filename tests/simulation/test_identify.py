"""A whole fleet begins its sessions, in virtual time: no bucket is used too often, and hardly any time is lost."""

import asyncio
import random
from collections import defaultdict
from itertools import pairwise

import pytest

from markov_shard.shared.identify import EARLY_MS, LONGEST_HOLD_MS, WINDOW_MS, Budget, FleetIdentifyGate, Ticket
from tests.simulation.loop import SimLoop
from tests.simulation.network import Network
from tests.simulation.servers import TicketsModel

RULES_SECONDS = 5.0
"""Between two IDENTIFYs of a bucket: https://discord.com/developers/docs/events/gateway#rate-limiting."""


class SimTickets:
    """`Tickets` of one process, over the simulated network."""

    def __init__(self, model: TicketsModel, network: Network, loop: SimLoop, name: str) -> None:
        self._model, self._network, self._loop, self._name = model, network, loop, name

    def _now(self) -> int:
        return int(self._loop.now * 1000) + 1_000_000

    async def take(self, bucket: int, holder: str, *, recovery: bool) -> Ticket:
        def question() -> Ticket:
            model, now = self._model, self._now()
            return model.take(now, bucket, holder, WINDOW_MS, LONGEST_HOLD_MS, recovery=recovery, early=EARLY_MS)

        ticket: Ticket = await self._network.ask(self._name, "redis", question)
        return ticket

    async def release(self, bucket: int, holder: str, next_ms: int) -> None:
        await self._network.ask(self._name, "redis", lambda: self._model.release(self._now(), bucket, holder, next_ms))


class SimStart:
    """Processes that begin `shard_count` sessions at once."""

    def __init__(self, loop: SimLoop, seed: int, *, max_concurrency: int, budget: Budget, loss: float = 0.0) -> None:
        self.loop, self.rng, self.max_concurrency = loop, random.Random(seed), max_concurrency
        self.network = Network(loop, self.rng)
        self.network.loss = loss
        self.tickets = TicketsModel()
        self.tickets.open(1_000_000, budget, 0)
        self.identifies: defaultdict[int, list[float]] = defaultdict(list)
        """When each bucket's IDENTIFYs arrived at Discord."""

    def gate(self, name: str) -> FleetIdentifyGate:
        tickets = SimTickets(self.tickets, self.network, self.loop, name)
        skew, offset = self.rng.uniform(-0.001, 0.001), self.rng.uniform(0, 1e5)
        gate = FleetIdentifyGate(tickets, name, lambda: self.loop.now * (1 + skew) + offset)
        gate.max_concurrency = self.max_concurrency
        return gate

    async def start(self, gate: FleetIdentifyGate, shard_id: int, *, recovery: bool = True) -> None:
        """As a gateway shard does: connect, send when due, hold the bucket until READY."""
        async with gate.permit(shard_id, recovery=recovery) as permit:
            await asyncio.sleep(self.rng.uniform(0.1, 0.6))  # name, TCP, TLS, HELLO
            await permit.due()
            permit.sent()
            await asyncio.sleep(self.rng.uniform(0.01, 0.06))  # on its way
            self.identifies[shard_id % self.max_concurrency].append(self.loop.now)
            await asyncio.sleep(self.rng.uniform(0.3, 2.5))  # until READY

    async def start_all(self, processes: int, shard_count: int) -> float:
        """Seconds until the last IDENTIFY has arrived."""
        gates = [self.gate(f"shard-{number}") for number in range(processes)]
        each = shard_count // processes
        async with asyncio.TaskGroup() as group:
            for shard_id in range(shard_count):
                group.create_task(self.start(gates[shard_id // each], shard_id))
        return max(max(times) for times in self.identifies.values())

    def shortest(self) -> float:
        """The least time between two IDENTIFYs of one bucket."""
        return min(later - earlier for times in self.identifies.values() for earlier, later in pairwise(sorted(times)))


@pytest.mark.parametrize("max_concurrency", [1, 16])
def test_a_fleet_starts_as_fast_as_the_rules_allow(max_concurrency: int) -> None:
    shard_count = 64 * max_concurrency
    loop = SimLoop()
    start = SimStart(loop, 1, max_concurrency=max_concurrency, budget=Budget(2000, 2000, 86_400_000))
    try:
        seconds = loop.run_until_complete(start.start_all(min(64, shard_count), shard_count))
    finally:
        loop.end()
        loop.close()
    assert sum(map(len, start.identifies.values())) == shard_count
    assert start.shortest() >= RULES_SECONDS
    least = (shard_count / max_concurrency - 1) * RULES_SECONDS
    assert least <= seconds <= least * 1.05


def test_lost_answers_waste_time_but_never_a_bucket() -> None:
    loop = SimLoop()
    start = SimStart(loop, 2, max_concurrency=4, budget=Budget(2000, 2000, 86_400_000), loss=0.05)
    try:
        loop.run_until_complete(start.start_all(8, 64))
    finally:
        loop.end()
        loop.close()
    assert start.shortest() >= RULES_SECONDS


def test_the_reserve_is_left_for_sessions_that_were_lost() -> None:
    loop = SimLoop()
    start = SimStart(loop, 3, max_concurrency=16, budget=Budget(100, 40, 3_600_000))
    gate = start.gate("shard-1")

    async def run() -> None:
        new = [asyncio.ensure_future(start.start(gate, shard_id, recovery=False)) for shard_id in range(64)]
        await asyncio.sleep(600)
        assert sum(task.done() for task in new) == 30  # ten of a hundred are kept
        await asyncio.gather(*(start.start(gate, shard_id) for shard_id in range(10)))
        assert start.tickets.remaining == 0
        late = asyncio.ensure_future(start.start(gate, 0))
        await asyncio.sleep(600)
        assert not late.done()  # the last one would end every session and reset the token

    try:
        loop.run_until_complete(run())
    finally:
        loop.end()
        loop.close()
