"""A shard process's side of ownership: takes the shards it is assigned, keeps their leases, lets them go.

One rule orders every hand-over: first the lease (Redis), then a new epoch (Postgres), which refuses all later
writes of the old owner, then the gateway connection. Leaving goes the other way round.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

from markov_shard.errors import DatabaseUnavailableError, MarkovShardError, RedisUnavailableError
from markov_shard.logs import get_logger
from markov_shard.ownership.runner import OwnedShard, ShardRunner
from markov_shard.runtime import Runtime
from markov_shard.shared.assignment import Assignment, read_assignment
from markov_shard.shared.identify import FleetIdentifyGate
from markov_shard.shared.leases import SHARD_LEASE_MS, ShardLeases
from markov_shard.shared.members import Member, beat, leave
from markov_shard.store.epochs import read_epoch, take_epoch

_log = get_logger(__name__)

_RETRY_SECONDS = 5.0
"""Before a shard that could not be started is tried again."""


@dataclass(eq=False)
class _Held:
    """A shard whose lease is ours. `lease_until`: by our own clock, counted from before the renewal was sent."""

    shard: OwnedShard
    lease_until: float
    starting: asyncio.Task[None] | None = None
    leaving: asyncio.Task[None] | None = None


class OwnershipAgent:
    """Follows the leader's assignment, once a second."""

    def __init__(
        self,
        runtime: Runtime,
        runner: ShardRunner,
        gate: FleetIdentifyGate,
        *,
        url: str = "",
        capacity: int = 1,
        tick: float = 1.0,
        grace: float = 300.0,
        clock: Callable[[], float] = time.monotonic,
        details: Callable[[], Mapping[str, Any]] = dict,
    ) -> None:
        """`grace`: seconds for which shards are kept while Redis is away; `details`: figures for the heartbeat."""
        self._runtime = runtime
        self._runner = runner
        self._gate = gate
        self._leases = ShardLeases(runtime.redis, runtime.name)
        self._url = url
        self._capacity = capacity
        self._tick = tick
        self._grace = grace
        self._clock = clock
        self._details = details
        self._held: dict[int, _Held] = {}
        self._taking: dict[int, asyncio.Task[None]] = {}
        self._next_try: dict[int, float] = {}
        self._leaving: set[asyncio.Task[None]] = set()
        self._redis_lost_at: float | None = None
        self.draining = False
        self.trouble: str | None = None
        """Why the assignment cannot be followed now; None while all is well."""
        self.assignment: Assignment | None = None

    @property
    def held(self) -> Mapping[int, OwnedShard]:
        """The shards whose leases this process holds."""
        return {shard_id: held.shard for shard_id, held in self._held.items()}

    async def run(self, stop: asyncio.Event) -> None:
        """Owns shards until `stop` is set, then drains them all."""
        stopped = asyncio.ensure_future(stop.wait())
        try:
            while not stop.is_set():
                await self._once()
                await asyncio.wait([stopped], timeout=self._tick)
        finally:
            stopped.cancel()
            await self._drain()

    async def _once(self) -> None:
        now = self._clock()
        try:
            lost = await self._renew(now)
            assignment = await read_assignment(self._runtime.redis)
            await self._beat()
        except RedisUnavailableError as error:
            if self.trouble is None:
                _log.error("Redis is away; shards are kept for now", reason=str(error), grace_seconds=self._grace)
            self.trouble = str(error)
            self._redis_lost_at = now if self._redis_lost_at is None else self._redis_lost_at
            await self._without_redis(now)
            return
        if self.trouble is not None:
            _log.info("Redis is back")
        self.trouble, self._redis_lost_at = None, None
        for shard_id in lost:
            self._let_go(shard_id, drain=False, why="another process took its lease")
        if assignment is not None:
            self.assignment = assignment
            self._follow(assignment)

    async def _renew(self, now: float) -> set[int]:
        lost: set[int] = set()
        for shard_count in {held.shard.shard_count for held in self._held.values()}:
            epochs = {
                shard_id: held.shard.epoch
                for shard_id, held in self._held.items()
                if held.shard.shard_count == shard_count
            }
            lost |= await self._leases.renew(shard_count, epochs)
        for shard_id, held in self._held.items():
            if shard_id not in lost:
                held.lease_until = now + SHARD_LEASE_MS / 1000
        return lost

    async def _beat(self) -> None:
        shards = {shard_id: asdict(self._runner.shard_health(shard_id)) for shard_id in self._held}
        await beat(
            self._runtime.redis,
            Member(
                self._runtime.name,
                "shard",
                self._url,
                self._capacity,
                self.draining,
                {"shards": shards, **self._details()},
            ),
        )

    # --- following the assignment ---------------------------------------------------------------------------

    def _follow(self, assignment: Assignment) -> None:
        self._gate.max_concurrency = assignment.max_concurrency
        mine = assignment.ranges.get(self._runtime.name)
        wanted = set(mine.shard_ids) if mine else set()
        for shard_id, held in list(self._held.items()):
            if shard_id not in wanted or held.shard.shard_count != assignment.shard_count:
                self._let_go(shard_id, drain=True, why=assignment.why)
            elif self._runner.shard_health(shard_id).state == "failed":
                self._next_try[shard_id] = self._clock() + _RETRY_SECONDS
                self._let_go(shard_id, drain=True, why="its connection failed for good")
        for shard_id, task in list(self._taking.items()):
            if shard_id not in wanted:
                task.cancel()
        for shard_id in sorted(wanted - self._held.keys() - self._taking.keys()):
            if self._clock() >= self._next_try.get(shard_id, 0.0):
                task = asyncio.create_task(self._take(assignment.shard_count, shard_id), name=f"shard {shard_id}")
                self._taking[shard_id] = task
                task.add_done_callback(partial(self._taken, shard_id))

    def _taken(self, shard_id: int, _: asyncio.Task[None]) -> None:
        self._taking.pop(shard_id, None)

    async def _take(self, shard_count: int, shard_id: int) -> None:
        asked = self._clock()
        try:
            if not await self._leases.take(shard_count, shard_id):
                return  # its owner is still letting go: tried again at the next tick
            async with self._runtime.database.transaction() as connection:
                epoch = await take_epoch(connection, shard_count, shard_id, self._runtime.name)
        except MarkovShardError as error:
            _log.warning("a shard cannot be taken; trying again", shard=shard_id, reason=str(error))
            self._next_try[shard_id] = self._clock() + _RETRY_SECONDS
            return
        held = _Held(OwnedShard(shard_id, shard_count, epoch), asked + SHARD_LEASE_MS / 1000)
        self._held[shard_id] = held
        held.starting = asyncio.create_task(self._start(held), name=f"starting shard {shard_id}")

    async def _start(self, held: _Held) -> None:
        shard_id = held.shard.shard_id
        try:
            await self._runner.start_shard(held.shard)
        except Exception as error:  # noqa: BLE001 - whatever it was, the shard must be served, here or elsewhere
            known = isinstance(error, MarkovShardError)
            _log.error(
                "a shard cannot be started; trying again",
                shard=shard_id,
                reason=str(error) if known else repr(error),
                exc_info=None if known else error,
            )
            self._next_try[shard_id] = self._clock() + _RETRY_SECONDS
            held.starting = None
            self._let_go(shard_id, drain=False, why="it could not be started", release=True)
        finally:
            held.starting = None

    # --- letting go -----------------------------------------------------------------------------------------

    def superseded(self, shard_id: int, epoch: int) -> None:
        """Postgres refused a write: another process owns the shard now."""
        held = self._held.get(shard_id)
        if held is not None and held.shard.epoch == epoch:
            self._let_go(shard_id, drain=False, why="another process has a newer epoch")

    def _let_go(self, shard_id: int, *, drain: bool, why: str, release: bool | None = None) -> asyncio.Task[None]:
        """Begins to let a shard go; its lease is released too unless somebody else has it."""
        held = self._held[shard_id]
        if held.leaving is None:
            _log.info("letting a shard go", shard=shard_id, why=why, drain=drain)
            work = self._leave(held, drain=drain, release=drain if release is None else release)
            held.leaving = asyncio.create_task(work, name=f"leaving shard {shard_id}")
            self._leaving.add(held.leaving)
            held.leaving.add_done_callback(self._leaving.discard)
        return held.leaving

    async def _leave(self, held: _Held, *, drain: bool, release: bool) -> None:
        shard = held.shard
        if held.starting is not None:
            held.starting.cancel()
            await asyncio.wait([held.starting])
        try:
            await self._runner.stop_shard(shard, drain=drain)
        except MarkovShardError as error:
            _log.error("a shard could not be drained", shard=shard.shard_id, reason=str(error))
            await self._runner.stop_shard(shard, drain=False)
        finally:
            self._held.pop(shard.shard_id, None)
            if release:
                with contextlib.suppress(RedisUnavailableError):  # the lease then ends by itself
                    await self._leases.release(shard.shard_count, shard.shard_id)

    async def _without_redis(self, now: float) -> None:
        """Leases cannot be renewed: past their end, Postgres decides each second, for as long as the grace lasts."""
        assert self._redis_lost_at is not None
        for shard_id, held in list(self._held.items()):
            if now < held.lease_until or held.leaving is not None:
                continue
            if now - self._redis_lost_at > self._grace:
                self._let_go(shard_id, drain=True, why="Redis was away for longer than the grace")
                continue
            try:
                async with self._runtime.database.connection() as connection:
                    epoch = await read_epoch(connection, held.shard.shard_count, shard_id)
            except DatabaseUnavailableError:
                self._let_go(shard_id, drain=False, why="neither Redis nor Postgres can be asked who owns it")
                continue
            if epoch != held.shard.epoch:
                self._let_go(shard_id, drain=False, why="another process has a newer epoch")

    async def _drain(self) -> None:
        """Lets everything go, positions saved; readiness and heartbeat say so first."""
        self.draining = True
        for task in list(self._taking.values()):
            task.cancel()
        await asyncio.gather(*self._taking.values(), return_exceptions=True)
        with contextlib.suppress(RedisUnavailableError):
            await self._beat()
        for shard_id in list(self._held):
            self._let_go(shard_id, drain=True, why="this process stops")
        if self._leaving:
            await asyncio.wait(self._leaving)
        with contextlib.suppress(RedisUnavailableError):
            await leave(self._runtime.redis, self._runtime.name)
