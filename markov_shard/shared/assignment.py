"""The leader's decision: which process is to own which range, kept in Redis for everyone to follow."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import msgpack
from redis.asyncio import Redis

from markov_shard.logs import get_logger
from markov_shard.ranges import GuildRange
from markov_shard.shared import keys
from markov_shard.shared.connect import redis_errors, server_of
from markov_shard.shared.scripts import run_script

_log = get_logger(__name__)


@dataclass(frozen=True)
class Assignment:
    """Who is to own what. `why` says what the latest change answered to."""

    shard_count: int
    max_concurrency: int
    ranges: Mapping[str, GuildRange] = field(default_factory=dict)
    why: str = ""


async def read_assignment(redis: Redis) -> Assignment | None:
    """The present decision; None before the first, or after Redis lost it. Raises RedisUnavailableError."""
    with redis_errors(server_of(redis)):
        content = await redis.hget(keys.assignment(), "content")
    if content is None:
        return None
    try:
        found = msgpack.unpackb(content)
        shard_count = found["shard_count"]
        ranges = {name: GuildRange(first, last, shard_count) for name, (first, last) in found["ranges"].items()}
        return Assignment(shard_count, found["max_concurrency"], ranges, found["why"])
    except (ValueError, KeyError, TypeError, msgpack.UnpackException):
        _log.error("the assignment in Redis cannot be read; the leader writes it anew")
        return None


async def write_assignment(redis: Redis, leader: str, assignment: Assignment) -> bool:
    """Publishes a decision; False when `leader` does not lead any more."""
    content = msgpack.packb(
        {
            "shard_count": assignment.shard_count,
            "max_concurrency": assignment.max_concurrency,
            "ranges": {name: (part.first, part.last) for name, part in assignment.ranges.items()},
            "why": assignment.why,
        }
    )
    return bool(await run_script(redis, "assignment_write", [keys.leader(), keys.assignment()], [leader, content]))
