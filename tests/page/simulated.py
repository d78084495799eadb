"""Processes that exist in Redis only: their heartbeats, leases and placement are written by the real functions."""

import asyncio
import contextlib
import math
from collections.abc import AsyncIterator
from typing import Any

from redis.asyncio import Redis

from coordinator.placement import place
from markov_shard.shared.assignment import Assignment, write_assignment
from markov_shard.shared.coordination import FleetCoordination
from markov_shard.shared.leases import ShardKey, take_leadership
from markov_shard.shared.members import Member, beat
from markov_shard.tasks import end

LEADER = "coordinator-1"


class SimulatedFleet:
    """`sick` shards are reported as failed, with why, `starting` ones as connecting."""

    def __init__(self, redis: Redis, processes: int, shard_count: int) -> None:
        self._redis = redis
        self.shard_count = shard_count
        self.names = [f"shard-{number:02}" for number in range(1, processes + 1)]
        self.ranges = place(shard_count, self.names, {})
        self.sick: dict[int, str] = {}
        self.starting: set[int] = set()
        self.draining: set[str] = set()
        self._counts = dict.fromkeys(self.names, 0)

    async def beat(self) -> None:
        """One second of every process's life."""
        await take_leadership(self._redis, LEADER)
        await write_assignment(
            self._redis, LEADER, Assignment(self.shard_count, 16, self.ranges, "shard-07 joined; shard-65 left")
        )
        await beat(
            self._redis,
            Member(LEADER, "coordinator", "http://10.0.0.1:8400", details={"leads": True, "memory": 71 << 20}),
        )
        await beat(
            self._redis, Member("coordinator-2", "coordinator", "http://10.0.0.2:8400", details={"memory": 70 << 20})
        )
        for number in (1, 2, 3):
            details = {"jobs": [str(40 + number)] if number < 3 else [], "memory": 190 << 20, "lag": 0.0004}
            await beat(
                self._redis, Member(f"worker-{number}", "worker", f"http://10.0.3.{number}:8400", details=details)
            )
        for number, name in enumerate(self.names):
            await self._beat(number, name)

    async def _beat(self, number: int, name: str) -> None:
        part = self.ranges[name]
        self._counts[name] += 40 + round(30 * math.sin(self._counts[name] / 90 + number))
        count = self._counts[name]
        details = {
            "shards": {shard_id: self._shard(shard_id) for shard_id in part.shard_ids},
            "chains": {"open": 120, "bytes": 180 << 20, "hits": count * 19, "misses": count},
            "counts": {"events": count * 30, "replies": count, "learned": count * 8, "unlearned": 0},
            "memory": (210 + 3 * number) << 20,
            "lag": 0.0012,
            "waiting": 12,
            "errors": [],
        }
        member = Member(name, "shard", f"http://10.0.1.{number}:8400", draining=name in self.draining, details=details)
        held = {ShardKey(self.shard_count, shard_id): 3 for shard_id in part.shard_ids}
        await FleetCoordination(self._redis, name).step(member, held)

    def _shard(self, shard_id: int) -> dict[str, Any]:
        state = "failed" if shard_id in self.sick else "connecting" if shard_id in self.starting else "connected"
        latency = 0.03 + (shard_id * 7919 % 40) / 1000 if state == "connected" else None
        return {
            "state": state,
            "latency": latency,
            "last_event_age": 0.4,
            "resumes": shard_id % 3,
            "identifies": 1,
            "error": self.sick.get(shard_id),
        }

    @contextlib.asynccontextmanager
    async def alive(self) -> AsyncIterator[None]:
        """Beats each second while the block runs."""
        await self.beat()

        async def on() -> None:
            while True:
                await asyncio.sleep(1)
                await self.beat()

        task = asyncio.create_task(on())
        try:
            yield
        finally:
            await end([task])
