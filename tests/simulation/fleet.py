"""A fleet in memory: the real agents, coordinators and placement on simulated servers, network and clocks."""

import asyncio
import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from coordinator.plan import GatewayPlan
from coordinator.service import Coordinator
from markov_shard.errors import DatabaseUnavailableError
from markov_shard.ownership.agent import OwnershipAgent
from markov_shard.ownership.runner import OwnedShard, ShardHealth
from markov_shard.ownership.turns import Turns
from markov_shard.shared.assignment import Assignment
from markov_shard.shared.board import BoardView
from markov_shard.shared.coordination import Step
from markov_shard.shared.identify import Budget
from markov_shard.shared.leases import SHARD_LEASE_MS, Lease, ShardKey
from markov_shard.shared.members import Member
from markov_shard.store.shard_plan import ShardPlan
from tests.simulation.loop import SimLoop, SimProcess
from tests.simulation.movement import MOST_TRIED, least_moved, moved
from tests.simulation.network import Network
from tests.simulation.servers import PostgresModel, RedisModel


class HistoryError(AssertionError):
    """A history broke one of the promises."""


class _RedisPort:
    """`Coordination` and `Board` of one process."""

    def __init__(self, fleet: "SimFleet", name: str) -> None:
        self._fleet = fleet
        self._name = name

    async def _ask(self, question: str, *args: object) -> object:
        fleet = self._fleet
        return await fleet.network.ask(
            self._name, "redis", lambda: getattr(fleet.redis, question)(fleet.redis_ms(), *args)
        )

    async def step(self, member: Member, held: Mapping[ShardKey, int]) -> Step:
        return await self._ask("step", member, dict(held))  # type: ignore[return-value]

    async def take(self, shards: Collection[ShardKey]) -> set[ShardKey]:
        return await self._ask("take", self._name, list(shards))  # type: ignore[return-value]

    async def release(self, shards: Collection[ShardKey]) -> None:
        redis, wanted = self._fleet.redis, list(shards)
        await self._fleet.network.ask(self._name, "redis", lambda: redis.release(self._name, wanted))

    async def others_serve(self) -> bool:
        view: BoardView = await self._ask("view")  # type: ignore[assignment]
        return any(m.role == "shard" and not m.draining and m.name != self._name for m in view.members)

    async def arrive(self) -> None:
        redis = self._fleet.redis
        await self._fleet.network.ask(self._name, "redis", lambda: redis.drains.discard(self._name))

    async def leave(self) -> None:
        redis = self._fleet.redis
        await self._fleet.network.ask(self._name, "redis", lambda: redis.members.pop(self._name, None))

    async def lead(self, name: str) -> str:
        return await self._ask("lead", name)  # type: ignore[return-value]

    async def step_down(self, name: str) -> None:
        redis = self._fleet.redis
        await self._fleet.network.ask(self._name, "redis", lambda: redis.step_down(name))

    async def beat(self, member: Member) -> None:
        await self._ask("beat", member)

    async def view(self) -> BoardView:
        return await self._ask("view")  # type: ignore[return-value]

    async def leases(self, shard_count: int) -> Sequence[Lease]:
        return await self._ask("read_leases", shard_count)  # type: ignore[return-value]

    async def assign(self, leader: str, assignment: Assignment) -> bool:
        self._fleet.check_movement(assignment)
        return await self._ask("assign", leader, assignment)  # type: ignore[return-value]

    async def open_gate(self, budget: Budget, *, ran_before: bool) -> None:
        await self._ask("open_gate", SHARD_LEASE_MS if ran_before else 0)  # IDENTIFYs have a simulation of their own


