"""The leader's decision: which process is to own which range, kept in Redis for everyone to follow."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgpack
from redis.asyncio import Redis

from markov_shard.logs import get_logger
from markov_shard.ranges import GuildRange
from markov_shard.shared import keys
from markov_shard.shared.connect import redis_errors, server_of
from markov_shard.shared.leases import ShardKey
from markov_shard.shared.scripts import run_script

_log = get_logger(__name__)


@dataclass(frozen=True)
class Assignment:
    """Who is to own what. `why` says what the latest change answered to.

    While the fleet is resharded, `upcoming` is the muted set of `upcoming_count` shards; it takes over at `switch_at`
    (milliseconds since 1970, 0 while undecided), which stays noted after it did.
    """

    shard_count: int
    max_concurrency: int
    ranges: Mapping[str, GuildRange] = field(default_factory=dict)
    why: str = ""
    upcoming_count: int = 0
    upcoming: Mapping[str, GuildRange] = field(default_factory=dict)
    switch_at: int = 0

    def shards_of(self, name: str) -> set[ShardKey]:
        """Every shard of either set that the process is to own."""
        parts = [part for ranges in (self.ranges, self.upcoming) if (part := ranges.get(name))]
        return {ShardKey(part.shard_count, shard_id) for part in parts for shard_id in part.shard_ids}


def pack_assignment(assignment: Assignment) -> bytes:
    """The assignment as it is kept in Redis."""
    packed: bytes = msgpack.packb(
        {
            "shard_count": assignment.shard_count,
            "max_concurrency": assignment.max_concurrency,
            "ranges": {name: (part.first, part.last) for name, part in assignment.ranges.items()},
            "why": assignment.why,
            "upcoming_count": assignment.upcoming_count,
            "upcoming": {name: (part.first, part.last) for name, part in assignment.upcoming.items()},
            "switch_at": assignment.switch_at,
        }
    )
    return packed


def parse_assignment(content: bytes | str | None) -> Assignment | None:
    """What `pack_assignment` made; None for nothing, and for what cannot be read."""
    if not content:
        return None
    try:
        found = msgpack.unpackb(content)
        shard_count, upcoming = found["shard_count"], found.get("upcoming_count", 0)
        return Assignment(
            shard_count,
            found["max_concurrency"],
            {name: GuildRange(first, last, shard_count) for name, (first, last) in found["ranges"].items()},
            found["why"],
            upcoming,
            {name: GuildRange(first, last, upcoming) for name, (first, last) in found.get("upcoming", {}).items()},
            found.get("switch_at", 0),
        )
    except (ValueError, KeyError, TypeError, msgpack.UnpackException):
        _log.error("the assignment in Redis cannot be read; the leader writes it anew")
        return None


async def read_assignment(redis: Redis) -> Assignment | None:
    """The present decision; None before the first, or after Redis lost it. Raises RedisUnavailableError."""
    with redis_errors(server_of(redis)):
        content = await redis.hget(keys.assignment(), "content")
    return parse_assignment(content)


async def write_assignment(redis: Redis, leader: str, assignment: Assignment) -> bool:
    """Publishes a decision; False when `leader` does not lead any more."""
    content = pack_assignment(assignment)
    return bool(await run_script(redis, "assignment_write", [keys.leader(), keys.assignment()], [leader, content]))
