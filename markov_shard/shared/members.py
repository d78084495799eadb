"""The fleet's processes as they announce themselves by heartbeat."""

import asyncio
import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import msgpack
from redis.asyncio import Redis

from markov_shard.errors import RedisUnavailableError
from markov_shard.logs import get_logger
from markov_shard.shared import keys
from markov_shard.shared.connect import redis_errors, server_of
from markov_shard.shared.scripts import run_script

_log = get_logger(__name__)

MEMBER_MS = 8_000
"""Milliseconds after its last heartbeat for which a process counts as alive.

As long as failover allows: its leases, renewed with its heartbeats, run for ten seconds, so whoever follows it is
known in time. Shorter, and processes on a host that is short of CPU would lose their shards and get them back.
"""

MemberRole = Literal["shard", "worker", "coordinator"]


@dataclass(frozen=True)
class Member:
    """One process. `details` is shown by `status`; of a shard process it holds the state of each of its shards."""

    name: str
    role: MemberRole
    url: str = ""
    capacity: int = 1
    draining: bool = False
    details: Mapping[str, Any] = field(default_factory=dict)
    age: float = 0.0
    """Seconds since its first heartbeat."""


def describe(member: Member) -> bytes:
    """A member's heartbeat as it is kept in Redis."""
    described: bytes = msgpack.packb(
        {
            "role": member.role,
            "url": member.url,
            "capacity": member.capacity,
            "draining": member.draining,
            "details": dict(member.details),
        }
    )
    return described


async def beat(redis: Redis, member: Member) -> None:
    """Sends a heartbeat. Raises RedisUnavailableError."""
    description = describe(member)
    names = [keys.member(member.name), keys.members()]
    await run_script(redis, "member_beat", names, [member.name, MEMBER_MS, description])


async def leave(redis: Redis, name: str) -> None:
    """Takes a process off the list at once."""
    with redis_errors(server_of(redis)):
        await redis.delete(keys.member(name))
        await redis.srem(keys.members(), name)


async def read_members(redis: Redis) -> Sequence[Member]:
    """The processes alive now, by name. Raises RedisUnavailableError."""
    found = await run_script(redis, "members_read", [keys.members()], [keys.member("")])
    members = [_parse(name.decode(), age, description) for name, age, description in found]
    return sorted((member for member in members if member), key=lambda member: member.name)


def _parse(name: str, age: int, description: bytes) -> Member | None:
    try:
        return Member(name, age=age / 1000, **msgpack.unpackb(description, strict_map_key=False))
    except (ValueError, TypeError, msgpack.UnpackException):
        _log.warning("a process's heartbeat cannot be read", process=name)
        return None


async def keep_beating(
    redis: Redis, name: str, role: MemberRole, url: str, details: Callable[[], Mapping[str, Any]]
) -> None:
    """Sends a heartbeat each second until cancelled, then takes the process off the list."""
    try:
        while True:
            with contextlib.suppress(RedisUnavailableError):
                await beat(redis, Member(name, role, url, details=details()))
            await asyncio.sleep(1)
    finally:
        with contextlib.suppress(RedisUnavailableError):
            await leave(redis, name)