class _PostgresPort:
    """`EpochBook` and `Truth` of one process."""

    def __init__(self, fleet: "SimFleet", name: str) -> None:
        self._fleet = fleet
        self._name = name

    async def take(self, shards: Collection[ShardKey]) -> dict[ShardKey, int]:
        postgres, wanted = self._fleet.postgres, list(shards)
        taken: dict[ShardKey, int] = await self._fleet.network.ask(
            self._name, "postgres", lambda: postgres.take(self._name, wanted)
        )
        return taken

    async def read(self, shards: Collection[ShardKey]) -> dict[ShardKey, int]:
        postgres, wanted = self._fleet.postgres, list(shards)
        found: dict[ShardKey, int] = await self._fleet.network.ask(
            self._name, "postgres", lambda: postgres.read(wanted)
        )
        return found

    async def plan(self) -> ShardPlan:
        found: ShardPlan = await self._fleet.network.ask(self._name, "postgres", self._fleet.postgres.read_plan)
        return found

    async def save_plan(self, plan: ShardPlan, *, was: ShardPlan) -> bool:
        postgres = self._fleet.postgres
        saved: bool = await self._fleet.network.ask(self._name, "postgres", lambda: postgres.save_plan(plan, was))
        return saved


@dataclass
class _Runner:
    """Connects in a fraction of a second, and writes for the shards it runs, as learning does."""

    fleet: "SimFleet"
    process: SimProcess
    running: dict[ShardKey, OwnedShard] = field(default_factory=dict)
    agent: OwnershipAgent | None = None

    async def start_shard(self, shard: OwnedShard) -> None:
        await asyncio.sleep(self.fleet.rng.uniform(0.02, 0.4))
        self.running[shard.key] = shard

    async def stop_shard(self, shard: OwnedShard, *, drain: bool) -> None:
        if self.running.get(shard.key) == shard:
            del self.running[shard.key]
        if drain:
            await asyncio.sleep(0.01)

    def shard_health(self, shard: ShardKey) -> ShardHealth:
        return ShardHealth(state="connected" if shard in self.running else "connecting")

    def take_turns(self, turns: Turns) -> None:
        pass

    async def write(self) -> None:
        """Writes now and then for one of the shards; Postgres judges when the write arrives, which may be late."""
        rng = self.fleet.rng
        while True:
            await asyncio.sleep(rng.uniform(0.1, 0.5))
            if not self.running:
                continue
            shard = rng.choice(list(self.running.values()))
            try:
                accepted = await self.fleet.network.ask(
                    self.process.name, "postgres", lambda shard=shard: self.fleet.write(shard, self.process.name)
                )
            except DatabaseUnavailableError:
                continue
            if not accepted and self.agent is not None:
                self.agent.superseded(shard.key, shard.epoch)


@dataclass
class _Shard:
    process: SimProcess
    runner: _Runner
    agent: OwnershipAgent
    stop: asyncio.Event


@dataclass
class _Leader:
    process: SimProcess
    coordinator: Coordinator


