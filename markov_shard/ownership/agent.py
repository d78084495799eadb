"""A shard process's side of ownership: takes the shards it is assigned, keeps their leases, lets them go.

One rule orders every hand-over: first the lease (Redis), then a new epoch (Postgres), which refuses all later
writes of the old owner, then the gateway connection. Leaving goes the other way round.
"""

import asyncio
import contextlib
import time
from collections.abc import Callable, Collection, Mapping
from typing import Any

from markov_shard.errors import DatabaseUnavailableError, MarkovShardError, RedisUnavailableError
from markov_shard.logs import get_logger
from markov_shard.ownership.ports import Coordination, EpochBook
from markov_shard.ownership.runner import OwnedShard, ShardRunner
from markov_shard.ownership.tenure import CONFIRMED_SECONDS, Held, Ruling, rule
from markov_shard.ownership.turns import Turns
from markov_shard.shared.assignment import Assignment
from markov_shard.shared.leases import SHARD_LEASE_MS, ShardKey
from markov_shard.shared.members import Member
from markov_shard.tasks import end

_log = get_logger(__name__)

LEASE_SECONDS = SHARD_LEASE_MS / 1000

_RETRY_SECONDS = 5.0
"""Before a shard that could not be started is tried again."""

_HUNGRY_SECONDS = 0.1
"""How often a lease is asked for that its present holder is about to let go: most of a hand-over's gap."""

_HAND_OVER_SECONDS = 5.0
"""How long a process that stops waits for the leader to place its shards elsewhere, serving meanwhile."""


