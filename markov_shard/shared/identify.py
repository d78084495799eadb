"""The fleet's gate for IDENTIFYs, and the ledger of the day's session budget.

Discord takes one IDENTIFY per `shard_id % max_concurrency` bucket per 5 s, counted for the whole bot
(https://discord.com/developers/docs/events/gateway#rate-limiting), so all processes share the buckets. About 1,000
are allowed a day; using them up ends every session and resets the token, so a tenth is kept for shards that served
before and lost their session.
"""

import asyncio
import contextlib
import time
import uuid
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from redis.asyncio import Redis

from markov_shard.errors import RedisUnavailableError
from markov_shard.logs import get_logger
from markov_shard.shared import keys
from markov_shard.shared.connect import redis_errors, server_of
from markov_shard.shared.leases import SHARD_LEASE_MS
from markov_shard.shared.scripts import fleet_clock, run_script

_log = get_logger(__name__)

WINDOW_MS = 5_100
"""Discord's 5 s, and how much earlier one packet may arrive than another."""

EARLY_MS = 2_000
"""How long before its IDENTIFY a shard gets its ticket: it connects meanwhile, or each IDENTIFY would come late by the
time that takes."""

LONGEST_HOLD_MS = 60_000
"""A holder that died between IDENTIFY and READY keeps its bucket this long."""

_BUDGET_SPENT = 4


@dataclass(frozen=True)
class Budget:
    """The day's IDENTIFYs: as `GET /gateway/bot` says, or as the ledger counts them."""

    total: int
    remaining: int
    reset_after_ms: int

    @property
    def reserve(self) -> int:
        """What is kept for recovery."""
        return self.total // 10

    @property
    def is_low(self) -> bool:
        """Whether only recovery may identify."""
        return self.total > 0 and self.remaining <= self.reserve


class Ticket(NamedTuple):
    """The answer to a try. `ask_in_ms`: 0 when taken, else after how long it is worth asking again; `why` not: 1 the
    gate is not open, 2 the bucket is held, 3 its window has not passed, 4 the budget is spent; `send_in_ms`: when
    taken, after how long the IDENTIFY may be sent."""

    ask_in_ms: int
    why: int = 0
    send_in_ms: int = 0


class Tickets(Protocol):
    """The buckets and the ledger, shared by the fleet. Every method raises RedisUnavailableError."""

    async def take(self, bucket: int, holder: str, *, recovery: bool) -> Ticket:
        """Tries to take a bucket's ticket."""

    async def release(self, bucket: int, holder: str, next_ms: int) -> None:
        """Ends the hold; the next ticket is given `next_ms` from now at the earliest."""


class RedisTickets:
    """Tickets in Redis, each step atomic and timed by Redis's clock."""

    def __init__(self, redis: Redis) -> None:
        self._redis = redis

    async def take(self, bucket: int, holder: str, *, recovery: bool) -> Ticket:
        """See `Tickets`."""
        arguments: list[str | int] = [holder, WINDOW_MS, LONGEST_HOLD_MS, int(recovery), EARLY_MS]
        names = [keys.identify_bucket(bucket), keys.identify_gate()]
        return Ticket(*await run_script(self._redis, "identify_take", names, arguments))

    async def release(self, bucket: int, holder: str, next_ms: int) -> None:
        """See `Tickets`."""
        await run_script(self._redis, "identify_release", [keys.identify_bucket(bucket)], [holder, next_ms])


@dataclass
class Permit:
    """The right to send one IDENTIFY, once it is due."""

    sent_at: float | None = None
    clock: Callable[[], float] = time.monotonic
    due_at: float = float("-inf")

    async def due(self) -> None:
        """Waits until the IDENTIFY may be sent."""
        await asyncio.sleep(max(0.0, self.due_at - self.clock()))

    def sent(self) -> None:
        """The IDENTIFY goes out now: the bucket's window counts from here."""
        self.sent_at = self.clock()


class FleetIdentifyGate:
    """Lets one shard of a bucket identify at a time, fleet-wide."""

    def __init__(self, tickets: Tickets, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._tickets = tickets
        self._name = name
        self._clock = clock
        self.max_concurrency = 1
        """As Discord says; the assignment carries it."""
        self.waiting = 0
        """Shards that wait for their turn."""

    @contextlib.asynccontextmanager
    async def permit(self, shard_id: int, *, recovery: bool = True) -> AsyncIterator[Permit]:
        """Waits for the shard's turn and holds its bucket while the block runs: until READY, or failure.

        While Redis is away nobody identifies: without the shared buckets the fleet could use up its day's budget.
        """
        bucket = shard_id % self.max_concurrency
        holder = f"{self._name}/{shard_id}/{uuid.uuid4().hex[:8]}"
        self.waiting += 1
        try:
            send_in = await self._wait(bucket, holder, shard_id, recovery=recovery)
        finally:
            self.waiting -= 1
        permit = Permit(clock=self._clock, due_at=self._clock() + send_in)
        try:
            yield permit
        finally:
            # Not sent as far as we know: it may have been, a moment ago.
            passed = 0.0 if permit.sent_at is None else self._clock() - permit.sent_at
            wait = max(0, WINDOW_MS - int(passed * 1000))
            with contextlib.suppress(RedisUnavailableError):  # the hold then ends by itself
                await self._tickets.release(bucket, holder, wait)

    async def _wait(self, bucket: int, holder: str, shard_id: int, *, recovery: bool) -> float:
        """Takes the bucket's ticket; after how many seconds the IDENTIFY may be sent."""
        told = 0
        while True:
            try:
                ticket = await self._tickets.take(bucket, holder, recovery=recovery)
            except RedisUnavailableError as error:
                _log.warning("IDENTIFY waits for Redis", reason=str(error))
                ticket = Ticket(1000)
            if ticket.ask_in_ms == 0:
                return ticket.send_in_ms / 1000
            if ticket.why == _BUDGET_SPENT != told:
                _log.error("IDENTIFY waits: the day's session budget is spent", shard=shard_id, recovery=recovery)
            told = ticket.why
            await asyncio.sleep(ticket.ask_in_ms / 1000)


async def open_gate(redis: Redis, budget: Budget, *, ran_before: bool) -> None:
    """Opens the gate, by the leader, where Redis does not know it as open; notes what Discord says of the budget.

    When the fleet ran before, Redis has lost what it knew of recent IDENTIFYs and of leases, so one full window must
    pass for the ones, after the tickets given early, and one lease's life for the others.
    """
    wait, lease_wait = (EARLY_MS + WINDOW_MS, SHARD_LEASE_MS) if ran_before else (0, 0)
    arguments = [wait, budget.total, budget.remaining, budget.reset_after_ms, budget.reserve, lease_wait]
    await run_script(redis, "identify_open", [keys.identify_gate()], arguments)


async def read_budget(redis: Redis) -> Budget | None:
    """The ledger as it stands; None before the leader opened the gate. Raises RedisUnavailableError."""
    with redis_errors(server_of(redis)):
        found = await redis.hmget(keys.identify_gate(), "total", "remaining", "resets_at")
    if None in found:
        return None
    now = await fleet_clock(redis)
    total, remaining, resets_at = (int(value or 0) for value in found)
    return Budget(total, remaining, max(0, resets_at - now))