class SimFleet:
    """Starts, stops, pauses and kills processes, and checks the promises while they run."""

    def __init__(self, loop: SimLoop, rng: random.Random, shard_count: int, *, fenced: bool = True) -> None:
        self.loop = loop
        self.rng = rng
        self.shard_count = shard_count
        self.redis = RedisModel()
        self.postgres = PostgresModel(fenced=fenced)
        self.network = Network(loop, rng)
        self.shards: dict[str, _Shard] = {}
        self.leaders: dict[str, _Leader] = {}
        self.writes = 0
        self.placements_tried = 0
        self.broken: list[str] = []
        self.capacities: dict[str, int] = {}
        self._redis_skew = rng.uniform(-0.001, 0.001)
        self._last_write: dict[ShardKey, tuple[int, str]] = {}
        self._tasks: set[asyncio.Task[object]] = set()
        self._numbers = 0
        self._processes: list[SimProcess] = []

    def redis_ms(self) -> int:
        return int(self.loop.now * (1 + self._redis_skew) * 1000) + 1_000_000

    # --- processes ------------------------------------------------------------------------------------------

    def _process(self, name: str) -> SimProcess:
        process = SimProcess(name, skew=self.rng.uniform(-0.001, 0.001), offset=self.rng.uniform(0, 1e5))
        self._processes.append(process)
        return process

    def end(self) -> None:
        """The history is over: nothing answers any more, and every process can be cancelled."""
        self.network.down |= {"redis", "postgres"}
        for process in self._processes:
            process.revive(self.loop)

    def _spawn(self, process: SimProcess, work: object) -> asyncio.Task[object]:
        task: asyncio.Task[object] = self.loop.create_task(work, context=process.context())  # type: ignore[arg-type]
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def add_shard(self, name: str | None = None, capacity: int = 1) -> None:
        """A shard process starts; under the name of a dead one it is a restart."""
        self._numbers += 1
        name = name or f"shard-{self._numbers}"
        self.capacities[name] = capacity
        process = self._process(name)
        runner = _Runner(self, process)
        port, epochs = _RedisPort(self, name), _PostgresPort(self, name)
        agent = OwnershipAgent(name, port, epochs, runner, capacity=capacity, clock=process.clock)
        runner.agent = agent
        stop = asyncio.Event()
        self.shards[name] = _Shard(process, runner, agent, stop)
        self._spawn(process, agent.run(stop))
        self._spawn(process, runner.write())

    def add_leader(self) -> None:
        self._numbers += 1
        name = f"coordinator-{self._numbers}"
        process = self._process(name)

        async def ask_discord() -> GatewayPlan:
            return GatewayPlan(self.shard_count, 16, Budget(1000, 1000, 0))

        async def register() -> None:
            pass

        coordinator = Coordinator(
            name,
            _RedisPort(self, name),
            _PostgresPort(self, name),
            ask_discord=ask_discord,
            register_commands=register,
            clock=process.clock,
        )
        self.leaders[name] = _Leader(process, coordinator)
        self._spawn(process, coordinator.run(asyncio.Event()))

    def kill_shard(self, name: str) -> None:
        self.shards.pop(name).process.kill()

    def kill_leader(self, name: str) -> None:
        self.leaders.pop(name).process.kill()

    def stop_shard(self, name: str) -> None:
        """SIGTERM: it drains in its own time."""
        self.shards.pop(name).stop.set()

    # --- promises -------------------------------------------------------------------------------------------

    def write(self, shard: OwnedShard, writer: str) -> bool:
        """A write arrives in Postgres."""
        if not self.postgres.write(shard.key, shard.epoch):
            return False
        self.writes += 1
        epoch, last = self._last_write.get(shard.key, (0, ""))
        if shard.epoch < epoch or (shard.epoch == epoch and writer != last):
            self.broken.append(
                f"two holders' writes accepted for shard {shard.shard_id}: {last} with epoch {epoch},"
                f" then {writer} with epoch {shard.epoch}"
            )
        self._last_write[shard.key] = (shard.epoch, writer)
        return True

    def check_movement(self, after: Assignment) -> None:
        """A decision leaves no shard out and, where all ways can be tried, moves at most one range too much."""
        parts = sorted(after.ranges.values())
        if parts[0].first or parts[-1].last != after.shard_count - 1:
            self.broken.append("a placement leaves shards out")
        if any(one.last + 1 != two.first for one, two in pairwise(parts)):
            self.broken.append("a placement is not contiguous")
        before = self.redis.assignment
        if before and before.shard_count == after.shard_count and len(after.ranges) <= MOST_TRIED:
            capacities = {name: self.capacities[name] for name in after.ranges}
            least = least_moved(after.shard_count, capacities, before.ranges)
            more = moved(before.ranges, after.ranges) - least
            if more > max(map(len, parts)):
                self.broken.append(f"a placement moves {more} shards more than the {least} it must")
            self.placements_tried += 1

    def unserved(self) -> list[int]:
        """Shards that no living process runs with the lease and the latest epoch."""
        missing = []
        now = self.redis_ms()
        for shard_id in range(self.shard_count):
            key = ShardKey(self.shard_count, shard_id)
            lease = self.redis.leases.get(key)
            holder = self.shards.get(lease.holder) if lease and lease.expires_at > now else None
            running = holder.runner.running.get(key) if holder else None
            if running is None or self.postgres.read([key])[key] != running.epoch:
                missing.append(shard_id)
        return missing

    def sure(self) -> int:
        """The most processes that are sure of one shard at the same time."""
        counts: dict[ShardKey, int] = {}
        for shard in self.shards.values():
            for key, held in shard.agent._held.items():
                if not shard.process.paused and key in shard.runner.running and held.is_sure(shard.process.clock()):
                    counts[key] = counts.get(key, 0) + 1
        return max(counts.values(), default=0)