class OwnershipAgent:
    """Follows the leader's assignment, once a second; all its dealings with servers go through ports."""

    def __init__(
        self,
        name: str,
        coordination: Coordination,
        epochs: EpochBook,
        runner: ShardRunner,
        *,
        url: str = "",
        capacity: int = 1,
        tick: float = 1.0,
        grace: float = 300.0,
        drain_seconds: float = 20.0,
        clock: Callable[[], float] = time.monotonic,
        details: Callable[[], Mapping[str, Any]] = dict,
        on_concurrency: Callable[[int], None] = lambda max_concurrency: None,
    ) -> None:
        """`grace`: seconds for which shards are kept while Redis is away; `drain_seconds`: how long a stop may take;
        `details`: figures for the heartbeat; `on_concurrency` is told the number of IDENTIFY buckets."""
        self._name = name
        self._coordination = coordination
        self._epochs = epochs
        self._runner = runner
        self._url = url
        self._capacity = capacity
        self._tick = tick
        self._grace = grace
        self._drain_seconds = drain_seconds
        self._clock = clock
        self._details = details
        self._on_concurrency = on_concurrency
        self._held: dict[ShardKey, Held] = {}
        self._taking: asyncio.Task[None] | None = None
        self._next_try: dict[ShardKey, float] = {}
        self._leaving: dict[asyncio.Task[None], None] = {}  # in their order: a simulation must be able to repeat itself
        self._redis_lost_at: float | None = None
        self._stopping = False
        self.drained = False
        """Whether an operator asked for this process's drain."""
        self.trouble: str | None = None
        """Why the assignment cannot be followed now; None while all is well."""
        self.assignment: Assignment | None = None

    @property
    def draining(self) -> bool:
        """Whether this process takes no shards because it is to hand over those it has."""
        return self._stopping or self.drained

    @property
    def held(self) -> Mapping[ShardKey, OwnedShard]:
        """The shards whose leases this process holds."""
        return {shard: held.shard for shard, held in self._held.items()}

    def is_sure_of(self, shard: ShardKey) -> bool:
        """Whether no other process can serve the shard now, by our own clock; a process that was paused is not."""
        held = self._held.get(shard)
        return held is not None and held.is_sure(self._clock())

    def may_connect(self, shard: ShardKey) -> bool:
        """Whether a connection may be opened for it: not while Redis is away, when another may be about to."""
        held = self._held.get(shard)
        return held is not None and self._clock() < held.lease_until

    async def run(self, stop: asyncio.Event) -> None:
        """Owns shards until `stop` is set, then hands them all over."""
        with contextlib.suppress(RedisUnavailableError):
            await self._coordination.arrive()
        stopped = asyncio.ensure_future(stop.wait())
        watching = asyncio.create_task(self._watch_epochs(), name="epochs")
        try:
            while not stop.is_set():
                await self._once()
                await asyncio.wait([stopped], timeout=self._pause())
        finally:
            stopped.cancel()
            await self._drain()
            await end([watching])

    def _pause(self) -> float:
        """Seconds until the next step: a shard that another process lets go is asked for more often."""
        if self.assignment is None or self.draining or self.trouble:
            return self._tick
        now = self._clock()
        wanted = self.assignment.shards_of(self._name) - self._held.keys()
        hungry = any(now >= self._next_try.get(shard, 0.0) for shard in wanted)
        return min(self._tick, _HUNGRY_SECONDS) if hungry else self._tick

    async def _once(self) -> None:
        doubted = await self._doubted()
        now = self._clock()
        try:
            epochs = {shard: held.shard.epoch for shard, held in self._held.items() if shard not in doubted}
            step = await self._coordination.step(self._member(), epochs)
        except RedisUnavailableError as error:
            if self.trouble is None:
                _log.error("Redis is away; shards are kept for now", reason=str(error), grace_seconds=self._grace)
            self.trouble = str(error)
            self._redis_lost_at = now if self._redis_lost_at is None else self._redis_lost_at
            return
        if self.trouble is not None:
            _log.info("Redis is back")
        self.trouble, self._redis_lost_at = None, None
        for shard, epoch in epochs.items():
            held = self._held.get(shard)
            if held is None or held.shard.epoch != epoch:
                continue  # let go, or taken anew, while the question was under way
            if shard in step.lost:
                self._let_go(shard, drain=False, why="another process took its lease")
            else:
                held.lease_until = max(held.lease_until, now + LEASE_SECONDS)
        if step.drained is not self.drained:
            _log.info("asked to drain" if step.drained else "asked to serve again")
            self.drained = step.drained
        if step.assignment is not None:
            self.assignment = step.assignment
            self._follow(step.assignment)

    async def _doubted(self) -> Collection[ShardKey]:
        """Shards that may be another's by now, as after a pause of this process: their leases must not be renewed.

        An emptied Redis would give them back to whoever asks first, and take them from their latest holder.
        """
        now = self._clock()
        unsure = {
            shard: held.shard.epoch
            for shard, held in self._held.items()
            if not held.is_sure(now) and held.leaving is None
        }
        if not unsure:
            return ()
        try:
            epochs = await self._epochs.read(unsure)
        except DatabaseUnavailableError:
            return unsure
        for shard, ours in unsure.items():
            held = self._held.get(shard)
            if held is None or held.shard.epoch != ours:
                continue
            if epochs[shard] == ours:
                held.confirmed_until = now + CONFIRMED_SECONDS
            else:
                self._let_go(shard, drain=False, why="another process has a newer epoch")
        return [shard for shard, ours in unsure.items() if epochs[shard] != ours]

    def _member(self) -> Member:
        active = self.assignment.shard_count if self.assignment else 0
        shards: dict[int, Any] = {}
        upcoming: list[int] = []
        for shard in self._held:
            health = self._runner.shard_health(shard)
            if shard.shard_count == active:
                shards[shard.shard_id] = dict(vars(health))  # `asdict` copies deeply, which is slow
            elif health.state == "connected":
                upcoming.append(shard.shard_id)
        details = {"shards": shards, "upcoming": upcoming, **self._details()}
        return Member(self._name, "shard", self._url, self._capacity, self.draining, details)

    # --- following the assignment ---------------------------------------------------------------------------

    def _follow(self, assignment: Assignment) -> None:
        self._on_concurrency(assignment.max_concurrency)
        self._runner.take_turns(Turns(assignment.shard_count, assignment.upcoming_count, assignment.switch_at))
        wanted = assignment.shards_of(self._name)
        for shard in list(self._held):
            if shard not in wanted:
                self._let_go(shard, drain=True, why=assignment.why)
                continue
            state = self._runner.shard_health(shard).state
            if state == "failed":
                self._next_try[shard] = self._clock() + _RETRY_SECONDS
                self._let_go(shard, drain=True, why="its connection failed for good")
            elif state == "stale":
                self._let_go(shard, drain=False, why="this process was not sure of it for a while", release=True)
        if self._taking is None and not self.draining:
            now = self._clock()
            missing = {shard for shard in wanted - self._held.keys() if now >= self._next_try.get(shard, 0.0)}
            if missing:
                self._taking = asyncio.create_task(self._take(missing), name="taking shards")

    async def _take(self, wanted: Collection[ShardKey]) -> None:
        asked = self._clock()
        try:
            taken = await self._coordination.take(wanted)
            if not taken:
                return  # their owners are still letting go: tried again at the next step
            if self._clock() - asked > LEASE_SECONDS / 2:  # paused meanwhile: somebody else may have them by now
                await self._coordination.release(taken)
                return
            epochs = await self._epochs.take(taken)
        except MarkovShardError as error:
            _log.warning("shards cannot be taken; trying again", shards=len(wanted), reason=str(error))
            self._next_try.update(dict.fromkeys(wanted, self._clock() + self._tick))
            return
        finally:
            self._taking = None
        for shard, epoch in epochs.items():
            held = Held(OwnedShard(shard.shard_id, shard.shard_count, epoch), asked + LEASE_SECONDS)
            self._held[shard] = held
            held.starting = asyncio.create_task(self._start(held), name=f"starting shard {shard.shard_id}")

    async def _start(self, held: Held) -> None:
        shard = held.shard.key
        try:
            await self._runner.start_shard(held.shard)
        except Exception as error:  # noqa: BLE001 - whatever it was, the shard must be served, here or elsewhere
            known = isinstance(error, MarkovShardError)
            _log.error(
                "a shard cannot be started; trying again",
                shard=shard.shard_id,
                reason=str(error) if known else repr(error),
                exc_info=None if known else error,
            )
            self._next_try[shard] = self._clock() + _RETRY_SECONDS
            held.starting = None
            self._let_go(shard, drain=False, why="it could not be started", release=True)
        finally:
            held.starting = None

    # --- letting go -----------------------------------------------------------------------------------------

    def superseded(self, shard: ShardKey, epoch: int) -> None:
        """Postgres refused a write: another process owns the shard now."""
        held = self._held.get(shard)
        if held is not None and held.shard.epoch == epoch:
            self._let_go(shard, drain=False, why="another process has a newer epoch")

    def _let_go(self, shard: ShardKey, *, drain: bool, why: str, release: bool | None = None) -> None:
        """Begins to let a shard go; its lease is released too unless somebody else has it."""
        held = self._held[shard]
        if held.leaving is None:
            _log.info("letting a shard go", shard=shard.shard_id, of=shard.shard_count, why=why, drain=drain)
            work = self._leave(held, drain=drain, release=drain if release is None else release)
            held.leaving = asyncio.create_task(work, name=f"leaving shard {shard.shard_id}")
            self._leaving[held.leaving] = None
            held.leaving.add_done_callback(self._leaving.pop)

    async def _leave(self, held: Held, *, drain: bool, release: bool) -> None:
        shard = held.shard
        if held.starting is not None:
            await end([held.starting])
        try:
            await self._runner.stop_shard(shard, drain=drain)
        except MarkovShardError as error:
            _log.error("a shard could not be drained", shard=shard.shard_id, reason=str(error))
            await self._runner.stop_shard(shard, drain=False)
        finally:
            if self._held.get(shard.key) is held:
                del self._held[shard.key]
            if release:
                with contextlib.suppress(RedisUnavailableError):  # the lease then ends by itself
                    await self._coordination.release([shard.key])

    async def _watch_epochs(self) -> None:
        """Each second, for leases that could not be renewed in time, asks Postgres whether they are still ours.

        A task of its own: a Redis that takes the question and never answers must not hold this up.
        """
        while True:
            await asyncio.sleep(self._tick)
            now = self._clock()
            late = {
                shard: held.shard.epoch
                for shard, held in self._held.items()
                if now >= held.lease_until - 2 * self._tick and held.leaving is None  # in time to stay sure of it
            }
            if late:
                await self._rule(late, now)

    async def _rule(self, late: Mapping[ShardKey, int], now: float) -> None:
        epochs: Mapping[ShardKey, int | None]
        try:
            epochs = await self._epochs.read(late)
        except DatabaseUnavailableError:
            epochs = dict.fromkeys(late)
        away = now - (now if self._redis_lost_at is None else self._redis_lost_at)
        for shard, ours in late.items():
            held = self._held.get(shard)
            if held is None or held.shard.epoch != ours:
                continue
            ruling, why = rule(away_seconds=away, grace=self._grace, epoch=epochs[shard], ours=ours)
            if ruling is Ruling.KEEP:
                held.confirmed_until = now + CONFIRMED_SECONDS
            elif self._clock() >= held.lease_until:  # it was not renewed meanwhile
                self._let_go(shard, drain=ruling is Ruling.DRAIN, why=why)

    async def _drain(self) -> None:
        """Lets everything go, positions saved. Heartbeat and readiness say so first, and while another process can
        take the shards over they are served until the leader has placed them there."""
        self._stopping = True
        began = self._clock()
        if self._taking is not None:
            await asyncio.wait([self._taking])
        with contextlib.suppress(RedisUnavailableError):
            while self._held and self._clock() - began < _HAND_OVER_SECONDS:
                await self._once()
                if self.trouble or not self._held or not await self._coordination.others_serve():
                    break
                await asyncio.sleep(_HUNGRY_SECONDS)
        for shard in list(self._held):
            self._let_go(shard, drain=True, why="this process stops")
        if self._leaving:
            left = max(0.0, self._drain_seconds - (self._clock() - began))
            await asyncio.wait(self._leaving, timeout=left)
            if self._leaving:
                _log.error("not drained in time; what was not stored is replayed", shards=len(self._leaving))
                for task in self._leaving:
                    task.cancel()
        with contextlib.suppress(RedisUnavailableError):
            await self._coordination.leave()
