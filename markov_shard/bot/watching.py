"""Watches this process's gateway connections, and mends those that only seem to work.

First by reconnecting, which resumes the session and loses nothing; a shard that is no better soon after has its
process hand everything over and end, so that its supervisor starts it anew.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, get_args

from markov_shard.bot.stalls import Connection, Diagnosis, Norm, Sign, diagnose
from markov_shard.errors import RedisUnavailableError
from markov_shard.logs import get_logger
from markov_shard.shared.leases import ShardKey
from markov_shard.shared.members import Member

_log = get_logger(__name__)

LOOK_SECONDS = 10.0

_RECOVERY_SECONDS = 60.0
"""For a reconnect to show its effect."""

_RELAPSE_SECONDS = 900.0
"""A shard that is no good again within this time of a reconnect is not mended by another."""


class Watched(Protocol):
    """A gateway shard, as far as it is watched; `FleetShard` is the real one."""

    @property
    def is_connected(self) -> bool: ...

    @property
    def is_waiting(self) -> bool:
        """Whether it is not connected because it must wait: for its turn to identify, or for Redis."""

    @property
    def last_ack_age(self) -> float: ...

    @property
    def beat_interval(self) -> float | None: ...

    @property
    def last_event_at(self) -> float: ...

    @property
    def longest_silence(self) -> float: ...

    async def reconnect(self) -> None: ...


@dataclass
class _Seen:
    """What is remembered of a shard between looks."""

    connected_at: float
    reconnected_at: float = float("-inf")
    why: str = ""


class ShardWatch:
    """Looks at every connection now and then."""

    def __init__(
        self,
        name: str,
        shards: Callable[[], Mapping[ShardKey, Watched]],
        members: Callable[[], Awaitable[Sequence[Member]]],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`members`: the fleet's heartbeats; raises RedisUnavailableError. `name`: this process's."""
        self._name = name
        self._shards = shards
        self._members = members
        self._clock = clock
        self._seen: dict[ShardKey, _Seen] = {}
        self.reconnects: Counter[str] = Counter(dict.fromkeys(get_args(Sign), 0))
        """Connections given up, by the sign that they were no good; zeros too, or Prometheus would miss the first."""
        self.beyond_repair = asyncio.Event()
        """Set when a process of its own will be better than this one."""
        self.why = ""
        """Then says why."""

    def note(self, shard: ShardKey) -> str | None:
        """What was done to a shard lately, for the health page."""
        seen = self._seen.get(shard)
        if seen is None or self._clock() - seen.reconnected_at > _RELAPSE_SECONDS:
            return None
        return f"reconnected {self._clock() - seen.reconnected_at:.0f} s ago: {seen.why}"

    async def run(self) -> None:
        """Watches until cancelled."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            await self.look()

    async def look(self) -> None:
        """Looks once."""
        try:
            members = await self._members()
        except RedisUnavailableError:
            members = []  # nothing to compare with: only acknowledgements are judged
        shards = self._shards()
        self._seen = {key: seen for key, seen in self._seen.items() if key in shards}
        for key, shard in shards.items():
            now = self._clock()
            seen = self._seen.setdefault(key, _Seen(connected_at=now))
            if shard.is_connected or shard.is_waiting:
                seen.connected_at = now
            if shard.is_waiting or now - seen.reconnected_at < _RECOVERY_SECONDS:
                continue
            found = diagnose(self._connection(shard, seen, now), self._norm(members, shards, key))
            if found is not None:
                await self._mend(key, shard, seen, found)

    def _connection(self, shard: Watched, seen: _Seen, now: float) -> Connection:
        age = shard.last_ack_age
        return Connection(
            disconnected_for=None if shard.is_connected else now - seen.connected_at,
            ack_age=age if shard.is_connected and age == age else None,  # NaN before the first
            beat_interval=shard.beat_interval,
            event_age=now - shard.last_event_at,
            longest_silence=shard.longest_silence,
        )

    def _norm(self, members: Sequence[Member], shards: Mapping[ShardKey, Watched], but: ShardKey) -> Norm:
        now = self._clock()
        others: list[tuple[bool, float | None]] = [
            (shard.is_connected, now - shard.last_event_at) for key, shard in shards.items() if key != but
        ]
        for member in members:
            if member.name != self._name:
                states = (member.details.get("shards") or {}).values()
                others += [(state.get("state") == "connected", state.get("last_event_age")) for state in states]
        return Norm.of(others)

    async def _mend(self, key: ShardKey, shard: Watched, seen: _Seen, found: Diagnosis) -> None:
        now = self._clock()
        if now - seen.reconnected_at < _RELAPSE_SECONDS:
            self.why = f"shard {key.shard_id} is no better after a reconnect: {found.text}"
            _log.error("this process restarts: a connection cannot be mended", shard=key.shard_id, why=found.text)
            self.beyond_repair.set()
            return
        _log.warning("reconnecting a shard", shard=key.shard_id, sign=found.sign, why=found.text)
        self.reconnects[found.sign] += 1
        seen.reconnected_at, seen.why = now, found.text
        await shard.reconnect()
